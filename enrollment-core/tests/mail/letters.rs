//! What people are told of what happens.

use std::collections::BTreeSet;

use enrollment_core::domain::device::PublicKey;
use enrollment_core::domain::enrollment::Purpose;
use enrollment_core::domain::group::Access;
use enrollment_core::domain::location::{FactorKind, MfaMode, Ownership};
use enrollment_core::domain::role::Role;
use enrollment_core::service::administrator::{NewLocation, NewMachine, SettingsPatch};
use enrollment_core::time::Span;

use crate::bench::{Bench, CLI, HERE, code, mailed, mailed_to, manual};

fn location(name: &str) -> NewLocation {
    NewLocation {
        name: name.parse().unwrap(),
        endpoint: "vpn.example.com:51820".parse().unwrap(),
        public_key: None,
        pools: vec!["10.1.0.0/27".parse().unwrap()],
        allowed_ips: vec!["10.0.0.0/8".parse().unwrap()],
        dns: Vec::new(),
        keepalive: 25,
        mtu: None,
        mfa: MfaMode::Disabled,
        factors: Some(BTreeSet::from([FactorKind::Totp])),
        access: Access::Everyone,
        ownership: Ownership::Shared,
    }
}

fn set(subjects: &[&str]) -> BTreeSet<String> {
    subjects.iter().map(|subject| (*subject).to_owned()).collect()
}

/// MSG-7: what a completion tells, and to whom.
#[tokio::test]
async fn a_completion_tells_the_user_what_came_of_it_and_the_initiator_that_it_did() {
    let bench = Bench::new();
    let (_, by) = bench.administrator("max", Role::UserManager).await;
    bench.admin().create_location(&CLI, location("office")).await.unwrap();
    let alice = bench.user("alice").await;
    let issued = bench.start(&by, alice.id, manual(Purpose::Onboarding)).await.unwrap();
    let session = bench.begin(&issued.token).await.unwrap();
    bench.fill_in(&session).await;
    bench.set_up_totp(&session).await;
    bench.add_device(&session, 1).await;
    assert!(bench.mails().await.is_empty(), "nothing is told before");
    bench.complete(&session).await;
    let again = bench.service.enrollee().complete(&session, HERE).await.unwrap();
    assert!(again.repeated);
    bench.send().await;
    let told = [
        "Welcome to the VPN",
        "A device was added to your VPN account",
        "A second factor was set up for your VPN account",
    ];
    assert_eq!(bench.subjects("alice@example.com"), set(&told));
    assert_eq!(bench.inbox("alice@example.com").len(), 3, "each once");
    assert_eq!(bench.subjects("max@example.com"), set(&["alice completed their VPN enrollment"]));
    let device = bench.inbox("alice@example.com").into_iter().find(|mail| mail.subject.contains("device")).unwrap();
    assert!(device.text.contains("laptop 1") && device.text.contains("1 January 2026, 00:00 UTC"), "{}", device.text);

    bench.clock.advance(Span::minutes(1).duration());
    let issued = bench.start(&by, alice.id, manual(Purpose::Device)).await.unwrap();
    let session = bench.begin(&issued.token).await.unwrap();
    bench.add_device(&session, 2).await;
    bench.send().await;
    let all: Vec<_> = bench.mails().await.into_iter().skip(4).map(|(letter, _)| letter).collect();
    assert_eq!(BTreeSet::from_iter(all), BTreeSet::from(["device_added", "enrollment_started", "initiator_completed"]));
    assert!(bench.all_mails().await.iter().all(|mail| mail.state.as_str() == "sent"));
}

/// MSG-1: page and mail are one text or two, and the mail can be switched off.
#[tokio::test]
async fn the_onboarding_mail_is_the_page_until_it_has_its_own_text_and_can_be_switched_off() {
    let bench = Bench::new();
    let mail = async |username: &str| {
        let user = bench.user(username).await;
        bench.enroll(user.id).await;
        bench.inbox(&format!("{username}@example.com")).pop()
    };
    assert!(mail("alice").await.unwrap().text.contains("What to do next"));
    bench.admin().save_template(&CLI, "onboarding", "The page of {{ username }}.").await.unwrap();
    assert!(mail("bob").await.unwrap().text.contains("The page of bob."));
    bench.admin().save_template(&CLI, "onboarding_mail", "The mail of {{ username }}.").await.unwrap();
    bench.admin().save_template(&CLI, "onboarding_mail_subject", "Hello {{ username }}").await.unwrap();
    let carols = mail("carol").await.unwrap();
    assert!(carols.text.contains("The mail of carol.") && carols.subject == "Hello carol", "{}", carols.text);
    let off = SettingsPatch { onboarding_mail: Some(false), ..SettingsPatch::default() };
    bench.admin().change_settings(&CLI, off).await.unwrap();
    assert!(mail("dave").await.is_none());
    assert!(bench.all_mails().await.iter().all(|mail| mail.state.as_str() == "sent"), "and none was queued");
}

