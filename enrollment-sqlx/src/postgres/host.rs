//! Changes inside a host's own transaction.

use enrollment_core::port::{Change, CommitOutcome, StoreError};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Executor};

use super::commit::{Ran, Work};
use super::errors::{Patience, Trouble};
use super::schema::Schema;
use crate::{Backend, SqlxStore};

const RELEASE: &str = "release savepoint enrollment";
const ROLL_BACK: &str = "rollback to savepoint enrollment; release savepoint enrollment";

impl SqlxStore {
    /// Applies a change inside the transaction that the host has open on `conn`, under a savepoint. `Applied` means that
    /// it takes effect when the host commits, together with what the host wrote; any other outcome or error leaves the
    /// host's transaction as it was, usable.
    ///
    /// `conn` must be a connection to the database that this store was opened with. The guarantees of
    /// [`commit`](enrollment_core::port::Store::commit) hold from the instant at which the host commits; until then the
    /// rows of the change are locked, so the host should commit soon. In a transaction of isolation level `repeatable
    /// read` or stricter, what others committed since it began makes the change
    /// [`Busy`](enrollment_core::port::StoreErrorKind::Busy): begin again.
    ///
    /// A future that is dropped before its end leaves a transaction that is good for nothing but a rollback.
    ///
    /// # Errors
    /// As of `commit`. [`Misuse`](enrollment_core::port::StoreErrorKind::Misuse) when the connection is in no transaction
    /// or the store is on SQLite.
    pub async fn commit_in(&self, conn: &mut PgConnection, change: &Change) -> Result<CommitOutcome, StoreError> {
        match &self.0 {
            #[cfg(feature = "sqlite")]
            Backend::Sqlite(_) => {
                let _unused = (conn, change);
                Err(crate::error::misuse("the store is not on PostgreSQL"))
            }
            Backend::Postgres(database) => commit_in(&database.schema, conn, change).await,
        }
    }
}

async fn commit_in(schema: &Schema, conn: &mut PgConnection, change: &Change) -> Result<CommitOutcome, StoreError> {
    let work = Work::new(change)?;
    let mut patience = Patience::new("committing a change").without_another_connection();
    loop {
        let trouble = match attempt(schema, conn, &work).await {
            Ok(outcome) => return Ok(outcome),
            Err(trouble) => trouble,
        };
        patience.with(trouble)?;
    }
}

async fn attempt(schema: &Schema, conn: &mut PgConnection, work: &Work<'_>) -> Result<CommitOutcome, Trouble> {
    // Outside of a transaction this is refused, and nothing happens.
    conn.execute("savepoint enrollment").await?;
    let ran = match take_early_locks(conn, work).await {
        Ok(()) => work.run(conn, schema).await,
        Err(error) => Err(error.into()),
    };
    match ran {
        Ok(Ran::Written) => {
            conn.execute(RELEASE).await?;
            Ok(CommitOutcome::Applied)
        }
        Ok(Ran::Nothing(outcome)) => {
            conn.execute(ROLL_BACK).await?;
            Ok(outcome)
        }
        Err(trouble) => {
            // On a connection that is broken this fails, and then says no more than the trouble does.
            conn.execute(ROLL_BACK).await.ok();
            Err(trouble)
        }
    }
}

async fn take_early_locks(conn: &mut PgConnection, work: &Work<'_>) -> Result<(), sqlx::Error> {
    let locks = work.early_locks();
    if !locks.is_empty() {
        conn.execute(AssertSqlSafe(locks)).await?;
    }
    Ok(())
}
