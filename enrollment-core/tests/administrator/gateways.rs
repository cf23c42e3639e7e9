//! Gateways and the workers that see to them.

use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use enrollment_core::domain::attachment::Attachment;
use enrollment_core::domain::event::Event;
use enrollment_core::domain::location::Ownership;
use enrollment_core::domain::user::UserStatus;
use enrollment_core::id::{DeviceId, LocationId, UserId};
use enrollment_core::port::{Observation, PeerChange, PeerProvisioner, PeerSpec, ProvisionError};
use enrollment_core::record::IndexName;
use enrollment_core::secret::Digest;
use enrollment_core::service::Service;
use enrollment_core::service::administrator::{LocationPatch, LocationPeers, UserPatch};
use enrollment_core::time::Span;
use enrollment_core::worker::{Backfiller, PeerWorker, Reconciler};
use enrollment_testkit::fake::FakeProvisioner;

use crate::bench::{Bench, CLI, public_key};

/// Works off what is queued for peers.
pub(crate) async fn work(service: &Service, gateway: &Arc<FakeProvisioner>) {
    let worker = PeerWorker::new(service.clone(), gateway.clone());
    while worker.run_once().await.unwrap() > 0 {}
}

/// Gives devices their addresses until nothing is left that can be done now.
pub(crate) async fn fill(service: &Service) {
    let backfiller = Backfiller::new(service.clone());
    while backfiller.run_once().await.unwrap() > 0 {}
}

/// A server starts: compares every gateway, then carries out what follows. Says how many peers were not as intended.
pub(crate) async fn start_up(bench: &Bench, gateway: &Arc<FakeProvisioner>) -> usize {
    let corrected = Reconciler::new(bench.service.clone(), gateway.clone()).run_once().await.unwrap();
    work(&bench.service, gateway).await;
    corrected
}

/// An enrolled user with a device there for everybody's locations.
pub(crate) async fn with_device(bench: &Bench, username: &str, key: u8) -> (UserId, DeviceId) {
    let user = bench.user(username).await.id;
    bench.mark_enrolled(user).await;
    (user, bench.device_of(user, key).await.id)
}

pub(crate) async fn attachments(bench: &Bench, device: DeviceId) -> Vec<Attachment> {
    bench.all(IndexName::AttachmentsByDevice, &device.to_string()).await
}

/// The peers that the records intend at a location, as a gateway lists them.
pub(crate) async fn intended(bench: &Bench, location: LocationId) -> Vec<PeerSpec> {
    let all: Vec<Attachment> = bench.all(IndexName::AttachmentsByLocation, &location.to_string()).await;
    let intended = all.into_iter().filter(|attachment| attachment.state.intended() == Some(true));
    let mut peers: Vec<PeerSpec> =
        intended.map(|one| PeerSpec { public_key: one.public_key, addresses: one.addresses }).collect();
    peers.sort_by_key(|peer| peer.public_key);
    peers
}

pub(crate) async fn report(bench: &Bench, location: LocationId) -> LocationPeers {
    bench.admin().location_peers(&CLI, location).await.unwrap()
}

/// What was written down of strays: those found, then those gone. Of one instant the log has no order.
pub(crate) async fn strays_told_of(bench: &Bench) -> Vec<Event> {
    let events: Vec<Event> = bench.audit().await.into_iter().map(|entry| entry.event).collect();
    let found = events.iter().filter(|event| matches!(event, Event::StrayPeerFound { .. }));
    let gone = events.iter().filter(|event| matches!(event, Event::StrayPeerGone { .. }));
    found.chain(gone).cloned().collect()
}

/// What the log says of a key.
pub(crate) fn digest_of(key: u8) -> Digest {
    Digest::of(public_key(key).as_bytes())
}

/// Disables a user, or enables them.
pub(crate) async fn switch(service: &Service, user: UserId, status: UserStatus) {
    let patch = UserPatch { status: Some(status), ..UserPatch::default() };
    service.administrator().change_user(&CLI, user, patch).await.unwrap();
}

/// Says whose a gateway is.
pub(crate) async fn own(bench: &Bench, location: LocationId, ownership: Ownership) {
    let patch = LocationPatch { ownership: Some(ownership), ..LocationPatch::default() };
    bench.admin().change_location(&CLI, location, patch).await.unwrap();
}

/// A peer that somebody put there by hand.
pub(crate) fn strange(key: u8) -> PeerSpec {
    PeerSpec { public_key: public_key(key), addresses: vec!["192.0.2.7".parse().unwrap()] }
}

/// Three people with a device each in force at one location.
pub(crate) async fn three(bench: &Bench, gateway: &Arc<FakeProvisioner>) -> (LocationId, Vec<UserId>) {
    let office = bench.location("office", None).await;
    let mut users = Vec::new();
    for (username, key) in [("alice", 1), ("bob", 2), ("carol", 3)] {
        users.push(with_device(bench, username, key).await.0);
    }
    work(&bench.service, gateway).await;
    assert_eq!(gateway.peers(office).len(), 3);
    (office, users)
}

/// Past a lease, past the interval between two looks.
pub(crate) const LATER: Span = Span::seconds(61);

type Rival = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Gateways in front of which somebody else is faster, once: between a worker's decision and its effect.
pub(crate) struct Raced {
    inner: Arc<FakeProvisioner>,
    before_apply: Mutex<Option<Rival>>,
    /// After this many observations.
    after_observe: Mutex<Option<(usize, Rival)>>,
    pub(crate) observed: AtomicUsize,
}

impl Raced {
    pub(crate) fn new(inner: &Arc<FakeProvisioner>) -> Self {
        let (before_apply, after_observe) = (Mutex::default(), Mutex::default());
        Self { inner: Arc::clone(inner), before_apply, after_observe, observed: AtomicUsize::new(0) }
    }

    pub(crate) fn before_apply(self, rival: impl Future<Output = ()> + Send + 'static) -> Arc<Self> {
        Arc::new(Self { before_apply: Mutex::new(Some(Box::pin(rival))), ..self })
    }

    pub(crate) fn after_observe(self, times: usize, rival: impl Future<Output = ()> + Send + 'static) -> Arc<Self> {
        Arc::new(Self { after_observe: Mutex::new(Some((times, Box::pin(rival)))), ..self })
    }
}

impl fmt::Debug for Raced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Raced").field("inner", &self.inner).finish_non_exhaustive()
    }
}

#[async_trait]
impl PeerProvisioner for Raced {
    async fn apply(&self, at: LocationId, changes: &[PeerChange]) -> Vec<Result<(), ProvisionError>> {
        let rival = self.before_apply.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(rival) = rival {
            rival.await;
        }
        self.inner.apply(at, changes).await
    }

    async fn observe(&self, at: LocationId) -> Result<Observation, ProvisionError> {
        let observation = self.inner.observe(at).await;
        let nth = self.observed.fetch_add(1, Ordering::SeqCst) + 1;
        let rival = {
            let mut waiting = self.after_observe.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.take_if(|(times, _)| *times == nth)
        };
        if let Some((_, rival)) = rival {
            rival.await;
        }
        observation
    }
}
