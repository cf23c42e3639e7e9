//! A store that keeps a copy of everything that took effect, and can let a caller hang.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use enrollment_core::id::{ChangeId, OutboxId};
use enrollment_core::port::{
    Change, CommitOutcome, Expect, LeaseRef, LeaseRequest, Leased, Op, OutboxEntry, Page, Retained, Scan,
    SettleOutcome, Settlement, Store, StoreError,
};
use enrollment_core::record::{Kind, Record, Row, RowKey, Stored, UniqueKey};
use enrollment_core::time::Timestamp;
use tokio::sync::Notify;

/// A store in front of another that writes down what took effect. Every call lets others go first, so that requests
/// sent at once really meet.
#[derive(Debug)]
pub(crate) struct Tape {
    inner: Arc<dyn Store>,
    log: Mutex<Log>,
    hang: Mutex<Option<Hang>>,
    hanging: Notify,
}

/// Where a caller of `commit` hangs for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hang {
    Before,
    After,
}

/// How an outbox entry ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Done,
    Obsolete,
    Dead,
}

/// What took effect so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Log {
    pub(crate) rows: BTreeMap<RowKey, Row>,
    pub(crate) entries: BTreeMap<OutboxId, (OutboxEntry, Option<End>)>,
    /// In their order, each once.
    pub(crate) changes: Vec<Change>,
    known: BTreeSet<ChangeId>,
}

impl Log {
    /// Every record of one kind.
    pub(crate) fn all<R: Record>(&self) -> Vec<Stored<R>> {
        let rows = self.rows.values().filter(|row| row.key.kind == R::KIND);
        rows.map(|row| Stored::read(row).expect("a row that was written can be read")).collect()
    }

    /// All rows but those of these kinds.
    pub(crate) fn without(&self, kinds: &[Kind]) -> BTreeMap<RowKey, Row> {
        let others = self.rows.iter().filter(|(key, _)| !kinds.contains(&key.kind));
        others.map(|(key, row)| (*key, row.clone())).collect()
    }

    fn apply(&mut self, change: &Change) {
        if !self.known.insert(change.id) {
            return;
        }
        for op in &change.ops {
            match op {
                Op::Put { expect, next } => {
                    let before = self.rows.insert(next.key, next.clone()).map(|row| row.version);
                    let expected = match expect {
                        Expect::Absent => None,
                        Expect::Version(version) => Some(*version),
                    };
                    assert_eq!(before, expected, "G2: {} was not what the change expected", next.key);
                    let follows = expected.map_or(1, |version| version.0 + 1);
                    assert_eq!(next.version.0, follows, "I7: a version of {} is missing", next.key);
                }
                Op::Delete { key, version } => {
                    let before = self.rows.remove(key).map(|row| row.version);
                    assert_eq!(before, Some(*version), "G2: {key} was not what the change expected");
                }
                Op::Check { key, version } => {
                    let now = self.rows.get(key).map(|row| row.version);
                    assert_eq!(now, *version, "G2: {key} was not what the change expected");
                }
            }
        }
        for entry in &change.enqueue {
            let earlier = self.entries.insert(entry.id, (entry.clone(), None));
            assert!(earlier.is_none(), "I8: an effect was enqueued twice");
        }
        for lease in &change.settle {
            self.end(lease, End::Done);
        }
        self.changes.push(change.clone());
    }

    fn end(&mut self, lease: &LeaseRef, how: End) {
        let (_, end) = self.entries.get_mut(&lease.entry).expect("only what was enqueued is leased");
        assert_eq!(*end, None, "I8: an effect ended twice");
        *end = Some(how);
    }
}

impl Tape {
    pub(crate) fn new(inner: Arc<dyn Store>) -> Self {
        Self { inner, log: Mutex::default(), hang: Mutex::default(), hanging: Notify::new() }
    }

    /// What took effect so far.
    pub(crate) fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the next commit hang for good.
    pub(crate) fn hang_next_commit(&self, at: Hang) {
        *self.hang.lock().unwrap_or_else(PoisonError::into_inner) = Some(at);
    }

    /// Waits until a commit hangs.
    pub(crate) async fn hanging(&self) {
        self.hanging.notified().await;
    }

    async fn hang(&self) -> ! {
        self.hanging.notify_one();
        std::future::pending::<()>().await;
        unreachable!("it hangs for good")
    }

    fn take_hang(&self) -> Option<Hang> {
        self.hang.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

#[async_trait]
impl Store for Tape {
    async fn get(&self, keys: &[RowKey]) -> Result<Vec<Option<Row>>, StoreError> {
        tokio::task::yield_now().await;
        self.inner.get(keys).await
    }

    async fn find(&self, by: &UniqueKey) -> Result<Option<Row>, StoreError> {
        tokio::task::yield_now().await;
        self.inner.find(by).await
    }

    async fn scan(&self, scan: &Scan) -> Result<Page, StoreError> {
        tokio::task::yield_now().await;
        self.inner.scan(scan).await
    }

    async fn commit(&self, change: &Change) -> Result<CommitOutcome, StoreError> {
        tokio::task::yield_now().await;
        let hang = self.take_hang();
        if hang == Some(Hang::Before) {
            self.hang().await;
        }
        // Nothing else runs between the two: one thread, and a store in memory that never waits.
        let outcome = self.inner.commit(change).await;
        if let Ok(CommitOutcome::Applied) = outcome {
            self.log().apply(change);
        }
        if hang == Some(Hang::After) {
            self.hang().await;
        }
        outcome
    }

    async fn lease(&self, request: &LeaseRequest) -> Result<Vec<Leased>, StoreError> {
        tokio::task::yield_now().await;
        self.inner.lease(request).await
    }

    async fn settle(&self, lease: &LeaseRef, how: &Settlement, now: Timestamp) -> Result<SettleOutcome, StoreError> {
        tokio::task::yield_now().await;
        let outcome = self.inner.settle(lease, how, now).await;
        let end = match how {
            Settlement::Done => Some(End::Done),
            Settlement::Obsolete { .. } => Some(End::Obsolete),
            Settlement::Dead { .. } => Some(End::Dead),
            Settlement::Retry { .. } | Settlement::Release { .. } | Settlement::Extend { .. } => None,
        };
        if let (Ok(SettleOutcome::Settled), Some(end)) = (&outcome, end) {
            self.log().end(lease, end);
        }
        outcome
    }

    async fn prune(&self, what: Retained, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        self.inner.prune(what, before, limit).await
    }
}
