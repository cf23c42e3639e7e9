//! Invitations by mail.

use enrollment_core::domain::enrollment::{Enrollment, Purpose};
use enrollment_core::domain::mail::MailState;
use enrollment_core::domain::rejection::Rejection;
use enrollment_core::domain::role::Role;
use enrollment_core::domain::settings::FrontEnd;
use enrollment_core::port::Clock;
use enrollment_core::record::IndexName;
use enrollment_core::service::Failure;
use enrollment_core::service::administrator::{
    Delivery, NewUser, PageRequest, SettingsPatch, StartEnrollment, UserPatch,
};
use enrollment_core::time::Span;

use crate::bench::{Bench, CLI, URL, code, mailed, mailed_to, manual, new_user, worded, wording};

/// INV-2, MSG-5: the link of the mail is the one that the token opens, with the validity in force.
#[tokio::test]
async fn an_invitation_by_mail_brings_the_link_its_token_and_its_validity() {
    let bench = Bench::new();
    let new = NewUser { enrollment: Some(mailed(Purpose::Onboarding)), ..new_user("alice") };
    let (_, issued) = bench.admin().create_user(&CLI, new).await.unwrap();
    let issued = issued.unwrap();
    assert_eq!(issued.delivery, Delivery::Email);
    assert!(bench.inbox("alice@example.com").is_empty(), "nothing is sent in the request");
    bench.send().await;
    let mail = bench.inbox("alice@example.com").remove(0);
    for part in [issued.url.expose(), issued.token.expose(), "24 hours", "2 January 2026, 00:00 UTC", "alice", URL] {
        assert!(mail.text.contains(part) && mail.html.as_ref().unwrap().contains(part), "{part}: {}", mail.text);
    }
    assert_eq!((mail.queued, mail.from), (bench.clock.now(), None));
    bench.begin(&issued.token).await.unwrap();
    bench.send_after(Span::hours(10)).await;
    assert_eq!(bench.relay.count(), 1, "once");
}

/// MSG-5: a validity that was chosen is the one that is printed.
#[tokio::test]
async fn a_chosen_validity_is_the_one_that_is_printed() {
    let bench = Bench::new();
    let alice = bench.user("alice").await;
    let start = StartEnrollment { validity: Some(Span::minutes(90)), ..mailed(Purpose::Onboarding) };
    bench.start(&CLI, alice.id, start).await.unwrap();
    bench.send_after(Span::minutes(5)).await;
    let mail = bench.inbox("alice@example.com").remove(0);
    assert!(mail.text.contains("valid for 1 hour and 30 minutes"), "{}", mail.text);
    assert!(mail.text.contains("1 January 2026, 01:30 UTC"), "{}", mail.text);
}

/// INV-3
#[tokio::test]
async fn the_address_on_file_is_the_one_at_sending_and_an_explicit_one_stays() {
    let bench = Bench::new();
    let (alice, bob) = (bench.user("alice").await, bench.user("bob").await);
    bench.start(&CLI, alice.id, mailed(Purpose::Onboarding)).await.unwrap();
    bench.start(&CLI, bob.id, mailed_to(Purpose::Onboarding, "bob@private.example")).await.unwrap();
    for user in [alice.id, bob.id] {
        bench.readdress(user, Some("new@example.com")).await;
    }
    bench.send().await;
    assert_eq!(bench.inbox("new@example.com").len(), 1, "alice's");
    assert_eq!(bench.inbox("bob@private.example").len(), 1);
    assert_eq!(bench.relay.count(), 2);
    let bob = bench.admin().user(&CLI, bob.id).await.unwrap();
    assert_eq!(bob.email.unwrap().as_str(), "new@example.com", "the account keeps its own");
}

