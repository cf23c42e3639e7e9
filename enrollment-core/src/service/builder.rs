//! Making a service: everything explicit, and every reason against it at once.

use std::sync::{Arc, Mutex, RwLock};

use super::refusals::Refusals;
use super::{Parts, Service};
use crate::domain::policy::Policy;
use crate::port::{Channel, Clock, Entropy, Store};
use crate::secret::{Blocklist, BundledBlocklist, HashingOptions, HashingPool, KeyId, KeyRing};

/// How the instance presents itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// Where people reach its public face: `https://vpn.example.com`, without a slash at the end. The only source of
    /// links (SYS-5).
    pub url: String,
    /// Its version, for the template tag of that name.
    pub version: String,
}

/// The parts of a service. Nothing is taken from the process: clock, randomness, keys and store are given.
pub struct ServiceBuilder {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    ring: Arc<KeyRing>,
    instance: Instance,
    policy: Policy,
    hashing: HashingOptions,
    blocklist: Arc<dyn Blocklist>,
    bell: Arc<dyn Fn() + Send + Sync>,
    channels: Vec<Channel>,
    unknown_key: Arc<dyn Fn(KeyId) + Send + Sync>,
}

impl std::fmt::Debug for ServiceBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServiceBuilder").field("instance", &self.instance).finish_non_exhaustive()
    }
}

/// A combination of parts that cannot serve; every reason at once.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the service cannot be built: {}", .0.join("; "))]
pub struct InvalidService(pub Vec<String>);

impl ServiceBuilder {
    /// The parts that have no sensible default.
    ///
    /// Before serving, [`Service::adopt`] holds a key ring against the store.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        ring: Arc<KeyRing>,
        instance: Instance,
    ) -> Self {
        Self {
            store,
            clock,
            entropy,
            ring,
            instance,
            policy: Policy::standard(),
            hashing: HashingOptions::default(),
            blocklist: Arc::new(BundledBlocklist),
            bell: Arc::new(|| ()),
            channels: Vec::new(),
            unknown_key: Arc::new(|_| ()),
        }
    }

    /// What is allowed. Default: [`Policy::standard`].
    #[must_use]
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// How passwords are hashed. Default: [`HashingOptions::default`].
    #[must_use]
    pub fn hashing(mut self, options: HashingOptions) -> Self {
        self.hashing = options;
        self
    }

    /// Which passwords are too common. Default: the bundled list.
    #[must_use]
    pub fn blocklist(mut self, blocklist: Arc<dyn Blocklist>) -> Self {
        self.blocklist = blocklist;
        self
    }

    /// By which channels messages can be sent: those that the [`Notifier`](crate::port::Notifier) of the
    /// [`OutboxWorker`](crate::worker::OutboxWorker) serves. Default: none. Then nothing is queued, and asking for
    /// delivery by mail is refused.
    #[must_use]
    pub fn channels(mut self, channels: &[Channel]) -> Self {
        self.channels = channels.to_vec();
        self
    }

    /// Called after every change that queued work, so that workers need not wait for their next turn. Must not block.
    #[must_use]
    pub fn bell(mut self, bell: Arc<dyn Fn() + Send + Sync>) -> Self {
        self.bell = bell;
        self
    }

    /// Called when a record names a key that the ring in force does not have, so that the ring can be read again and
    /// taken up ([`Service::adopt`]) at once. Must not block.
    #[must_use]
    pub fn on_unknown_key(mut self, tell: Arc<dyn Fn(KeyId) + Send + Sync>) -> Self {
        self.unknown_key = tell;
        self
    }

    /// The service.
    ///
    /// # Errors
    /// With every reason at once, when the parts contradict themselves or each other.
    pub fn build(self) -> Result<Service, InvalidService> {
        let Self { store, clock, entropy, ring, instance, policy, hashing, blocklist, bell, channels, unknown_key } =
            self;
        let mut reasons = Vec::new();
        if let Err(error) = policy.check() {
            reasons.extend(error.0);
        }
        if !is_origin(&instance.url) {
            reasons.push(
                "instance.url: a scheme and an ASCII host such as https://vpn.example.com, without a path".to_owned(),
            );
        }
        let hashing = HashingPool::start(hashing).map_err(|error| reasons.push(format!("hashing: {error}"))).ok();
        match hashing {
            Some(hashing) if reasons.is_empty() => Ok(Service(Arc::new(Parts {
                store,
                clock,
                entropy,
                ring: RwLock::new(ring),
                last_ring: Mutex::new(None),
                revoked: RwLock::default(),
                unknown_key,
                hashing,
                blocklist,
                policy,
                instance,
                bell,
                channels,
                refusals: Refusals::default(),
                passwords: super::password_gate::PasswordGate::default(),
                locations: Mutex::new(None),
                texts: Mutex::default(),
            }))),
            _ => Err(InvalidService(reasons)),
        }
    }
}

/// Whether this is a scheme with a host: a name or an address, and perhaps a port. Links with it stand in mails, in JSON
/// and in commands that are run in a shell; none of its characters means anything there.
fn is_origin(url: &str) -> bool {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    rest.is_some_and(|host| {
        // Names have at most 253 bytes (RFC 1035); this much fits into every form of a link, QR codes too.
        (1..=260).contains(&host.len()) && host.chars().all(|c| c.is_ascii_alphanumeric() || ".-_:[]".contains(c))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SYS-5: what stands in every link, and in commands that a shell runs, is a host and nothing else.
    #[test]
    fn the_address_of_an_instance_is_a_scheme_and_a_host() {
        for fine in
            ["https://vpn.example.com", "http://localhost:8080", "https://192.0.2.7", "https://[2001:db8::1]:8443"]
        {
            assert!(is_origin(fine), "{fine}");
        }
        let long = format!("https://{}", "a".repeat(261));
        for other in ["vpn.example.com", "ftp://vpn.example.com", "https://", "https://vpn.example.com/", &long] {
            assert!(!is_origin(other), "{other}");
        }
        for c in " !\"#$%&'()*+,/;<=>?@\\^`{|}~\n\u{e9}".chars() {
            assert!(!is_origin(&format!("https://vpn{c}example.com")), "{c:?}");
        }
    }
}
