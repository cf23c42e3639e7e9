//! Who reaches a location changes, and with it who has a peer there.

use std::sync::Arc;

use enrollment_core::domain::attachment::{Attachment, PeerState};
use enrollment_core::domain::device::{Device, PublicKey};
use enrollment_core::domain::enrollment::Purpose;
use enrollment_core::domain::group::Access;
use enrollment_core::domain::location::Location;
use enrollment_core::id::{AttachmentId, DeviceId, LocationId, Number, UserId};
use enrollment_core::port::{Clock, Op};
use enrollment_core::record::{IndexName, new_row};
use enrollment_core::service::Service;
use enrollment_core::service::administrator::{LocationPatch, UserPatch};
use enrollment_core::service::enrollee::{DeviceKey, DeviceRequest};
use enrollment_core::worker::PeerWorker;
use enrollment_testkit::fake::FakeProvisioner;

use crate::bench::{Bench, CLI, code, groups, public_key};

fn only(names: &[&str]) -> LocationPatch {
    LocationPatch { access: Some(Access::Groups(groups(names))), ..LocationPatch::default() }
}

async fn open_to(service: &Service, location: LocationId, names: &[&str]) {
    service.administrator().change_location(&CLI, location, only(names)).await.unwrap();
}

async fn join(service: &Service, user: UserId, names: &[&str]) {
    let patch = UserPatch { groups: Some(groups(names)), ..UserPatch::default() };
    service.administrator().change_user(&CLI, user, patch).await.unwrap();
}

async fn member(bench: &Bench, username: &str, group: &str) -> UserId {
    let user = bench.user(username).await;
    join(&bench.service, user.id, &[group]).await;
    bench.mark_enrolled(user.id).await;
    user.id
}

async fn run(bench: &Bench) {
    let worker = PeerWorker::new(bench.service.clone(), Arc::new(FakeProvisioner::new()));
    while worker.run_once().await.unwrap() > 0 {}
}

async fn state(bench: &Bench, device: DeviceId) -> PeerState {
    bench.all::<Attachment>(IndexName::AttachmentsByDevice, &device.to_string()).await.remove(0).state
}

/// DEV-5, DEV-7.
#[tokio::test]
async fn peers_of_people_who_are_no_longer_admitted_go_and_come_back_when_they_are() {
    let bench = Bench::new();
    let location = bench.location("office", Some("staff")).await;
    let (alice, bob) = (member(&bench, "alice", "staff").await, member(&bench, "bob", "sales").await);
    open_to(&bench.service, location, &["staff", "sales"]).await;
    let (of_alice, of_bob) = (bench.device_of(alice, 1).await.id, bench.device_of(bob, 2).await.id);
    run(&bench).await;
    let states = async || (state(&bench, of_alice).await, state(&bench, of_bob).await);
    assert_eq!(states().await, (PeerState::Applied, PeerState::Applied));

    open_to(&bench.service, location, &["staff"]).await;
    assert_eq!(states().await, (PeerState::Applied, PeerState::Removing));
    run(&bench).await;
    assert_eq!(states().await, (PeerState::Applied, PeerState::Gone));

    open_to(&bench.service, location, &["sales"]).await;
    assert_eq!(states().await, (PeerState::Removing, PeerState::Intended));
    run(&bench).await;
    assert_eq!(states().await, (PeerState::Gone, PeerState::Applied));
    bench.admin().remove_device(&CLI, of_bob).await.unwrap();
    open_to(&bench.service, location, &["staff", "sales"]).await;
    assert_eq!(states().await, (PeerState::Intended, PeerState::Removing), "a removed device stays removed");
}

/// DEV-3.
#[tokio::test]
async fn a_staged_device_hears_nothing_of_it() {
    let bench = Bench::new();
    let location = bench.location("office", Some("staff")).await;
    let alice = bench.user("alice").await;
    join(&bench.service, alice.id, &["staff"]).await;
    let issued = bench.start(alice.id, Purpose::Onboarding).await.unwrap();
    let session = bench.begin(&issued.token).await.unwrap();
    let device = bench.add_device(&session, 1).await.id;
    for names in [&["sales"], &["staff"]] {
        open_to(&bench.service, location, names).await;
        assert_eq!(state(&bench, device).await, PeerState::Staged);
    }
}