/// INV-4
#[tokio::test]
async fn delivery_by_mail_without_an_address_creates_nothing_and_works_once_there_is_one() {
    let bench = Bench::new();
    let nowhere = NewUser { email: None, enrollment: Some(mailed(Purpose::Onboarding)), ..new_user("alice") };
    let refused = bench.admin().create_user(&CLI, nowhere.clone()).await;
    assert_eq!(refused.map(drop).map_err(code), Err("no_email_address"));
    let alice = bench.admin().create_user(&CLI, NewUser { enrollment: None, ..nowhere }).await.unwrap().0;
    let both = StartEnrollment { delivery: Delivery::Both, ..manual(Purpose::Onboarding) };
    for start in [mailed(Purpose::Onboarding), both] {
        let refused = bench.start(&CLI, alice.id, start).await;
        assert_eq!(refused.map(drop).map_err(code), Err("no_email_address"));
    }
    assert!(bench.mails().await.is_empty());
    assert!(bench.all::<Enrollment>(IndexName::EnrollmentsByCreated, "open").await.is_empty());
    bench.readdress(alice.id, Some("alice@example.com")).await;
    bench.start(&CLI, alice.id, mailed(Purpose::Onboarding)).await.unwrap();
    bench.send().await;
    assert_eq!(bench.inbox("alice@example.com").len(), 1);
}

/// INV-2: without mail everything works, and mail is not offered.
#[tokio::test]
async fn without_a_notifier_mail_is_refused_and_nothing_is_queued() {
    let bench = Bench::without_mail();
    let alice = bench.user("alice").await;
    let refused = bench.start(&CLI, alice.id, mailed(Purpose::Onboarding)).await;
    assert_eq!(refused.map(drop).map_err(code), Err("mail_not_configured"));
    let refused = bench.start(&CLI, alice.id, mailed_to(Purpose::Onboarding, "a@example.com")).await;
    assert_eq!(refused.map(drop).map_err(code), Err("mail_not_configured"));
    bench.enroll(alice.id).await;
    assert!(bench.mails().await.is_empty());
    assert!(!bench.admin().mail_status(&CLI).await.unwrap().configured);
}

/// MSG-8: a mail about a dead token is not sent.
#[tokio::test]
async fn a_mail_about_a_dead_token_is_not_sent() {
    let bench = Bench::new();
    let users =
        [bench.user("alice").await, bench.user("bob").await, bench.user("carol").await, bench.user("dave").await];
    let mut issued = Vec::new();
    for user in &users {
        issued.push(bench.start(&CLI, user.id, mailed(Purpose::Onboarding)).await.unwrap());
    }
    bench.admin().revoke(&CLI, issued[0].id).await.unwrap();
    bench.admin().rotate(&CLI, issued[1].id).await.unwrap();
    bench.start(&CLI, users[2].id, manual(Purpose::Onboarding)).await.unwrap();
    let disabled =
        UserPatch { status: Some(enrollment_core::domain::user::UserStatus::Disabled), ..UserPatch::default() };
    bench.admin().change_user(&CLI, users[3].id, disabled).await.unwrap();
    bench.send().await;
    assert_eq!(bench.relay.count(), 0);
    let why: Vec<String> = bench
        .states("invitation")
        .await
        .into_iter()
        .map(|state| match state {
            MailState::Obsolete { why, .. } => why,
            other => panic!("{other:?}"),
        })
        .collect();
    assert!(why.contains(&"a newer link was made".to_owned()), "{why:?}");
    assert!(why.contains(&"the link opens nothing any more".to_owned()), "{why:?}");
    assert!(why.contains(&"the recipient is disabled".to_owned()), "{why:?}");

    let erin = bench.user("erin").await;
    bench.start(&CLI, erin.id, mailed(Purpose::Onboarding)).await.unwrap();
    bench.send_after(Span::hours(24)).await;
    assert_eq!(bench.relay.count(), 0, "expired");
}

