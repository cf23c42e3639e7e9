//! Peers at a gateway that nobody intends (DEV-4).

use std::sync::Arc;

use enrollment_core::domain::attachment::Attachment;
use enrollment_core::domain::enrollment::Purpose;
use enrollment_core::domain::event::Event;
use enrollment_core::domain::location::Ownership;
use enrollment_core::port::Op;
use enrollment_core::record::Stored;
use enrollment_core::service::enrollee::{DeviceKey, DeviceRequest};
use enrollment_core::worker::Reconciler;
use enrollment_testkit::fake::{FakeProvisioner, FaultyStore, Moment, Outage};

use crate::bench::{Bench, CLI, public_key};
use crate::gateways::{LATER, Raced, digest_of, intended, own, report, start_up, strange, strays_told_of, three, work};

/// DEV-4
#[tokio::test]
async fn a_strangers_key_is_reported_once_and_never_touched() {
    let bench = Bench::new();
    let gateway = Arc::new(FakeProvisioner::new());
    let (office, _) = three(&bench, &gateway).await;
    gateway.put_by_hand(office, strange(90));
    let asked = gateway.asked(office).len();
    let reconciler = Reconciler::new(bench.service.clone(), gateway.clone());
    let found = Event::StrayPeerFound { key_digest: digest_of(90), ours: false };
    for _ in 0..3 {
        assert_eq!(reconciler.run_once().await.unwrap(), 0);
        assert_eq!(start_up(&bench, &gateway).await, 0, "nor by a server that starts");
        assert_eq!(strays_told_of(&bench).await, std::slice::from_ref(&found));
        let report = report(&bench, office).await;
        assert_eq!((report.unknown(), report.counts.applied), (1, 3));
        let stray = report.watch.unwrap().strays.remove(0);
        assert_eq!((stray.public_key, stray.addresses, stray.ours), (public_key(90), strange(90).addresses, false));
        bench.clock.advance(LATER.duration());
    }
    assert_eq!(gateway.asked(office).len(), asked, "the gateway was asked for nothing");
    gateway.lose_interface(office);
    start_up(&bench, &gateway).await;
    assert_eq!(report(&bench, office).await.unknown(), 0);
    let gone = Event::StrayPeerGone { key_digest: digest_of(90) };
    assert_eq!(strays_told_of(&bench).await, [found, gone]);
}

/// DEV-4: a stranger's key stays a stranger's when somebody claims it as theirs and is not let in yet.
#[tokio::test]
async fn claiming_a_strangers_key_for_a_staged_device_takes_no_peer_from_anybody() {
    let bench = Bench::new();
    let gateway = Arc::new(FakeProvisioner::new());
    let (office, _) = three(&bench, &gateway).await;
    gateway.put_by_hand(office, strange(90));
    start_up(&bench, &gateway).await;
    let mallory = bench.user("mallory").await;
    let issued = bench.start(mallory.id, Purpose::Onboarding).await.unwrap();
    let session = bench.begin(&issued.token).await.unwrap();
    bench.add_device(&session, 90).await;
    start_up(&bench, &gateway).await;
    assert!(gateway.peers(office).contains(&strange(90)));
    assert_eq!(report(&bench, office).await.unknown(), 1);
}

/// DEV-4
#[tokio::test]
async fn at_a_location_that_is_ours_alone_a_strangers_key_is_removed_after_a_report() {
    let bench = Bench::new();
    let gateway = Arc::new(FakeProvisioner::new());
    let (office, _) = three(&bench, &gateway).await;
    own(&bench, office, Ownership::Exclusive).await;
    gateway.put_by_hand(office, strange(90));
    let found = Event::StrayPeerFound { key_digest: digest_of(90), ours: false };

    // The report does not take effect: nothing is removed.
    let faulty = Arc::new(FaultyStore::new(Arc::clone(&bench.store)));
    let service = bench.through(faulty.clone());
    let mut call = 1;
    while strays_told_of(&bench).await.is_empty() {
        assert!(gateway.peers(office).contains(&strange(90)), "removed before it was reported, at call {call}");
        faulty.die_at(call, Moment::Before);
        let _died = Reconciler::new(service.clone(), gateway.clone()).run_once().await;
        faulty.revive();
        call += 1;
    }
    // It took effect, and the gateway refuses.
    gateway.put_by_hand(office, strange(91));
    gateway.set_outage(office, Some(Outage::Refuses));
    start_up(&bench, &gateway).await;
    let strays = report(&bench, office).await.watch.unwrap().strays;
    let why = strays.iter().find(|stray| stray.public_key == public_key(91)).unwrap().failure.as_deref();
    assert_eq!(why, Some("the gateway refuses this peer"));

    gateway.set_outage(office, None);
    start_up(&bench, &gateway).await;
    assert_eq!(gateway.peers(office), intended(&bench, office).await);
    let told = strays_told_of(&bench).await;
    assert!(told.contains(&found));
    assert_eq!((told.len(), report(&bench, office).await.unknown()), (4, 0), "{told:?}");
}

/// DEV-4: a key that becomes a device's while the reconciler takes it out.
#[tokio::test]
async fn a_device_that_comes_while_its_key_is_taken_out_is_put_in_force() {
    let bench = Bench::new();
    let gateway = Arc::new(FakeProvisioner::new());
    let (office, _) = three(&bench, &gateway).await;
    own(&bench, office, Ownership::Exclusive).await;
    gateway.put_by_hand(office, strange(4));
    let dora = bench.user("dora").await.id;
    bench.mark_enrolled(dora).await;
    let issued = bench.start(dora, Purpose::Device).await.unwrap();
    let session = bench.begin(&issued.token).await.unwrap();
    let (service, real) = (bench.service.clone(), gateway.clone());
    let rival = async move {
        let request = DeviceRequest { name: "laptop".parse().unwrap(), key: DeviceKey::Given(public_key(4)) };
        service.enrollee().set_device(&session, &request, CLI.origin).await.unwrap();
        work(&service, &real).await;
    };
    let raced = Raced::new(&gateway).before_apply(rival);
    Reconciler::new(bench.service.clone(), raced).run_once().await.unwrap();
    assert!(!gateway.peers(office).iter().any(|peer| peer.public_key == public_key(4)), "the removal came last");
    work(&bench.service, &gateway).await;
    assert_eq!(gateway.peers(office), intended(&bench, office).await);
    assert_eq!(gateway.peers(office).len(), 4);
}

/// A key whose record cannot be read is nobody's stranger.
#[tokio::test]
async fn a_damaged_record_costs_no_peer_anything() {
    let bench = Bench::new();
    let gateway = Arc::new(FakeProvisioner::new());
    let (office, users) = three(&bench, &gateway).await;
    own(&bench, office, Ownership::Exclusive).await;
    let device = bench.admin().devices_of(&CLI, users[0]).await.unwrap().remove(0);
    let whole: Stored<Attachment> = bench.record(device.attachments[0].id.uuid()).await.unwrap();
    let mut damaged = whole.put(&whole.record);
    let Op::Put { next, .. } = &mut damaged else { panic!("not written") };
    next.body.json = "{}".to_owned();
    bench.commit(vec![damaged]).await;
    let before = gateway.peers(office);
    gateway.lose_interface(office);
    before.iter().take(2).for_each(|peer| gateway.put_by_hand(office, peer.clone()));
    start_up(&bench, &gateway).await;
    assert_eq!(gateway.peers(office), before, "the one that was missing is back, and none was taken out");
    assert!(strays_told_of(&bench).await.is_empty());
}
