//! An instance on a SQLite file, whose ring changes.

use std::collections::BTreeSet;
use std::sync::Arc;

use enrollment_core::domain::audit::AuditEntry;
use enrollment_core::domain::enrollment::{Enrollment, Purpose};
use enrollment_core::domain::event::Event;
use enrollment_core::domain::group::Access;
use enrollment_core::domain::location::{MfaMode, Ownership};
use enrollment_core::domain::policy::Policy;
use enrollment_core::domain::retention::Retention;
use enrollment_core::domain::user::User;
use enrollment_core::id::{EnrollmentId, LocationId};
use enrollment_core::port::{Channel, Clock, Scan, Store};
use enrollment_core::record::{IndexName, Record, RowKey, Stored};
use enrollment_core::secret::{
    Argon2Params, HashingOptions, KeyId, KeyRing, Password, SessionNonce, SessionSecret, Token,
};
use enrollment_core::service::administrator::{
    Administrator, Delivery, Issued, NewLocation, NewUser, StartEnrollment, UserView,
};
use enrollment_core::service::enrollee::{BeginRequest, DeviceKey, DeviceRequest, Enrollee};
use enrollment_core::service::{Failure, Instance, Origin, Principal, Service, ServiceBuilder};
use enrollment_core::time::Span;
use enrollment_core::worker::{OutboxWorker, Resealer, Sealer};
use enrollment_sqlx::{SqliteOptions, SqlxStore};
use enrollment_testkit::fake::{FaultyStore, ManualClock, RecordingNotifier, SeededEntropy};
use tempfile::TempDir;

pub(crate) const CLI: Principal = Principal::command_line();
pub(crate) const HERE: Origin = Origin { source: None };

pub(crate) struct Bench {
    pub(crate) process: Process,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) store: Arc<FaultyStore>,
    pub(crate) relay: Arc<RecordingNotifier>,
    pub(crate) entropy: Arc<SeededEntropy>,
    _folder: TempDir,
}

/// One process, with its own copy of the ring.
pub(crate) struct Process {
    pub(crate) service: Service,
    relay: Arc<RecordingNotifier>,
    /// What it was told of keys it does not have.
    pub(crate) unknown: Arc<std::sync::Mutex<Vec<KeyId>>>,
}