/// DEV-7: the device comes after the peers were read, and against the location as it was.
#[tokio::test]
async fn a_device_that_comes_while_the_location_closes_is_no_peer() {
    let bench = Bench::new();
    let location = bench.location("office", Some("staff")).await;
    let alice = member(&bench, "alice", "staff").await;
    let issued = bench.start(alice, Purpose::Device).await.unwrap();
    let session = bench.begin(&issued.token).await.unwrap();
    let service = bench.raced(|rival| async move {
        let key = DeviceKey::Given(public_key(1));
        let request = DeviceRequest { name: "laptop".parse().unwrap(), key };
        rival.enrollee().set_device(&session, &request, CLI.origin).await.unwrap();
    });
    open_to(&service, location, &["sales"]).await;
    let device = bench.admin().devices_of(&CLI, alice).await.unwrap().remove(0).device.id;
    assert_eq!(state(&bench, device).await, PeerState::Removing);
}

/// DEV-7: each of the two changes alone would leave the peer in force.
#[tokio::test]
async fn whoever_changes_groups_while_the_location_closes_is_judged_by_both() {
    let bench = Bench::new();
    let location = bench.location("office", Some("staff")).await;
    open_to(&bench.service, location, &["staff", "sales"]).await;
    let alice = member(&bench, "alice", "staff").await;
    let device = bench.device_of(alice, 1).await.id;
    run(&bench).await;
    let service = bench.raced(|rival| async move { join(&rival, alice, &["sales"]).await });
    open_to(&service, location, &["staff"]).await;
    assert_eq!(state(&bench, device).await, PeerState::Removing);
}

/// As after the process died between the change and the peers that came meanwhile.
#[tokio::test]
async fn saying_who_is_admitted_again_aligns_what_is_left() {
    let bench = Bench::new();
    let location = bench.location("office", Some("staff")).await;
    let alice = member(&bench, "alice", "staff").await;
    let device = bench.device_of(alice, 1).await.id;
    let stored = bench.record::<Location>(location.uuid()).await.unwrap();
    let closed = Location { access: Access::Groups(groups(&["sales"])), ..stored.record.clone() };
    bench.commit(vec![stored.put(&closed)]).await;
    assert_eq!(state(&bench, device).await, PeerState::Intended);
    open_to(&bench.service, location, &["sales"]).await;
    assert_eq!(state(&bench, device).await, PeerState::Removing);
}

#[tokio::test]
async fn more_peers_than_fit_into_one_change_are_refused_and_stay() {
    let bench = Bench::new();
    let location = bench.location("office", Some("staff")).await;
    let alice = member(&bench, "alice", "staff").await;
    let first = bench.device_of(alice, 1).await.id;
    let device = bench.record::<Device>(first.uuid()).await.unwrap().record;
    let peer = bench.all::<Attachment>(IndexName::AttachmentsByDevice, &first.to_string()).await.remove(0);
    let another = |nth: u16| -> [Op; 2] {
        let now = bench.clock.now();
        let mut bytes = [9; 32];
        bytes[..2].copy_from_slice(&nth.to_be_bytes());
        let public_key = PublicKey::from_bytes(bytes).unwrap();
        let id = DeviceId::new(now, bench.entropy());
        let name = format!("number {nth}").parse().unwrap();
        let number = Number::new(bench.entropy());
        let id_there = AttachmentId::new(now, bench.entropy());
        [
            new_row(&Device { id, number, name, public_key, ..device.clone() }),
            new_row(&Attachment { id: id_there, device: id, public_key, ..peer.clone() }),
        ]
    };
    bench.commit((1..500).flat_map(another).collect()).await;
    bench.commit(another(500).into()).await;
    let refused = bench.admin().change_location(&CLI, location, only(&["sales"])).await;
    assert_eq!(refused.map(|_| ()).map_err(code), Err("invalid_field"));
    assert_eq!(state(&bench, first).await, PeerState::Intended);

    bench.admin().remove_device(&CLI, first).await.unwrap();
    open_to(&bench.service, location, &["sales"]).await;
    let peers = bench.all::<Attachment>(IndexName::AttachmentsByLocation, &location.to_string()).await;
    assert!(peers.len() == 501 && peers.iter().all(|peer| peer.state == PeerState::Removing));
}
