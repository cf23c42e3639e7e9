//! The reference [`Store`]: every guarantee in the plainest code there is, and the yardstick of other stores.
//!
//! Everything lies in memory under one lock and is gone with the last handle. For tests, examples and as the oracle of
//! comparisons; a service that must survive its process needs another store.

mod outbox;
mod rows;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use self::outbox::Outbox;
use self::rows::Rows;
use crate::id::ChangeId;
use crate::port::{
    Change, CommitOutcome, LeaseRef, LeaseRequest, Leased, Page, Retained, Scan, SettleOutcome, Settlement, Store,
    StoreError, StoreErrorKind,
};
use crate::record::{Row, RowKey, UniqueKey};
use crate::time::Timestamp;

/// A [`Store`] in memory: share it by `Arc`; every clone of the `Arc` is another handle onto the same data.
///
/// Holds all guarantees of [`Store`] among the handles of one process. Of G5 it holds what memory can: nothing
/// survives the process.
#[derive(Debug, Default)]
pub struct MemoryStore {
    state: Mutex<State>,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every method decides first and writes afterwards, and the writes cannot panic: a poisoned state is whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn get(&self, keys: &[RowKey]) -> Result<Vec<Option<Row>>, StoreError> {
        let state = self.state();
        Ok(keys.iter().map(|key| state.rows.get(key).cloned()).collect())
    }

    async fn find(&self, by: &UniqueKey) -> Result<Option<Row>, StoreError> {
        Ok(self.state().rows.find(by).cloned())
    }

    async fn scan(&self, scan: &Scan) -> Result<Page, StoreError> {
        self.state().rows.scan(scan)
    }

    async fn commit(&self, change: &Change) -> Result<CommitOutcome, StoreError> {
        self.state().commit(change)
    }

    async fn lease(&self, request: &LeaseRequest) -> Result<Vec<Leased>, StoreError> {
        Ok(self.state().outbox.lease(request))
    }

    async fn settle(&self, lease: &LeaseRef, how: &Settlement, now: Timestamp) -> Result<SettleOutcome, StoreError> {
        Ok(self.state().outbox.settle(lease, how, now))
    }

    async fn prune(&self, what: Retained, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        let mut state = self.state();
        Ok(match what {
            Retained::Changes => prune(&mut state.applied, limit, |applied| applied.at < before),
            Retained::Settled | Retained::Dead => state.outbox.prune(what, before, limit),
        })
    }
}

#[derive(Debug, Default)]
struct State {
    rows: Rows,
    outbox: Outbox,
    applied: BTreeMap<ChangeId, Applied>,
}

/// What is remembered of a change, so that its repetition is known.
#[derive(Debug)]
struct Applied {
    fingerprint: [u8; 32],
    at: Timestamp,
}

impl State {
    fn commit(&mut self, change: &Change) -> Result<CommitOutcome, StoreError> {
        let fingerprint = change.fingerprint();
        if let Some(earlier) = self.applied.get(&change.id) {
            return if earlier.fingerprint == fingerprint {
                Ok(CommitOutcome::Applied)
            } else {
                Err(misuse("a change of other content was applied under this id"))
            };
        }
        if !self.outbox.is_new(&change.enqueue) {
            return Err(misuse("an outbox entry with this id exists"));
        }
        if !change.settle.iter().all(|lease| self.outbox.is_current(lease)) {
            return Ok(CommitOutcome::LeaseLost);
        }
        if !change.ops.iter().all(|op| self.rows.holds(op)) {
            return Ok(CommitOutcome::Stale);
        }
        if let Some(key) = self.rows.taken(&change.ops) {
            return Ok(CommitOutcome::Taken(key));
        }
        self.rows.apply(&change.ops);
        self.outbox.enqueue(&change.enqueue);
        for lease in &change.settle {
            // Found current above, under the same lock.
            let _settled = self.outbox.settle(lease, &Settlement::Done, change.at);
        }
        self.applied.insert(change.id, Applied { fingerprint, at: change.at });
        Ok(CommitOutcome::Applied)
    }
}

/// Removes up to `limit` values that are `over`, and says how many.
fn prune<K: Ord + Copy, V>(map: &mut BTreeMap<K, V>, limit: u32, over: impl Fn(&V) -> bool) -> u64 {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let keys: Vec<K> = map.iter().filter(|(_, value)| over(value)).map(|(key, _)| *key).take(limit).collect();
    for key in &keys {
        map.remove(key);
    }
    keys.len() as u64
}

fn misuse(message: &str) -> StoreError {
    StoreError::new(StoreErrorKind::Misuse, message)
}
