//! A clock and a generator in the test's hand, and a store in which somebody else comes first.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use enrollment_core::id::LocationId;
use enrollment_core::memory::MemoryStore;
use enrollment_core::port::{
    Change, Clock, CommitOutcome, Entropy, LeaseRef, LeaseRequest, Leased, Observation, Page, PeerChange,
    PeerProvisioner, ProvisionError, Retained, Scan, SettleOutcome, Settlement, Store, StoreError,
};
use enrollment_core::record::{Row, RowKey, UniqueKey};
use enrollment_core::time::{Span, Timestamp};
use sha2::{Digest, Sha256};

#[derive(Debug)]
pub(crate) struct ManualClock(Mutex<Timestamp>);

impl ManualClock {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Timestamp::from_seconds(1_767_225_600)))
    }

    pub(crate) fn advance(&self, span: Span) {
        let mut now = self.0.lock().unwrap();
        *now = now.plus(span.duration());
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

/// Always the same bytes in the same order of calls.
#[derive(Debug, Default)]
pub(crate) struct CountingEntropy(Mutex<u64>);

impl Entropy for CountingEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        let mut count = self.0.lock().unwrap();
        for chunk in bytes.chunks_mut(32) {
            *count += 1;
            chunk.copy_from_slice(&Sha256::digest(count.to_le_bytes())[..chunk.len()]);
        }
    }
}

type Rival = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A store that lets a rival finish between what a use case has read and what it commits.
pub(crate) struct RacedStore {
    pub(crate) inner: Arc<MemoryStore>,
    rival: Mutex<Option<Rival>>,
}

impl RacedStore {
    pub(crate) fn new(inner: Arc<MemoryStore>, rival: impl Future<Output = ()> + Send + 'static) -> Self {
        Self { inner, rival: Mutex::new(Some(Box::pin(rival))) }
    }
}

impl std::fmt::Debug for RacedStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RacedStore")
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
        let rival = self.rival.lock().unwrap().take();
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

/// A gateway that does what it is told, or nothing while it is out of order.
#[derive(Debug, Default)]
pub(crate) struct Gateway {
    pub(crate) out_of_order: Mutex<bool>,
}

#[async_trait]
impl PeerProvisioner for Gateway {
    async fn apply(&self, _: LocationId, changes: &[PeerChange]) -> Vec<Result<(), ProvisionError>> {
        let broken = *self.out_of_order.lock().unwrap();
        let answer = |_| if broken { Err(ProvisionError::transient("out of order")) } else { Ok(()) };
        changes.iter().map(answer).collect()
    }

    async fn observe(&self, _: LocationId) -> Result<Observation, ProvisionError> {
        Ok(Observation::NotEnumerable)
    }
}