/// MSG-8, SYS-10: a queued link of a key that was rotated is the same link; of a key that was revoked there is none.
#[tokio::test]
async fn a_link_queued_under_a_retired_key_is_sent_and_one_under_a_revoked_key_is_not() {
    let bench = Bench::new();
    let alice = bench.user("alice").await;
    let issued = bench.start(&CLI, alice.id, mailed(Purpose::Onboarding)).await.unwrap();
    let old = bench.ring.active();
    let mut ring = enrollment_core::secret::KeyRing::from_text(&bench.ring.to_text()).unwrap();
    ring.rotate(bench.clock.now(), bench.entropy());
    let text = ring.to_text();
    let later = bench.with_ring(&std::sync::Arc::new(ring));
    let worker = |service| enrollment_core::worker::OutboxWorker::new(service, bench.relay.clone());
    worker(later).run_once().await.unwrap();
    assert!(bench.inbox("alice@example.com")[0].text.contains(issued.url.expose()), "the same link");
    bench.clock.advance(Span::minutes(1).duration());

    bench.admin().resend(&CLI, issued.id, None).await.unwrap();
    let mut ring = enrollment_core::secret::KeyRing::from_text(&text).unwrap();
    ring.revoke(&old).unwrap();
    worker(bench.with_ring(&std::sync::Arc::new(ring))).run_once().await.unwrap();
    assert_eq!(bench.relay.count(), 1);
    assert_eq!(bench.mails().await[1], ("invitation", "obsolete"));
}

/// INV-11: what the mail leads to, and from which address it comes.
#[tokio::test]
async fn a_mail_leads_to_the_front_end_and_comes_from_the_sender_that_were_chosen() {
    let bench = Bench::new();
    let sender = crate::bench::email("vpn@example.com");
    for (front_end, client) in [(FrontEnd::Browser, false), (FrontEnd::Desktop, true), (FrontEnd::Both, true)] {
        let user = bench.user(&format!("user-{front_end:?}").to_lowercase()).await;
        let patch = SettingsPatch {
            front_end: Some(front_end),
            sender: Some(Some(sender.clone())),
            ..SettingsPatch::default()
        };
        bench.admin().change_settings(&CLI, patch).await.unwrap();
        let issued = bench.start(&CLI, user.id, mailed(Purpose::Onboarding)).await.unwrap();
        bench.send().await;
        let mail = bench.relay.arrived().pop().unwrap();
        let html = mail.html.unwrap();
        let link = issued.url.expose();
        assert!(mail.text.contains(link) && html.contains(link), "{front_end:?}: readers drop links they do not know");
        assert_eq!(mail.text.contains("Open this link to begin"), front_end != FrontEnd::Desktop, "{front_end:?}");
        assert_eq!(mail.text.contains("desktop client"), client, "{front_end:?}");
        assert_eq!(mail.text.contains("defguard:"), client, "{front_end:?}");
        assert_eq!(html.contains("defguard:"), client, "{front_end:?}");
        assert_eq!((html.contains("<img"), mail.images.len()), (client, usize::from(client)), "{front_end:?}");
        assert_eq!(mail.from.as_ref(), Some(&sender));
        if let (Some(deep_link), Some(image)) = (&issued.deep_link, mail.images.first()) {
            assert!(mail.text.contains(deep_link.expose()), "{}", mail.text);
            let href = format!("<a href=\"{}\"", deep_link.expose().replace('&', "&amp;"));
            assert!(html.contains(&href), "{html}");
            assert!(html.contains(&format!("<img src=\"cid:{}\"", image.id())), "{html}");
            let code = issued.client_code.as_ref().unwrap();
            assert_eq!(image.png(), enrollment_core::secret::qr_png(code.expose()).unwrap());
        }
    }
}

/// REQ-9: no client sets up a second factor alone, so its invitation leads to the browser whatever was chosen.
#[tokio::test]
async fn an_invitation_to_set_up_a_factor_leads_to_the_browser() {
    let bench = Bench::new();
    let alice = bench.user("alice").await;
    bench.enroll(alice.id).await;
    let patch = SettingsPatch { front_end: Some(FrontEnd::Desktop), ..SettingsPatch::default() };
    bench.admin().change_settings(&CLI, patch).await.unwrap();
    let issued = bench.start(&CLI, alice.id, mailed(Purpose::Factor)).await.unwrap();
    assert!(issued.deep_link.is_none() && issued.client_code.is_none());
    bench.send().await;
    let mail = bench.inbox("alice@example.com").into_iter().find(|mail| mail.text.contains("/enroll/enr_")).unwrap();
    assert!(mail.text.contains("Open this link to begin") && !mail.text.contains("client"), "{}", mail.text);
    assert!(mail.images.is_empty());
}

