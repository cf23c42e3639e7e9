//! A gateway in memory.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use enrollment_core::domain::device::PublicKey;
use enrollment_core::id::LocationId;
use enrollment_core::port::{Observation, PeerChange, PeerProvisioner, PeerSpec, ProvisionError};

/// How a gateway of a [`FakeProvisioner`] misbehaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outage {
    /// Nothing happens and every call fails; it may pass.
    Unreachable,
    /// Nothing happens and every change is refused for good; observing works.
    Refuses,
    /// Changes happen, and their answer is an error that may pass.
    AnswerLost,
    /// All is well, but peers cannot be listed.
    NotEnumerable,
}

/// Gateways in memory: one for every location, empty at first, working until told otherwise. Share it by `Arc`.
#[derive(Debug, Default)]
pub struct FakeProvisioner {
    gateways: Mutex<BTreeMap<LocationId, Gateway>>,
}

#[derive(Debug, Default)]
struct Gateway {
    peers: BTreeMap<PublicKey, PeerSpec>,
    outage: Option<Outage>,
    asked: Vec<PeerChange>,
}

impl FakeProvisioner {
    /// Gateways without peers.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The peers in force, by key, whatever the outage.
    #[must_use]
    pub fn peers(&self, at: LocationId) -> Vec<PeerSpec> {
        self.gateways().entry(at).or_default().peers.values().cloned().collect()
    }

    /// Every change asked for so far, in order, those that failed included.
    #[must_use]
    pub fn asked(&self, at: LocationId) -> Vec<PeerChange> {
        self.gateways().entry(at).or_default().asked.clone()
    }

    /// Puts a peer in force behind the library's back, as an administrator might by hand.
    pub fn put_by_hand(&self, at: LocationId, peer: PeerSpec) {
        self.gateways().entry(at).or_default().peers.insert(peer.public_key, peer);
    }

    /// Forgets all peers, as a gateway does that lost its interface.
    pub fn lose_interface(&self, at: LocationId) {
        self.gateways().entry(at).or_default().peers.clear();
    }

    /// Lets a gateway misbehave from now on; `None`: no longer.
    pub fn set_outage(&self, at: LocationId, outage: Option<Outage>) {
        self.gateways().entry(at).or_default().outage = outage;
    }

    fn gateways(&self) -> MutexGuard<'_, BTreeMap<LocationId, Gateway>> {
        self.gateways.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl PeerProvisioner for FakeProvisioner {
    async fn apply(&self, at: LocationId, changes: &[PeerChange]) -> Vec<Result<(), ProvisionError>> {
        let mut gateways = self.gateways();
        let gateway = gateways.entry(at).or_default();
        changes.iter().map(|change| gateway.apply(change)).collect()
    }

    async fn observe(&self, at: LocationId) -> Result<Observation, ProvisionError> {
        let mut gateways = self.gateways();
        let gateway = gateways.entry(at).or_default();
        match gateway.outage {
            Some(Outage::Unreachable) => Err(ProvisionError::transient("the gateway does not answer")),
            Some(Outage::NotEnumerable) => Ok(Observation::NotEnumerable),
            Some(Outage::Refuses | Outage::AnswerLost) | None => {
                Ok(Observation::Peers(gateway.peers.values().cloned().collect()))
            }
        }
    }
}

impl Gateway {
    fn apply(&mut self, change: &PeerChange) -> Result<(), ProvisionError> {
        self.asked.push(change.clone());
        match self.outage {
            Some(Outage::Unreachable) => return Err(ProvisionError::transient("the gateway does not answer")),
            Some(Outage::Refuses) => return Err(ProvisionError::permanent("the gateway refuses this peer")),
            Some(Outage::AnswerLost | Outage::NotEnumerable) | None => {}
        }
        match change {
            PeerChange::Ensure(peer) => self.ensure(peer),
            PeerChange::Remove(key) => {
                self.peers.remove(key);
            }
        }
        match self.outage {
            Some(Outage::AnswerLost) => Err(ProvisionError::transient("the connection broke")),
            _ => Ok(()),
        }
    }

    /// As WireGuard does: an address belongs to one peer, the last that got it.
    fn ensure(&mut self, peer: &PeerSpec) {
        for other in self.peers.values_mut().filter(|other| other.public_key != peer.public_key) {
            other.addresses.retain(|address| !peer.addresses.contains(address));
        }
        self.peers.insert(peer.public_key, peer.clone());
    }
}
