//! Everything a story needs: a service over a store that fails and hangs on demand, a clock, gateways, and people.

use std::collections::BTreeSet;
use std::sync::Arc;

use data_encoding::BASE32_NOPAD;
use enrollment_core::domain::device::PublicKey;
use enrollment_core::domain::enrollment::Purpose;
use enrollment_core::domain::group::Access;
use enrollment_core::domain::location::{FactorKind, MfaMode, Ownership};
use enrollment_core::domain::policy::Policy;
use enrollment_core::domain::rejection::Rejection;
use enrollment_core::id::{LocationId, UserId};
use enrollment_core::memory::MemoryStore;
use enrollment_core::port::{Clock, Store};
use enrollment_core::secret::{Argon2Params, HashingOptions, KeyRing, Password, SessionNonce, SessionSecret, Token};
use enrollment_core::service::administrator::{Delivery, Issued, NewLocation, NewUser, StartEnrollment};
use enrollment_core::service::enrollee::{BeginRequest, DeviceKey, DeviceRequest, NewDeviceKey};
use enrollment_core::service::{Failure, Instance, Origin, Principal, Service, ServiceBuilder};
use enrollment_core::worker::{PeerWorker, Sealer, Sweeper};
use enrollment_testkit::fake::{FakeProvisioner, FaultyStore, ManualClock, SeededEntropy};

use super::tape::Tape;

/// The administrator of every story.
pub(crate) const ADMIN: Principal = Principal::command_line();
/// From nowhere in particular.
pub(crate) const HERE: Origin = Origin { source: None };

/// A service and all around it.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) tape: Arc<Tape>,
    pub(crate) store: Arc<FaultyStore>,
    pub(crate) gateways: Arc<FakeProvisioner>,
    pub(crate) service: Service,
    entropy: Arc<SeededEntropy>,
    ring: Arc<KeyRing>,
    policy: Policy,
}

impl Stage {
    /// An empty instance under the standard policy.
    pub(crate) fn new() -> Self {
        Self::under(Policy::standard())
    }

    pub(crate) fn under(policy: Policy) -> Self {
        Self::on(Arc::new(MemoryStore::new()), policy)
    }

    /// An instance on a store that is still empty.
    pub(crate) fn on(store: Arc<dyn Store>, policy: Policy) -> Self {
        let clock = Arc::new(ManualClock::default());
        let entropy = Arc::new(SeededEntropy::new(7));
        let tape = Arc::new(Tape::new(store));
        let store = Arc::new(FaultyStore::new(tape.clone()));
        let ring = Arc::new(KeyRing::generate(clock.now(), &*entropy));
        let service = build(store.clone(), &clock, &entropy, &ring, &policy);
        Self { clock, tape, store, gateways: Arc::default(), service, entropy, ring, policy }
    }

    /// The process dies and another one starts on the same data.
    pub(crate) fn restart(&mut self) {
        self.store.revive();
        self.service = build(self.store.clone(), &self.clock, &self.entropy, &self.ring, &self.policy);
    }

    /// The same instance through another store.
    pub(crate) fn through(&self, store: Arc<dyn Store>) -> Service {
        build(store, &self.clock, &self.entropy, &self.ring, &self.policy)
    }

    /// Adds a location with sixteen addresses.
    pub(crate) async fn location(&self, name: &str, mfa: MfaMode) -> LocationId {
        let created = self.service.administrator().create_location(&ADMIN, location(name, mfa)).await;
        created.expect("a location").location.id
    }

    /// Adds a user and invites them.
    pub(crate) async fn invite(&self, username: &str) -> (UserId, Issued) {
        let (user, issued) = self.service.administrator().create_user(&ADMIN, user(username)).await.expect("a user");
        (user.id, issued.expect("an invitation"))
    }

    /// Begins with the token; what comes of it is the secret of a session.
    pub(crate) async fn begin(
        &self,
        token: &Token,
        nonce: Option<&str>,
        resume: Option<&SessionSecret>,
    ) -> Result<SessionSecret, Failure> {
        let request = BeginRequest {
            token: Token::parse(token.expose()).expect("a token"),
            nonce: nonce.map(|text| SessionNonce::parse(text).expect("a nonce")),
            resume: resume.map(same),
        };
        Ok(self.service.enrollee().begin(&request, HERE).await?.session)
    }

    pub(crate) async fn device(&self, session: &SessionSecret, name: &str, key: u8) -> Result<NewDeviceKey, Failure> {
        let request = DeviceRequest { name: name.parse().expect("a name"), key: DeviceKey::Given(public_key(key)) };
        self.service.enrollee().set_device(session, &request, HERE).await
    }

