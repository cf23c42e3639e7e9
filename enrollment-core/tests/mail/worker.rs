//! What becomes of a mail when the relay takes it, defers it, rejects it or refuses us.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use enrollment_core::domain::enrollment::Purpose;
use enrollment_core::domain::event::Event;
use enrollment_core::domain::mail::{Mail, MailState};
use enrollment_core::id::{ChangeId, OutboxId};
use enrollment_core::port::{
    Change, Channel, Clock, CommitOutcome, DeliveryError, DeliveryErrorKind, LeaseRequest, Message, Notifier,
    OutboxEntry, Receipt, Store,
};
use enrollment_core::record::{Document, Kind, RowKey};
use enrollment_core::time::Span;
use enrollment_core::worker::OutboxWorker;
use enrollment_testkit::fake::{Mishap, RecordingNotifier};

use crate::bench::{Bench, CLI, mailed, to};

/// A queued invitation; its address is `username@example.com`.
async fn queued(bench: &Bench, username: &str) -> OutboxId {
    let user = bench.user(username).await;
    let issued = bench.start(&CLI, user.id, mailed(Purpose::Onboarding)).await.unwrap();
    bench.stored(issued.id).await.sending.mail.unwrap()
}

/// MSG-8: tried again after waits that grow, with the same message id, and without waking anybody in between.
#[tokio::test]
async fn a_mail_that_was_deferred_is_tried_again_under_the_same_id() {
    let bench = Bench::new();
    let id = queued(&bench, "alice").await;
    bench.relay.fail(Mishap::Fails(DeliveryErrorKind::Transient), 3);
    bench.send().await;
    bench.send().await;
    assert_eq!(bench.relay.tries(), [id], "it waits");
    let MailState::Retrying { why, tries, at } = bench.mail(id).await.state else { panic!("not retrying") };
    assert_eq!((why.as_str(), tries), ("as the test wants it", 1));
    let wait = at.since(bench.clock.now());
    assert!((Span::seconds(5).duration()..=Span::seconds(10).duration()).contains(&wait), "{wait:?}");
    for tries in 2..=4 {
        bench.send_after(Span::minutes(1)).await;
        assert_eq!(bench.relay.tries().len(), tries);
    }
    assert_eq!(bench.relay.tries(), [id; 4]);
    assert_eq!(bench.inbox("alice@example.com")[0].id, id);
    assert!(matches!(bench.mail(id).await.state, MailState::Sent { receipt, .. } if receipt == "taken"));
    assert_eq!(bench.audited(&Event::MailSent { letter: "invitation".to_owned() }).await, 1);
}

/// MSG-8: rejected for its recipient, a mail is dead at once, visible with its reason; nothing else waits for it.
#[tokio::test]
async fn a_mail_that_was_rejected_is_dead_with_its_reason_and_alone() {
    let bench = Bench::new();
    bench.relay.fail_for(&to("alice@example.com"), Mishap::Fails(DeliveryErrorKind::Rejected), u32::MAX);
    let id = queued(&bench, "alice").await;
    queued(&bench, "bob").await;
    bench.send().await;
    let at = bench.clock.now();
    assert_eq!(bench.mail(id).await.state, MailState::Dead { why: "as the test wants it".to_owned(), at });
    assert_eq!(bench.inbox("bob@example.com").len(), 1);
    bench.send_after(Span::hours(20)).await;
    assert_eq!(bench.relay.tries().iter().filter(|tried| **tried == id).count(), 1, "never again");
    assert_eq!(bench.audited(&Event::MailDied { letter: "invitation".to_owned() }).await, 1);
}

/// MSG-8: a relay that cannot take a mail for days has its reason shown instead of being asked for ever.
#[tokio::test]
async fn a_mail_that_is_deferred_for_days_is_given_up_with_its_reason() {
    let bench = Bench::new();
    let (user, by) = bench.administrator("max", enrollment_core::domain::role::Role::Administrator).await;
    let id = bench.admin().send_test_mail(&by, None).await.unwrap();
    assert_eq!(bench.mail(id).await.user, Some(user.id));
    bench.relay.fail(Mishap::Fails(DeliveryErrorKind::Transient), u32::MAX);
    let started = bench.clock.now();
    while !matches!(bench.mail(id).await.state, MailState::Dead { .. }) {
        bench.send_after(Span::minutes(15)).await;
        assert!(bench.clock.now().since(started) < Span::days(10).duration(), "it is never given up");
    }
    assert!(bench.clock.now().since(started) > Span::days(4).duration(), "given up too early");
}

