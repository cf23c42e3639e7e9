//! The store on a SQLite file: one task writes, a pool of connections reads.

mod errors;
mod facts;
mod file;
mod lists;
mod open;
mod outbox;
#[cfg(test)]
mod plans;
mod read;
mod script;
mod tables;
mod write;
mod writer;

use data_encoding::HEXLOWER;
use enrollment_core::port::{
    Change, CommitOutcome, LeaseRef, LeaseRequest, Leased, Page, Retained, Scan, SettleOutcome, Settlement, StoreError,
    StoreErrorKind,
};
use enrollment_core::record::{Row, RowKey, UniqueKey};
use enrollment_core::time::Timestamp;
use sqlx::sqlite::SqlitePool;
use tokio::sync::{mpsc, oneshot};

pub use open::SqliteOptions;

use crate::{check, error};
use writer::{Job, Reply};

/// An open file.
#[derive(Debug)]
pub(crate) struct Sqlite {
    readers: SqlitePool,
    jobs: mpsc::Sender<Job>,
}

impl Sqlite {
    pub(crate) async fn get(&self, keys: &[RowKey]) -> Result<Vec<Option<Row>>, StoreError> {
        read::get(&self.readers, keys).await
    }

    pub(crate) async fn find(&self, by: &UniqueKey) -> Result<Option<Row>, StoreError> {
        read::find(&self.readers, by).await
    }

    pub(crate) async fn scan(&self, scan: &Scan) -> Result<Page, StoreError> {
        read::scan(&self.readers, scan).await
    }

    pub(crate) async fn commit(&self, change: &Change) -> Result<CommitOutcome, StoreError> {
        check::change(change)?;
        let (reply, answer) = Reply::new();
        let fingerprint = HEXLOWER.encode(&change.fingerprint());
        self.write(Job::Commit { change: change.clone(), fingerprint, reply }, answer).await
    }

    pub(crate) async fn lease(&self, request: &LeaseRequest) -> Result<Vec<Leased>, StoreError> {
        let (reply, answer) = Reply::new();
        self.write(Job::Lease { request: request.clone(), reply }, answer).await
    }

    pub(crate) async fn settle(
        &self,
        lease: &LeaseRef,
        how: &Settlement,
        now: Timestamp,
    ) -> Result<SettleOutcome, StoreError> {
        let (reply, answer) = Reply::new();
        self.write(Job::Settle { lease: *lease, how: how.clone(), now, reply }, answer).await
    }

    pub(crate) async fn prune(&self, what: Retained, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        let (reply, answer) = Reply::new();
        self.write(Job::Prune { what, before, limit, reply }, answer).await
    }

    /// Queues a job and waits for its answer.
    async fn write<T>(&self, job: Job, answer: oneshot::Receiver<Result<T, StoreError>>) -> Result<T, StoreError> {
        self.jobs.send(job).await.map_err(|_| error::closed())?;
        let gone = || StoreError::new(StoreErrorKind::Unknown, "the writing task ended with the runtime");
        answer.await.map_err(|_| gone())?
    }

    pub(crate) async fn close(&self) {
        let (reply, closed) = Reply::new();
        if self.jobs.send(Job::Close { reply }).await.is_ok() {
            // An error means the writer is gone already, which is as closed as can be.
            closed.await.ok();
        }
        self.readers.close().await;
    }
}
