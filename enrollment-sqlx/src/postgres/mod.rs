//! The store on PostgreSQL: a pool of connections, a transaction for each change.

mod at_once;
mod clock;
mod commit;
mod errors;
mod facts;
mod host;
mod lent;
mod lines;
mod locks;
mod migrations;
mod open;
mod outbox;
#[cfg(test)]
mod plans;
mod read;
mod schema;
mod script;
mod write;

use enrollment_core::port::{
    Change, CommitOutcome, LeaseRef, LeaseRequest, Leased, Page, Retained, Scan, SettleOutcome, Settlement, StoreError,
};
use enrollment_core::record::{Row, RowKey, UniqueKey};
use enrollment_core::time::Timestamp;
use sqlx::postgres::PgPool;

pub use clock::ClockOffset;
pub use open::PostgresOptions;

use schema::Schema;

/// An open database.
#[derive(Debug)]
pub(crate) struct Postgres {
    pool: PgPool,
    schema: Schema,
}

impl Postgres {
    pub(crate) async fn get(&self, keys: &[RowKey]) -> Result<Vec<Option<Row>>, StoreError> {
        read::get(self, keys).await
    }

    pub(crate) async fn find(&self, by: &UniqueKey) -> Result<Option<Row>, StoreError> {
        read::find(self, by).await
    }

    pub(crate) async fn scan(&self, scan: &Scan) -> Result<Page, StoreError> {
        read::scan(self, scan).await
    }

    pub(crate) async fn commit(&self, change: &Change) -> Result<CommitOutcome, StoreError> {
        commit::commit(self, change).await
    }

    pub(crate) async fn lease(&self, request: &LeaseRequest) -> Result<Vec<Leased>, StoreError> {
        outbox::lease(self, request).await
    }

    pub(crate) async fn settle(
        &self,
        lease: &LeaseRef,
        how: &Settlement,
        now: Timestamp,
    ) -> Result<SettleOutcome, StoreError> {
        outbox::settle(self, lease, how, now).await
    }

    pub(crate) async fn prune(&self, what: Retained, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        outbox::prune(self, what, before, limit).await
    }

    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }
}