    /// The code that an app with this offer shows now.
    pub(crate) fn code(&self, base32: &str) -> String {
        code_at(base32, self.clock.now().seconds())
    }

    /// Profile, a password that stands alone, a device: all that a location without MFA asks for.
    pub(crate) async fn everything(&self, session: &SessionSecret, key: u8) {
        let enrollee = self.service.enrollee();
        enrollee.confirm_profile(session, None, HERE).await.expect("the profile");
        enrollee.choose_password(session, password(LONG), HERE).await.expect("the password");
        self.device(session, "Laptop", key).await.expect("the device");
    }

    /// Lets every worker run until nothing is left to do.
    pub(crate) async fn work(&self) -> Result<(), Failure> {
        let (peers, sweeper, sealer) = self.workers();
        while peers.run_once().await? > 0 {}
        while sweeper.run_once().await? > 0 {}
        while sealer.run_once().await? > 0 {}
        Ok(())
    }

    pub(crate) fn workers(&self) -> (PeerWorker, Sweeper, Sealer) {
        let service = &self.service;
        let peers = PeerWorker::new(service.clone(), self.gateways.clone());
        (peers, Sweeper::new(service.clone()), Sealer::new(service.clone()))
    }
}

/// A password that needs no second factor.
pub(crate) const LONG: &str = "quiet lanterns over the harbor";

fn build(
    store: Arc<dyn Store>,
    clock: &Arc<ManualClock>,
    entropy: &Arc<SeededEntropy>,
    ring: &Arc<KeyRing>,
    policy: &Policy,
) -> Service {
    let cheap = Argon2Params { m_kib: 8, t: 1, p: 1 };
    let hashing = HashingOptions { params: cheap, limit: cheap, threads: 1, queue: 16 };
    let instance = Instance { url: "https://vpn.example.com".to_owned(), version: "1".to_owned() };
    ServiceBuilder::new(store, clock.clone(), entropy.clone(), ring.clone(), instance)
        .policy(policy.clone())
        .hashing(hashing)
        .build()
        .expect("a service")
}

pub(crate) fn location(name: &str, mfa: MfaMode) -> NewLocation {
    NewLocation {
        name: name.parse().expect("a name"),
        endpoint: "vpn.example.com:51820".parse().expect("an endpoint"),
        public_key: Some(public_key(200)),
        pools: vec!["10.1.0.0/27".parse().expect("a pool")],
        allowed_ips: vec!["10.0.0.0/8".parse().expect("a network")],
        dns: Vec::new(),
        keepalive: 25,
        mtu: None,
        mfa,
        factors: Some(BTreeSet::from([FactorKind::Totp])),
        access: Access::Everyone,
        ownership: Ownership::Shared,
    }
}

pub(crate) fn user(username: &str) -> NewUser {
    NewUser {
        username: username.parse().expect("a username"),
        first_name: "Alex".parse().expect("a name"),
        last_name: "Doe".parse().expect("a name"),
        email: None,
        phone: None,
        groups: BTreeSet::new(),
        role: None,
        enrollment: Some(start(Purpose::Onboarding)),
    }
}

pub(crate) fn start(purpose: Purpose) -> StartEnrollment {
    StartEnrollment { purpose, delivery: Delivery::Manual, email: None, validity: None, wording: None }
}

pub(crate) fn password(text: &str) -> Password {
    Password::parse(text.to_owned()).expect("a password")
}

/// Key number `tag`.
pub(crate) fn public_key(tag: u8) -> PublicKey {
    PublicKey::from_bytes([tag + 9; 32]).expect("a key")
}

/// The same secret, as its holder would send it again.
pub(crate) fn same(session: &SessionSecret) -> SessionSecret {
    SessionSecret::parse(session.expose()).expect("a secret")
}

/// The code of an app at `seconds` (RFC 6238).
pub(crate) fn code_at(base32: &str, seconds: i64) -> String {
    let secret = BASE32_NOPAD.decode(base32.as_bytes()).expect("Base32");
    let totp = totp_rs::Builder::new().with_secret(secret).with_skew(0).with_step_duration(30).build();
    totp.expect("the usual parameters").generate(u64::try_from(seconds).expect("after 1970")).to_string()
}

/// The stable code of a refusal, or what else went wrong.
pub(crate) fn word(failure: &Failure) -> &'static str {
    match failure {
        Failure::Rejected(Rejection::WrongCode { .. }) => "wrong_code",
        Failure::Rejected(rejection) => rejection.code(),
        Failure::Busy => "busy",
        Failure::Overloaded { .. } => "overloaded",
        Failure::Unavailable(_) => "unavailable",
        Failure::OutcomeUnknown(_) => "unknown",
        _ => "broken",
    }
}