/// MSG-6, MSG-1: texts of an administrator's own are used where there are any, as they are at sending.
#[tokio::test]
async fn texts_of_an_administrators_own_are_those_at_sending() {
    let bench = Bench::new();
    let alice = bench.user("alice").await;
    let issued = bench.start(&CLI, alice.id, mailed(Purpose::Onboarding)).await.unwrap();
    let admin = bench.admin();
    admin.save_template(&CLI, "invitation", "Dear {{ first_name }}, welcome to the *shop*.").await.unwrap();
    admin.save_template(&CLI, "invitation_subject", "For {{ username }}").await.unwrap();
    let refused = admin.save_template(&CLI, "invitation_subject", "two\nlines").await;
    assert_eq!(refused.map(drop).map_err(code), Err("invalid_template"));
    bench.send().await;
    let mail = bench.inbox("alice@example.com").remove(0);
    assert_eq!(mail.subject, "For alice");
    for part in ["Dear Alex, welcome to the shop.", issued.url.expose(), "This is an automated message"] {
        assert!(mail.text.contains(part), "{part}: {}", mail.text);
    }
    assert!(mail.html.unwrap().contains("<em>shop</em>"));
}

/// MSG-6: own words for one mail; the header, the link and its validity stay, and everybody else's mail too.
#[tokio::test]
async fn own_words_for_one_invitation_come_with_header_link_and_validity() {
    let bench = Bench::new();
    bench.admin().save_template(&CLI, "invitation", "The saved text.").await.unwrap();
    let (alice, bob, carol) = (bench.user("alice").await, bench.user("bob").await, bench.user("carol").await);
    let own = wording("See you Monday, {{ first_name }}", "Bring your *badge*, {{ username }}.");
    let issued = bench.start(&CLI, alice.id, worded(Purpose::Onboarding, own)).await.unwrap();
    bench.send().await;
    let mail = bench.inbox("alice@example.com").remove(0);
    assert_eq!(mail.subject, "See you Monday, Alex");
    let parts = ["This is an automated message", "Bring your badge, alice.", issued.url.expose(), "valid for 24 hours"];
    let places: Vec<usize> = parts.iter().map(|part| mail.text.find(part).expect(part)).collect();
    assert!(places.is_sorted(), "{}", mail.text);
    assert!(mail.html.unwrap().contains("<em>badge</em>"));
    assert!(!mail.text.contains("The saved text."), "{}", mail.text);

    let subject_alone = worded(Purpose::Onboarding, wording("Another subject", ""));
    bench.start(&CLI, bob.id, subject_alone).await.unwrap();
    bench.start(&CLI, carol.id, mailed(Purpose::Onboarding)).await.unwrap();
    bench.send().await;
    let (bobs, carols) = (bench.inbox("bob@example.com").remove(0), bench.inbox("carol@example.com").remove(0));
    assert_eq!((bobs.subject.as_str(), carols.subject.as_str()), ("Another subject", "Your invitation to the VPN"));
    for mail in [bobs, carols] {
        assert!(mail.text.contains("The saved text."), "{}", mail.text);
    }
}