impl Bench {
    /// A database in which a ring of one key is in use.
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = SqlxStore::open_sqlite(folder.path().join("keys.db"), SqliteOptions::default()).await.unwrap();
        let clock = Arc::new(ManualClock::default());
        let entropy = Arc::new(SeededEntropy::new(5));
        let store = Arc::new(FaultyStore::new(Arc::new(store)));
        let relay = Arc::new(RecordingNotifier::new());
        let ring = KeyRing::generate(clock.now(), &*entropy);
        let process = process(&store, &clock, &entropy, &relay, ring);
        let bench = Self { process, clock, store, relay, entropy, _folder: folder };
        bench.process.adopt(copy(&bench.ring())).await;
        bench
    }

    /// Another process on the same database, with this copy of the ring.
    pub(crate) fn another(&self, ring: KeyRing) -> Process {
        process(&self.store, &self.clock, &self.entropy, &self.relay, ring)
    }

    pub(crate) fn service(&self) -> &Service {
        &self.process.service
    }

    pub(crate) fn admin(&self) -> Administrator<'_> {
        self.service().administrator()
    }

    pub(crate) fn enrollee(&self) -> Enrollee<'_> {
        self.service().enrollee()
    }

    pub(crate) fn ring(&self) -> Arc<KeyRing> {
        self.service().ring()
    }

    /// Rotates, as the command beside the process would. Returns the new key.
    pub(crate) async fn rotate(&self) -> KeyId {
        let mut ring = copy(&self.ring());
        let key = ring.rotate(self.clock.now(), &*self.entropy);
        self.process.adopt(ring).await;
        key
    }

    /// Revokes likewise.
    pub(crate) async fn revoke(&self, key: KeyId) {
        let mut ring = copy(&self.ring());
        ring.revoke(&key).unwrap();
        self.process.adopt(ring).await;
    }

    pub(crate) async fn user(&self, username: &str) -> UserView {
        let new = NewUser {
            username: username.parse().unwrap(),
            first_name: "Alex".parse().unwrap(),
            last_name: "Example".parse().unwrap(),
            email: Some(format!("{username}@example.com").parse().unwrap()),
            phone: None,
            groups: BTreeSet::new(),
            role: None,
            enrollment: None,
        };
        self.admin().create_user(&CLI, new).await.unwrap().0
    }

    /// A user with an invitation.
    pub(crate) async fn invited(&self, username: &str, delivery: Delivery) -> Issued {
        let user = self.user(username).await;
        let start =
            StartEnrollment { purpose: Purpose::Onboarding, delivery, email: None, validity: None, wording: None };
        self.admin().start(&CLI, user.id, start).await.unwrap()
    }

    /// A user who went all the way, with an authenticator app and a device. Returns the app's secret.
    pub(crate) async fn enrolled(&self, username: &str) -> Vec<u8> {
        let issued = self.invited(username, Delivery::Manual).await;
        let session = self.begin(&issued.token).await;
        self.enrollee().confirm_profile(&session, None, HERE).await.unwrap();
        let secret = self.offer_totp(&session).await;
        self.enrollee().confirm_totp(&session, &self.code(&secret), HERE).await.unwrap();
        self.enrollee().choose_password(&session, password(), HERE).await.unwrap();
        let request = DeviceRequest { name: "laptop".parse().unwrap(), key: DeviceKey::MakeHere };
        self.enrollee().set_device(&session, &request, HERE).await.unwrap();
        self.enrollee().complete(&session, HERE).await.unwrap();
        secret
    }

    /// A location whose gateway's key pair is made here.
    pub(crate) async fn location(&self) -> LocationId {
        self.location_with(MfaMode::Internal).await
    }

    /// One that machines can be added to.
    pub(crate) async fn location_without_mfa(&self) -> LocationId {
        self.location_with(MfaMode::Disabled).await
    }

    async fn location_with(&self, mfa: MfaMode) -> LocationId {
        let new = NewLocation {
            name: "Home".parse().unwrap(),
            endpoint: "vpn.example.com:51820".parse().unwrap(),
            public_key: None,
            pools: vec!["10.1.0.0/24".parse().unwrap()],
            allowed_ips: vec!["10.1.0.0/24".parse().unwrap()],
            dns: Vec::new(),
            keepalive: 25,
            mtu: None,
            mfa,
            factors: None,
            access: Access::Everyone,
            ownership: Ownership::Shared,
        };
        self.admin().create_location(&CLI, new).await.unwrap().location.id
    }

    pub(crate) async fn begin(&self, token: &Token) -> SessionSecret {
        self.process.begin(token).await.unwrap()
    }

    /// Has an authenticator app be offered; returns its secret.
    pub(crate) async fn offer_totp(&self, session: &SessionSecret) -> Vec<u8> {
        let offer = self.enrollee().offer_totp(session, HERE).await.unwrap();
        data_encoding::BASE32_NOPAD.decode(offer.secret.as_bytes()).unwrap()
    }

    /// The code of this moment.
    pub(crate) fn code(&self, secret: &[u8]) -> String {
        let totp = totp_rs::Builder::new().with_secret(secret.to_vec()).with_skew(0).build().unwrap();
        totp.generate(u64::try_from(self.clock.now().seconds()).unwrap()).to_string()
    }

    pub(crate) async fn record<R: Record>(&self, id: uuid::Uuid) -> R {
        let row = self.store.get(&[RowKey::new(R::KIND, id)]).await.unwrap().pop().unwrap();
        Stored::read(&row.unwrap()).unwrap().record
    }

    pub(crate) async fn enrollment(&self, id: EnrollmentId) -> Enrollment {
        self.record(id.uuid()).await
    }

    pub(crate) async fn stored_user(&self, username: &str) -> User {
        let page = self.store.scan(&Scan::all(IndexName::UsersByUsername, "", 1000)).await.unwrap();
        let mut users = page.rows.iter().map(|row| Stored::<User>::read(row).unwrap().record);
        users.find(|user| user.username.as_str() == username).unwrap()
    }

    /// What was audited that `of` recognizes.
    pub(crate) async fn audited(&self, of: impl Fn(&Event) -> bool) -> usize {
        let page = self.store.scan(&Scan::all(IndexName::AuditByTime, "", 1000)).await.unwrap();
        let entries = page.rows.iter().map(|row| Stored::<AuditEntry>::read(row).unwrap().record);
        entries.filter(|entry| of(&entry.event)).count()
    }
}

