//! Mails that are read and written down together: one that is slow, taken away, damaged or refused spoils no other.

use std::fmt;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;
use enrollment_core::domain::enrollment::Purpose;
use enrollment_core::domain::mail::MailState;
use enrollment_core::id::OutboxId;
use enrollment_core::port::{
    Channel, Clock, DeliveryError, LeaseRequest, Message, Notifier, Receipt, Recipient, SettleOutcome, Settlement,
    Store, StoreErrorKind,
};
use enrollment_core::record::Kind;
use enrollment_core::time::Span;
use enrollment_core::worker::OutboxWorker;
use enrollment_testkit::fake::{Moment, RacedStore, RecordingNotifier, TracingStore, Trouble};

use crate::bench::{Bench, CLI, mailed, to};

/// As many as a worker leases at once.
const BATCH: usize = 16;
/// As many as it has under way at once.
const AT_ONCE: usize = 8;

/// So many queued invitations, to `user0@example.com` and so on, each due a little later than the one before.
async fn queued(bench: &Bench, count: usize) -> Vec<OutboxId> {
    let mut ids = Vec::new();
    for nth in 0..count {
        bench.clock.advance(Span::seconds(1).duration());
        let user = bench.user(&format!("user{nth}")).await;
        let issued = bench.start(&CLI, user.id, mailed(Purpose::Onboarding)).await.unwrap();
        ids.push(bench.stored(issued.id).await.sending.mail.unwrap());
    }
    assert!(ids.is_sorted());
    ids
}

/// Which mails the relay was handed, in the order of their ids.
fn tries(bench: &Bench) -> Vec<OutboxId> {
    let mut tries = bench.relay.tries();
    tries.sort_unstable();
    tries
}

fn address(nth: usize) -> Recipient {
    to(&format!("user{nth}@example.com"))
}

async fn sent(bench: &Bench) -> usize {
    bench.states("invitation").await.iter().filter(|state| matches!(state, MailState::Sent { .. })).count()
}

type Rival = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A relay that lets somebody else finish first while it has the mail to one address.
struct Meanwhile {
    relay: Arc<RecordingNotifier>,
    to: Recipient,
    rival: Mutex<Option<Rival>>,
}

impl Meanwhile {
    fn worker(bench: &Bench, to: Recipient, rival: impl Future<Output = ()> + Send + 'static) -> OutboxWorker {
        let relay = Self { relay: bench.relay.clone(), to, rival: Mutex::new(Some(Box::pin(rival))) };
        OutboxWorker::new(bench.service.clone(), Arc::new(relay))
    }
}

impl fmt::Debug for Meanwhile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Meanwhile").field("to", &self.to).finish_non_exhaustive()
    }
}

#[async_trait]
impl Notifier for Meanwhile {
    fn channels(&self) -> &[Channel] {
        self.relay.channels()
    }

    async fn deliver(&self, message: &Message) -> Result<Receipt, DeliveryError> {
        let rival = if message.to == self.to { self.rival.lock().unwrap().take() } else { None };
        if let Some(rival) = rival {
            rival.await;
        }
        self.relay.deliver(message).await
    }
}

/// A store is asked a few times for a batch, not a few times for each mail.
#[tokio::test]
async fn mails_that_go_together_are_read_and_written_down_together() {
    let bench = Bench::new();
    queued(&bench, BATCH).await;
    let store = Arc::new(TracingStore::new(bench.memory.clone()));
    let worker = OutboxWorker::new(bench.through(store.clone()), bench.relay.clone());
    // Locations are read once, and then again only when there was a change to them.
    assert_eq!(worker.run_once().await.unwrap(), BATCH);
    queued_again(&bench).await;
    drop(store.take());
    assert_eq!(worker.run_once().await.unwrap(), BATCH);
    let methods: Vec<_> = store.take().iter().map(|call| call.method).collect();
    assert_eq!(methods, ["get", "lease", "get", "get", "commit", "get", "get", "commit"]);
    assert_eq!(bench.relay.count(), 2 * BATCH as u64);
}

