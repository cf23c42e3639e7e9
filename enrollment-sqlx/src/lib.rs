//! [`SqlxStore`]: the [`Store`] of enrollment on a SQLite file.
//!
//! Every [kind](enrollment_core::record::Kind) of row has its own table, in which unique and index keys are real
//! columns beside the JSON document: other programs may query and join them, but only the store writes. See
//! `migrations/sqlite`.
//!
//! One task per store writes. It gathers the calls that wait, up to 16, into one transaction, so that they share one
//! wait for the disk; each is still applied or refused on its own, and answered when all is on the disk. Readers never
//! wait for it.
//!
//! ```no_run
//! use enrollment_sqlx::{SqliteOptions, SqlxStore};
//!
//! # async fn example() -> Result<(), enrollment_sqlx::OpenError> {
//! let store = SqlxStore::open_sqlite("enrollment.db", SqliteOptions::default()).await?;
//! // … hand it to a service, and when that has stopped:
//! store.close().await;
//! # Ok(())
//! # }
//! ```

mod batch;
mod check;
mod error;
mod facts;
mod open;
mod outbox;
mod read;
mod row;
mod schema;
mod script;
mod sqlite;
mod writer;

use async_trait::async_trait;
use data_encoding::HEXLOWER;
use enrollment_core::port::{
    Change, CommitOutcome, LeaseRef, LeaseRequest, Leased, Page, Retained, Scan, SettleOutcome, Settlement, Store,
    StoreError, StoreErrorKind,
};
use enrollment_core::record::{Row, RowKey, UniqueKey};
use enrollment_core::time::Timestamp;
use sqlx::sqlite::SqlitePool;
use tokio::sync::{mpsc, oneshot};

pub use error::OpenError;
pub use open::SqliteOptions;

use writer::{Job, Reply};

/// A [`Store`] on a SQLite file: all its guarantees, among all processes of one machine that open the file.
///
/// G5 rests on write-ahead logging with `synchronous=FULL`: a change is answered when the log is on the disk, as far
/// as the disk tells the truth.
#[derive(Debug)]
pub struct SqlxStore {
    readers: SqlitePool,
    jobs: mpsc::Sender<Job>,
}

impl SqlxStore {
    /// Queues a job and waits for its answer.
    async fn write<T>(&self, job: Job, answer: oneshot::Receiver<Result<T, StoreError>>) -> Result<T, StoreError> {
        self.jobs.send(job).await.map_err(|_| error::closed())?;
        let gone = || StoreError::new(StoreErrorKind::Unknown, "the writing task ended with the runtime");
        answer.await.map_err(|_| gone())?
    }
}

#[async_trait]
impl Store for SqlxStore {
    async fn get(&self, keys: &[RowKey]) -> Result<Vec<Option<Row>>, StoreError> {
        read::get(&self.readers, keys).await
    }

    async fn find(&self, by: &UniqueKey) -> Result<Option<Row>, StoreError> {
        read::find(&self.readers, by).await
    }

    async fn scan(&self, scan: &Scan) -> Result<Page, StoreError> {
        read::scan(&self.readers, scan).await
    }

    async fn commit(&self, change: &Change) -> Result<CommitOutcome, StoreError> {
        check::change(change)?;
        let (reply, answer) = Reply::new();
        let fingerprint = HEXLOWER.encode(&change.fingerprint());
        self.write(Job::Commit { change: change.clone(), fingerprint, reply }, answer).await
    }

    async fn lease(&self, request: &LeaseRequest) -> Result<Vec<Leased>, StoreError> {
        let (reply, answer) = Reply::new();
        self.write(Job::Lease { request: request.clone(), reply }, answer).await
    }

    async fn settle(&self, lease: &LeaseRef, how: &Settlement, now: Timestamp) -> Result<SettleOutcome, StoreError> {
        let (reply, answer) = Reply::new();
        self.write(Job::Settle { lease: *lease, how: how.clone(), now, reply }, answer).await
    }

    async fn prune(&self, what: Retained, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        let (reply, answer) = Reply::new();
        self.write(Job::Prune { what, before, limit, reply }, answer).await
    }
}
