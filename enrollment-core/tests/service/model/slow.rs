//! A gateway that can be held up, before it hears or before it answers.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use enrollment_core::id::LocationId;
use enrollment_core::port::{Observation, PeerChange, PeerProvisioner, ProvisionError};
use enrollment_testkit::fake::FakeProvisioner;
use tokio::sync::Notify;

/// Gateways, of which one call can be late: what was asked for happens late, or has happened and the worker does not
/// hear of it.
#[derive(Debug)]
pub(crate) struct Slow {
    gateways: Arc<FakeProvisioner>,
    late: Mutex<Option<bool>>,
    pub(crate) stalled: Notify,
    pub(crate) wake: Notify,
}

impl Slow {
    pub(crate) fn new(gateways: Arc<FakeProvisioner>) -> Self {
        Self { gateways, late: Mutex::default(), stalled: Notify::new(), wake: Notify::new() }
    }

    /// Whether the next change waits for `wake`, before (`true`) or after it takes effect.
    pub(crate) fn hold_next(&self, hold: Option<bool>) {
        *self.late.lock().unwrap_or_else(PoisonError::into_inner) = hold;
    }

    async fn stall(&self) {
        self.stalled.notify_one();
        self.wake.notified().await;
    }
}

#[async_trait]
impl PeerProvisioner for Slow {
    async fn apply(&self, at: LocationId, changes: &[PeerChange]) -> Vec<Result<(), ProvisionError>> {
        let late = self.late.lock().unwrap_or_else(PoisonError::into_inner).take();
        if late == Some(true) {
            self.stall().await;
        }
        let answers = self.gateways.apply(at, changes).await;
        if late == Some(false) {
            self.stall().await;
        }
        answers
    }

    async fn observe(&self, at: LocationId) -> Result<Observation, ProvisionError> {
        self.gateways.observe(at).await
    }
}
