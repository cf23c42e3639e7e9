//! A clock that is ahead.

use enrollment::core::port::{Clock, SystemClock};
use enrollment::core::time::{Span, Timestamp};

/// The system's clock, set forward by so many minutes: whatever the dead had leased is free again.
#[derive(Debug)]
pub(crate) struct Later(pub(crate) u64);

impl Clock for Later {
    fn now(&self) -> Timestamp {
        SystemClock.now().plus(Span::minutes(self.0).duration())
    }
}
