//! Gateways are compared with what is intended, and converge (DEV-4).

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use enrollment_core::domain::attachment::{Attachment, PeerState};
use enrollment_core::domain::device::PublicKey;
use enrollment_core::domain::event::Event;
use enrollment_core::domain::location::Ownership;
use enrollment_core::domain::user::UserStatus;
use enrollment_core::id::{AttachmentId, DeviceId};
use enrollment_core::port::{Clock, Observation, PeerChange, PeerProvisioner, PeerSpec, Store, StoreErrorKind};
use enrollment_core::record::new_row;
use enrollment_core::service::administrator::PeerStatus;
use enrollment_core::time::Span;
use enrollment_core::worker::{PeerWorker, Reconciler};
use enrollment_sqlx::{SqliteOptions, SqlxStore};
use enrollment_testkit::fake::{FakeProvisioner, FaultyStore, Moment, Outage, Trouble};
use enrollment_wireguard::WgQuickFile;

use crate::bench::{Bench, CLI, public_key};
use crate::gateways::{
    LATER, Raced, attachments, digest_of, intended, own, report, start_up, strange, strays_told_of, switch, three,
    with_device, work,
};

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
    let bobs_key = digest_of(2);
    assert_eq!(
        strays_told_of(&bench).await,
        [Event::StrayPeerFound { key_digest: bobs_key, ours: true }, Event::StrayPeerGone { key_digest: bobs_key },],
        "of a removed device nothing is left but its address, which says whose it was"
    );
    assert_eq!(start_up(&bench, &gateway).await, 0);
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

/// DEV-4: every store call of a worker that dies, on either side of its effect.
#[tokio::test]
async fn what_was_applied_and_not_recorded_is_applied_again() {
    assert_eq!(search(0).await, ["lease", "get", "commit"].len());
    let alone = ["lease", "get", "commit", "commit", "commit"];
    assert_eq!(search(1).await, alone.len());
}

/// How many calls a worker made for two peers, each of which it died at; so many of its first commits are refused.
async fn search(refused: usize) -> usize {
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
            faulty.trouble_commits(refused, Trouble::Error(StoreErrorKind::Busy));
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
            return usize::try_from(call).unwrap() - 1;
        }
        call += 1;
    }
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
    let found = Event::StrayPeerFound { key_digest: digest_of(4), ours: false };
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
            let id = AttachmentId::new(bench.clock.now(), bench.entropy());
            let device = DeviceId::new(bench.clock.now(), bench.entropy());
            let public_key = PublicKey::from_bytes(bytes).unwrap();
            let addresses = vec![Ipv4Addr::from_bits(0x0a02_0000 + u32::from(batch * 100 + nth)).into()];
            new_row(&Attachment { id, device, public_key, addresses, state: PeerState::Applied, ..sample.clone() })
        };
        bench.commit((0..100).map(another).collect()).await;
    }
    assert_eq!(start_up(&bench, &gateway).await, 1_100);
    assert_eq!(gateway.peers(office).len(), 1_101);
    assert_eq!(report(&bench, office).await.counts.applied, 1_101);
    let ensured = gateway.asked(office).into_iter().filter(|asked| matches!(asked, PeerChange::Ensure(_))).count();
    assert_eq!(ensured, 1_101, "each once");
}
