//! How far the database's clock is from this process's.

use std::time::Duration;

use enrollment_core::port::{Clock, StoreError};
use enrollment_core::time::Timestamp;

use super::Postgres;
use super::errors::{Patience, Trouble};
use crate::{Backend, SqlxStore};

/// The difference between two clocks, as far as it can be seen through a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockOffset {
    /// Microseconds by which the database's clock is ahead of this process's; negative: behind.
    pub micros: i64,
    /// The true difference is at most this much larger or smaller: half of the time that asking took.
    pub uncertainty: Duration,
}

impl ClockOffset {
    /// The difference between the two clocks is at least this large, whichever is ahead.
    #[must_use]
    pub fn at_least(&self) -> Duration {
        Duration::from_micros(self.micros.unsigned_abs()).saturating_sub(self.uncertainty)
    }
}

impl SqlxStore {
    /// How far the database's clock is from `clock`. `None` on SQLite, whose processes share one machine and its clock.
    ///
    /// Nothing in the store depends on the database's clock (G8). But processes that share a database compare their own
    /// clocks' readings with each other's, so each should be near the one clock that all can see.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn clock_offset(&self, clock: &dyn Clock) -> Result<Option<ClockOffset>, StoreError> {
        match &self.0 {
            #[cfg(feature = "sqlite")]
            Backend::Sqlite(_) => Ok(None),
            Backend::Postgres(database) => database.clock_offset(clock).await.map(Some),
        }
    }
}

impl Postgres {
    async fn clock_offset(&self, clock: &dyn Clock) -> Result<ClockOffset, StoreError> {
        const ASK: &str = "select (extract(epoch from clock_timestamp()) * 1000000)::bigint";
        let mut patience = Patience::new("asking for the time");
        loop {
            // Opening a connection takes time, which is not to be counted.
            let mut lent = self.lend(&patience).await?;
            let before = clock.now();
            let asked = sqlx::query_scalar::<_, i64>(ASK).fetch_one(lent.connection()).await;
            let after = clock.now();
            match asked {
                Ok(there) => {
                    lent.give_back();
                    return Ok(offset(before, there, after));
                }
                Err(error) => patience.with(Trouble::Before(error))?,
            }
        }
    }
}

fn offset(before: Timestamp, there: i64, after: Timestamp) -> ClockOffset {
    let uncertainty = after.since(before) / 2;
    ClockOffset { micros: there.saturating_sub(before.plus(uncertainty).micros()), uncertainty }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_round_trip_is_taken_off_and_named() {
        let at = Timestamp::from_micros;
        let ahead = offset(at(1_000), 5_050, at(1_100));
        assert_eq!(ahead, ClockOffset { micros: 4_000, uncertainty: Duration::from_micros(50) });
        assert_eq!(ahead.at_least(), Duration::from_micros(3_950));
        let behind = offset(at(9_000), 50, at(9_100));
        assert_eq!((behind.micros, behind.at_least()), (-9_000, Duration::from_micros(8_950)));
        assert_eq!(offset(at(0), 10, at(100)).at_least(), Duration::ZERO);
    }
}
