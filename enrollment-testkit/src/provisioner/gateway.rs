//! What the cases stand on: two handles onto one gateway, and sample peers.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use enrollment_core::domain::device::PublicKey;
use enrollment_core::id::LocationId;
use enrollment_core::port::{Observation, PeerChange, PeerProvisioner, PeerSpec};
use sha2::{Digest, Sha256};

use crate::verdict::{Failure, ensure_eq};

/// One gateway, seen by two processes.
pub(super) struct Gateway {
    pub(super) handles: Vec<Arc<dyn PeerProvisioner>>,
    pub(super) location: LocationId,
}

impl Gateway {
    pub(super) fn new(handles: Vec<Arc<dyn PeerProvisioner>>, location: LocationId) -> Self {
        Self { handles, location }
    }

    /// Applies changes that must all succeed.
    pub(super) async fn apply(&self, changes: &[PeerChange]) -> Result<(), Failure> {
        apply(&self.handles[0], self.location, changes).await
    }

    /// These peers are in force, with exactly these addresses, and no others.
    pub(super) async fn has(&self, peers: &[&PeerSpec], what: &str) -> Result<(), Failure> {
        for handle in &self.handles {
            let observed = handle.observe(self.location).await;
            match observed.map_err(|error| Failure::caused("observing", error))? {
                Observation::NotEnumerable => {}
                Observation::Peers(observed) => ensure_eq!(by_key(&observed), by_key(peers.iter().copied()), "{what}"),
            }
        }
        Ok(())
    }
}

pub(super) async fn apply(
    handle: &Arc<dyn PeerProvisioner>,
    at: LocationId,
    changes: &[PeerChange],
) -> Result<(), Failure> {
    let answers = handle.apply(at, changes).await;
    ensure_eq!(answers.len(), changes.len(), "answers to {} changes", changes.len());
    for (answer, change) in answers.into_iter().zip(changes) {
        answer.map_err(|error| Failure::caused(&format!("applying {change:?}"), error))?;
    }
    Ok(())
}

/// Addresses by key, both without an order of their own.
fn by_key<'a>(peers: impl IntoIterator<Item = &'a PeerSpec>) -> BTreeMap<PublicKey, Vec<IpAddr>> {
    let sorted = |peer: &PeerSpec| {
        let mut addresses = peer.addresses.clone();
        addresses.sort_unstable();
        (peer.public_key, addresses)
    };
    peers.into_iter().map(sorted).collect()
}

/// The `n`th sample peer, with an IPv4 and an IPv6 address of its own.
pub(super) fn peer(n: u16) -> PeerSpec {
    let [high, low] = n.to_be_bytes();
    PeerSpec {
        public_key: key(n),
        addresses: vec![Ipv4Addr::new(10, 77, high, low).into(), Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, n).into()],
    }
}

/// The `n`th sample key: bytes that look random, and are not of low order.
fn key(n: u16) -> PublicKey {
    let mut bytes: [u8; 32] = Sha256::digest(n.to_le_bytes()).into();
    loop {
        match PublicKey::from_bytes(bytes) {
            Ok(key) => return key,
            Err(_) => bytes = Sha256::digest(bytes).into(),
        }
    }
}
