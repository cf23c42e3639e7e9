//! A service on the reference store, with time and randomness in the test's hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use enrollment_core::domain::audit::{Actor, AuditEntry};
use enrollment_core::domain::event::Event;
use enrollment_core::domain::policy::Policy;
use enrollment_core::domain::rejection::Rejection;
use enrollment_core::domain::role::Role;
use enrollment_core::id::{ChangeId, UserId};
use enrollment_core::memory::MemoryStore;
use enrollment_core::port::{Change, Channel, Clock, CommitOutcome, Op, Scan, Store};
use enrollment_core::record::{IndexName, Record, RowKey, Stored, Version};
use enrollment_core::secret::{Argon2Params, HashingOptions, KeyRing};
use enrollment_core::service::{Failure, Instance, Origin, Principal, Service, ServiceBuilder};
use enrollment_core::time::Timestamp;
use enrollment_core::worker::Sealer;
use enrollment_testkit::fake::SeededEntropy;
use uuid::Uuid;

/// A clock that goes on by a millisecond whenever somebody looks, so that whatever is later has a later time.
#[derive(Debug)]
pub(crate) struct ManualClock(AtomicI64);

impl ManualClock {
    pub(crate) fn advance(&self, seconds: i64) {
        self.0.fetch_add(seconds * 1_000_000, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.fetch_add(1_000, Ordering::SeqCst))
    }
}

pub(crate) struct Bed {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) service: Service,
    entropy: Arc<SeededEntropy>,
    ring: Arc<KeyRing>,
}

impl Bed {
    pub(crate) fn new() -> Self {
        Self::with(Policy::standard())
    }

    pub(crate) fn with(policy: Policy) -> Self {
        let clock = Arc::new(ManualClock(AtomicI64::new(Timestamp::from_seconds(1_767_225_600).micros())));
        let entropy = Arc::new(SeededEntropy::new(7));
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        let ring = Arc::new(KeyRing::generate(clock.now(), &*entropy));
        let service = service(Arc::clone(&store), &clock, &entropy, &ring, policy, &[]);
        Self { store, clock, service, entropy, ring }
    }

    /// Another process on this bed's data.
    pub(crate) fn service_on(&self, store: impl Store) -> Service {
        self.service_by(Arc::new(store), &[])
    }

    /// Another process on this bed's data, which can send mail.
    pub(crate) fn service_with_mail(&self) -> Service {
        self.service_by(Arc::clone(&self.store), &[Channel::Email])
    }

    fn service_by(&self, store: Arc<dyn Store>, channels: &[Channel]) -> Service {
        service(store, &self.clock, &self.entropy, &self.ring, Policy::standard(), channels)
    }

    pub(crate) async fn seal(&self) -> usize {
        Sealer::new(self.service.clone()).run_once().await.expect("sealed")
    }

    /// Every entry, oldest first.
    pub(crate) async fn entries(&self) -> Vec<Stored<AuditEntry>> {
        let page = self.store.scan(&Scan::all(IndexName::AuditByTime, "", 1000)).await.expect("a page");
        page.rows.iter().map(|row| Stored::read(row).expect("an entry")).collect()
    }

    /// What happened, oldest first.
    pub(crate) async fn events(&self) -> Vec<Event> {
        self.entries().await.into_iter().map(|stored| stored.record.event).collect()
    }

    pub(crate) async fn version(&self, key: RowKey) -> Option<Version> {
        self.store.get(&[key]).await.expect("rows").pop().flatten().map(|row| row.version)
    }

    pub(crate) async fn read<R: Record>(&self, id: Uuid) -> Stored<R> {
        let row = self.store.get(&[RowKey::new(R::KIND, id)]).await.expect("rows").pop().flatten();
        Stored::read(&row.expect("a row")).expect("a record")
    }

    /// Writes past the use cases, as somebody with the database would.
    pub(crate) async fn tamper(&self, ops: Vec<Op>) {
        static CHANGES: AtomicU64 = AtomicU64::new(1);
        let id = Uuid::from_u128(u128::from(CHANGES.fetch_add(1, Ordering::SeqCst)));
        let change =
            Change::new(ChangeId::from_uuid(id), self.clock.now(), ops, Vec::new(), Vec::new()).expect("a change");
        assert_eq!(self.store.commit(&change).await.expect("an outcome"), CommitOutcome::Applied);
    }
}

fn service(
    store: Arc<dyn Store>,
    clock: &Arc<ManualClock>,
    entropy: &Arc<SeededEntropy>,
    ring: &Arc<KeyRing>,
    policy: Policy,
    channels: &[Channel],
) -> Service {
    let instance = Instance { url: "https://vpn.example.org".to_owned(), version: "9.9".to_owned() };
    ServiceBuilder::new(store, Arc::clone(clock) as _, Arc::clone(entropy) as _, Arc::clone(ring), instance)
        .policy(policy)
        .channels(channels)
        .hashing(HashingOptions::new(Argon2Params { m_kib: 64, t: 1, p: 1 }, 64 * 1024))
        .build()
        .expect("a service")
}

/// Somebody with a role.
pub(crate) fn somebody(role: Role) -> Principal {
    let user = UserId::from_uuid(Uuid::from_u128(7));
    let source = Some("192.0.2.7".parse().expect("an address"));
    Principal { actor: Actor::User(user), role: Some(role), user: Some(user), origin: Origin { source }, epoch: None }
}

pub(crate) fn owner() -> Principal {
    somebody(Role::Owner)
}

/// The refusal of what was refused.
#[track_caller]
pub(crate) fn refused<T: std::fmt::Debug>(result: Result<T, Failure>) -> Rejection {
    match result {
        Err(Failure::Rejected(rejection)) => rejection,
        other => panic!("not refused: {other:?}"),
    }
}

/// What a refusal is written down as.
pub(crate) fn refusal(operation: &str, code: &str) -> Event {
    Event::Refused { operation: operation.to_owned(), code: code.to_owned() }
}
