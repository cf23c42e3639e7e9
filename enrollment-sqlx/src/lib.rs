//! [`SqlxStore`]: the [`Store`] of enrollment on a SQLite file (feature `sqlite`) and on PostgreSQL (feature
//! `postgres`). It keeps the same promises on both; one conformance suite holds it to them.
//!
//! Every [kind](enrollment_core::record::Kind) of row has its own table, in which unique and index keys are real
//! columns beside the JSON document: other programs may query and join them, but only the store writes. See
//! `migrations/`.
//!
//! # SQLite
//!
//! One task per store writes. It gathers the calls that wait, up to 16, into one transaction, so that they share one
//! wait for the disk; each is still applied or refused on its own, and answered when all is on the disk. Readers never
//! wait for it.
//!
//! ```no_run
//! # #[cfg(feature = "sqlite")]
//! # async fn example() -> Result<(), enrollment_sqlx::OpenError> {
//! use enrollment_sqlx::{SqliteOptions, SqlxStore};
//!
//! let store = SqlxStore::open_sqlite("enrollment.db", SqliteOptions::default()).await?;
//! // … hand it to a service, and when that has stopped:
//! store.close().await;
//! # Ok(())
//! # }
//! ```
//!
//! # PostgreSQL
//!
//! A change is one transaction on a connection of a pool: one statement locks and reads everything the change expects,
//! in an order that is the same for all; one writes. Any number of processes on any number of machines share the work.
//!
//! ```no_run
//! # #[cfg(feature = "postgres")]
//! # async fn example() -> Result<(), enrollment_sqlx::OpenError> {
//! use enrollment_sqlx::{PostgresOptions, SqlxStore};
//!
//! let url = "postgres://enrollment@db.example.com/enrollment?sslmode=verify-full";
//! let store = SqlxStore::open_postgres(url, PostgresOptions::default()).await?;
//! # Ok(())
//! # }
//! ```
// Without a database there is no store.
#![cfg(any(feature = "sqlite", feature = "postgres"))]

mod batch;
mod check;
mod error;
mod facts;
mod outbox;
#[cfg(feature = "postgres")]
mod postgres;
mod row;
mod scan;
mod schema;
#[cfg(feature = "sqlite")]
mod sqlite;

use async_trait::async_trait;
use enrollment_core::port::{
    Change, CommitOutcome, LeaseRef, LeaseRequest, Leased, Page, Retained, Scan, SettleOutcome, Settlement, Store,
    StoreError,
};
use enrollment_core::record::{Row, RowKey, UniqueKey};
use enrollment_core::time::Timestamp;

pub use error::OpenError;
#[cfg(feature = "postgres")]
pub use postgres::{ClockOffset, PostgresOptions};
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteOptions;

/// A [`Store`] on a SQLite file or on PostgreSQL: all its guarantees, among all processes that open the same one.
///
/// G5 rests on the database. SQLite keeps a write-ahead log with `synchronous=FULL`; PostgreSQL runs with
/// `synchronous_commit` on, also where the server's default is `off`. A change is answered when the log is on the disk,
/// as far as the disk tells the truth.
#[derive(Debug)]
pub struct SqlxStore(Backend);

#[derive(Debug)]
enum Backend {
    #[cfg(feature = "sqlite")]
    Sqlite(sqlite::Sqlite),
    #[cfg(feature = "postgres")]
    Postgres(postgres::Postgres),
}

/// The same call of whichever database it is.
macro_rules! on {
    ($store:expr, $database:ident => $call:expr) => {
        match &$store.0 {
            #[cfg(feature = "sqlite")]
            Backend::Sqlite($database) => $call,
            #[cfg(feature = "postgres")]
            Backend::Postgres($database) => $call,
        }
    };
}

impl SqlxStore {
    /// Stops taking calls, finishes those in flight, and closes the database. Later calls are answered
    /// [`Unavailable`](enrollment_core::port::StoreErrorKind::Unavailable). Closing twice is closing once.
    ///
    /// A store on a file that is dropped instead finishes what it has begun as long as the runtime lives.
    pub async fn close(&self) {
        on!(self, database => database.close().await);
    }
}

#[async_trait]
impl Store for SqlxStore {
    async fn get(&self, keys: &[RowKey]) -> Result<Vec<Option<Row>>, StoreError> {
        on!(self, database => database.get(keys).await)
    }

    async fn find(&self, by: &UniqueKey) -> Result<Option<Row>, StoreError> {
        on!(self, database => database.find(by).await)
    }

    async fn scan(&self, scan: &Scan) -> Result<Page, StoreError> {
        on!(self, database => database.scan(scan).await)
    }

    async fn commit(&self, change: &Change) -> Result<CommitOutcome, StoreError> {
        on!(self, database => database.commit(change).await)
    }

    async fn lease(&self, request: &LeaseRequest) -> Result<Vec<Leased>, StoreError> {
        on!(self, database => database.lease(request).await)
    }

    async fn settle(&self, lease: &LeaseRef, how: &Settlement, now: Timestamp) -> Result<SettleOutcome, StoreError> {
        on!(self, database => database.settle(lease, how, now).await)
    }

    async fn prune(&self, what: Retained, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        on!(self, database => database.prune(what, before, limit).await)
    }
}