/// What comes next is made while the last is written down, and waits for its places: no more are ever taken by the relay
/// and not written down.
#[tokio::test]
async fn the_next_mails_are_made_while_the_last_are_written_down() {
    let bench = Bench::new();
    queued(&bench, BATCH).await;
    let traced = Arc::new(TracingStore::new(bench.memory.clone()));
    let (go_on, written) = tokio::sync::oneshot::channel::<()>();
    let slow = RacedStore::new(traced.clone(), async { written.await.unwrap() });
    let worker = OutboxWorker::new(bench.through(Arc::new(slow)), bench.relay.clone());
    let mut turn = pin!(worker.run_once());
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..1_000 {
        assert!(matches!(turn.as_mut().poll(&mut context), Poll::Pending), "it waits for the change");
    }
    let calls = traced.take();
    let mails = vec![Kind::Mail.to_string(); AT_ONCE];
    assert_eq!(calls.iter().filter(|call| call.method == "get" && call.about == mails).count(), 2, "{calls:?}");
    assert!(calls.iter().all(|call| call.method != "commit"));
    assert_eq!(bench.relay.count(), AT_ONCE as u64);
    go_on.send(()).unwrap();
    assert_eq!(turn.await.unwrap(), BATCH);
    assert_eq!(bench.relay.count(), BATCH as u64);
}

/// A resend of every invitation.
async fn queued_again(bench: &Bench) {
    for enrollment in bench.admin().enrollments(&CLI, &Default::default(), &Default::default()).await.unwrap().items {
        bench.admin().resend(&CLI, enrollment.id, None).await.unwrap();
    }
}

/// MSG-8: a mail that the relay keeps us waiting for holds up none of its neighbors: they are sent, and written down.
#[tokio::test]
async fn a_slow_recipient_holds_up_nobody_elses_mail() {
    let bench = Bench::new();
    queued(&bench, BATCH).await;
    let worker = Meanwhile::worker(&bench, address(0), std::future::pending());
    let mut turn = pin!(worker.run_once());
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..1_000 {
        assert!(matches!(turn.as_mut().poll(&mut context), Poll::Pending), "it waits for the slow one");
    }
    assert_eq!(sent(&bench).await, BATCH - 1);
    assert_eq!(bench.inbox("user0@example.com"), []);
}

/// MSG-8: one of several leases was taken by another worker while the relay had the mails. That one is the other's to
/// settle; the others are written down all the same.
#[tokio::test]
async fn a_mail_that_another_worker_took_over_spoils_no_other() {
    let bench = Bench::new();
    let ids = queued(&bench, AT_ONCE).await;
    let (memory, clock) = (bench.memory.clone(), bench.clock.clone());
    let stolen = Arc::new(Mutex::new(None));
    let thief = {
        let stolen = Arc::clone(&stolen);
        async move {
            // Its clock is ahead: all leases have ended, and it takes the first.
            let now = clock.now().plus(Span::minutes(8).duration());
            let until = now.plus(Span::minutes(8).duration());
            let request = LeaseRequest { channels: vec![Channel::Email], now, until, limit: 1 };
            *stolen.lock().unwrap() = memory.lease(&request).await.unwrap().pop();
        }
    };
    let worker = Meanwhile::worker(&bench, address(AT_ONCE - 1), thief);
    assert_eq!(worker.run_once().await.unwrap(), AT_ONCE - 1);
    assert_eq!(sent(&bench).await, AT_ONCE - 1);
    assert_eq!(bench.relay.count(), AT_ONCE as u64);
    let stolen = stolen.lock().unwrap().take().unwrap();
    assert_eq!(bench.mail(stolen.entry.id).await.state, MailState::Queued, "the other worker's, to write down");
    let released = Settlement::Release { at: bench.clock.now() };
    let outcome = bench.memory.settle(&stolen.lease, &released, bench.clock.now()).await.unwrap();
    assert_eq!(outcome, SettleOutcome::Settled, "its lease is in force");
    bench.send().await;
    assert_eq!(sent(&bench).await, AT_ONCE);
    // Twice, under one id: the relay had it, and whoever had written that down was late.
    assert_eq!(tries(&bench), [&ids[..1], &ids].concat());
}

/// MSG-8: what could not be read in one moment can be in the next, and does not wait for its leases to end: a code among
/// these mails would be of no use by then.
#[tokio::test]
async fn mails_that_could_not_be_read_for_a_moment_are_given_back_at_once() {
    // The pause of the channel, the mails of the first eight, what they are made of, and likewise for the others.
    for failing in 1..=5 {
        let bench = Bench::new();
        let ids = queued(&bench, BATCH).await;
        bench.store.trouble_read(failing);
        bench.worker().run_once().await.unwrap_err();
        bench.send().await;
        assert_eq!(sent(&bench).await, BATCH, "read {failing} failed");
        assert_eq!(tries(&bench), ids, "each once");
    }
}

