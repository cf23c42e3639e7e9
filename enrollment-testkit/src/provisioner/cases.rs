//! The cases, and the list that names them.

use std::sync::Arc;

use enrollment_core::port::PeerChange::{Ensure, Remove};
use enrollment_core::port::{PeerChange, PeerSpec};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::Case;
use super::gateway::{Gateway, apply, peer};
use crate::verdict::Failure;

type Verdict = Result<(), Failure>;

/// Hands the names of all cases to another macro, so that tests and table cannot differ.
#[doc(hidden)]
#[macro_export]
macro_rules! __provisioner_cases {
    ([$($apply:tt)*] ($($with:tt)*)) => {
        $($apply)*! {
            ($($with)*)
            a_new_gateway_has_no_peers
            an_ensured_peer_is_in_force_with_its_addresses
            ensuring_again_changes_nothing
            ensuring_replaces_the_addresses
            a_removed_peer_is_not_in_force
            removing_an_absent_peer_is_no_error
            peers_that_no_change_names_stay
            changes_are_applied_in_their_order
            an_address_moves_from_one_peer_to_another
            no_change_is_no_error
            many_peers_are_applied_in_one_call
            parallel_calls_lose_no_peer
        }
    };
}

/// One test for every case of the suite: `provisioner_conformance!(factory)`, where `factory` is an expression that
/// makes a [`ProvisionerFactory`](crate::provisioner::ProvisionerFactory). Stands in a module of tests.
#[macro_export]
macro_rules! provisioner_conformance {
    ($factory:expr) => {
        $crate::__provisioner_cases! { [$crate::__provisioner_tests] ($factory) }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __provisioner_tests {
    (($factory:expr) $($case:ident)*) => {
        $(
            #[test]
            fn $case() -> Result<(), $crate::provisioner::Failure> {
                $crate::provisioner::run_case($factory, stringify!($case))
            }
        )*
    };
}

macro_rules! table {
    (() $($case:ident)*) => {
        /// Every case.
        pub const CASES: &[Case] = &[
            $(Case { name: stringify!($case), run: |gateway| Box::pin(async move { $case(&gateway).await }) },)*
        ];
    };
}

crate::__provisioner_cases! { [table] () }

/// What the factory makes is empty, or the other cases would say nothing.
async fn a_new_gateway_has_no_peers(gateway: &Gateway) -> Verdict {
    gateway.has(&[], "peers of a new gateway").await
}

/// After `Ok` the peer is in force now, for every observer, with its addresses of both families.
async fn an_ensured_peer_is_in_force_with_its_addresses(gateway: &Gateway) -> Verdict {
    gateway.apply(&[Ensure(peer(1))]).await?;
    gateway.has(&[&peer(1)], "one peer").await?;
    gateway.apply(&[Ensure(peer(2)), Ensure(peer(3))]).await?;
    gateway.has(&[&peer(1), &peer(2), &peer(3)], "three peers").await
}

/// A change that already holds is `Ok`, in a later call and in the same.
async fn ensuring_again_changes_nothing(gateway: &Gateway) -> Verdict {
    gateway.apply(&[Ensure(peer(1)), Ensure(peer(2))]).await?;
    gateway.apply(&[Ensure(peer(1))]).await?;
    gateway.apply(&[Ensure(peer(1)), Ensure(peer(1))]).await?;
    gateway.has(&[&peer(1), &peer(2)], "peers ensured again").await
}

/// A peer has exactly the addresses of the last change: old ones are gone, fewer are fewer.
async fn ensuring_replaces_the_addresses(gateway: &Gateway) -> Verdict {
    let other = PeerSpec { addresses: peer(9).addresses, ..peer(1) };
    let fewer = PeerSpec { addresses: other.addresses[..1].to_vec(), ..peer(1) };
    gateway.apply(&[Ensure(peer(1)), Ensure(peer(2))]).await?;
    gateway.apply(&[Ensure(other.clone())]).await?;
    gateway.has(&[&other, &peer(2)], "other addresses").await?;
    gateway.apply(&[Ensure(fewer.clone())]).await?;
    gateway.has(&[&fewer, &peer(2)], "fewer addresses").await?;
    gateway.apply(&[Ensure(peer(1))]).await?;
    gateway.has(&[&peer(1), &peer(2)], "the first addresses again").await
}

/// After `Ok` the peer is out of force now; it may come again.
async fn a_removed_peer_is_not_in_force(gateway: &Gateway) -> Verdict {
    gateway.apply(&[Ensure(peer(1)), Ensure(peer(2))]).await?;
    gateway.apply(&[Remove(peer(1).public_key)]).await?;
    gateway.has(&[&peer(2)], "peers after a removal").await?;
    gateway.apply(&[Ensure(peer(1))]).await?;
    gateway.has(&[&peer(1), &peer(2)], "peers after one came again").await
}

/// What is not there is out of force already.
async fn removing_an_absent_peer_is_no_error(gateway: &Gateway) -> Verdict {
    gateway.apply(&[Remove(peer(1).public_key)]).await?;
    gateway.apply(&[Ensure(peer(2))]).await?;
    gateway.apply(&[Remove(peer(1).public_key), Remove(peer(1).public_key)]).await?;
    gateway.has(&[&peer(2)], "peers after the removal of another").await
}

/// Keys that were there before keep their addresses, whatever happens to others.
async fn peers_that_no_change_names_stay(gateway: &Gateway) -> Verdict {
    gateway.apply(&[Ensure(peer(1)), Ensure(peer(2)), Ensure(peer(3))]).await?;
    gateway.apply(&[Ensure(peer(4)), Remove(peer(2).public_key)]).await?;
    gateway.has(&[&peer(1), &peer(3), &peer(4)], "peers that were not named").await
}

/// Two changes of one key in one call: the last counts.
async fn changes_are_applied_in_their_order(gateway: &Gateway) -> Verdict {
    let moved = PeerSpec { addresses: peer(9).addresses, ..peer(2) };
    gateway.apply(&[Ensure(peer(1)), Remove(peer(1).public_key), Ensure(peer(2)), Ensure(moved.clone())]).await?;
    gateway.has(&[&moved], "peers after changes of the same keys").await?;
    gateway.apply(&[Remove(peer(2).public_key), Ensure(peer(2))]).await?;
    gateway.has(&[&peer(2)], "a peer removed and ensured in one call").await
}

/// An address that one peer gave up serves the next, in one call.
async fn an_address_moves_from_one_peer_to_another(gateway: &Gateway) -> Verdict {
    let heir = PeerSpec { addresses: peer(1).addresses, ..peer(2) };
    gateway.apply(&[Ensure(peer(1))]).await?;
    gateway.apply(&[Remove(peer(1).public_key), Ensure(heir.clone())]).await?;
    gateway.has(&[&heir], "the peer that took over").await
}

/// An empty list has an empty answer.
async fn no_change_is_no_error(gateway: &Gateway) -> Verdict {
    gateway.apply(&[Ensure(peer(1))]).await?;
    gateway.apply(&[]).await?;
    gateway.has(&[&peer(1)], "peers after no change").await
}

/// Three hundred peers come and go in one call each.
async fn many_peers_are_applied_in_one_call(gateway: &Gateway) -> Verdict {
    let peers: Vec<PeerSpec> = (1..=300).map(peer).collect();
    gateway.apply(&peers.iter().cloned().map(Ensure).collect::<Vec<_>>()).await?;
    gateway.has(&peers.iter().collect::<Vec<_>>(), "three hundred peers").await?;
    let (gone, left) = peers.split_at(250);
    gateway.apply(&gone.iter().map(|peer| Remove(peer.public_key)).collect::<Vec<_>>()).await?;
    gateway.has(&left.iter().collect::<Vec<_>>(), "the peers that were not removed").await
}

/// Eight callers on two handles at once: every change that was answered `Ok` holds.
async fn parallel_calls_lose_no_peer(gateway: &Gateway) -> Verdict {
    let start = Arc::new(Barrier::new(8));
    let mut running = JoinSet::new();
    for caller in 0..8_u16 {
        let (handle, start) = (Arc::clone(&gateway.handles[usize::from(caller % 2)]), Arc::clone(&start));
        let at = gateway.location;
        let changes: Vec<Vec<PeerChange>> = (1..=5).map(|n| vec![Ensure(peer(100 * caller + n))]).collect();
        running.spawn(async move {
            start.wait().await;
            for change in changes {
                apply(&handle, at, &change).await?;
            }
            Ok::<(), Failure>(())
        });
    }
    while let Some(done) = running.join_next().await {
        done.map_err(|error| Failure::caused("the provisioner panicked", error))??;
    }
    let peers: Vec<PeerSpec> = (0..8).flat_map(|caller| (1..=5).map(move |n| peer(100 * caller + n))).collect();
    gateway.has(&peers.iter().collect::<Vec<_>>(), "peers of eight parallel callers").await
}