/// MSG-8: a relay that refuses us pauses the channel; nothing is burnt, and one mail at a time finds out whether it has
/// come round.
#[tokio::test]
async fn a_relay_that_refuses_us_pauses_the_channel_instead_of_burning_the_queue() {
    let bench = Bench::new();
    let mut ids = Vec::new();
    for nth in 0..40 {
        ids.push(queued(&bench, &format!("user{nth}")).await);
    }
    bench.relay.fail(Mishap::Fails(DeliveryErrorKind::Refused), u32::MAX);
    bench.send().await;
    let tried = bench.relay.tries().len();
    assert!((1..=8).contains(&tried), "{tried}: only those that were on their way together");
    let pause = bench.admin().mail_status(&CLI).await.unwrap().pause.unwrap();
    assert_eq!((pause.since, pause.why.as_str()), (bench.clock.now(), "as the test wants it"));
    bench.send().await;
    assert_eq!(bench.relay.tries().len(), tried, "nothing before the probe");
    // Twelve hours of refusal: every probe is one try.
    let mut probes = 0;
    for _ in 0..720 {
        bench.send_after(Span::minutes(1)).await;
        let now = bench.relay.tries().len();
        assert!(now <= tried + probes + 1, "one at a time");
        probes = now - tried;
    }
    assert!((20..=40).contains(&probes), "{probes} probes in twelve hours");
    assert!(bench.mails().await.iter().all(|(_, state)| *state == "queued"), "nothing was burnt");
    assert_eq!(bench.audited(&Event::ChannelPaused { channel: "email".to_owned() }).await, 1, "written down once");

    bench.relay.recover();
    bench.send_after(Span::minutes(30)).await;
    assert_eq!(bench.relay.count(), 40);
    assert_eq!(bench.admin().mail_status(&CLI).await.unwrap().pause, None);
    assert_eq!(bench.audited(&Event::ChannelResumed { channel: "email".to_owned() }).await, 1);
    // What was given back does not count as a try.
    let now = bench.clock.now();
    let request = LeaseRequest { channels: vec![Channel::Email], now, until: now, limit: 1 };
    assert!(bench.memory.lease(&request).await.unwrap().is_empty());
}

/// What is past its use asks nothing of the relay: a probe is a mail that goes.
#[tokio::test]
async fn mails_past_their_use_do_not_hold_up_the_probe() {
    let bench = Bench::new();
    for nth in 0..20 {
        queued(&bench, &format!("user{nth}")).await;
    }
    bench.relay.fail(Mishap::Fails(DeliveryErrorKind::Refused), u32::MAX);
    bench.send().await;
    bench.clock.advance(Span::hours(24).duration());
    bench.admin().send_test_mail(&CLI, Some(crate::bench::email("ops@example.com"))).await.unwrap();
    bench.relay.recover();
    bench.send().await;
    assert_eq!(bench.inbox("ops@example.com").len(), 1);
    assert_eq!(bench.states("invitation").await.iter().filter(|state| state.as_str() == "obsolete").count(), 20);
    assert_eq!(bench.admin().mail_status(&CLI).await.unwrap().pause, None);
}

/// Of two workers that come to a paused channel at once one probes.
#[tokio::test]
async fn of_two_workers_one_probes() {
    let bench = Bench::new();
    for nth in 0..3 {
        queued(&bench, &format!("user{nth}")).await;
    }
    bench.relay.fail(Mishap::Fails(DeliveryErrorKind::Refused), u32::MAX);
    bench.send().await;
    let before = bench.relay.tries().len();
    bench.clock.advance(Span::minutes(5).duration());
    let (one, other) = (bench.worker(), bench.worker());
    let (one, other) = tokio::join!(one.run_once(), other.run_once());
    assert_eq!((one.unwrap(), other.unwrap()), (0, 0));
    assert_eq!(bench.relay.tries().len(), before + 1);
}

/// A mail that cannot be made waits alone.
#[tokio::test]
async fn a_mail_whose_records_are_damaged_waits_and_holds_up_no_other() {
    let bench = Bench::new();
    let id = queued(&bench, "alice").await;
    let key = RowKey::new(Kind::Mail, id.uuid());
    let damage = async |json: &str| {
        let mut row = bench.memory.get(&[key]).await.unwrap().pop().unwrap().unwrap();
        let whole = row.body.json.clone();
        let expect = enrollment_core::port::Expect::Version(row.version);
        row.version = row.version.next();
        row.body = Document { layout: 1, json: json.to_owned() };
        let op = enrollment_core::port::Op::Put { expect, next: row };
        let change = Change::new(
            ChangeId::new(bench.clock.now(), bench.entropy()),
            bench.clock.now(),
            vec![op],
            vec![],
            Vec::new(),
        );
        assert_eq!(bench.memory.commit(&change.unwrap()).await.unwrap(), CommitOutcome::Applied);
        whole
    };
    let whole = damage("{}").await;
    // One that says nothing at all.
    let poison = OutboxEntry {
        id: OutboxId::new(bench.clock.now(), bench.entropy()),
        channel: Channel::Email,
        stream: None,
        due: bench.clock.now(),
        body: Document { layout: 1, json: "[]".to_owned() },
    };
    let change = Change::new(
        ChangeId::new(bench.clock.now(), bench.entropy()),
        bench.clock.now(),
        vec![],
        vec![poison],
        Vec::new(),
    );
    assert_eq!(bench.memory.commit(&change.unwrap()).await.unwrap(), CommitOutcome::Applied);
    queued(&bench, "bob").await;
    bench.send().await;
    assert_eq!(bench.inbox("bob@example.com").len(), 1);
    damage(&whole).await;
    bench.send_after(Span::minutes(1)).await;
    assert_eq!(bench.inbox("alice@example.com").len(), 1, "repaired");
}