/// REQ-10: once for each session in which completing was refused, when it is over and nothing came of it.
#[tokio::test]
async fn whoever_was_refused_hears_once_per_session_what_is_missing_when_the_session_is_over() {
    let bench = Bench::new();
    let alice = bench.user("alice").await;
    let issued = bench.start(&CLI, alice.id, manual(Purpose::Onboarding)).await.unwrap();
    let refuse = async |session: &_| {
        let refused = bench.service.enrollee().complete(session, HERE).await;
        assert_eq!(refused.map(drop).map_err(code), Err("requirements_missing"));
    };
    let session = bench.begin(&issued.token).await.unwrap();
    refuse(&session).await;
    refuse(&session).await;
    bench.service.enrollee().confirm_profile(&session, None, HERE).await.unwrap();
    refuse(&session).await;
    bench.send().await;
    assert!(bench.inbox("alice@example.com").is_empty(), "the session lives");
    bench.send_after(Span::minutes(10)).await;
    let told = bench.inbox("alice@example.com");
    assert_eq!(told.len(), 1);
    assert!(
        told[0].text.contains("Choose a password.") && !told[0].text.contains("confirm your data"),
        "{}",
        told[0].text
    );
    assert!(told[0].text.contains("It works until 2 January 2026, 00:00 UTC"), "{}", told[0].text);

    // Refused for the same reason in the next session, which is the last one. Then it is told again.
    let session = bench.begin(&issued.token).await.unwrap();
    bench.service.enrollee().confirm_profile(&session, None, HERE).await.unwrap();
    refuse(&session).await;
    bench.send_after(Span::minutes(10)).await;
    assert_eq!(bench.inbox("alice@example.com").len(), 2);

    let session = bench.begin(&issued.token).await.unwrap();
    bench.service.enrollee().confirm_profile(&session, None, HERE).await.unwrap();
    refuse(&session).await;
    bench.fill_in(&session).await;
    bench.complete(&session).await;
    bench.send_after(Span::minutes(10)).await;
    assert_eq!(
        bench.subjects("alice@example.com"),
        set(&["Your VPN enrollment is not finished", "Welcome to the VPN"])
    );
    assert_eq!(bench.inbox("alice@example.com").len(), 3, "nobody is told of what was done after all");
}

/// REQ-10: somebody who has gone on in another session needs no reminder of the last.
#[tokio::test]
async fn nobody_is_reminded_of_a_session_after_which_they_went_on() {
    let bench = Bench::new();
    let alice = bench.user("alice").await;
    let issued = bench.start(&CLI, alice.id, manual(Purpose::Onboarding)).await.unwrap();
    let session = bench.begin(&issued.token).await.unwrap();
    assert!(bench.service.enrollee().complete(&session, HERE).await.is_err());
    bench.clock.advance(Span::minutes(10).duration());
    bench.begin(&issued.token).await.unwrap();
    bench.send().await;
    assert_eq!(bench.mails().await, [("enrollment_unfinished", "obsolete")]);
}

/// MSG-7, MFA-4
#[tokio::test]
async fn an_initiator_hears_that_an_enrollment_was_locked() {
    let bench = Bench::new();
    let (_, by) = bench.administrator("max", Role::UserManager).await;
    let alice = bench.user("alice").await;
    let issued = bench.start(&by, alice.id, manual(Purpose::Onboarding)).await.unwrap();
    let session = bench.begin(&issued.token).await.unwrap();
    bench.service.enrollee().offer_totp(&session, HERE).await.unwrap();
    for _ in 0..10 {
        assert!(bench.service.enrollee().confirm_totp(&session, "000000", HERE).await.is_err());
    }
    bench.send().await;
    assert_eq!(bench.subjects("max@example.com"), set(&["The VPN enrollment of alice is locked"]));
    assert_eq!(bench.relay.count(), 1);
}