/// An administrator dropped one of them in the instant in which the relay took it: it was sent, and that counts for more.
#[tokio::test]
async fn a_mail_that_was_dropped_while_the_relay_had_it_is_sent_and_spoils_no_other() {
    let bench = Bench::new();
    let ids = queued(&bench, AT_ONCE).await;
    let (service, dropped) = (bench.service.clone(), ids[3]);
    let drop = async move { drop(service.administrator().drop_mail(&CLI, dropped).await.unwrap()) };
    let worker = Meanwhile::worker(&bench, address(AT_ONCE - 1), drop);
    assert_eq!(worker.run_once().await.unwrap(), AT_ONCE);
    assert_eq!(sent(&bench).await, AT_ONCE);
    assert_eq!(tries(&bench), ids, "each once");
}

/// A store that takes them alone and not together is not asked in vain: nothing is sent twice for it.
#[tokio::test]
async fn mails_that_cannot_be_written_down_together_are_written_down_alone() {
    for trouble in [StoreErrorKind::Busy, StoreErrorKind::Unavailable, StoreErrorKind::Misuse].map(Trouble::Error) {
        let bench = Bench::new();
        let ids = queued(&bench, AT_ONCE).await;
        bench.store.trouble_commits(1, trouble);
        assert_eq!(bench.worker().run_once().await.unwrap(), AT_ONCE, "{trouble:?}");
        bench.send_after(Span::minutes(10)).await;
        assert_eq!(sent(&bench).await, AT_ONCE);
        assert_eq!(tries(&bench), ids, "{trouble:?}: each once");
    }
}

/// Written down, and the answer lost again and again: what is asked alone then finds that it was.
#[tokio::test]
async fn mails_whose_writing_down_was_answered_by_nobody_are_sent_once() {
    for lost in 1..=6 {
        let bench = Bench::new();
        let ids = queued(&bench, AT_ONCE).await;
        bench.store.trouble_commits(lost, Trouble::AnswerLost);
        // Whether it could tell is not what is asked here.
        let _outcome = bench.worker().run_once().await;
        bench.store.revive();
        bench.send_after(Span::minutes(10)).await;
        assert_eq!(sent(&bench).await, AT_ONCE);
        assert_eq!(tries(&bench), ids, "{lost}: each once");
    }
}

/// SYS-4, MSG-8: with several mails under way, a worker that dies at any store call loses none, and sends only those twice
/// that the relay had.
#[tokio::test]
async fn a_worker_that_dies_with_several_mails_under_way_loses_none() {
    let mut call = 1;
    loop {
        let mut died = false;
        for moment in [Moment::Before, Moment::After] {
            let bench = Bench::new();
            let ids = queued(&bench, AT_ONCE + 3).await;
            bench.store.revive();
            bench.store.die_at(call, moment);
            let _outcome = bench.worker().run_once().await;
            died |= bench.store.calls() >= call;
            let before = bench.relay.tries();
            let unsettled = before.len() - sent(&bench).await;
            bench.store.revive();
            for _ in 0..3 {
                bench.send_after(Span::minutes(5)).await;
            }
            assert_eq!(sent(&bench).await, ids.len(), "{call} {moment:?}");
            let mut tries = tries(&bench);
            assert_eq!(tries.len(), ids.len() + unsettled, "{call} {moment:?}: no other was sent twice");
            tries.dedup();
            assert_eq!(tries, ids, "{call} {moment:?}");
            assert!(unsettled <= AT_ONCE, "{call} {moment:?}: {unsettled} were taken and not written down");
        }
        if !died {
            break;
        }
        call += 1;
    }
    assert!(call > 8, "the search saw {call} calls");
}

/// INV-5, MSG-8: a mail is made when there is a place for it, from what holds then, not when its batch was leased.
#[tokio::test]
async fn a_mail_that_became_obsolete_while_it_waited_for_a_place_is_not_sent() {
    let bench = Bench::new();
    queued(&bench, BATCH - 1).await;
    bench.clock.advance(Span::seconds(1).duration());
    let last = bench.user("last").await;
    let issued = bench.start(&CLI, last.id, mailed(Purpose::Onboarding)).await.unwrap();
    let service = bench.service.clone();
    let revoke = async move { service.administrator().revoke(&CLI, issued.id).await.unwrap() };
    let worker = Meanwhile::worker(&bench, address(0), revoke);
    worker.run_once().await.unwrap();
    assert_eq!(sent(&bench).await, BATCH - 1);
    assert!(bench.inbox("last@example.com").iter().all(|mail| !mail.text.contains(issued.url.expose())));
}
