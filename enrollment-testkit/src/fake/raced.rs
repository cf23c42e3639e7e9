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
/// that goes through it.
pub struct RacedStore {
    inner: Arc<dyn Store>,
    rival: Mutex<Option<Rival>>,
}

impl RacedStore {
    /// Lets `rival` come first; what it writes, it writes to `inner` by itself.
    pub fn new(inner: Arc<dyn Store>, rival: impl Future<Output = ()> + Send + 'static) -> Self {
        Self { inner, rival: Mutex::new(Some(Box::pin(rival))) }
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
        self.inner.get(keys).await
    }

    async fn find(&self, by: &UniqueKey) -> Result<Option<Row>, StoreError> {
        self.inner.find(by).await
    }

    async fn scan(&self, scan: &Scan) -> Result<Page, StoreError> {
        self.inner.scan(scan).await
    }

    async fn commit(&self, change: &Change) -> Result<CommitOutcome, StoreError> {
        let rival = self.rival.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(rival) = rival {
            rival.await;
        }
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
