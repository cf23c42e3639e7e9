//! Connections that wait for the next mail.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

/// A connection that waited longer is closed instead of used. Relays hang up after some minutes (RFC 5321 asks for
/// five), firewalls forget earlier.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Connections of which there are at most as many as there are places.
pub(crate) struct Pool<C> {
    places: Semaphore,
    idle: Mutex<Vec<Idle<C>>>,
}

struct Idle<C> {
    connection: C,
    since: Instant,
}

/// The right to have one connection, and the way back for it.
pub(crate) struct Place<'a, C> {
    pool: &'a Pool<C>,
    _permit: Option<SemaphorePermit<'a>>,
}

impl<C> Pool<C> {
    pub(crate) fn new(places: usize) -> Self {
        Self { places: Semaphore::new(places.min(Semaphore::MAX_PERMITS)), idle: Mutex::default() }
    }

    /// A place, once one is free, in the order of asking.
    pub(crate) async fn place(&self) -> Place<'_, C> {
        // Nobody closes the semaphore, so there is always a permit.
        Place { pool: self, _permit: self.places.acquire().await.ok() }
    }
}

impl<C> Place<'_, C> {
    /// The connection that has waited for the shortest time; those that waited too long are closed.
    pub(crate) fn idle_connection(&self, now: Instant) -> Option<C> {
        let mut idle = self.pool.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|waiting| now.duration_since(waiting.since) < LONGEST_WAIT);
        idle.pop().map(|waiting| waiting.connection)
    }

    /// Lets a connection wait on which nothing is under way.
    pub(crate) fn give_back(self, connection: C, now: Instant) {
        let waiting = Idle { connection, since: now };
        self.pool.idle.lock().unwrap_or_else(PoisonError::into_inner).push(waiting);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn a_connection_waits_for_half_a_minute() {
        let (pool, start) = (Pool::new(2), Instant::now());
        let (first, second) = (pool.place().await, pool.place().await);
        let (old, young) = (Arc::new("old"), Arc::new("young"));
        first.give_back(Arc::clone(&old), start);
        second.give_back(Arc::clone(&young), start + Duration::from_secs(10));

        let (one, other) = (pool.place().await, pool.place().await);
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(one.idle_connection(at(29)), Some(Arc::clone(&young)), "the one that waited for the shortest time");
        assert_eq!(other.idle_connection(at(30)), None);
        assert_eq!(Arc::strong_count(&old), 1, "it was closed");
    }

    #[tokio::test]
    async fn a_place_is_free_again_whatever_became_of_its_connection() {
        let pool = Pool::new(1);
        pool.place().await.give_back((), Instant::now());
        drop(pool.place().await);
        let taken = pool.place().await;
        assert!(pool.places.try_acquire().is_err(), "one place is one connection");
        assert_eq!(taken.idle_connection(Instant::now()), Some(()));
        assert_eq!(taken.idle_connection(Instant::now()), None);
    }
}
