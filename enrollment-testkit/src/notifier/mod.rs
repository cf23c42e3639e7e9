//! The conformance suite of [`Notifier`].
//!
//! [`notifier_conformance!`](crate::notifier_conformance) makes a test of every case. Real servers can be behind it:
//! the cases need a few recipients of their own and nothing else to themselves.

mod cases;
mod desk;

use std::sync::Arc;

use async_trait::async_trait;
use enrollment_core::id::OutboxId;
use enrollment_core::port::{Notifier, Recipient};

pub use self::cases::CASES;
use self::desk::{Desk, Opened};
pub use crate::verdict::{BoxError, Failure};
use crate::verdict::{Running, guarded, on_a_runtime};

/// What becomes of messages to a recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fate {
    /// They arrive.
    Welcome,
    /// The first is put off, as greylisting does; those after it arrive.
    PutOffOnce,
    /// They are refused for good: there is no such mailbox.
    Unwelcome,
}

/// A message as its recipient has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// By which the recipient knows the message.
    pub id: OutboxId,
    /// What the recipient reads, decoded.
    pub text: String,
    /// The images that came with its HTML, in order; `None`: it came without HTML, as over a channel that carries none.
    pub images: Option<Vec<ArrivedImage>>,
}

/// An image as the recipient has it, decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArrivedImage {
    /// Its content id, by which the HTML shows it; without brackets.
    pub id: String,
    /// Its bytes.
    pub png: Vec<u8>,
}

/// Makes notifiers for the suite to judge.
#[async_trait]
pub trait NotifierFactory: Send + Sync + 'static {
    /// What messages are handed to: a server, a list. It is dropped when the case is over.
    type Relay: Send + Sync + 'static;

    /// Called once for every case.
    async fn create(&self) -> Result<Self::Relay, BoxError>;

    /// A notifier as another process would open it. Called several times.
    async fn open(&self, relay: &Self::Relay) -> Result<Arc<dyn Notifier>, BoxError>;

    /// A notifier that the relay does not want, for a wrong password as an example.
    async fn open_unwanted(&self, relay: &Self::Relay) -> Result<Arc<dyn Notifier>, BoxError>;

    /// A recipient on a channel that the notifier serves. Another for every `n`, and others for every relay.
    fn recipient(&self, relay: &Self::Relay, fate: Fate, n: u32) -> Recipient;

    /// What has arrived at a recipient, once nothing for them is under way any more.
    async fn arrivals(&self, relay: &Self::Relay, at: &Recipient) -> Result<Vec<Arrival>, BoxError>;
}

/// One case of the suite.
#[derive(Clone, Copy)]
pub struct Case {
    /// The promise, as the name of a test.
    pub name: &'static str,
    run: fn(Desk) -> Running,
}

impl std::fmt::Debug for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Case({})", self.name)
    }
}

/// Runs every case on a relay of its own, one after the other, and says how each went. Must be called on a
/// multi-threaded tokio runtime.
pub async fn judge<F: NotifierFactory>(factory: F) -> Vec<(&'static str, Result<(), Failure>)> {
    let factory = Arc::new(factory);
    let mut report = Vec::with_capacity(CASES.len());
    for case in CASES {
        report.push((case.name, run(Arc::clone(&factory), *case).await));
    }
    report
}

/// Runs the case with this name on a runtime of its own.
///
/// # Errors
/// How the notifier broke the promise, or that there is no such case.
pub fn run_case<F: NotifierFactory>(factory: F, name: &str) -> Result<(), Failure> {
    let case = CASES.iter().find(|case| case.name == name).ok_or_else(|| Failure::new("there is no such case"))?;
    on_a_runtime(run(Arc::new(factory), *case))
}

async fn run<F: NotifierFactory>(factory: Arc<F>, case: Case) -> Result<(), Failure> {
    let relay = factory.create().await.map_err(|error| Failure::caused("the factory made no relay", error))?;
    guarded((case.run)(Desk::new(Opened { factory, relay }))).await
}
