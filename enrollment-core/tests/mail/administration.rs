//! Mails as administrators see them.

use enrollment_core::domain::device::PublicKey;
use enrollment_core::domain::enrollment::Purpose;
use enrollment_core::domain::location::MfaMode;
use enrollment_core::domain::mail::MailStanding;
use enrollment_core::domain::role::Role;
use enrollment_core::port::DeliveryErrorKind;
use enrollment_core::service::administrator::{NewMachine, PageRequest};
use enrollment_testkit::fake::Mishap;

use crate::bench::{Bench, CLI, HERE, code, email, mailed, mailed_to, manual, to};

/// MSG-8: queue, sent and dead letters page by page.
#[tokio::test]
async fn mails_are_listed_by_where_they_stand() {
    let bench = Bench::new();
    bench.relay.fail_for(&to("bob@private.example"), Mishap::Fails(DeliveryErrorKind::Rejected), 1);
    bench.relay.fail_for(&to("carol@example.com"), Mishap::Fails(DeliveryErrorKind::Transient), 1);
    let users = [bench.user("alice").await, bench.user("bob").await, bench.user("carol").await];
    bench.start(&CLI, users[0].id, mailed(Purpose::Onboarding)).await.unwrap();
    bench.start(&CLI, users[1].id, mailed_to(Purpose::Onboarding, "bob@private.example")).await.unwrap();
    bench.start(&CLI, users[2].id, mailed(Purpose::Onboarding)).await.unwrap();
    let list = async |standing| bench.admin().mails(&CLI, standing, &PageRequest::default()).await.unwrap().items;
    assert_eq!(list(MailStanding::Queue).await.len(), 3);
    bench.send().await;
    let queue = list(MailStanding::Queue).await;
    assert_eq!((queue.len(), queue[0].recipient, queue[0].state.as_str()), (1, Some(users[2].id), "retrying"));
    let dead = list(MailStanding::Dead).await.remove(0);
    assert_eq!(
        (dead.letter, dead.address, dead.user),
        ("invitation", Some(email("bob@private.example")), Some(users[1].id))
    );
    assert_eq!(list(MailStanding::Sent).await[0].user, Some(users[0].id));
    let page = PageRequest { cursor: None, limit: Some(0) };
    let refused = bench.admin().mails(&CLI, MailStanding::Queue, &page).await;
    assert_eq!(refused.map(drop).map_err(code), Err("out_of_range"));
}

#[tokio::test]
async fn a_dead_letter_is_revived_or_dropped_and_nothing_else_is() {
    let bench = Bench::new();
    bench.relay.fail(Mishap::Fails(DeliveryErrorKind::Rejected), 2);
    let (alice, bob) = (bench.user("alice").await, bench.user("bob").await);
    let mut ids = Vec::new();
    for user in [alice.id, bob.id] {
        let issued = bench.start(&CLI, user, mailed(Purpose::Onboarding)).await.unwrap();
        ids.push(bench.stored(issued.id).await.sending.mail.unwrap());
    }
    let admin = bench.admin();
    assert_eq!(admin.revive_mail(&CLI, ids[0]).await.map(drop).map_err(code), Err("mail_not_dead"), "it waits");
    bench.send().await;
    assert_eq!(admin.revive_mail(&CLI, ids[0]).await.unwrap().state.as_str(), "queued");
    assert_eq!(admin.revive_mail(&CLI, ids[0]).await.map(drop).map_err(code), Err("mail_not_dead"));
    for _ in 0..2 {
        assert_eq!(admin.drop_mail(&CLI, ids[1]).await.unwrap().state.as_str(), "obsolete");
    }
    bench.send().await;
    assert_eq!(bench.relay.count(), 1);
    assert_eq!(admin.drop_mail(&CLI, ids[0]).await.unwrap().state.as_str(), "sent", "too late");
    // Dropped while it waits, it is not sent.
    let carol = bench.user("carol").await;
    let issued = bench.start(&CLI, carol.id, mailed(Purpose::Onboarding)).await.unwrap();
    admin.drop_mail(&CLI, bench.stored(issued.id).await.sending.mail.unwrap()).await.unwrap();
    bench.send().await;
    assert_eq!(bench.relay.count(), 1);
}

