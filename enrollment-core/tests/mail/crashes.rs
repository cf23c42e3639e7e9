//! Processes that die at any instant: no mail is lost, and one is sent twice only when the relay had taken it and
//! nobody had written that down.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use enrollment_core::domain::enrollment::Purpose;
use enrollment_core::id::OutboxId;
use enrollment_core::port::{
    Change, Channel, CommitOutcome, DeliveryError, DeliveryErrorKind, LeaseRef, LeaseRequest, Leased, Message,
    Notifier, Page, Receipt, Retained, Scan, SettleOutcome, Settlement, Store, StoreError,
};
use enrollment_core::record::{Row, RowKey, UniqueKey};
use enrollment_core::time::{Span, Timestamp};
use enrollment_core::worker::OutboxWorker;
use enrollment_testkit::fake::{Mishap, Moment, RecordingNotifier};

use crate::bench::{Bench, CLI, email, mailed};

/// Every store call of one delivery, on either side of its effect: afterwards the mail has arrived, at most twice, and
/// always under one id.
#[tokio::test]
async fn a_worker_that_dies_at_any_store_call_loses_no_mail() {
    for mishap in [None, Some(DeliveryErrorKind::Transient), Some(DeliveryErrorKind::Refused)] {
        let mut call = 1;
        loop {
            let mut died = false;
            for moment in [Moment::Before, Moment::After] {
                let bench = Bench::new();
                let alice = bench.user("alice").await;
                bench.start(&CLI, alice.id, mailed(Purpose::Onboarding)).await.unwrap();
                if let Some(kind) = mishap {
                    bench.relay.fail(Mishap::Fails(kind), 1);
                }
                bench.store.revive();
                bench.store.die_at(call, moment);
                let outcome = bench.worker().run_once().await;
                died |= bench.store.calls() >= call;
                let taken_before = bench.relay.count();
                bench.store.revive();
                for _ in 0..4 {
                    bench.send_after(Span::minutes(5)).await;
                }
                let arrived = bench.inbox("alice@example.com");
                assert!((1..=2).contains(&arrived.len()), "{mishap:?} {call} {moment:?}: {}", arrived.len());
                assert!(arrived.iter().all(|mail| mail.id == arrived[0].id && mail.text == arrived[0].text));
                assert_eq!(bench.mails().await, [("invitation", "sent")], "{mishap:?} {call} {moment:?} {outcome:?}");
                assert!(arrived.len() == 1 || taken_before == 1, "sent twice without having been taken: {call}");
                assert_eq!(bench.admin().mail_status(&CLI).await.unwrap().pause, None, "{mishap:?} {call} {moment:?}");
            }
            if !died {
                break;
            }
            call += 1;
        }
        assert!(call > 5, "the search saw {call} calls");
    }
}

/// The same for a mail that is rejected: it is dead, visible, and was tried at most twice.
#[tokio::test]
async fn a_worker_that_dies_while_it_buries_a_letter_leaves_it_dead() {
    for call in 1..12 {
        for moment in [Moment::Before, Moment::After] {
            let bench = Bench::new();
            let alice = bench.user("alice").await;
            bench.start(&CLI, alice.id, mailed(Purpose::Onboarding)).await.unwrap();
            bench.relay.fail(Mishap::Fails(DeliveryErrorKind::Rejected), u32::MAX);
            bench.store.revive();
            bench.store.die_at(call, moment);
            // Whether it died is not what is asked here.
            let _outcome = bench.worker().run_once().await;
            bench.store.revive();
            for _ in 0..3 {
                bench.send_after(Span::minutes(5)).await;
            }
            assert_eq!(bench.mails().await, [("invitation", "dead")], "{call} {moment:?}");
            assert!(bench.relay.tries().len() <= 2, "{call} {moment:?}");
        }
    }
}

/// An issue that was committed has its mail, and one that was not has none, whatever befell the process.
#[tokio::test]
async fn an_issue_and_its_mail_are_there_together_or_not_at_all() {
    for call in 1..12 {
        for moment in [Moment::Before, Moment::After] {
            let bench = Bench::new();
            let alice = bench.user("alice").await;
            bench.store.revive();
            bench.store.die_at(call, moment);
            let _outcome = bench.start(&CLI, alice.id, mailed(Purpose::Onboarding)).await;
            bench.store.revive();
            let open =
                bench.admin().enrollments(&CLI, &Default::default(), &Default::default()).await.unwrap().items.len();
            bench.send().await;
            assert_eq!(bench.inbox("alice@example.com").len(), open, "{call} {moment:?}");
        }
    }
}

/// A notifier in front of another, after or before whose effect the caller is killed now and then.
#[derive(Debug)]
struct Reaper {
    relay: Arc<RecordingNotifier>,
    dice: std::sync::Mutex<u64>,
}

/// What befalls the caller.
#[derive(Debug, PartialEq, Eq)]
enum Fate {
    DiesBefore,
    DiesAfter,
    Lives,
}

impl Reaper {
    fn roll(&self) -> Fate {
        let mut dice = self.dice.lock().unwrap();
        // Knuth's linear congruential generator: a test that repeats itself.
        *dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        match (*dice >> 33) % 20 {
            0 => Fate::DiesBefore,
            1 => Fate::DiesAfter,
            _ => Fate::Lives,
        }
    }
}

