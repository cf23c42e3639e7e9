//! Connections are kept, bounded, and replaced when they are dead.

use enrollment_core::port::{DeliveryErrorKind, Notifier};
use tokio::task::JoinSet;

use crate::fake::{FakeRelay, Habit};
use crate::message;

#[tokio::test]
async fn one_connection_carries_many_mails() {
    let relay = FakeRelay::start(&[Habit::Good]).await;
    let notifier = relay.notifier(|_| {});
    for _ in 0..10 {
        notifier.deliver(&message("anna@example.test")).await.expect("taken");
    }
    let heard = relay.heard();
    assert_eq!((heard.connections, heard.mails.len()), (1, 10));
}

#[tokio::test]
async fn there_are_never_more_connections_than_allowed() {
    let relay = FakeRelay::start(&[Habit::Good]).await;
    let notifier = std::sync::Arc::new(relay.notifier(|options| options.connections = 2));
    let mut running = JoinSet::new();
    for _ in 0..20 {
        let notifier = std::sync::Arc::clone(&notifier);
        running.spawn(async move { notifier.deliver(&message("anna@example.test")).await.map(drop) });
    }
    for delivered in running.join_all().await {
        delivered.expect("taken");
    }
    let heard = relay.heard();
    assert_eq!((heard.most_open, heard.connections, heard.mails.len()), (2, 2, 20));
}

#[tokio::test]
async fn a_dead_connection_is_replaced_before_it_counts() {
    for habit in [Habit::HangsUpAfter(1), Habit::SaysGoodbyeAfter(1)] {
        let relay = FakeRelay::start(&[habit]).await;
        let notifier = relay.notifier(|_| {});
        for _ in 0..3 {
            notifier.deliver(&message("anna@example.test")).await.expect("taken");
        }
        let heard = relay.heard();
        assert_eq!((heard.connections, heard.mails.len()), (3, 3), "{habit:?}");
    }
}

#[tokio::test]
async fn a_dead_connection_is_replaced_once() {
    let relay = FakeRelay::start(&[Habit::HangsUpAfter(1), Habit::HangsUpAfter(0), Habit::Good]).await;
    let notifier = relay.notifier(|_| {});
    notifier.deliver(&message("anna@example.test")).await.expect("taken");
    let error = notifier.deliver(&message("anna@example.test")).await.expect_err("dead twice");
    assert_eq!(error.kind(), DeliveryErrorKind::Transient, "{error}");
    assert_eq!(relay.heard().connections, 2);
    notifier.deliver(&message("anna@example.test")).await.expect("taken");
}

#[tokio::test]
async fn a_refused_recipient_costs_no_connection() {
    let relay = FakeRelay::start(&[Habit::Good]).await;
    let notifier = relay.notifier(|_| {});
    for _ in 0..3 {
        let error = notifier.deliver(&message("never@example.test")).await.expect_err("refused");
        assert_eq!(error.kind(), DeliveryErrorKind::Rejected, "{error}");
        notifier.deliver(&message("anna@example.test")).await.expect("taken");
    }
    let heard = relay.heard();
    assert_eq!((heard.connections, heard.mails.len()), (1, 3));
}

#[tokio::test]
async fn a_caller_who_goes_away_leaves_a_free_place_and_no_half_conversation() {
    let relay = FakeRelay::start(&[Habit::SilentAfterTheMail, Habit::Good]).await;
    let notifier = relay.notifier(|options| options.connections = 1);
    let impatient = message("anna@example.test");
    let mut delivery = notifier.deliver(&impatient);
    while relay.heard().mails.is_empty() {
        tokio::select! {
            biased;
            answer = &mut delivery => panic!("the relay says nothing, and yet: {answer:?}"),
            () = tokio::task::yield_now() => {}
        }
    }
    drop(delivery);
    notifier.deliver(&message("anna@example.test")).await.expect("taken");
    assert_eq!(relay.heard().connections, 2);
}
