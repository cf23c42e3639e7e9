//! Gateways are compared with what is intended, and converge (DEV-4).

use std::sync::Arc;
use std::sync::atomic::Ordering;

use enrollment_core::domain::attachment::PeerState;
use enrollment_core::domain::event::Event;
use enrollment_core::domain::location::Ownership;
use enrollment_core::domain::user::UserStatus;
use enrollment_core::id::{LocationId, UserId};
use enrollment_core::port::{Clock, Observation, Op, PeerChange, PeerProvisioner, PeerSpec, Store};
use enrollment_core::record::Stored;
use enrollment_core::service::Service;
use enrollment_core::service::administrator::{LocationPatch, PeerStatus, UserPatch};
use enrollment_core::time::Span;
use enrollment_core::worker::{PeerWorker, Reconciler};
use enrollment_sqlx::{SqliteOptions, SqlxStore};
use enrollment_testkit::fake::{FakeProvisioner, FaultyStore, Moment, Outage};
use enrollment_wireguard::WgQuickFile;

use crate::bench::{Bench, CLI, public_key};
use crate::gateways::{LATER, Raced, attachments, intended, report, start_up, strays_told_of, with_device, work};

async fn switch(service: &Service, user: UserId, status: UserStatus) {
    let patch = UserPatch { status: Some(status), ..UserPatch::default() };
    service.administrator().change_user(&CLI, user, patch).await.unwrap();
}

async fn own(bench: &Bench, location: LocationId, ownership: Ownership) {
    let patch = LocationPatch { ownership: Some(ownership), ..LocationPatch::default() };
    bench.admin().change_location(&CLI, location, patch).await.unwrap();
}

fn strange(key: u8) -> PeerSpec {
    PeerSpec { public_key: public_key(key), addresses: vec!["192.0.2.7".parse().unwrap()] }
}

/// Three people with a device each in force at one location.
async fn three(bench: &Bench, gateway: &Arc<FakeProvisioner>) -> (LocationId, Vec<UserId>) {
    let office = bench.location("office", None).await;
    let mut users = Vec::new();
    for (username, key) in [("alice", 1), ("bob", 2), ("carol", 3)] {
        users.push(with_device(bench, username, key).await.0);
    }
    work(&bench.service, gateway).await;
    assert_eq!(gateway.peers(office).len(), 3);
    (office, users)
}

/// DEV-4
#[tokio::test]
async fn a_gateway_that_lost_its_peers_gets_them_back() {
    let bench = Bench::new();
    let gateway = Arc::new(FakeProvisioner::new());
    let (office, _) = three(&bench, &gateway).await;
    let before = gateway.peers(office);
    assert_eq!(start_up(&bench, &gateway).await, 0, "all is as intended");
    gateway.lose_interface(office);
    let reconciler = Reconciler::new(bench.service.clone(), gateway.clone());
    assert_eq!(reconciler.run_once().await.unwrap(), 3);
    assert_eq!(report(&bench, office).await.counts.pending, 3, "nobody says that they are in force");
    work(&bench.service, &gateway).await;
    assert_eq!((gateway.peers(office), report(&bench, office).await.counts.applied), (before, 3));
    let lost = bench.audit().await.into_iter().filter(|entry| entry.event == Event::PeerLost).count();
    assert_eq!(lost, 3);
    assert_eq!(reconciler.run_once().await.unwrap(), 0, "its time has not come");
    bench.clock.advance(LATER.duration());
    assert_eq!(reconciler.run_once().await.unwrap(), 0, "all is as intended again");
}

