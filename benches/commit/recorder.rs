//! A store that writes down what it is asked.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use enrollment::core::port::{
    Change, CommitOutcome, LeaseRef, LeaseRequest, Leased, Page, Retained, Scan, SettleOutcome, Settlement, Store,
    StoreError,
};
use enrollment::core::record::{Row, RowKey, UniqueKey};
use enrollment::core::time::Timestamp;

/// One call of a use case, and how many rows a read found.
#[derive(Debug)]
pub(crate) enum Call {
    Get(Vec<RowKey>, usize),
    Find(UniqueKey, usize),
    Scan(Scan, usize),
    Commit(Change),
}

#[derive(Debug)]
pub(crate) struct Recorder {
    store: Arc<dyn Store>,
    calls: Mutex<Vec<Call>>,
}

impl Recorder {
    pub(crate) fn new(store: Arc<dyn Store>) -> Self {
        Self { store, calls: Mutex::default() }
    }

    /// What was asked since it was last asked for.
    pub(crate) fn take(&self) -> Vec<Call> {
        std::mem::take(&mut *self.calls.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn note(&self, call: Call) {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).push(call);
    }
}

#[async_trait]
impl Store for Recorder {
    async fn get(&self, keys: &[RowKey]) -> Result<Vec<Option<Row>>, StoreError> {
        let rows = self.store.get(keys).await?;
        let mut found: Vec<RowKey> = rows.iter().flatten().map(|row| row.key).collect();
        found.sort();
        found.dedup();
        self.note(Call::Get(keys.to_vec(), found.len()));
        Ok(rows)
    }

    async fn find(&self, by: &UniqueKey) -> Result<Option<Row>, StoreError> {
        let row = self.store.find(by).await?;
        self.note(Call::Find(by.clone(), usize::from(row.is_some())));
        Ok(row)
    }

    async fn scan(&self, scan: &Scan) -> Result<Page, StoreError> {
        let page = self.store.scan(scan).await?;
        self.note(Call::Scan(scan.clone(), page.rows.len()));
        Ok(page)
    }

    async fn commit(&self, change: &Change) -> Result<CommitOutcome, StoreError> {
        let outcome = self.store.commit(change).await?;
        assert_eq!(outcome, CommitOutcome::Applied, "nobody else is there");
        self.note(Call::Commit(change.clone()));
        Ok(outcome)
    }

    async fn lease(&self, request: &LeaseRequest) -> Result<Vec<Leased>, StoreError> {
        self.store.lease(request).await
    }

    async fn settle(&self, lease: &LeaseRef, how: &Settlement, now: Timestamp) -> Result<SettleOutcome, StoreError> {
        self.store.settle(lease, how, now).await
    }

    async fn prune(&self, what: Retained, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        self.store.prune(what, before, limit).await
    }
}
