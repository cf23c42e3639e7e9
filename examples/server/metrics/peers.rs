//! What gateways answer.

use std::sync::Arc;

use async_trait::async_trait;
use enrollment::core::id::LocationId;
use enrollment::core::port::{Observation, PeerChange, PeerProvisioner, ProvisionError};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Told {
    call: &'static str,
    outcome: &'static str,
}

#[derive(Debug, Clone)]
pub(crate) struct PeerMetrics(Family<Told, Counter>);

impl PeerMetrics {
    pub(super) fn registered(registry: &mut Registry) -> Self {
        let told = Family::default();
        registry.register("gateway_calls", "Peers told to gateways, and looks at them", told.clone());
        let new = Self(told);
        for call in ["apply", "observe"] {
            for outcome in ["done", "failed"] {
                let _ = new.0.get_or_create(&Told { call, outcome });
            }
        }
        new
    }

    fn count<T>(&self, call: &'static str, answer: &Result<T, ProvisionError>) {
        let outcome = if answer.is_ok() { "done" } else { "failed" };
        self.0.get_or_create(&Told { call, outcome }).inc();
    }
}

/// A provisioner that is counted, peer by peer.
#[derive(Debug)]
pub(crate) struct CountedPeers {
    inner: Arc<dyn PeerProvisioner>,
    metrics: PeerMetrics,
}

impl CountedPeers {
    pub(crate) fn new(inner: Arc<dyn PeerProvisioner>, metrics: PeerMetrics) -> Self {
        Self { inner, metrics }
    }
}

#[async_trait]
impl PeerProvisioner for CountedPeers {
    async fn apply(&self, at: LocationId, changes: &[PeerChange]) -> Vec<Result<(), ProvisionError>> {
        let answers = self.inner.apply(at, changes).await;
        answers.iter().for_each(|answer| self.metrics.count("apply", answer));
        answers
    }

    async fn observe(&self, at: LocationId) -> Result<Observation, ProvisionError> {
        let answer = self.inner.observe(at).await;
        self.metrics.count("observe", &answer);
        answer
    }
}
