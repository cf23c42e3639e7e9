//! Connections that wait for the next mail.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

use crate::connection::Connection;

/// A connection that waited longer is closed instead of used. Relays hang up after some minutes (RFC 5321 asks for
/// five), firewalls forget earlier.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// At most as many connections as it has permits.
pub(crate) struct Pool {
    permits: Semaphore,
    idle: Mutex<Vec<Idle>>,
}

struct Idle {
    connection: Connection,
    since: Instant,
}

/// The right to have one connection, and the way back for it.
pub(crate) struct Place<'a> {
    pool: &'a Pool,
    _permit: Option<SemaphorePermit<'a>>,
}

impl Pool {
    pub(crate) fn new(connections: usize) -> Self {
        let permits = Semaphore::new(connections.min(Semaphore::MAX_PERMITS));
        Self { permits, idle: Mutex::default() }
    }

    /// A place, once one is free, in the order of asking.
    pub(crate) async fn place(&self) -> Place<'_> {
        // Nobody closes the semaphore, so there is always a permit.
        Place { pool: self, _permit: self.permits.acquire().await.ok() }
    }
}

impl Place<'_> {
    /// The connection that waits since the shortest time.
    pub(crate) fn idle_connection(&self) -> Option<Connection> {
        let mut idle = self.pool.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        idle.retain(|waiting| now.duration_since(waiting.since) < LONGEST_WAIT);
        idle.pop().map(|waiting| waiting.connection)
    }

    /// Lets a connection wait on which nothing is under way.
    pub(crate) fn give_back(self, connection: Connection) {
        let waiting = Idle { connection, since: Instant::now() };
        self.pool.idle.lock().unwrap_or_else(PoisonError::into_inner).push(waiting);
    }
}