/// MSG-6, MSG-3: held to what a saved text is held to; nothing is created.
#[tokio::test]
async fn words_that_do_not_render_are_refused_with_the_line_and_create_nothing() {
    let bench = Bench::new();
    let alice = bench.user("alice").await;
    let refused = async |start: StartEnrollment| {
        let new = NewUser { enrollment: Some(start.clone()), ..new_user("bob") };
        let created = bench.admin().create_user(&CLI, new).await.map(drop);
        let started = bench.start(&CLI, alice.id, start).await.map(drop);
        [created, started].map(|answer| match answer {
            Err(Failure::Rejected(rejection)) => rejection,
            other => panic!("{other:?}"),
        })
    };
    let template = |line, message: &str| Rejection::InvalidTemplate { line, message: message.to_owned() };
    for (own, wrong) in [
        (
            wording("", "Dear\n{{ frist_name }}"),
            template(2, "body: there is no tag `frist_name`; did you mean `first_name`?"),
        ),
        (
            wording("{{ frist_name }}", "Dear"),
            template(1, "subject: there is no tag `frist_name`; did you mean `first_name`?"),
        ),
        (wording("two\nlines", ""), template(1, "subject: a subject is one line")),
        (wording(&"x".repeat(1025), ""), template(1, "subject: a subject has at most 1024 bytes; this one has 1025")),
        (
            wording("", &"x".repeat(64 * 1024 + 1)),
            template(1, "body: a text has at most 65536 bytes; this one has 65537"),
        ),
    ] {
        for rejection in refused(worded(Purpose::Onboarding, own)).await {
            assert_eq!(rejection, wrong);
        }
    }
    for (own, named) in [(wording("Hello", "You"), "subject"), (wording("", "You"), "body")] {
        for rejection in refused(StartEnrollment { wording: Some(own), ..manual(Purpose::Onboarding) }).await {
            assert!(matches!(rejection, Rejection::InvalidField { field, .. } if field == named), "{rejection:?}");
        }
    }
    assert!(bench.mails().await.is_empty());
    assert!(bench.all::<Enrollment>(IndexName::EnrollmentsByCreated, "open").await.is_empty());
    assert_eq!(bench.admin().users(&CLI, None, &PageRequest::default()).await.unwrap().items.len(), 1, "no bob");
}

/// MSG-6, MSG-2: what a tag stands for is never markup, whoever wrote the text around it.
#[tokio::test]
async fn values_in_own_words_stay_inert() {
    let bench = Bench::new();
    let hostile = "**[x](https://evil.example)**<img src=x>";
    let new = NewUser {
        first_name: hostile.parse().unwrap(),
        enrollment: Some(worded(Purpose::Onboarding, wording("For {{ first_name }}", "Dear {{ first_name }}"))),
        ..new_user("alice")
    };
    bench.admin().create_user(&CLI, new).await.unwrap();
    bench.send().await;
    let mail = bench.inbox("alice@example.com").remove(0);
    assert_eq!(mail.subject, format!("For {hostile}"));
    assert!(mail.text.contains(&format!("Dear {hostile}")), "{}", mail.text);
    let html = mail.html.unwrap();
    for markup in ["<img src=x", "<strong>x", "href=\"https://evil.example"] {
        assert!(!html.contains(markup), "{markup}: {html}");
    }
}

/// MSG-6, ADM-7: who only sends, sends what others wrote.
#[tokio::test]
async fn the_help_desk_chooses_no_words() {
    let bench = Bench::new();
    let (_, help) = bench.administrator("helen", Role::HelpDesk).await;
    let (_, manager) = bench.administrator("max", Role::UserManager).await;
    let allowed = SettingsPatch { help_desk_may_send: Some(true), ..SettingsPatch::default() };
    bench.admin().change_settings(&CLI, allowed).await.unwrap();
    let alice = bench.user("alice").await;
    let start = worded(Purpose::Onboarding, wording("Mine", ""));
    assert_eq!(bench.start(&help, alice.id, start.clone()).await.map(drop).map_err(code), Err("forbidden"));
    let issued = bench.start(&manager, alice.id, start).await.unwrap();
    bench.send().await;
    let refused = bench.admin().resend(&help, issued.id, Some(wording("Mine", ""))).await;
    assert_eq!(refused.map_err(code), Err("forbidden"));
    let refused = bench.admin().resend(&help, issued.id, Some(wording("", ""))).await;
    assert_eq!(refused.map_err(code), Err("forbidden"), "nor do they take another's away");
    bench.admin().resend(&help, issued.id, None).await.unwrap();
    bench.send().await;
    let subjects: Vec<String> = bench.inbox("alice@example.com").into_iter().map(|mail| mail.subject).collect();
    assert_eq!(subjects, ["Mine", "Mine"], "what the manager wrote");
}
