//! A worker that stalls until after its lease, and wakes up when all has changed (DEV-4, DEV-5).

use std::sync::Arc;

use enrollment_core::domain::enrollment::Purpose;
use enrollment_core::domain::event::Event;
use enrollment_core::domain::location::Location;
use enrollment_core::domain::user::UserStatus;
use enrollment_core::id::{DeviceId, LocationId, UserId};
use enrollment_core::service::administrator::{PeerStatus, UserPatch};
use enrollment_core::service::enrollee::{DeviceKey, DeviceRequest};
use enrollment_core::time::Span;
use enrollment_core::worker::PeerWorker;
use enrollment_testkit::fake::FakeProvisioner;

use crate::bench::{Bench, CLI, public_key};
use crate::gateways::{LATER, Raced, digest_of, intended, start_up, strays_told_of, with_device, work};

fn be(status: UserStatus) -> UserPatch {
    UserPatch { status: Some(status), ..UserPatch::default() }
}

/// A device that is intended, of which the gateway has not heard.
async fn scene() -> (Bench, Arc<FakeProvisioner>, LocationId, UserId, DeviceId) {
    let bench = Bench::new();
    let gateway = Arc::new(FakeProvisioner::new());
    let office = bench.location("office", None).await;
    let (alice, device) = with_device(&bench, "alice", 1).await;
    (bench, gateway, office, alice, device)
}

/// Has a worker stall right before the gateway hears it, and `rival` and another worker go on meanwhile.
async fn stalls<F>(bench: &Bench, gateway: &Arc<FakeProvisioner>, rival: F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let (service, real, clock) = (bench.service.clone(), gateway.clone(), bench.clock.clone());
    let meanwhile = async move {
        rival.await;
        clock.advance(LATER.duration());
        work(&service, &real).await;
    };
    let raced = Raced::new(gateway).before_apply(meanwhile);
    let settled = PeerWorker::new(bench.service.clone(), raced).run_once().await.unwrap();
    assert_eq!(settled, 0, "its lease is gone");
}

#[tokio::test]
async fn a_stalled_worker_that_wakes_after_a_revoke_leaves_no_peer_in_force() {
    let (bench, gateway, office, alice, _) = scene().await;
    let service = bench.service.clone();
    let disable = async move {
        service.administrator().change_user(&CLI, alice, be(UserStatus::Disabled)).await.unwrap();
    };
    stalls(&bench, &gateway, disable).await;
    assert_eq!(gateway.peers(office).len(), 1, "it came last");
    work(&bench.service, &gateway).await;
    assert!(gateway.peers(office).is_empty());
    assert_eq!(bench.admin().devices_of(&CLI, alice).await.unwrap()[0].status, PeerStatus::Removed);
}

#[tokio::test]
async fn a_stalled_worker_that_wakes_when_the_device_is_gone_leaves_no_peer_in_force() {
    let (bench, gateway, office, _, device) = scene().await;
    let service = bench.service.clone();
    stalls(&bench, &gateway, async move { service.administrator().remove_device(&CLI, device).await.unwrap() }).await;
    assert!(gateway.peers(office).is_empty(), "of this device nothing is left that anybody could look at");
    assert_eq!(start_up(&bench, &gateway).await, 0);
}

/// It put the peer of a device that is gone in force, and died in that instant.
#[tokio::test]
async fn what_a_stalled_worker_put_back_and_did_not_live_to_make_good_is_found() {
    let (bench, gateway, office, _, device) = scene().await;
    work(&bench.service, &gateway).await;
    let peer = gateway.peers(office).remove(0);
    bench.admin().remove_device(&CLI, device).await.unwrap();
    work(&bench.service, &gateway).await;
    gateway.put_by_hand(office, peer);
    bench.clock.advance(Span::hours(30).duration());
    assert_eq!(start_up(&bench, &gateway).await, 1);
    assert!(gateway.peers(office).is_empty());
    let key_digest = digest_of(1);
    let found = Event::StrayPeerFound { key_digest, ours: true };
    assert_eq!(strays_told_of(&bench).await, [found, Event::StrayPeerGone { key_digest }]);
}

/// Within its lease: the key of a device that is gone becomes another's while the gateway is told to take it out.
#[tokio::test]
async fn a_device_that_takes_over_a_key_while_it_is_taken_out_is_put_in_force() {
    let (bench, gateway, office, _, device) = scene().await;
    work(&bench.service, &gateway).await;
    bench.admin().remove_device(&CLI, device).await.unwrap();
    let dora = bench.user("dora").await.id;
    bench.mark_enrolled(dora).await;
    let issued = bench.start(dora, Purpose::Device).await.unwrap();
    let session = bench.begin(&issued.token).await.unwrap();
    let (service, real) = (bench.service.clone(), gateway.clone());
    let rival = async move {
        let request = DeviceRequest { name: "laptop".parse().unwrap(), key: DeviceKey::Given(public_key(1)) };
        service.enrollee().set_device(&session, &request, CLI.origin).await.unwrap();
        work(&service, &real).await;
    };
    let raced = Raced::new(&gateway).before_apply(rival);
    assert_eq!(PeerWorker::new(bench.service.clone(), raced).run_once().await.unwrap(), 1);
    assert!(gateway.peers(office).is_empty(), "the removal came last");
    work(&bench.service, &gateway).await;
    assert_eq!(gateway.peers(office), intended(&bench, office).await);
    assert_eq!(gateway.peers(office).len(), 1);
}

/// Its address is another device's by then.
#[tokio::test]
async fn what_comes_back_when_its_address_is_anothers_is_still_known_as_ours() {
    let bench = Bench::new();
    let gateway = Arc::new(FakeProvisioner::new());
    let office = bench.location("office", None).await;
    let location = bench.record::<Location>(office.uuid()).await.unwrap();
    // Room for one.
    let pools = vec!["10.1.0.0/30".parse().unwrap()];
    bench.commit(vec![location.put(&Location { pools, ..location.record.clone() })]).await;
    let (_, device) = with_device(&bench, "alice", 1).await;
    work(&bench.service, &gateway).await;
    let peer = gateway.peers(office).remove(0);
    bench.admin().remove_device(&CLI, device).await.unwrap();
    work(&bench.service, &gateway).await;
    bench.clock.advance(Span::hours(30).duration());
    with_device(&bench, "bob", 2).await;
    work(&bench.service, &gateway).await;
    let bobs = gateway.peers(office);
    assert_eq!(bobs[0].addresses, peer.addresses);

    gateway.put_by_hand(office, peer);
    assert_eq!(start_up(&bench, &gateway).await, 1);
    assert_eq!(gateway.peers(office), bobs);
}

#[tokio::test]
async fn a_stalled_removal_that_wakes_after_the_user_is_back_takes_no_peer_out() {
    let (bench, gateway, office, alice, _) = scene().await;
    work(&bench.service, &gateway).await;
    bench.admin().change_user(&CLI, alice, be(UserStatus::Disabled)).await.unwrap();
    let service = bench.service.clone();
    let enable = async move {
        service.administrator().change_user(&CLI, alice, be(UserStatus::Active)).await.unwrap();
    };
    stalls(&bench, &gateway, enable).await;
    assert!(gateway.peers(office).is_empty(), "it came last");
    work(&bench.service, &gateway).await;
    assert_eq!(gateway.peers(office), intended(&bench, office).await);
    assert_eq!(gateway.peers(office).len(), 1);
}
