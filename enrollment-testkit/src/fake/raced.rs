//! A store in which somebody else comes first, once.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use enrollment_core::port::{
    Change, CommitOutcome, LeaseRef, LeaseRequest, Leased, Page, Retained, Scan, SettleOutcome, Settlement, Store,
    StoreError,
};
use enrollment_core::record::{Row, RowKey, UniqueKey};
use enrollment_core::time::Timestamp;

type Rival = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A store that lets a rival finish between what a use case has read and what it commits: right before the first commit
/// that goes through it, or before any other call one names.
pub struct RacedStore {
    inner: Arc<dyn Store>,
    rival: Mutex<Waiting>,
}

struct Waiting {
    /// How many calls are still to come before it; until the first commit if none.
    calls: Option<u32>,
    rival: Option<Rival>,
}

impl RacedStore {
    /// Lets `rival` come first; what it writes, it writes to `inner` by itself.
    pub fn new(inner: Arc<dyn Store>, rival: impl Future<Output = ()> + Send + 'static) -> Self {
        Self::with(inner, None, rival)
    }

    /// Lets `rival` come after this many calls of `get`, `find`, `scan` and `commit`. With every number from 0 on, a use
    /// case meets its rival at each of its steps.
    pub fn after(inner: Arc<dyn Store>, calls: u32, rival: impl Future<Output = ()> + Send + 'static) -> Self {
        Self::with(inner, Some(calls), rival)
    }

    fn with(inner: Arc<dyn Store>, calls: Option<u32>, rival: impl Future<Output = ()> + Send + 'static) -> Self {
        Self { inner, rival: Mutex::new(Waiting { calls, rival: Some(Box::pin(rival)) }) }
    }

    /// Whether the rival has come.
    pub fn was_raced(&self) -> bool {
        self.rival.lock().unwrap_or_else(PoisonError::into_inner).rival.is_none()
    }

    async fn make_way(&self, commits: bool) {
        let rival = self.rival.lock().unwrap_or_else(PoisonError::into_inner).comes(commits);
        if let Some(rival) = rival {
            rival.await;
        }
    }
}

impl Waiting {
    fn comes(&mut self, commits: bool) -> Option<Rival> {
        match &mut self.calls {
            None if !commits => None,
            None | Some(0) => self.rival.take(),
            Some(calls) => {
                *calls -= 1;
                None
            }
        }
    }
}

impl fmt::Debug for RacedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RacedStore").field("inner", &self.inner).finish_non_exhaustive()
    }
}

#[async_trait]
impl Store for RacedStore {
    async fn get(&self, keys: &[RowKey]) -> Result<Vec<Option<Row>>, StoreError> {
        self.make_way(false).await;
        self.inner.get(keys).await
    }

    async fn find(&self, by: &UniqueKey) -> Result<Option<Row>, StoreError> {
        self.make_way(false).await;
        self.inner.find(by).await
    }

    async fn scan(&self, scan: &Scan) -> Result<Page, StoreError> {
        self.make_way(false).await;
        self.inner.scan(scan).await
    }

    async fn commit(&self, change: &Change) -> Result<CommitOutcome, StoreError> {
        self.make_way(true).await;
        self.inner.commit(change).await
    }

    async fn lease(&self, request: &LeaseRequest) -> Result<Vec<Leased>, StoreError> {
        self.inner.lease(request).await
    }

    async fn settle(&self, lease: &LeaseRef, how: &Settlement, now: Timestamp) -> Result<SettleOutcome, StoreError> {
        self.inner.settle(lease, how, now).await
    }

    async fn prune(&self, what: Retained, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        self.inner.prune(what, before, limit).await
    }
}
