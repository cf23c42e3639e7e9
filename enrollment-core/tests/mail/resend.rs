//! Sending invitations again (ADM-4).

use enrollment_core::domain::enrollment::Purpose;
use enrollment_core::domain::event::Event;
use enrollment_core::domain::role::Role;
use enrollment_core::service::administrator::{Delivery, NewUser, SettingsPatch};
use enrollment_core::time::Span;

use crate::bench::{Bench, CLI, code, mailed, mailed_to, manual, new_user, worded, wording};

/// ADM-4: the same link with the same expiry, to the address in force now.
#[tokio::test]
async fn a_resend_is_the_same_link_with_the_same_expiry_to_the_address_in_force() {
    let bench = Bench::new();
    let alice = bench.user("alice").await;
    let issued = bench.start(&CLI, alice.id, mailed(Purpose::Onboarding)).await.unwrap();
    bench.send().await;
    bench.readdress(alice.id, Some("new@example.com")).await;
    bench.clock.advance(Span::minutes(63).duration());
    let resent = bench.admin().resend(&CLI, issued.id, None).await.unwrap();
    assert_eq!((resent.expires_at, resent.generation), (issued.expires_at, 1));
    bench.send().await;
    let mail = bench.inbox("new@example.com").remove(0);
    assert_eq!(mail.id, resent.mail);
    assert!(mail.text.contains(issued.url.expose()), "{}", mail.text);
    for part in ["22 hours and 57 minutes", "2 January 2026, 00:00 UTC"] {
        assert!(mail.text.contains(part), "{part}: {}", mail.text);
    }
    assert_eq!(bench.audited(&Event::InvitationResent).await, 1);
    bench.begin(&issued.token).await.unwrap();
}

/// ADM-4: what is called *send* and what *resend*.
#[tokio::test]
async fn an_invitation_by_hand_can_be_sent_later_and_shows_that_it_was() {
    let bench = Bench::new();
    let alice = bench.user("alice").await;
    let issued = bench.start(&CLI, alice.id, manual(Purpose::Onboarding)).await.unwrap();
    let view = async || bench.admin().enrollment(&CLI, issued.id).await.unwrap();
    assert_eq!((view().await.delivery, view().await.mail), (Delivery::Manual, None));
    let first = bench.admin().resend(&CLI, issued.id, None).await.unwrap();
    assert_eq!(view().await.delivery, Delivery::Both);
    assert_eq!(view().await.mail.unwrap().as_str(), "queued");
    assert_eq!(bench.admin().resend(&CLI, issued.id, None).await.unwrap(), first, "it waits already");
    bench.send().await;
    assert_eq!(view().await.mail.unwrap().as_str(), "sent");
    assert_ne!(bench.admin().resend(&CLI, issued.id, None).await.unwrap(), first);
    bench.send().await;
    assert_eq!(bench.inbox("alice@example.com").len(), 2);
}

/// ADM-4: a new link, the old one dead.
#[tokio::test]
async fn a_rotating_resend_is_a_new_link_and_the_old_one_is_dead() {
    let bench = Bench::new();
    let alice = bench.user("alice").await;
    let issued = bench.start(&CLI, alice.id, mailed(Purpose::Onboarding)).await.unwrap();
    bench.clock.advance(Span::hours(1).duration());
    let resent = bench.admin().rotate_and_send(&CLI, issued.id, None).await.unwrap();
    assert_eq!(resent.generation, 2);
    bench.send().await;
    assert_eq!(bench.mails().await, [("invitation", "obsolete"), ("invitation", "sent")]);
    let mail = bench.inbox("alice@example.com").remove(0);
    assert!(!mail.text.contains(issued.token.expose()) && mail.text.contains("valid for 24 hours"), "{}", mail.text);
    assert_eq!(bench.begin(&issued.token).await.map(drop).map_err(code), Err("token_superseded"));
}

