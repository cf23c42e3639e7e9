//! Processes that share a database compare their clocks with its own: leases and deadlines hold only as far as clocks
//! agree.

use std::sync::Arc;
use std::time::Duration;

use enrollment::axum::Readiness;
use enrollment::core::port::{StoreError, SystemClock};
use enrollment::sqlx::SqlxStore;
use tokio::time::{MissedTickBehavior, interval};

use super::Error;
use super::metrics::ClockOffset;

/// By how much the clocks of processes on one database may differ.
const MAX_SKEW: Duration = Duration::from_secs(5);
const EVERY: Duration = Duration::from_secs(60);

/// Whether this machine's clock fits the database's, at start-up.
pub(crate) async fn demand_same_time(store: &SqlxStore) -> Result<(), Error> {
    match apart(store).await? {
        apart if apart > MAX_SKEW => {
            Err(format!("this machine's clock and the database's are {apart:?} apart: set them right first").into())
        }
        _ => Ok(()),
    }
}

/// Holds the process back while its clock is too far from the database's. Never ends.
pub(crate) async fn watch(store: Arc<SqlxStore>, readiness: Readiness, shown: ClockOffset) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        // While the database does not answer, that alone makes the process unready.
        let Ok(apart) = apart(&store).await else { continue };
        shown.set(apart);
        if apart > MAX_SKEW {
            tracing::error!(?apart, "this machine's clock and the database's differ: not ready until they agree");
        }
        readiness.hold_back(apart > MAX_SKEW);
    }
}

/// By how much they differ at least; nothing, where the database is a file of this machine.
async fn apart(store: &SqlxStore) -> Result<Duration, StoreError> {
    Ok(store.clock_offset(&SystemClock).await?.map(|offset| offset.at_least()).unwrap_or_default())
}
