//! The time, passed in.

use std::fmt::Debug;

use crate::time::Timestamp;

/// What time it is. All deadlines are decided by one clock, on the server, at the moment of the change.
///
/// Processes that share a store must agree within 5 s; the store adapters measure it.
pub trait Clock: Debug + Send + Sync + 'static {
    /// The present instant.
    fn now(&self) -> Timestamp;
}

/// The operating system's clock.
#[cfg(feature = "system")]
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

#[cfg(feature = "system")]
impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods, reason = "the one place that asks the operating system")]
    fn now(&self) -> Timestamp {
        match std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH) {
            Ok(since) => Timestamp::EPOCH.plus(since),
            Err(before) => Timestamp::EPOCH.minus(before.duration()),
        }
    }
}