/// ADM-4
#[tokio::test]
async fn all_outstanding_invitations_are_sent_again_and_none_twice() {
    let bench = Bench::new();
    let mut ids = Vec::new();
    for username in ["alice", "bob", "carol", "dave", "erin"] {
        let user = bench.user(username).await;
        ids.push(bench.start(&CLI, user.id, manual(Purpose::Onboarding)).await.unwrap().id);
    }
    let nobody = NewUser { email: None, ..new_user("nobody") };
    let nobody = bench.admin().create_user(&CLI, nobody).await.unwrap().0;
    bench.start(&CLI, nobody.id, manual(Purpose::Onboarding)).await.unwrap();
    bench.admin().revoke(&CLI, ids[0]).await.unwrap();
    bench.send().await;
    let before = bench.relay.count();
    let (_, owner) = bench.administrator("olga", Role::Owner).await;
    bench.start(&owner, owner.user.unwrap(), manual(Purpose::Onboarding)).await.unwrap();
    let (_, by) = bench.administrator("max", Role::UserManager).await;
    for _ in 0..2 {
        let all = bench.admin().resend_all(&by).await.unwrap();
        assert_eq!(all.sent, 4);
        assert_eq!(all.skipped, [("no_email_address", 1), ("outranked", 1)].into());
    }
    bench.send().await;
    assert_eq!(bench.relay.count() - before, 4, "the second call found the mails of the first in the queue");
    bench.clock.advance(Span::hours(24).duration());
    assert_eq!(bench.admin().resend_all(&by).await.unwrap().skipped["token_expired"], 4);
}

/// ADM-7: the help desk sends to the address on file, where the settings allow it, and rotates nothing.
#[tokio::test]
async fn the_help_desk_sends_again_to_the_address_on_file_alone() {
    let bench = Bench::new();
    let (_, help) = bench.administrator("helen", Role::HelpDesk).await;
    let alice = bench.user("alice").await;
    let issued = bench.start(&CLI, alice.id, mailed_to(Purpose::Onboarding, "alice@private.example")).await.unwrap();
    bench.send().await;
    let admin = bench.admin();
    assert_eq!(admin.resend(&help, issued.id, None).await.map_err(code), Err("forbidden"));
    assert_eq!(admin.resend_all(&help).await.map_err(code), Err("forbidden"));
    let allowed = SettingsPatch { help_desk_may_send: Some(true), ..SettingsPatch::default() };
    admin.change_settings(&CLI, allowed).await.unwrap();
    admin.resend(&help, issued.id, None).await.unwrap();
    bench.send().await;
    assert_eq!(bench.inbox("alice@example.com").len(), 1);
    assert_eq!(bench.inbox("alice@private.example").len(), 1, "the first one");
    assert_eq!(admin.rotate_and_send(&help, issued.id, None).await.map(drop).map_err(code), Err("forbidden"));
    let bob = bench.user("bob").await;
    let started = admin.start(&help, bob.id, mailed(Purpose::Onboarding)).await.unwrap();
    assert_eq!(started.delivery, Delivery::Email);
    let refused = admin.start(&help, bob.id, mailed_to(Purpose::Onboarding, "x@example.com")).await;
    assert_eq!(refused.map(drop).map_err(code), Err("forbidden"));
}

/// ADM-4, MSG-8
#[tokio::test]
async fn what_opens_nothing_is_not_sent_again() {
    let bench = Bench::new();
    let alice = bench.user("alice").await;
    let issued = bench.start(&CLI, alice.id, manual(Purpose::Onboarding)).await.unwrap();
    for _ in 0..3 {
        bench.begin(&issued.token).await.unwrap();
        bench.clock.advance(Span::minutes(10).duration());
    }
    assert_eq!(bench.admin().resend(&CLI, issued.id, None).await.map_err(code), Err("sessions_exhausted"));
    bench.clock.advance(Span::hours(24).duration());
    assert_eq!(bench.admin().resend(&CLI, issued.id, None).await.map_err(code), Err("token_expired"));
    bench.admin().revoke(&CLI, issued.id).await.unwrap();
    assert_eq!(bench.admin().resend(&CLI, issued.id, None).await.map_err(code), Err("token_revoked"));
    let without = Bench::without_mail();
    let bob = without.user("bob").await;
    let issued = without.start(&CLI, bob.id, manual(Purpose::Onboarding)).await.unwrap();
    assert_eq!(without.admin().resend(&CLI, issued.id, None).await.map_err(code), Err("mail_not_configured"));
}