/// DEV-4, DEV-5: the gateway's configuration as it was before somebody left, moved and came.
#[tokio::test]
async fn a_gateway_that_went_back_to_an_old_state_converges() {
    let bench = Bench::new();
    let gateway = Arc::new(FakeProvisioner::new());
    let (office, users) = three(&bench, &gateway).await;
    let old = gateway.peers(office);
    switch(&bench.service, users[0], UserStatus::Disabled).await;
    let bobs = bench.admin().devices_of(&CLI, users[1]).await.unwrap().remove(0).device.id;
    bench.admin().remove_device(&CLI, bobs).await.unwrap();
    with_device(&bench, "dora", 4).await;
    work(&bench.service, &gateway).await;
    let now = gateway.peers(office);
    assert_eq!(now, intended(&bench, office).await);

    gateway.lose_interface(office);
    old.iter().for_each(|peer| gateway.put_by_hand(office, peer.clone()));
    let moved = PeerSpec { public_key: public_key(3), addresses: vec!["10.1.0.200".parse().unwrap()] };
    gateway.put_by_hand(office, moved);
    assert_eq!(start_up(&bench, &gateway).await, 4, "one disabled, one removed, one moved, one missing");
    assert_eq!(gateway.peers(office), now);
    let bobs_key = public_key(2).to_string();
    assert_eq!(
        strays_told_of(&bench).await,
        [
            Event::StrayPeerFound { public_key: bobs_key.clone(), ours: true },
            Event::StrayPeerGone { public_key: bobs_key },
        ],
        "of a removed device nothing is left but its address, which says whose it was"
    );
    assert_eq!(start_up(&bench, &gateway).await, 0);
}