/// MSG-7, INV-10: whoever added a machine hears by its name what became of it; it has nobody else who could be told.
#[tokio::test]
async fn an_initiator_hears_what_became_of_a_machine() {
    let bench = Bench::new();
    let (_, by) = bench.administrator("max", Role::Administrator).await;
    let office = bench.admin().create_location(&CLI, location("office")).await.unwrap().location.id;
    let machine = async |name: &str| {
        let new = NewMachine { name: name.parse().unwrap(), validity: None };
        bench.admin().create_machine(&by, office, new).await.unwrap().issued
    };
    let session = bench.begin(&machine("build-01").await.token).await.unwrap();
    let key = PublicKey::from_bytes([9; 32]).unwrap();
    bench.service.enrollee().set_machine_key(&session, &key, HERE).await.unwrap();
    bench.service.enrollee().report(&machine("build-02").await.token, HERE).await.unwrap();
    bench.send().await;
    let (completed, reported) =
        ("build-01 completed their VPN enrollment", "The VPN invitation of build-02 was reported");
    assert_eq!(bench.subjects("max@example.com"), set(&[completed, reported]));
    assert_eq!(bench.relay.count(), 2);
    for mail in bench.inbox("max@example.com") {
        let said = if mail.subject == completed {
            "\nbuild-01 completed the VPN enrollment that you started."
        } else {
            "\nWhoever got the VPN invitation that you started for build-02 said"
        };
        assert!(mail.text.contains(said), "{}", mail.text);
    }
}

/// INV-7: nobody is told where the initiator is gone or has no address.
#[tokio::test]
async fn an_initiator_who_cannot_be_reached_holds_up_nothing() {
    let bench = Bench::new();
    let (max, by) = bench.administrator("max", Role::UserManager).await;
    let alice = bench.user("alice").await;
    let issued = bench.start(&by, alice.id, manual(Purpose::Onboarding)).await.unwrap();
    bench.readdress(max.id, None).await;
    let session = bench.begin(&issued.token).await.unwrap();
    bench.fill_in(&session).await;
    bench.complete(&session).await;
    bench.send().await;
    assert_eq!(bench.mails().await, [("onboarding_mail", "sent")]);
}

/// MSG-7: told where the link went, and to nobody whom it never reached.
#[tokio::test]
async fn whoever_got_a_link_hears_that_it_was_withdrawn() {
    let bench = Bench::new();
    let (alice, bob, carol) = (bench.user("alice").await, bench.user("bob").await, bench.user("carol").await);
    let by_hand = bench.start(&CLI, alice.id, manual(Purpose::Onboarding)).await.unwrap();
    let by_mail = bench.start(&CLI, bob.id, mailed_to(Purpose::Onboarding, "bob@private.example")).await.unwrap();
    bench.send().await;
    let unsent = bench.start(&CLI, carol.id, mailed(Purpose::Onboarding)).await.unwrap();
    for id in [by_hand.id, by_mail.id, unsent.id] {
        bench.admin().revoke(&CLI, id).await.unwrap();
        bench.admin().revoke(&CLI, id).await.unwrap();
    }
    bench.send().await;
    let withdrawn = "Your invitation to the VPN was withdrawn";
    assert_eq!(bench.subjects("alice@example.com"), set(&[withdrawn]));
    assert_eq!(bench.subjects("bob@private.example"), set(&[withdrawn, "Your invitation to the VPN"]));
    assert!(bench.inbox("bob@example.com").is_empty() && bench.inbox("carol@example.com").is_empty());
    let dave = bench.user("dave").await;
    let expired = bench.start(&CLI, dave.id, manual(Purpose::Onboarding)).await.unwrap();
    bench.clock.advance(Span::hours(24).duration());
    bench.admin().revoke(&CLI, expired.id).await.unwrap();
    bench.send().await;
    assert!(bench.inbox("dave@example.com").is_empty(), "it had expired before");
}

/// ADM-7: an enrollment for somebody who can sign in is no secret from them.
#[tokio::test]
async fn whoever_can_sign_in_hears_that_an_enrollment_was_started_for_them() {
    let bench = Bench::new();
    bench.admin().create_location(&CLI, location("office")).await.unwrap();
    let device_optional = SettingsPatch {
        device_step: Some(enrollment_core::domain::settings::DeviceStep::Optional),
        onboarding_mail: Some(false),
        ..SettingsPatch::default()
    };
    bench.admin().change_settings(&CLI, device_optional).await.unwrap();
    let alice = bench.user("alice").await;
    bench.enroll(alice.id).await;
    assert_eq!(bench.relay.count(), 0, "nobody can sign in before onboarding");
    bench.start(&CLI, alice.id, manual(Purpose::Device)).await.unwrap();
    bench.start(&CLI, alice.id, mailed_to(Purpose::Factor, "attacker@example.org")).await.unwrap();
    bench.send().await;
    let told = bench.inbox("alice@example.com");
    assert_eq!(told.len(), 2);
    assert!(told.iter().any(|mail| mail.text.contains("add a device")));
    assert!(told.iter().any(|mail| mail.text.contains("set up a second factor")));
    bench.start(&CLI, alice.id, mailed(Purpose::Device)).await.unwrap();
    bench.send().await;
    assert_eq!(bench.inbox("alice@example.com").len(), 3, "an invitation to their own address tells them by itself");
}
