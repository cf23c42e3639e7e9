//! Provisioners that break one promise each.

use std::sync::Arc;

use async_trait::async_trait;
use enrollment_core::id::LocationId;
use enrollment_core::port::{Observation, PeerChange, PeerProvisioner, ProvisionError};

use crate::fake::FakeProvisioner;
use crate::provisioner::{BoxError, ProvisionerFactory};

macro_rules! faults {
    ($($(#[$doc:meta])+ $name:ident => $case:literal,)*) => {
        /// How a provisioner is broken.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum ProvisionerFault {
            $($(#[$doc])+ $name,)*
        }

        impl ProvisionerFault {
            /// Every fault.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The case of the suite that is there for it; others may fail too.
            #[must_use]
            pub const fn caught_by(self) -> &'static str {
                match self { $(Self::$name => $case,)* }
            }
        }
    };
}

faults! {
    /// Has a peer that nobody put there.
    StartsWithAPeer => "a_new_gateway_has_no_peers",
    /// Says `Ok` and does nothing.
    DoesNothing => "an_ensured_peer_is_in_force_with_its_addresses",
    /// Refuses a peer that is in force.
    RefusesPeersInForce => "ensuring_again_changes_nothing",
    /// Adds addresses to those that a peer has.
    AddsAddresses => "ensuring_replaces_the_addresses",
    /// Never removes.
    KeepsRemovedPeers => "a_removed_peer_is_not_in_force",
    /// Refuses to remove what is not there.
    RefusesAbsentPeers => "removing_an_absent_peer_is_no_error",
    /// Has only the peers of the last call.
    ReplacesAllPeers => "peers_that_no_change_names_stay",
    /// Removes first and ensures afterwards.
    ReordersChanges => "changes_are_applied_in_their_order",
    /// Ensures first and removes with all addresses afterwards.
    RemovesAddressesLast => "an_address_moves_from_one_peer_to_another",
    /// Answers an empty list with something.
    AnswersNoChange => "no_change_is_no_error",
    /// Applies the first hundred changes of a call.
    CutsLongLists => "many_peers_are_applied_in_one_call",
    /// Reads all peers, and writes them back with the change.
    ReadsThenWrites => "parallel_calls_lose_no_peer",
}

/// A [`FakeProvisioner`] that breaks one promise.
#[derive(Debug)]
pub struct BrokenProvisioner {
    fault: ProvisionerFault,
    inner: Arc<FakeProvisioner>,
}

impl BrokenProvisioner {
    /// A handle onto `inner`, broken by `fault`.
    #[must_use]
    pub const fn new(fault: ProvisionerFault, inner: Arc<FakeProvisioner>) -> Self {
        Self { fault, inner }
    }

    /// The changes as the fault understands them.
    fn misread(&self, at: LocationId, changes: &[PeerChange]) -> Vec<PeerChange> {
        let mut changes = changes.to_vec();
        match self.fault {
            ProvisionerFault::DoesNothing => changes.clear(),
            ProvisionerFault::KeepsRemovedPeers => changes.retain(|change| matches!(change, PeerChange::Ensure(_))),
            ProvisionerFault::CutsLongLists => changes.truncate(100),
            ProvisionerFault::ReordersChanges => changes.sort_by_key(|change| matches!(change, PeerChange::Ensure(_))),
            ProvisionerFault::AddsAddresses => {
                for change in &mut changes {
                    if let PeerChange::Ensure(peer) = change {
                        let standing = self.inner.peers(at).into_iter().find(|p| p.public_key == peer.public_key);
                        peer.addresses.extend(standing.into_iter().flat_map(|peer| peer.addresses));
                        peer.addresses.sort_unstable();
                        peer.addresses.dedup();
                    }
                }
            }
            ProvisionerFault::RemovesAddressesLast => {
                let gone: Vec<_> = changes.iter().filter_map(removed).copied().collect();
                let lost: Vec<_> = self.inner.peers(at).into_iter().filter(|p| gone.contains(&p.public_key)).collect();
                for change in &mut changes {
                    if let PeerChange::Ensure(peer) = change {
                        peer.addresses.retain(|address| !lost.iter().any(|lost| lost.addresses.contains(address)));
                    }
                }
            }
            ProvisionerFault::ReplacesAllPeers => {
                let standing = self.inner.peers(at).into_iter().map(|peer| PeerChange::Remove(peer.public_key));
                changes = standing.chain(changes).collect();
            }
            _ => {}
        }
        changes
    }
}

#[async_trait]
impl PeerProvisioner for BrokenProvisioner {
    async fn apply(&self, at: LocationId, changes: &[PeerChange]) -> Vec<Result<(), ProvisionError>> {
        let before = self.inner.peers(at);
        let in_force = |change: &PeerChange| before.iter().any(|peer| peer.public_key == *change.public_key());
        let refused = |change: &PeerChange| match change {
            PeerChange::Ensure(_) => self.fault == ProvisionerFault::RefusesPeersInForce && in_force(change),
            PeerChange::Remove(_) => self.fault == ProvisionerFault::RefusesAbsentPeers && !in_force(change),
        };
        if self.fault == ProvisionerFault::ReadsThenWrites {
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
            self.inner.lose_interface(at);
            for peer in &before {
                self.inner.put_by_hand(at, peer.clone());
            }
        }
        let _answers = self.inner.apply(at, &self.misread(at, changes)).await;
        if self.fault == ProvisionerFault::AnswersNoChange && changes.is_empty() {
            return vec![Ok(())];
        }
        let answer = |change| if refused(change) { Err(ProvisionError::permanent("refused")) } else { Ok(()) };
        changes.iter().map(answer).collect()
    }

    async fn observe(&self, at: LocationId) -> Result<Observation, ProvisionError> {
        self.inner.observe(at).await
    }
}

const fn removed(change: &PeerChange) -> Option<&enrollment_core::domain::device::PublicKey> {
    match change {
        PeerChange::Remove(key) => Some(key),
        PeerChange::Ensure(_) => None,
    }
}

/// Makes provisioners that are broken by one fault.
#[derive(Debug, Clone, Copy)]
pub struct BrokenProvisionerFactory(pub ProvisionerFault);

#[async_trait]
impl ProvisionerFactory for BrokenProvisionerFactory {
    type Gateway = Arc<FakeProvisioner>;

    async fn create(&self) -> Result<Self::Gateway, BoxError> {
        let gateway = FakeProvisioner::new();
        if self.0 == ProvisionerFault::StartsWithAPeer {
            gateway.put_by_hand(self.location(), crate::provisioner::sample_peer());
        }
        Ok(Arc::new(gateway))
    }

    async fn open(&self, gateway: &Self::Gateway) -> Result<Arc<dyn PeerProvisioner>, BoxError> {
        Ok(Arc::new(BrokenProvisioner::new(self.0, Arc::clone(gateway))))
    }

    fn location(&self) -> LocationId {
        LocationId::from_uuid(uuid::Uuid::nil())
    }
}
