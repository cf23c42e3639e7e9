use enrollment_core::domain::address::Assignment;
use enrollment_core::domain::attachment::Attachment;
use enrollment_core::domain::device::Device;
use enrollment_core::domain::enrollment::Purpose;
use enrollment_core::domain::event::Event;
use enrollment_core::record::IndexName;
use enrollment_core::time::Span;
use enrollment_core::worker::Sweeper;

use crate::bench::{Bench, CLI, code};

/// DEV-3, TOK-1.
#[tokio::test]
async fn what_an_abandoned_enrollment_reserved_is_free_again() {
    let bench = Bench::new();
    bench.location("office", None).await;
    let alice = bench.user("alice").await;
    let issued = bench.start(alice.id, Purpose::Onboarding).await.unwrap();
    bench.clock.advance(Span::minutes(23 * 60 + 55).duration());
    let session = bench.begin(&issued.token).await.unwrap();
    bench.fill_in(&session).await;
    let device = bench.add_device(&session, 1).await;
    let attachment = bench.all::<Attachment>(IndexName::AttachmentsByDevice, &device.id.to_string()).await.remove(0);
    let address = Assignment::row_id(attachment.location, attachment.addresses[0]);
    let sweeper = Sweeper::new(bench.service.clone());

    // The token is over, the session is not: one microsecond more and it is.
    bench.clock.advance(Span::seconds(599).duration());
    assert_eq!(sweeper.run_once().await.unwrap(), 0);
    assert!(bench.record::<Device>(device.id.uuid()).await.is_some());
    bench.clock.advance(Span::seconds(1).duration());
    assert_eq!(sweeper.run_once().await.unwrap(), 1);
    assert_eq!(sweeper.run_once().await.unwrap(), 0);

    assert!(bench.record::<Device>(device.id.uuid()).await.is_none());
    assert!(bench.record::<Attachment>(attachment.id.uuid()).await.is_none());
    assert!(bench.record::<Assignment>(address).await.is_none());
    assert!(bench.audit().await.iter().any(|entry| entry.event == Event::ReservationsReleased));
    let completed = bench.service.enrollee().complete(&session, CLI.origin).await;
    assert_eq!(completed.map(|_| ()).map_err(code), Err("session_expired"));
}

/// DEV-3, TOK-6: a token that opened its last session leads nowhere once that is over, though it has not expired.
#[tokio::test]
async fn what_the_last_session_reserved_is_free_when_it_ends() {
    let bench = Bench::new();
    bench.location("office", None).await;
    let alice = bench.user("alice").await;
    let issued = bench.start(alice.id, Purpose::Onboarding).await.unwrap();
    let sweeper = Sweeper::new(bench.service.clone());
    for left in (0..3).rev() {
        let session = bench.begin(&issued.token).await.unwrap();
        assert_eq!(bench.open_enrollments().await[0].sessions_left, left);
        if left == 0 {
            bench.add_device(&session, 1).await;
        }
        assert_eq!(sweeper.run_once().await.unwrap(), 0);
        bench.clock.advance(Span::minutes(10).duration());
    }
    assert_eq!(sweeper.run_once().await.unwrap(), 1);
    assert_eq!(bench.begin(&issued.token).await.map(drop).map_err(code), Err("sessions_exhausted"));
}

#[tokio::test]
async fn a_batch_is_bounded_and_the_rest_follows() {
    let bench = Bench::new();
    bench.location("office", None).await;
    for number in 1..=33_u8 {
        let user = bench.user(&format!("user{number}")).await;
        let issued = bench.start(user.id, Purpose::Onboarding).await.unwrap();
        let session = bench.begin(&issued.token).await.unwrap();
        bench.add_device(&session, number).await;
    }
    bench.clock.advance(Span::hours(25).duration());
    let sweeper = Sweeper::new(bench.service.clone());
    let mut swept = Vec::new();
    for _ in 0..3 {
        swept.push(sweeper.run_once().await.unwrap());
    }
    assert_eq!(swept, [32, 1, 0]);
}