/// DEV-4
#[tokio::test]
async fn a_strangers_key_is_reported_once_and_never_touched() {
    let bench = Bench::new();
    let gateway = Arc::new(FakeProvisioner::new());
    let (office, _) = three(&bench, &gateway).await;
    gateway.put_by_hand(office, strange(90));
    let asked = gateway.asked(office).len();
    let reconciler = Reconciler::new(bench.service.clone(), gateway.clone());
    let found = Event::StrayPeerFound { public_key: public_key(90).to_string(), ours: false };
    for _ in 0..3 {
        assert_eq!(reconciler.run_once().await.unwrap(), 0);
        assert_eq!(start_up(&bench, &gateway).await, 0, "nor by a server that starts");
        assert_eq!(strays_told_of(&bench).await, [found.clone()]);
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
    let gone = Event::StrayPeerGone { public_key: public_key(90).to_string() };
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
    let issued = bench.start(mallory.id, enrollment_core::domain::enrollment::Purpose::Onboarding).await.unwrap();
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
    let found = Event::StrayPeerFound { public_key: public_key(90).to_string(), ours: false };

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

/// DEV-4: whoever reads of a gateway late decides nothing by it.
#[tokio::test]
async fn a_reconciler_with_an_old_observation_puts_nothing_back_and_takes_nothing_out() {
    for look in [1, 2] {
        let bench = Bench::new();
        let gateway = Arc::new(FakeProvisioner::new());
        let (office, users) = three(&bench, &gateway).await;
        switch(&bench.service, users[1], UserStatus::Disabled).await;
        work(&bench.service, &gateway).await;
        // What it sees: alice missing, and bob, who is disabled, in force.
        let bobs = attachments(&bench, bench.admin().devices_of(&CLI, users[1]).await.unwrap()[0].device.id).await;
        gateway.put_by_hand(office, PeerSpec { public_key: public_key(2), addresses: bobs[0].addresses.clone() });
        let alices = gateway.peers(office).into_iter().find(|peer| peer.public_key == public_key(1)).unwrap();
        let outside = Arc::new(FakeProvisioner::new());
        for peer in gateway.peers(office).into_iter().filter(|peer| *peer != alices) {
            outside.put_by_hand(office, peer);
        }
        let (service, real) = (bench.service.clone(), gateway.clone());
        let (alice, bob) = (users[0], users[1]);
        let rival = async move {
            switch(&service, alice, UserStatus::Disabled).await;
            switch(&service, bob, UserStatus::Active).await;
            work(&service, &real).await;
        };
        let stale = Raced::new(&outside).after_observe(look, rival);
        let reconciler = Reconciler::new(bench.service.clone(), stale);
        reconciler.run_once().await.unwrap();
        work(&bench.service, &gateway).await;
        let peers: Vec<_> = gateway.peers(office).into_iter().map(|peer| peer.public_key).collect();
        assert!(!peers.contains(&public_key(1)), "revoked, and put back by an observation from before ({look})");
        assert!(peers.contains(&public_key(2)), "let in, and taken out by an observation from before ({look})");
    }
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
    let issued = bench.start(dora, enrollment_core::domain::enrollment::Purpose::Device).await.unwrap();
    let session = bench.begin(&issued.token).await.unwrap();
    let (service, real) = (bench.service.clone(), gateway.clone());
    let rival = async move {
        use enrollment_core::service::enrollee::{DeviceKey, DeviceRequest};
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

/// DEV-4: every store call of a worker that dies, on either side of its effect.
#[tokio::test]
async fn what_was_applied_and_not_recorded_is_applied_again() {
    let mut call = 1;
    loop {
        let mut died = false;
        for moment in [Moment::Before, Moment::After] {
            let bench = Bench::new();
            let gateway = Arc::new(FakeProvisioner::new());
            let office = bench.location("office", None).await;
            let (alice, _) = with_device(&bench, "alice", 1).await;
            with_device(&bench, "bob", 2).await;
            let faulty = Arc::new(FaultyStore::new(Arc::clone(&bench.store)));
            faulty.die_at(call, moment);
            // Whether it died is not what is asked here.
            let _died = PeerWorker::new(bench.through(faulty.clone()), gateway.clone()).run_once().await;
            died |= faulty.calls() >= call;
            bench.clock.advance(LATER.duration());
            work(&bench.service, &gateway).await;
            assert_eq!(gateway.peers(office), intended(&bench, office).await, "{call} {moment:?}");
            let status = bench.admin().devices_of(&CLI, alice).await.unwrap().remove(0).status;
            assert_eq!(status, PeerStatus::Applied, "{call} {moment:?}");
        }
        if !died {
            break;
        }
        call += 1;
    }
    assert!(call > 5, "the search saw {call} calls");
}

/// DEV-4: what a gateway cannot tell, it is told.
#[tokio::test]
async fn a_gateway_that_cannot_list_its_peers_is_told_of_all_of_them_at_start_up() {
    let bench = Bench::new();
    let gateway = Arc::new(FakeProvisioner::new());
    let (office, users) = three(&bench, &gateway).await;
    switch(&bench.service, users[0], UserStatus::Disabled).await;
    work(&bench.service, &gateway).await;
    let now = gateway.peers(office);
    gateway.set_outage(office, Some(Outage::NotEnumerable));
    gateway.lose_interface(office);
    let alices = attachments(&bench, bench.admin().devices_of(&CLI, users[0]).await.unwrap()[0].device.id).await;
    gateway.put_by_hand(office, PeerSpec { public_key: public_key(1), addresses: alices[0].addresses.clone() });
    let reconciler = Reconciler::new(bench.service.clone(), gateway.clone());
    assert_eq!(reconciler.run_once().await.unwrap(), 3);
    work(&bench.service, &gateway).await;
    assert_eq!(gateway.peers(office), now);
    let trouble = report(&bench, office).await.watch.unwrap().trouble;
    assert_eq!(trouble.as_deref(), Some("this gateway cannot list its peers"));
    bench.clock.advance(LATER.duration());
    assert_eq!(reconciler.run_once().await.unwrap(), 0, "once");
}

#[tokio::test]
async fn a_gateway_that_does_not_answer_is_shown_and_holds_up_no_other() {
    let bench = Bench::new();
    let gateway = Arc::new(FakeProvisioner::new());
    let (office, _) = three(&bench, &gateway).await;
    let other = bench.location("zoo", None).await;
    with_device(&bench, "dora", 4).await;
    work(&bench.service, &gateway).await;
    gateway.set_outage(office, Some(Outage::Unreachable));
    gateway.lose_interface(office);
    gateway.lose_interface(other);
    assert_eq!(start_up(&bench, &gateway).await, 1);
    assert_eq!(gateway.peers(other), intended(&bench, other).await);
    let trouble = report(&bench, office).await.watch.unwrap().trouble;
    assert_eq!(trouble.as_deref(), Some("the gateway does not answer"));
    gateway.set_outage(office, None);
    assert_eq!(start_up(&bench, &gateway).await, 4);
    assert_eq!(gateway.peers(office), intended(&bench, office).await);
    assert_eq!(report(&bench, office).await.watch.unwrap().trouble, None);
}

/// Several processes look at a gateway once per interval, all together.
#[tokio::test]
async fn reconcilers_that_have_met_a_gateway_share_the_work() {
    let bench = Bench::new();
    let gateway = Arc::new(FakeProvisioner::new());
    three(&bench, &gateway).await;
    let seen = Arc::new(Raced::new(&gateway));
    let reconcilers = [(); 3].map(|()| Reconciler::new(bench.service.clone(), seen.clone()));
    for round in 0..3 {
        for reconciler in &reconcilers {
            reconciler.run_once().await.unwrap();
            bench.clock.advance(Span::seconds(1).duration());
        }
        assert_eq!(seen.observed.load(Ordering::SeqCst), 3 + round, "each when it starts, then one of them");
        bench.clock.advance(LATER.duration());
    }
}

/// A key whose record cannot be read is nobody's stranger.
#[tokio::test]
async fn a_damaged_record_costs_no_peer_anything() {
    let bench = Bench::new();
    let gateway = Arc::new(FakeProvisioner::new());
    let (office, users) = three(&bench, &gateway).await;
    own(&bench, office, Ownership::Exclusive).await;
    let device = bench.admin().devices_of(&CLI, users[0]).await.unwrap().remove(0);
    let whole: Stored<enrollment_core::domain::attachment::Attachment> =
        bench.record(device.attachments[0].id.uuid()).await.unwrap();
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

/// DEV-4: a database restored from a backup knows nothing of what happened since.
#[tokio::test]
async fn a_restored_database_has_its_peers_converge_and_reports_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let (file, backup) = (folder.path().join("now.db"), folder.path().join("backup.db"));
    let gateway = Arc::new(FakeProvisioner::new());
    let store = Arc::new(SqlxStore::open_sqlite(&file, SqliteOptions::default()).await.unwrap());
    let bench = Bench::on(store.clone(), 7);
    let (office, users) = three(&bench, &gateway).await;
    store.close().await;
    std::fs::copy(&file, &backup).unwrap();

    let store = Arc::new(SqlxStore::open_sqlite(&file, SqliteOptions::default()).await.unwrap());
    let since = Bench::on(store.clone(), 8);
    since.clock.set(bench.clock.now().plus(Span::hours(1).duration()));
    with_device(&since, "dora", 4).await;
    let alices = since.admin().devices_of(&CLI, users[0]).await.unwrap().remove(0).device.id;
    since.admin().remove_device(&CLI, alices).await.unwrap();
    work(&since.service, &gateway).await;
    let doras = gateway.peers(office).into_iter().find(|peer| peer.public_key == public_key(4)).unwrap();
    store.close().await;

    let store: Arc<dyn Store> = Arc::new(SqlxStore::open_sqlite(&backup, SqliteOptions::default()).await.unwrap());
    let restored = Bench::on(store, 9);
    restored.clock.set(since.clock.now().plus(Span::hours(1).duration()));
    start_up(&restored, &gateway).await;
    let mut expected = intended(&restored, office).await;
    assert_eq!(expected.len(), 3, "what the backup knows is in force");
    expected.push(doras);
    expected.sort_by_key(|peer| peer.public_key);
    assert_eq!(gateway.peers(office), expected);
    let found = Event::StrayPeerFound { public_key: public_key(4).to_string(), ours: false };
    assert_eq!(strays_told_of(&restored).await, [found]);
    own(&restored, office, Ownership::Exclusive).await;
    restored.clock.advance(LATER.duration());
    start_up(&restored, &gateway).await;
    assert_eq!(gateway.peers(office), intended(&restored, office).await);
}

/// DEV-4: the file was deleted, emptied, or is one of yesterday. What stands outside our block is its administrator's.
#[tokio::test]
async fn a_wg_quick_file_that_was_lost_emptied_or_restored_converges() {
    let bench = Bench::new();
    let folder = tempfile::tempdir().unwrap();
    let gateway = Arc::new(WgQuickFile::new(folder.path()));
    let office = bench.location("office", None).await;
    let file = gateway.path(office);
    let theirs = format!("[Interface]\n[Peer]\nPublicKey = {}\nAllowedIPs = 192.0.2.7/32\n", public_key(90));
    std::fs::write(&file, &theirs).unwrap();
    let converge = async || {
        Reconciler::new(bench.service.clone(), gateway.clone()).run_once().await.unwrap();
        let worker = PeerWorker::new(bench.service.clone(), gateway.clone());
        while worker.run_once().await.unwrap() > 0 {}
        let Observation::Peers(mut peers) = gateway.observe(office).await.unwrap() else { panic!("it lists them") };
        peers.sort_by_key(|peer| peer.public_key);
        peers
    };
    let (_, laptop) = with_device(&bench, "alice", 1).await;
    converge().await;
    let yesterday = std::fs::read(&file).unwrap();
    bench.admin().remove_device(&CLI, laptop).await.unwrap();
    with_device(&bench, "bob", 2).await;
    let mut now = intended(&bench, office).await;
    now.push(PeerSpec { public_key: public_key(90), addresses: strange(90).addresses });
    now.sort_by_key(|peer| peer.public_key);
    assert_eq!(converge().await, now);

    std::fs::write(&file, yesterday).unwrap();
    assert_eq!(converge().await, now, "restored");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.starts_with(&theirs), "the administrator's lines are as they were");
    own(&bench, office, Ownership::Exclusive).await;
    assert_eq!(converge().await, now, "what stands outside the block is out of reach");
    let failure = report(&bench, office).await.watch.unwrap().strays.remove(0).failure;
    assert!(failure.is_some_and(|failure| failure.contains("outside the block")));
    now.retain(|peer| peer.public_key != public_key(90));
    std::fs::write(&file, "").unwrap();
    assert_eq!(converge().await, now, "emptied");
    std::fs::remove_file(&file).unwrap();
    assert_eq!(converge().await, now, "lost");
}

/// More than a page, and more than one change of corrections.
#[tokio::test]
async fn a_location_of_more_than_a_page_converges_in_bounded_changes() {
    let bench = Bench::new();
    let gateway = Arc::new(FakeProvisioner::new());
    let office = bench.location("office", None).await;
    let (_, device) = with_device(&bench, "alice", 1).await;
    work(&bench.service, &gateway).await;
    let sample = attachments(&bench, device).await.remove(0);
    for batch in 0..11_u16 {
        let another = |nth: u16| {
            let mut bytes = [9; 32];
            bytes[..2].copy_from_slice(&(batch * 100 + nth).to_be_bytes());
            let id = enrollment_core::id::AttachmentId::new(bench.clock.now(), bench.entropy());
            let device = enrollment_core::id::DeviceId::new(bench.clock.now(), bench.entropy());
            let public_key = enrollment_core::domain::device::PublicKey::from_bytes(bytes).unwrap();
            let addresses = vec![std::net::Ipv4Addr::from_bits(0x0a02_0000 + u32::from(batch * 100 + nth)).into()];
            enrollment_core::record::new_row(&enrollment_core::domain::attachment::Attachment {
                id,
                device,
                public_key,
                addresses,
                state: PeerState::Applied,
                ..sample.clone()
            })
        };
        bench.commit((0..100).map(another).collect()).await;
    }
    assert_eq!(start_up(&bench, &gateway).await, 1_100);
    assert_eq!(gateway.peers(office).len(), 1_101);
    assert_eq!(report(&bench, office).await.counts.applied, 1_101);
    let ensured = gateway.asked(office).into_iter().filter(|asked| matches!(asked, PeerChange::Ensure(_))).count();
    assert_eq!(ensured, 1_101, "each once");
}
