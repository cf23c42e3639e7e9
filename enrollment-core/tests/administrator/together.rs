//! Peers that are looked at and written down together: one that is taken away, changed or refused spoils no other (DEV-4).

use std::sync::Arc;

use async_trait::async_trait;
use enrollment_core::domain::attachment::PeerState;
use enrollment_core::domain::device::PublicKey;
use enrollment_core::domain::user::UserStatus;
use enrollment_core::id::{DeviceId, LocationId, UserId};
use enrollment_core::port::{
    Channel, Clock as _, LeaseRequest, Observation, PeerChange, PeerProvisioner, ProvisionError, SettleOutcome,
    Settlement, StoreErrorKind,
};
use enrollment_core::service::administrator::UserPatch;
use enrollment_core::time::Span;
use enrollment_core::worker::PeerWorker;
use enrollment_testkit::fake::{FakeProvisioner, FaultyStore, TracingStore, Trouble};

use crate::bench::{Bench, CLI, public_key};
use crate::gateways::{Raced, attachments, intended, switch, with_device, work};

const PEERS: u8 = 5;

struct Scene {
    bench: Bench,
    gateway: Arc<FakeProvisioner>,
    office: LocationId,
    /// Each with their device.
    users: Vec<(UserId, DeviceId)>,
}

/// Some devices that are intended, of which the gateway has not heard.
async fn scene() -> Scene {
    let bench = Bench::new();
    let gateway = Arc::new(FakeProvisioner::new());
    let office = bench.location("office", None).await;
    let mut users = Vec::new();
    for number in 1..=PEERS {
        users.push(with_device(&bench, &format!("user{number}"), number).await);
    }
    Scene { bench, gateway, office, users }
}

impl Scene {
    async fn run(&self, worker: PeerWorker) -> usize {
        worker.run_once().await.unwrap()
    }

    /// The gateway has what is intended, and so the records say.
    async fn has_converged(&self) {
        work(&self.bench.service, &self.gateway).await;
        let intended = intended(&self.bench, self.office).await;
        assert_eq!(self.gateway.peers(self.office), intended);
        let applied = self.states().await.into_iter().filter(|state| *state == PeerState::Applied).count();
        assert_eq!(applied, intended.len());
    }

    async fn states(&self) -> Vec<PeerState> {
        let mut states = Vec::new();
        for (_, device) in &self.users {
            states.push(attachments(&self.bench, *device).await.remove(0).state);
        }
        states
    }
}

#[tokio::test]
async fn peers_that_go_together_are_read_and_written_down_together() {
    let scene = scene().await;
    let store = Arc::new(TracingStore::new(scene.bench.store.clone()));
    let worker = PeerWorker::new(scene.bench.through(store.clone()), scene.gateway.clone());
    assert_eq!(scene.run(worker).await, usize::from(PEERS));
    let methods: Vec<_> = store.take().iter().map(|call| call.method).collect();
    assert_eq!(methods, ["lease", "get", "commit"]);
    assert_eq!(scene.states().await, [PeerState::Applied; PEERS as usize]);
    scene.has_converged().await;
}

#[tokio::test]
async fn a_user_who_is_disabled_while_the_gateway_is_told_spoils_no_other_peer() {
    let scene = scene().await;
    let (service, out) = (scene.bench.service.clone(), scene.users[2].0);
    let rival = async move {
        let disabled = UserPatch { status: Some(UserStatus::Disabled), ..UserPatch::default() };
        service.administrator().change_user(&CLI, out, disabled).await.unwrap();
    };
    let raced = Raced::new(&scene.gateway).before_apply(rival);
    assert_eq!(scene.run(PeerWorker::new(scene.bench.service.clone(), raced)).await, usize::from(PEERS));
    let states = scene.states().await;
    let expected = |nth| if nth == 2 { PeerState::Removing } else { PeerState::Applied };
    assert_eq!(states, [0, 1, 2, 3, 4].map(expected));
    scene.has_converged().await;
    assert_eq!(scene.gateway.peers(scene.office).len(), usize::from(PEERS) - 1);
}

