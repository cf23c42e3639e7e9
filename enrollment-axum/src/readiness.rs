//! Whether a process should be sent requests, beyond its store's answering.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What a host knows of its own fitness, such as a clock that runs away from the others'. A process that is held back
/// answers `/health/ready` with 503, so that a balancer sends people elsewhere; whoever comes all the same is served.
///
/// Clones are one: the host keeps one and sets it, the other goes into
/// [`HttpOptions::readiness`](crate::HttpOptions::readiness).
#[derive(Debug, Clone, Default)]
pub struct Readiness {
    held_back: Arc<AtomicBool>,
}

impl Readiness {
    /// Holds the process back, or lets it serve again.
    pub fn hold_back(&self, held_back: bool) {
        self.held_back.store(held_back, Ordering::Relaxed);
    }

    pub(crate) fn is_held_back(&self) -> bool {
        self.held_back.load(Ordering::Relaxed)
    }
}