impl Process {
    /// Takes a ring up, which must fit.
    pub(crate) async fn adopt(&self, ring: KeyRing) {
        assert_eq!(self.service.adopt(ring).await.unwrap(), Ok(()));
    }

    pub(crate) async fn begin(&self, token: &Token) -> Result<SessionSecret, Failure> {
        // With a nonce, so that the session derives from the key as well.
        let nonce = Some(SessionNonce::parse("nonce+9f2Kq0ZtX5vB7yLw3Hs9Rd").unwrap());
        let request = BeginRequest { token: Token::parse(token.expose()).unwrap(), nonce, resume: None };
        Ok(self.service.enrollee().begin(&request, HERE).await?.session)
    }

    /// Sends what is due.
    pub(crate) async fn send(&self) {
        let worker = OutboxWorker::new(self.service.clone(), Arc::clone(&self.relay) as _);
        while worker.run_once().await.unwrap() > 0 {}
    }

    pub(crate) async fn seal(&self) -> Result<usize, Failure> {
        Sealer::new(self.service.clone()).run_once().await
    }

    /// Seals again what is to be sealed now.
    pub(crate) async fn reseal(&self) -> Result<(), Failure> {
        let resealer = Resealer::new(self.service.clone());
        while resealer.run_once().await? > 0 {}
        Ok(())
    }
}

fn process(
    store: &Arc<FaultyStore>,
    clock: &Arc<ManualClock>,
    entropy: &Arc<SeededEntropy>,
    relay: &Arc<RecordingNotifier>,
    ring: KeyRing,
) -> Process {
    let instance = Instance { url: "https://vpn.example.com".to_owned(), version: "1".to_owned() };
    let cheap = Argon2Params { m_kib: 8, t: 1, p: 1 };
    let unknown = Arc::new(std::sync::Mutex::new(Vec::new()));
    let told = Arc::clone(&unknown);
    let retention = Retention { audit: Some(Span::days(30)), ..Retention::standard() };
    let service = ServiceBuilder::new(store.clone(), clock.clone(), entropy.clone(), Arc::new(ring), instance)
        .policy(Policy { server_made_keys: true, retention, ..Policy::standard() })
        .hashing(HashingOptions { params: cheap, limit: cheap, threads: 1, queue: 16 })
        .channels(&[Channel::Email])
        .on_unknown_key(Arc::new(move |key| told.lock().unwrap().push(key)))
        .build()
        .unwrap();
    Process { service, relay: Arc::clone(relay), unknown }
}

/// A copy of a ring, as a file is copied.
pub(crate) fn copy(ring: &KeyRing) -> KeyRing {
    KeyRing::from_text(&ring.to_text()).unwrap()
}

/// A copy that lacks a key.
pub(crate) fn without(ring: &KeyRing, key: KeyId) -> KeyRing {
    let text = ring.to_text();
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with(&key.to_string())).collect();
    KeyRing::from_text(&lines.join("\n")).unwrap()
}

pub(crate) fn password() -> Password {
    Password::parse("quiet lanterns over the harbor".to_owned()).unwrap()
}

/// The stable code of a refusal.
pub(crate) fn code<T>(answer: Result<T, Failure>) -> &'static str {
    match answer {
        Err(Failure::Rejected(rejection)) => rejection.code(),
        Err(Failure::UnknownKey(_)) => "unknown key",
        Err(other) => panic!("not a refusal: {other}"),
        Ok(_) => "ok",
    }
}
