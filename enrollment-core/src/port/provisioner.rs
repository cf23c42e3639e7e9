//! Putting peers in force on the gateway.

use std::fmt::Debug;
use std::net::IpAddr;

use async_trait::async_trait;

use crate::domain::device::PublicKey;
use crate::id::LocationId;

/// A peer as it should be in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerSpec {
    /// The device's key.
    pub public_key: PublicKey,
    /// Its addresses; each becomes an allowed IP of full prefix length.
    pub addresses: Vec<IpAddr>,
}

/// One step towards the peers intended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PeerChange {
    /// In force with exactly these addresses.
    Ensure(PeerSpec),
    /// Not in force.
    Remove(PublicKey),
}

impl PeerChange {
    /// The key this step is about.
    #[must_use]
    pub const fn public_key(&self) -> &PublicKey {
        match self {
            Self::Ensure(spec) => &spec.public_key,
            Self::Remove(key) => key,
        }
    }
}

/// The peers a gateway has in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Observation {
    /// All of them.
    Peers(Vec<PeerSpec>),
    /// The gateway cannot list them.
    NotEnumerable,
}

/// A peer change that did not happen.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct ProvisionError {
    message: String,
    retryable: bool,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl ProvisionError {
    /// An error that may pass.
    #[must_use]
    pub fn transient(message: impl Into<String>) -> Self {
        Self { message: message.into(), retryable: true, source: None }
    }

    /// An error that stays until somebody changes something.
    #[must_use]
    pub fn permanent(message: impl Into<String>) -> Self {
        Self { message: message.into(), retryable: false, source: None }
    }

    /// The same error with its cause.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Whether the same call may succeed later.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        self.retryable
    }
}

/// Puts peers in force and takes them out. One location may live on another host.
///
/// # Contract
/// * **Idempotent per key**: a change that already holds is `Ok` and disturbs nothing; running tunnels of other
///   peers are not interrupted.
/// * Keys that no change names are never touched.
/// * `Ok` for a change means it is in force (or out of it) now.
/// * Every call ends, by a timeout of its own where the gateway does not answer, and well within a minute: one gateway
///   that hangs must not keep peers in force at the others.
#[async_trait]
pub trait PeerProvisioner: Debug + Send + Sync + 'static {
    /// Applies changes at one location, one after the other; one answer per change, in order.
    async fn apply(&self, at: LocationId, changes: &[PeerChange]) -> Vec<Result<(), ProvisionError>>;

    /// The peers in force at one location.
    async fn observe(&self, at: LocationId) -> Result<Observation, ProvisionError>;
}
