//! The conformance suite of [`PeerProvisioner`].
//!
//! [`provisioner_conformance!`](crate::provisioner_conformance) makes a test of every case. Of a gateway that cannot
//! list its peers ([`Observation::NotEnumerable`](enrollment_core::port::Observation::NotEnumerable)) only the answers
//! are judged.

mod cases;
mod gateway;

use std::sync::Arc;

use async_trait::async_trait;
use enrollment_core::id::LocationId;
use enrollment_core::port::{PeerProvisioner, PeerSpec};

pub use self::cases::CASES;
use self::gateway::Gateway;
pub use crate::verdict::{BoxError, Failure};
use crate::verdict::{Running, guarded, on_a_runtime};

/// Makes gateways for the suite to judge.
#[async_trait]
pub trait ProvisionerFactory: Send + Sync + 'static {
    /// What one gateway consists of: an interface, a temporary file. It is dropped when the case is over.
    type Gateway: Send + Sync + 'static;

    /// A gateway without peers. Called once for every case.
    async fn create(&self) -> Result<Self::Gateway, BoxError>;

    /// A handle onto this gateway, as another process would open it. Called several times.
    async fn open(&self, gateway: &Self::Gateway) -> Result<Arc<dyn PeerProvisioner>, BoxError>;

    /// The location that this gateway serves.
    fn location(&self) -> LocationId;
}

/// A peer that no case knows of.
pub(crate) fn sample_peer() -> PeerSpec {
    gateway::peer(u16::MAX)
}

/// One case of the suite.
#[derive(Clone, Copy)]
pub struct Case {
    /// The promise, as the name of a test.
    pub name: &'static str,
    run: fn(Gateway) -> Running,
}

impl std::fmt::Debug for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Case({})", self.name)
    }
}

/// Runs every case on a gateway of its own, one after the other, and says how each went. Must be called on a
/// multi-threaded tokio runtime.
pub async fn judge<F: ProvisionerFactory>(factory: F) -> Vec<(&'static str, Result<(), Failure>)> {
    let mut report = Vec::with_capacity(CASES.len());
    for case in CASES {
        report.push((case.name, run(&factory, *case).await));
    }
    report
}

/// Runs the case with this name on a runtime of its own.
///
/// # Errors
/// How the provisioner broke the promise, or that there is no such case.
pub fn run_case<F: ProvisionerFactory>(factory: F, name: &str) -> Result<(), Failure> {
    let case = CASES.iter().find(|case| case.name == name).ok_or_else(|| Failure::new("there is no such case"))?;
    on_a_runtime(run(&factory, *case))
}

async fn run<F: ProvisionerFactory>(factory: &F, case: Case) -> Result<(), Failure> {
    let gateway = factory.create().await.map_err(|error| Failure::caused("the factory made no gateway", error))?;
    let mut handles = Vec::new();
    for _ in 0..2 {
        let handle = factory.open(&gateway).await;
        handles.push(handle.map_err(|error| Failure::caused("the factory opened no gateway", error))?);
    }
    // The gateway lives until the case is over.
    guarded((case.run)(Gateway::new(handles, factory.location()))).await
}