#[tokio::test]
async fn a_peer_that_another_worker_took_over_spoils_no_other() {
    let scene = scene().await;
    let (store, clock) = (scene.bench.store.clone(), scene.bench.clock.clone());
    let thief = async move {
        // Its clock is ahead: all leases have ended, and it takes the first.
        let now = clock.now().plus(Span::minutes(2).duration());
        let until = now.plus(Span::minutes(2).duration());
        let request = LeaseRequest { channels: vec![Channel::Peer], now, until, limit: 1 };
        let stolen = store.lease(&request).await.unwrap().remove(0);
        let released = Settlement::Release { at: clock.now() };
        assert_eq!(store.settle(&stolen.lease, &released, now).await.unwrap(), SettleOutcome::Settled);
    };
    let raced = Raced::new(&scene.gateway).before_apply(thief);
    assert_eq!(scene.run(PeerWorker::new(scene.bench.service.clone(), raced)).await, usize::from(PEERS) - 1);
    let applied = scene.states().await.into_iter().filter(|state| *state == PeerState::Applied).count();
    assert_eq!(applied, usize::from(PEERS) - 1);
    scene.has_converged().await;
}

#[tokio::test]
async fn peers_that_cannot_be_written_down_together_are_written_down_alone() {
    for trouble in [StoreErrorKind::Busy, StoreErrorKind::Unavailable, StoreErrorKind::Misuse].map(Trouble::Error) {
        let scene = scene().await;
        let store = Arc::new(FaultyStore::new(scene.bench.store.clone()));
        store.trouble_commits(1, trouble);
        let worker = PeerWorker::new(scene.bench.through(store), scene.gateway.clone());
        assert_eq!(scene.run(worker).await, usize::from(PEERS), "{trouble:?}");
        scene.has_converged().await;
    }
}

/// Written down, and the answer lost again and again.
#[tokio::test]
async fn peers_whose_writing_down_was_answered_by_nobody_converge() {
    for lost in 1..=6 {
        let scene = scene().await;
        let store = Arc::new(FaultyStore::new(scene.bench.store.clone()));
        store.trouble_commits(lost, Trouble::AnswerLost);
        let worker = PeerWorker::new(scene.bench.through(store), scene.gateway.clone());
        // Whether it could tell is not what is asked here.
        let _outcome = worker.run_once().await;
        scene.bench.clock.advance(Span::minutes(10).duration());
        scene.has_converged().await;
        let asked = scene.gateway.asked(scene.office).len();
        assert_eq!(asked, usize::from(PEERS), "{lost}: what was written down is not done again");
    }
}

/// DEV-5: of one batch a gateway takes some, takes some out and refuses one.
#[tokio::test]
async fn a_peer_that_is_refused_or_taken_out_spoils_no_other() {
    let scene = scene().await;
    let (out, device) = scene.users[0];
    work(&scene.bench.service, &scene.gateway).await;
    for (user, _) in &scene.users {
        switch(&scene.bench.service, *user, UserStatus::Disabled).await;
    }
    work(&scene.bench.service, &scene.gateway).await;
    assert!(scene.gateway.peers(scene.office).is_empty());
    for (user, _) in &scene.users[1..] {
        switch(&scene.bench.service, *user, UserStatus::Active).await;
    }
    // Intended, and removed before any worker looks.
    switch(&scene.bench.service, out, UserStatus::Active).await;
    switch(&scene.bench.service, out, UserStatus::Disabled).await;

    let refusing = Arc::new(Refusing { inner: scene.gateway.clone(), key: public_key(3) });
    let worker = PeerWorker::new(scene.bench.service.clone(), refusing);
    while worker.run_once().await.unwrap() > 0 {}
    let expected = [PeerState::Gone, PeerState::Applied, PeerState::Intended, PeerState::Applied, PeerState::Applied];
    assert_eq!(scene.states().await, expected);
    let refused = attachments(&scene.bench, scene.users[2].1).await.remove(0);
    assert_eq!(refused.failure.as_deref(), Some("the gateway refuses this one"));
    assert_eq!(attachments(&scene.bench, device).await.remove(0).failure, None);
    scene.bench.clock.advance(Span::hours(1).duration());
    scene.has_converged().await;
}

/// A gateway that refuses one key.
#[derive(Debug)]
struct Refusing {
    inner: Arc<FakeProvisioner>,
    key: PublicKey,
}

#[async_trait]
impl PeerProvisioner for Refusing {
    async fn apply(&self, at: LocationId, changes: &[PeerChange]) -> Vec<Result<(), ProvisionError>> {
        let mut outcomes = Vec::new();
        for change in changes {
            outcomes.push(if *change.public_key() == self.key {
                Err(ProvisionError::permanent("the gateway refuses this one"))
            } else {
                self.inner.apply(at, std::slice::from_ref(change)).await.remove(0)
            });
        }
        outcomes
    }

    async fn observe(&self, at: LocationId) -> Result<Observation, ProvisionError> {
        self.inner.observe(at).await
    }
}
