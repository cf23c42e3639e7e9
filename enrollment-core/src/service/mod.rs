//! The use cases: one file per actor and thing. Every one reads, decides and commits through [`Service`]'s one loop.
//!
//! ```text
//! 0  cheap refusal first: checksum of a token (no read), look-up of a session digest
//! 1  slow secret work outside the loop: Argon2 under a permit
//! 2  at most eight turns: read → now → decide → commit
//!        Applied → answer     Stale → next turn     Taken → refusal     out of turns → Busy
//! 3  after Applied: ring the workers' bell (latency only; nothing depends on it)
//! ```
//!
//! Each answers through `operation`, which makes its span.

mod audit_verify;
mod backfill;
mod builder;
pub(crate) mod circumstances;
mod devices;
mod effects;
mod erasure;
mod failure;
mod keys;
mod link;
mod machine_world;
pub(crate) mod mail;
mod operation;
mod origin;
mod password_gate;
mod refusals;
mod texts;
pub(crate) mod turn;

pub(crate) use backfill::Lacking;
pub(crate) use operation::{operation, round};

pub mod administrator;
pub mod enrollee;
pub mod sign_in;

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

pub use audit_verify::AuditReport;
pub use builder::{Instance, InvalidService, ServiceBuilder};
pub use failure::Failure;
pub use keys::{KeyUse, KeyUses, UnfitRing, survey};
pub use link::Link;
pub use origin::{Origin, Principal};

use crate::domain::location::Location;
use crate::domain::policy::Policy;
use crate::port::{Channel, Clock, Entropy, Store};
use crate::record::Version;
use crate::secret::{Blocklist, HashingLoad, HashingPool, KeyId, KeyRing};
use crate::time::Timestamp;
use refusals::Refusals;

/// What a use case answers, to be awaited; nothing is done before.
///
/// Boxed, so that use cases are compiled once, in this crate, and not again in every program that awaits them.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, Failure>> + Send + 'a>>;

/// Everything the use cases need. Cheap to clone; made by [`ServiceBuilder`].
#[derive(Debug, Clone)]
pub struct Service(Arc<Parts>);

struct Parts {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    ring: RwLock<Arc<KeyRing>>,
    last_ring: Mutex<keys::LastRing>,
    /// Keys that are revoked in the database, whatever the ring says.
    revoked: RwLock<BTreeSet<KeyId>>,
    /// Told when a record names a key that the ring does not have.
    unknown_key: Arc<dyn Fn(KeyId) + Send + Sync>,
    hashing: HashingPool,
    blocklist: Arc<dyn Blocklist>,
    policy: Policy,
    instance: Instance,
    bell: Arc<dyn Fn() + Send + Sync>,
    /// Messages can be sent by these.
    channels: Vec<Channel>,
    refusals: Refusals,
    passwords: password_gate::PasswordGate,
    /// All locations as of one version of their guard. Only a hint: what depends on it holds the guard in its change.
    locations: Mutex<KnownLocations>,
    texts: Mutex<texts::KnownTexts>,
}

/// All locations, with the version of their guard at which they were read.
type KnownLocations = Option<(Option<Version>, Arc<[Location]>)>;

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Service")
            .field("store", &self.store)
            .field("policy", &self.policy)
            .field("instance", &self.instance)
            .finish_non_exhaustive()
    }
}

impl Service {
    /// What an enrollee does.
    #[must_use]
    pub const fn enrollee(&self) -> enrollee::Enrollee<'_> {
        enrollee::Enrollee::new(self)
    }

    /// What an administrator does. Every call asks for a [`Principal`]; there is no default.
    #[must_use]
    pub const fn administrator(&self) -> administrator::Administrator<'_> {
        administrator::Administrator::new(self)
    }

    /// What administrators do to sign in, and with their own account.
    #[must_use]
    pub const fn sign_in(&self) -> sign_in::SignIn<'_> {
        sign_in::SignIn::new(self)
    }

    /// The policy in force.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.0.policy
    }

    /// How the instance presents itself.
    #[must_use]
    pub fn instance(&self) -> &Instance {
        &self.0.instance
    }

    /// The store behind the service, for health checks and workers.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.0.store
    }

    /// Whether mail can be sent.
    #[must_use]
    pub fn can_mail(&self) -> bool {
        self.0.channels.contains(&Channel::Email)
    }

    /// How busy the hashing of passwords is at this moment.
    #[must_use]
    pub fn hashing_load(&self) -> HashingLoad {
        self.0.hashing.load()
    }

    /// What time it is, for every decision of the service.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// The randomness the service was given, for identifiers of what belongs to it (such as requests).
    #[must_use]
    pub fn entropy(&self) -> &dyn Entropy {
        &*self.0.entropy
    }

    pub(crate) fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.entropy().fill(&mut bytes);
        bytes
    }

    fn known_locations(&self) -> std::sync::MutexGuard<'_, KnownLocations> {
        // A poisoned cache is still a cache: its content is replaced whole or not at all.
        self.0.locations.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