#[async_trait]
impl Notifier for Reaper {
    fn channels(&self) -> &[Channel] {
        self.relay.channels()
    }

    async fn deliver(&self, message: &Message) -> Result<Receipt, DeliveryError> {
        tokio::task::yield_now().await;
        match self.roll() {
            Fate::DiesBefore => std::future::pending().await,
            Fate::DiesAfter => {
                self.relay.deliver(message).await?;
                std::future::pending().await
            }
            Fate::Lives => self.relay.deliver(message).await,
        }
    }
}

/// SYS-4, MSG-8: two workers and a thousand mails, and everybody dies all the time. A worker is dropped as soon as one
/// of its deliveries hangs, with up to seven others on their way.
#[tokio::test]
async fn two_workers_that_are_killed_all_the_time_send_a_thousand_mails() {
    const MAILS: usize = 1_000;
    let bench = Bench::new();
    let (_, by) = bench.administrator("max", enrollment_core::domain::role::Role::Administrator).await;
    let mut ids = Vec::new();
    for nth in 0..MAILS {
        let to = email(&format!("user{nth}@example.com"));
        ids.push(bench.admin().send_test_mail(&by, Some(to)).await.unwrap());
    }
    let reaper = Arc::new(Reaper { relay: bench.relay.clone(), dice: std::sync::Mutex::new(11) });
    let mut killed = 0;
    while bench.mails().await.iter().any(|(_, state)| *state != "sent") {
        let workers = [0, 1].map(|_| OutboxWorker::new(bench.service.clone(), reaper.clone()));
        let run = async |worker: &OutboxWorker| while worker.run_once().await.unwrap() > 0 {};
        let mut both = std::pin::pin!(async { tokio::join!(run(&workers[0]), run(&workers[1])) });
        // On one thread without timers a future that is ready after a thousand turns of the others is ready, or hangs.
        let mut turns = 0;
        let done = std::future::poll_fn(|context| {
            turns += 1;
            match both.as_mut().poll(context) {
                std::task::Poll::Ready(_) => std::task::Poll::Ready(true),
                std::task::Poll::Pending if turns > 2_000 => std::task::Poll::Ready(false),
                std::task::Poll::Pending => {
                    context.waker().wake_by_ref();
                    std::task::Poll::Pending
                }
            }
        });
        killed += usize::from(!done.await);
        // Their leases run out.
        bench.clock.advance(Span::minutes(8).duration());
    }
    assert!(killed > 10, "{killed} workers died");
    let mut arrivals: BTreeMap<OutboxId, usize> = BTreeMap::new();
    for mail in bench.relay.arrived() {
        *arrivals.entry(mail.id).or_default() += 1;
    }
    assert_eq!(arrivals.len(), MAILS, "none is lost");
    assert!(ids.iter().all(|id| arrivals.contains_key(id)));
    let twice = arrivals.values().filter(|times| **times > 1).count();
    // Only those that were with the relay when their worker died: at most eight for each death of one of the two.
    assert!(twice <= 16 * killed, "{twice} were sent more than once in {killed} deaths");
}

/// A store behind which another worker takes what this one leases at once: this one wakes too late for all of it.
#[derive(Debug)]
struct Late {
    inner: Arc<dyn Store>,
    clock: Arc<enrollment_testkit::fake::ManualClock>,
}

#[async_trait]
impl Store for Late {
    async fn get(&self, keys: &[RowKey]) -> Result<Vec<Option<Row>>, StoreError> {
        self.inner.get(keys).await
    }

    async fn find(&self, by: &UniqueKey) -> Result<Option<Row>, StoreError> {
        self.inner.find(by).await
    }

    async fn scan(&self, scan: &Scan) -> Result<Page, StoreError> {
        self.inner.scan(scan).await
    }

    async fn commit(&self, change: &Change) -> Result<CommitOutcome, StoreError> {
        self.inner.commit(change).await
    }

    async fn lease(&self, request: &LeaseRequest) -> Result<Vec<Leased>, StoreError> {
        let leased = self.inner.lease(request).await;
        self.clock.advance(Span::minutes(8).duration());
        leased
    }

    async fn settle(&self, lease: &LeaseRef, how: &Settlement, now: Timestamp) -> Result<SettleOutcome, StoreError> {
        self.inner.settle(lease, how, now).await
    }

    async fn prune(&self, what: Retained, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        self.inner.prune(what, before, limit).await
    }
}

/// A worker that wakes after its lease sends nothing and settles nothing.
#[tokio::test]
async fn a_worker_that_wakes_after_its_lease_does_not_send() {
    let bench = Bench::new();
    let alice = bench.user("alice").await;
    bench.start(&CLI, alice.id, mailed(Purpose::Onboarding)).await.unwrap();
    let late = Arc::new(Late { inner: bench.store.clone(), clock: bench.clock.clone() });
    let late = OutboxWorker::new(bench.through(late), bench.relay.clone());
    assert_eq!(late.run_once().await.unwrap(), 0);
    assert_eq!(bench.relay.count(), 0);
    bench.send().await;
    assert_eq!(bench.relay.count(), 1);
}
