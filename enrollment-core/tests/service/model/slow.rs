//! A gateway whose answer can be held up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use enrollment_core::id::LocationId;
use enrollment_core::port::{Observation, PeerChange, PeerProvisioner, ProvisionError};
use enrollment_testkit::fake::FakeProvisioner;
use tokio::sync::Notify;

/// Gateways, of which one answer can be late: what was asked for has happened, and the worker does not hear of it.
#[derive(Debug)]
pub(crate) struct Slow {
    gateways: Arc<FakeProvisioner>,
    late: AtomicBool,
    pub(crate) stalled: Notify,
    pub(crate) wake: Notify,
}

impl Slow {
    pub(crate) fn new(gateways: Arc<FakeProvisioner>) -> Self {
        Self { gateways, late: AtomicBool::new(false), stalled: Notify::new(), wake: Notify::new() }
    }

    /// Whether the next answer waits for `wake`.
    pub(crate) fn hold_next(&self, hold: bool) {
        self.late.store(hold, Ordering::SeqCst);
    }
}

#[async_trait]
impl PeerProvisioner for Slow {
    async fn apply(&self, at: LocationId, changes: &[PeerChange]) -> Vec<Result<(), ProvisionError>> {
        let answers = self.gateways.apply(at, changes).await;
        if self.late.swap(false, Ordering::SeqCst) {
            self.stalled.notify_one();
            self.wake.notified().await;
        }
        answers
    }

    async fn observe(&self, at: LocationId) -> Result<Observation, ProvisionError> {
        self.gateways.observe(at).await
    }
}
