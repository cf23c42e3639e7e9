//! The notifier in memory keeps every promise; broken ones are noticed.

use enrollment_core::id::OutboxId;
use enrollment_core::port::{Channel, DeliveryErrorKind, Message, Notifier, Recipient};
use enrollment_core::time::Timestamp;
use enrollment_testkit::broken::{BrokenNotifierFactory, NotifierFault};
use enrollment_testkit::fake::{Mishap, RecordingNotifier};
use enrollment_testkit::notifier::{CASES, judge, run_case};
use uuid::Uuid;

mod recording {
    use super::BrokenNotifierFactory;
    enrollment_testkit::notifier_conformance!(BrokenNotifierFactory(None));
}

#[test]
fn every_broken_notifier_fails_the_case_that_is_there_for_it() {
    let unnoticed: Vec<_> = NotifierFault::ALL
        .iter()
        .filter(|fault| run_case(BrokenNotifierFactory(Some(**fault)), fault.caught_by()).is_ok())
        .collect();
    assert!(unnoticed.is_empty(), "passed the case that is there for them: {unnoticed:?}");
    let idle = CASES.iter().filter(|case| NotifierFault::ALL.iter().all(|fault| fault.caught_by() != case.name));
    assert_eq!(idle.count(), 0, "cases that no broken notifier fails");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_tells_failed_from_passed() {
    let report = judge(BrokenNotifierFactory(Some(NotifierFault::SwallowsOtherChannels))).await;
    assert_eq!(report.len(), CASES.len());
    let failed: Vec<_> = report.iter().filter(|(_, verdict)| verdict.is_err()).map(|(name, _)| *name).collect();
    assert_eq!(failed, ["a_message_for_another_channel_is_rejected_and_goes_nowhere"]);
}

fn message(n: u128, to: &Recipient) -> Message {
    Message {
        id: OutboxId::from_uuid(Uuid::from_u128(n)),
        from: None,
        to: to.clone(),
        subject: "Hello".into(),
        text: "Hello".into(),
        html: None,
        images: Vec::new(),
        queued: Timestamp::EPOCH,
    }
}

#[tokio::test]
async fn a_notifier_fails_as_it_is_told() {
    let anna = Recipient::Email("anna@example.com".parse().expect("an address"));
    let ben = Recipient::Phone("+49 30 123456".parse().expect("a number"));
    let notifier = RecordingNotifier::new();
    assert_eq!(notifier.channels(), [Channel::Email, Channel::Sms]);

    notifier.fail_for(&anna, Mishap::Fails(DeliveryErrorKind::Rejected), u32::MAX);
    notifier.fail(Mishap::AnswerLost, 1);
    let rejected = notifier.deliver(&message(1, &anna)).await.expect_err("a mishap of this recipient");
    assert_eq!(rejected.kind(), DeliveryErrorKind::Rejected);
    let lost = notifier.deliver(&message(2, &ben)).await.expect_err("a mishap of all");
    assert_eq!(lost.kind(), DeliveryErrorKind::Transient);
    notifier.deliver(&message(2, &ben)).await.expect("one mishap only");
    notifier.deliver(&message(3, &anna)).await.expect_err("still the mishap of this recipient");
    notifier.recover();
    notifier.deliver(&message(3, &anna)).await.expect("recovered");

    let ids = |messages: Vec<u128>| messages.into_iter().map(|n| message(n, &anna).id).collect::<Vec<_>>();
    assert_eq!(notifier.tries(), ids(vec![1, 2, 2, 3, 3]));
    assert_eq!(notifier.arrived().iter().map(|message| message.id).collect::<Vec<_>>(), ids(vec![2, 2, 3]));
    assert_eq!(notifier.arrived_at(&anna).len(), 1);
}

#[tokio::test]
async fn a_null_notifier_counts_and_keeps_nothing() {
    let notifier = RecordingNotifier::null();
    let to = Recipient::Email("anna@example.com".parse().expect("an address"));
    for n in 0..3 {
        notifier.deliver(&message(n, &to)).await.expect("taken");
    }
    assert_eq!(notifier.count(), 3);
    assert!(notifier.arrived().is_empty() && notifier.tries().is_empty());
}