/// MSG-8: whoever wakes up after its lease has ended leaves the mail to the worker who has it, and settles nothing.
#[tokio::test]
async fn a_worker_that_lost_its_lease_changes_nothing() {
    let bench = Bench::new();
    let id = queued(&bench, "alice").await;
    let now = bench.clock.now();
    let until = now.plus(Span::minutes(4).duration());
    let request = LeaseRequest { channels: vec![Channel::Email], now, until, limit: 1 };
    let stalled = bench.memory.lease(&request).await.unwrap().remove(0);
    bench.send().await;
    assert!(bench.relay.tries().is_empty(), "it is leased");
    bench.send_after(Span::minutes(4)).await;
    assert_eq!(bench.relay.count(), 1);
    let done = enrollment_core::port::Settlement::Dead { why: "late".to_owned() };
    let outcome = bench.memory.settle(&stalled.lease, &done, bench.clock.now()).await.unwrap();
    assert_eq!(outcome, enrollment_core::port::SettleOutcome::LeaseLost);
    assert_eq!(bench.mail(id).await.state.as_str(), "sent");
}

/// A worker whose notifier serves no mail leases none.
#[tokio::test]
async fn a_worker_takes_only_what_its_notifier_serves() {
    let bench = Bench::new();
    queued(&bench, "alice").await;
    let sms = OutboxWorker::new(bench.service.clone(), Arc::new(RecordingNotifier::serving(&[Channel::Sms])));
    assert_eq!(sms.run_once().await.unwrap(), 0);
    bench.send().await;
    assert_eq!(bench.relay.count(), 1);
}

/// MSG-8, INV-3: without an address at sending a mail is dead where people see it, and goes once there is one.
#[tokio::test]
async fn an_address_that_was_taken_away_makes_a_dead_letter_that_can_be_revived() {
    let bench = Bench::new();
    let alice = bench.user("alice").await;
    let issued = bench.start(&CLI, alice.id, mailed(Purpose::Onboarding)).await.unwrap();
    bench.readdress(alice.id, None).await;
    bench.send().await;
    let view = bench.admin().enrollment(&CLI, issued.id).await.unwrap();
    let Some(MailState::Dead { why, .. }) = view.mail else { panic!("{:?}", view.mail) };
    assert_eq!(why, "the recipient has no e-mail address");
    bench.readdress(alice.id, Some("new@example.com")).await;
    let id = bench.stored(issued.id).await.sending.mail.unwrap();
    bench.admin().revive_mail(&CLI, id).await.unwrap();
    bench.send().await;
    assert_eq!(bench.inbox("new@example.com").iter().map(|mail| mail.id).collect::<Vec<_>>(), [id], "its own id");
    let mail: Mail = bench.mail(id).await;
    assert!(mail.entry != mail.id && mail.state.as_str() == "sent");
}

/// SYS-7: what is with the relay when a worker is told to stop is finished; the rest another can send at once.
#[tokio::test]
async fn a_worker_that_is_told_to_stop_gives_back_what_it_has_not_begun() {
    let bench = Bench::new();
    for nth in 0..16 {
        queued(&bench, &format!("user{nth}")).await;
    }
    let (relay, worker) = Stopping::new(&bench);
    worker.run_once().await.unwrap();
    let begun = relay.0.tries().len();
    assert!((1..16).contains(&begun), "{begun}");
    assert_eq!(worker.run_once().await.unwrap(), 0, "it begins nothing more");
    assert_eq!(relay.0.tries().len(), begun);
    assert_eq!(bench.mails().await.iter().filter(|(_, state)| *state == "sent").count(), begun);

    bench.send().await;
    assert_eq!(bench.relay.tries().len(), 16 - begun, "without waiting for a lease to end");
    assert!(bench.mails().await.iter().all(|(_, state)| *state == "sent"));
}

/// A relay that has the worker stop while it takes the first mail.
#[derive(Debug)]
struct Stopping(RecordingNotifier, OnceLock<OutboxWorker>);

impl Stopping {
    fn new(bench: &Bench) -> (Arc<Self>, OutboxWorker) {
        let relay = Arc::new(Self(RecordingNotifier::new(), OnceLock::new()));
        let worker = OutboxWorker::new(bench.service.clone(), Arc::<Self>::clone(&relay));
        relay.1.set(worker.clone()).expect("set once");
        (relay, worker)
    }
}

#[async_trait]
impl Notifier for Stopping {
    fn channels(&self) -> &[Channel] {
        self.0.channels()
    }

    async fn deliver(&self, message: &Message) -> Result<Receipt, DeliveryError> {
        self.1.get().expect("set before it is used").stop();
        self.0.deliver(message).await
    }
}