/// MSG-6, ADM-4: the words stay with an invitation, until others take their place.
#[tokio::test]
async fn a_resend_keeps_the_words_or_puts_others_in_their_place() {
    let bench = Bench::new();
    let alice = bench.user("alice").await;
    let first = worded(Purpose::Onboarding, wording("One", "First words."));
    let issued = bench.start(&CLI, alice.id, first).await.unwrap();
    let admin = bench.admin();
    bench.send().await;
    admin.resend(&CLI, issued.id, None).await.unwrap();
    bench.send().await;
    admin.resend_all(&CLI).await.unwrap();
    bench.send().await;
    admin.resend(&CLI, issued.id, Some(wording("", "Second words."))).await.unwrap();
    bench.send().await;
    let issued = admin.rotate_and_send(&CLI, issued.id, None).await.unwrap();
    bench.send().await;
    let issued = admin.rotate_and_send(&CLI, issued.id, Some(wording("Three", ""))).await.unwrap();
    bench.send().await;
    admin.resend(&CLI, issued.id, Some(wording("", ""))).await.unwrap();
    bench.send().await;
    let inbox = bench.inbox("alice@example.com");
    let told: Vec<(&str, bool, bool)> = inbox
        .iter()
        .map(|mail| (mail.subject.as_str(), mail.text.contains("First words."), mail.text.contains("Second words.")))
        .collect();
    let saved = "Your invitation to the VPN";
    let expected = [
        ("One", true, false),
        ("One", true, false),
        ("One", true, false),
        (saved, false, true),
        (saved, false, true),
        ("Three", false, false),
        (saved, false, false),
    ];
    assert_eq!(told, expected);
    assert!(inbox[6].text.contains(issued.url.expose()) && inbox[6].text.contains("valid for 24 hours"));

    let refused = admin.resend(&CLI, issued.id, Some(wording("", "{{ nobody }}"))).await;
    assert_eq!(refused.map_err(code), Err("invalid_template"));
    let refused = admin.rotate_and_send(&CLI, issued.id, Some(wording("", "{{ nobody }}"))).await;
    assert_eq!(refused.map(drop).map_err(code), Err("invalid_template"));
    bench.begin(&issued.token).await.unwrap();
}

/// MSG-6: a mail that waits is the answer as long as it says the same; in other words it goes once, in the latest.
#[tokio::test]
async fn a_waiting_mail_gives_way_to_one_in_other_words() {
    let bench = Bench::new();
    let alice = bench.user("alice").await;
    let issued = bench.start(&CLI, alice.id, worded(Purpose::Onboarding, wording("One", ""))).await.unwrap();
    let again = async |own| bench.admin().resend(&CLI, issued.id, own).await.unwrap().mail;
    let first = issued.mail.unwrap();
    assert_eq!(again(None).await, first);
    assert_eq!(again(Some(wording("One", ""))).await, first, "the same words");
    let second = again(Some(wording("Two", ""))).await;
    assert_ne!(second, first);
    assert_eq!(again(Some(wording("Two", ""))).await, second, "the same call again");
    bench.send().await;
    assert_eq!(bench.inbox("alice@example.com").iter().map(|mail| mail.subject.as_str()).collect::<Vec<_>>(), ["Two"]);
    assert_eq!(bench.mail(first).await.state.as_str(), "obsolete");
    assert_eq!(bench.mail(second).await.state.as_str(), "sent");
}
