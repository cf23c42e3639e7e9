//! Connections lent by the pool.

use enrollment_core::port::{StoreError, StoreErrorKind};
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnection, Postgres as Driver};
use sqlx::{AssertSqlSafe, Connection, Transaction};

use super::Postgres;
use super::errors::{Meaning, Patience, Trouble, failed};
use crate::error::Failure;

/// A connection that goes back to the pool only when it is given back, and is closed otherwise: a call that was dropped
/// or failed in the middle leaves nobody a connection in somebody else's transaction.
#[derive(Debug)]
pub(crate) struct Lent(Option<PoolConnection<Driver>>);

impl Postgres {
    /// A connection for a try. After one broke, one that answers: when the server was restarted, all that idled are
    /// broken.
    pub(super) async fn lend(&self, patience: &Patience) -> Result<Lent, StoreError> {
        let mut lent = self.acquire().await?;
        if patience.distrusts_the_pool() {
            for _ in 0..self.pool.options().get_max_connections() {
                if lent.connection().ping().await.is_ok() {
                    break;
                }
                drop(lent);
                lent = self.acquire().await?;
            }
        }
        Ok(lent)
    }

    /// A connection, when there is one in time.
    async fn acquire(&self) -> Result<Lent, StoreError> {
        match self.pool.acquire().await {
            Ok(connection) => Ok(Lent(Some(connection))),
            // A pool that has not reached its size was waiting for the server.
            Err(error @ sqlx::Error::PoolTimedOut) if self.pool.size() < self.pool.options().get_max_connections() => {
                Err(Failure::new(StoreErrorKind::Unavailable, "no connection to the server", error).into())
            }
            Err(error) => Err(failed("getting a connection")(error).into()),
        }
    }
}

impl Lent {
    pub(crate) fn connection(&mut self) -> &mut PgConnection {
        self.0.as_mut().expect("taken by `give_back` and `drop` only, which end it")
    }

    /// Begins a transaction with these statements, of which the first is the `begin`.
    pub(crate) async fn begin(&mut self, statements: String) -> Result<Transaction<'_, Driver>, sqlx::Error> {
        // Text is made of this crate's own words and of numbers.
        self.connection().begin_with(AssertSqlSafe(statements)).await
    }

    /// To be called when nothing is under way any more.
    pub(crate) fn give_back(mut self) {
        drop(self.0.take());
    }

    /// Gives back the connection of an attempt that failed, if it is still sound.
    pub(crate) fn give_back_after(self, trouble: &Trouble) {
        match trouble {
            Trouble::Before(error) if Meaning::of(error).leaves_the_connection_sound() => self.give_back(),
            Trouble::Answer(_) => self.give_back(),
            Trouble::Before(_) | Trouble::Committing(_) | Trouble::Repeatable(_) => drop(self),
        }
    }
}

/// Ends a transaction before its call is answered: whoever comes next finds nothing locked by it.
pub(crate) async fn roll_back(transaction: Transaction<'_, Driver>) {
    // It fails on a connection that is broken. Then the server rolls back, and the pool, which tries a connection that
    // comes back, closes it.
    transaction.rollback().await.ok();
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(connection) = self.0.take() {
            drop(connection.detach());
        }
    }
}
