//! A store that writes down what it is asked.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use enrollment_core::port::{
    Change, CommitOutcome, LeaseRef, LeaseRequest, Leased, Op, Page, Retained, Scan, SettleOutcome, Settlement, Store,
    StoreError,
};
use enrollment_core::record::{Row, RowKey, UniqueKey};
use enrollment_core::time::Timestamp;

/// One call to a store: the method and the names of what it is about; never an id, a value or a document.
///
/// Two requests that must not be told apart give equal lists of calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The method's name.
    pub method: &'static str,
    /// The names: kinds of rows, unique keys, indexes, channels, and what happens to them.
    pub about: Vec<String>,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", self.method, self.about.join(", "))
    }
}

/// A store in front of another that writes down every call, in the order in which they begin. Share it by `Arc`.
#[derive(Debug)]
pub struct TracingStore {
    inner: Arc<dyn Store>,
    calls: Mutex<Vec<Call>>,
}

impl TracingStore {
    /// A store in front of `inner`.
    #[must_use]
    pub fn new(inner: Arc<dyn Store>) -> Self {
        Self { inner, calls: Mutex::default() }
    }

    /// The calls since the last `take`.
    #[must_use]
    pub fn take(&self) -> Vec<Call> {
        std::mem::take(&mut *self.calls.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn note(&self, method: &'static str, about: Vec<String>) {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).push(Call { method, about });
    }
}

#[async_trait]
impl Store for TracingStore {
    async fn get(&self, keys: &[RowKey]) -> Result<Vec<Option<Row>>, StoreError> {
        self.note("get", keys.iter().map(|key| key.kind.to_string()).collect());
        self.inner.get(keys).await
    }

    async fn find(&self, by: &UniqueKey) -> Result<Option<Row>, StoreError> {
        self.note("find", vec![by.name.to_string()]);
        self.inner.find(by).await
    }

    async fn scan(&self, scan: &Scan) -> Result<Page, StoreError> {
        self.note("scan", vec![scan.index.to_string()]);
        self.inner.scan(scan).await
    }

    async fn commit(&self, change: &Change) -> Result<CommitOutcome, StoreError> {
        let ops = change.ops.iter().map(|op| match op {
            Op::Put { next, .. } => format!("put {}", next.key.kind),
            // A store may take another way where no row is there to be held.
            Op::Check { key, version: None } => format!("check absent {}", key.kind),
            Op::Check { key, version: Some(_) } => format!("check {}", key.kind),
            Op::Delete { key, .. } => format!("delete {}", key.kind),
        });
        let entries = change.enqueue.iter().map(|entry| format!("enqueue {}", entry.channel));
        let settle = change.settle.iter().map(|_| "settle".to_owned());
        self.note("commit", ops.chain(entries).chain(settle).collect());
        self.inner.commit(change).await
    }

    async fn lease(&self, request: &LeaseRequest) -> Result<Vec<Leased>, StoreError> {
        self.note("lease", request.channels.iter().map(ToString::to_string).collect());
        self.inner.lease(request).await
    }

    async fn settle(&self, lease: &LeaseRef, how: &Settlement, now: Timestamp) -> Result<SettleOutcome, StoreError> {
        let name = match how {
            Settlement::Done => "done",
            Settlement::Retry { .. } => "retry",
            Settlement::Dead { .. } => "dead",
            Settlement::Obsolete { .. } => "obsolete",
            Settlement::Release { .. } => "release",
            Settlement::Extend { .. } => "extend",
        };
        self.note("settle", vec![name.to_owned()]);
        self.inner.settle(lease, how, now).await
    }

    async fn prune(&self, what: Retained, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        let name = match what {
            Retained::Changes => "changes",
            Retained::Settled => "settled",
            Retained::Dead => "dead",
        };
        self.note("prune", vec![name.to_owned()]);
        self.inner.prune(what, before, limit).await
    }
}