/// ADM-7
#[tokio::test]
async fn mails_are_for_those_who_manage_users_and_not_for_those_below() {
    let bench = Bench::new();
    let (olga, _) = bench.administrator("olga", Role::Owner).await;
    let (_, max) = bench.administrator("max", Role::UserManager).await;
    let (_, helen) = bench.administrator("helen", Role::HelpDesk).await;
    bench.relay.fail(Mishap::Fails(DeliveryErrorKind::Rejected), u32::MAX);
    let issued = bench.start(&CLI, olga.id, mailed(Purpose::Onboarding)).await.unwrap();
    let id = bench.stored(issued.id).await.sending.mail.unwrap();
    bench.send().await;
    let admin = bench.admin();
    assert_eq!(admin.revive_mail(&max, id).await.map(drop).map_err(code), Err("outranked"));
    assert_eq!(admin.drop_mail(&max, id).await.map(drop).map_err(code), Err("outranked"));
    assert_eq!(admin.drop_mail(&helen, id).await.map(drop).map_err(code), Err("forbidden"));
    assert_eq!(admin.send_test_mail(&max, None).await.map(drop).map_err(code), Err("forbidden"));
    assert!(admin.mails(&helen, MailStanding::Dead, &PageRequest::default()).await.is_ok());
}

/// ADM-7: a mail is out of reach by whom it concerns and by whom it goes to, and one about a machine by what it is about.
#[tokio::test]
async fn nobody_drops_or_revives_a_notice_to_whoever_outranks_them() {
    let bench = Bench::new();
    let (_, olga) = bench.administrator("olga", Role::Owner).await;
    let (_, max) = bench.administrator("max", Role::UserManager).await;
    let (_, anton) = bench.administrator("anton", Role::Administrator).await;
    let alice = bench.user("alice").await;
    let person = bench.start(&olga, alice.id, manual(Purpose::Onboarding)).await.unwrap();
    let location = bench.location(MfaMode::Disabled, None).await;
    let new = NewMachine { name: "build-01".parse().unwrap(), validity: None };
    let machine = bench.admin().create_machine(&anton, location, new).await.unwrap().issued;
    let enrollee = bench.service.enrollee();
    enrollee.report(&person.token, HERE).await.unwrap();
    let session = bench.begin(&machine.token).await.unwrap();
    enrollee.set_machine_key(&session, &PublicKey::from_bytes([9; 32]).unwrap(), HERE).await.unwrap();

    let admin = bench.admin();
    let mail = async |letter: &str| {
        let queued = admin.mails(&CLI, MailStanding::Queue, &PageRequest::default()).await.unwrap().items;
        queued.into_iter().find(|mail| mail.letter == letter).unwrap().id
    };
    let (reported, completed) = (mail("initiator_reported").await, mail("initiator_completed").await);
    for (by, id, refused) in
        [(max, reported, "outranked"), (anton, reported, "outranked"), (max, completed, "forbidden")]
    {
        assert_eq!(admin.drop_mail(&by, id).await.map(drop).map_err(code), Err(refused));
        assert_eq!(admin.revive_mail(&by, id).await.map(drop).map_err(code), Err(refused));
    }
    for (by, id) in [(olga, reported), (anton, completed)] {
        assert_eq!(admin.drop_mail(&by, id).await.unwrap().state.as_str(), "obsolete");
    }
}

/// MSG-7
#[tokio::test]
async fn a_test_mail_goes_to_whoever_asks_or_where_they_say() {
    let bench = Bench::new();
    let (_, by) = bench.administrator("max", Role::Administrator).await;
    let admin = bench.admin();
    admin.send_test_mail(&by, None).await.unwrap();
    admin.send_test_mail(&CLI, Some(email("ops@example.com"))).await.unwrap();
    assert_eq!(admin.send_test_mail(&CLI, None).await.map(drop).map_err(code), Err("no_email_address"));
    bench.send().await;
    for address in ["max@example.com", "ops@example.com"] {
        assert_eq!(bench.subjects(address), ["Mail from the VPN works".to_owned()].into(), "{address}");
    }
    let without = Bench::without_mail();
    let refused = without.admin().send_test_mail(&CLI, Some(email("ops@example.com"))).await;
    assert_eq!(refused.map(drop).map_err(code), Err("mail_not_configured"));
}
