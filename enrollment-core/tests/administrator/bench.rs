//! A service with everything around it, and people in it.

use std::collections::BTreeSet;
use std::sync::Arc;

use enrollment_core::domain::audit::{Actor, AuditEntry};
use enrollment_core::domain::device::PublicKey;
use enrollment_core::domain::enrollment::{Enrollment, Purpose};
use enrollment_core::domain::event::Event;
use enrollment_core::domain::group::{Access, GroupName};
use enrollment_core::domain::location::{Location, MfaMode, Ownership};
use enrollment_core::domain::role::Role;
use enrollment_core::domain::settings::Settings;
use enrollment_core::domain::user::{Enrolled, User};
use enrollment_core::id::{ChangeId, EnrollmentId, LocationId, Number, UserId};
use enrollment_core::memory::MemoryStore;
use enrollment_core::port::{Change, Channel, Clock, CommitOutcome, Op, Scan, Store};
use enrollment_core::record::{Guard, GuardRow, IndexName, Kind, Record, RowKey, Stored, new_row};
use enrollment_core::secret::{Argon2Params, HashingOptions, KeyRing, Password, SessionSecret, Token};
use enrollment_core::service::administrator::{
    Administrator, Delivery, EnrollmentFilter, EnrollmentView, Issued, NewUser, PageRequest, Standing, StartEnrollment,
    UserView,
};
use enrollment_core::service::enrollee::{BeginRequest, DeviceKey, DeviceRequest, DeviceView};
use enrollment_core::service::{Failure, Instance, Origin, Principal, Service, ServiceBuilder};
use enrollment_testkit::fake::{ManualClock, RacedStore, SeededEntropy};
use uuid::Uuid;

pub(crate) const CLI: Principal = Principal::command_line();
pub(crate) const PASSWORD: &str = "correct horse battery staple";

pub(crate) struct Bench {
    pub(crate) service: Service,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) ring: Arc<KeyRing>,
    entropy: Arc<SeededEntropy>,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::on(Arc::new(MemoryStore::new()), 7)
    }

    /// An instance on this store, whose randomness is that of `seed`.
    pub(crate) fn on(store: Arc<dyn Store>, seed: u64) -> Self {
        let clock = Arc::new(ManualClock::default());
        let entropy = Arc::new(SeededEntropy::new(seed));
        let ring = Arc::new(KeyRing::generate(clock.now(), &*entropy));
        let service = service(Arc::clone(&store), &clock, &entropy, &ring);
        Self { service, clock, store, ring, entropy }
    }

    pub(crate) fn admin(&self) -> Administrator<'_> {
        self.service.administrator()
    }

    /// The same instance through another store.
    pub(crate) fn through(&self, store: Arc<dyn Store>) -> Service {
        service(store, &self.clock, &self.entropy, &self.ring)
    }

    /// The same instance with something to send mail by.
    pub(crate) fn with_mail(&self) -> Service {
        self.mailing_through(Arc::clone(&self.store))
    }

    /// Likewise, through another store.
    pub(crate) fn mailing_through(&self, store: Arc<dyn Store>) -> Service {
        let builder = builder(store, &self.clock, &self.entropy, &self.ring);
        builder.channels(&[Channel::Email]).build().unwrap()
    }

    /// The same instance, with `rival` finishing between its first read and its first commit.
    pub(crate) fn raced<F>(&self, rival: impl FnOnce(Service) -> F) -> Service
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let store = Arc::clone(&self.store);
        self.through(Arc::new(RacedStore::new(store, rival(self.service.clone()))))
    }

    /// The same instance after its key was stolen: another is active, and this one revoked.
    pub(crate) fn with_its_key_revoked(&self) -> Service {
        let mut ring = KeyRing::from_text(&self.ring.to_text()).unwrap();
        let stolen = ring.active();
        ring.rotate(self.clock.now(), &*self.entropy);
        ring.revoke(&stolen).unwrap();
        service(Arc::clone(&self.store), &self.clock, &self.entropy, &Arc::new(ring))
    }

    pub(crate) fn entropy(&self) -> &SeededEntropy {
        &self.entropy
    }

    pub(crate) async fn user(&self, username: &str) -> UserView {
        self.admin().create_user(&CLI, new_user(username)).await.unwrap().0
    }

    /// A user with a role, and what they are when they sign in.
    pub(crate) async fn administrator(&self, username: &str, role: Role) -> (UserView, Principal) {
        let new = NewUser { role: Some(role), ..new_user(username) };
        let user = self.admin().create_user(&CLI, new).await.unwrap().0;
        let by = Principal {
            actor: Actor::User(user.id),
            role: Some(role),
            user: Some(user.id),
            origin: Origin::default(),
            epoch: None,
        };
        (user, by)
    }

    pub(crate) async fn start(&self, user: UserId, purpose: Purpose) -> Result<Issued, Failure> {
        self.admin().start(&CLI, user, manual(purpose)).await
    }

    pub(crate) async fn begin(&self, token: &Token) -> Result<SessionSecret, Failure> {
        let token = Token::parse(token.expose()).unwrap();
        let request = BeginRequest { token, nonce: None, resume: None };
        Ok(self.service.enrollee().begin(&request, Origin::default()).await?.session)
    }

    /// Confirms the profile and chooses a password.
    pub(crate) async fn fill_in(&self, session: &SessionSecret) {
        let enrollee = self.service.enrollee();
        let origin = Origin::default();
        enrollee.confirm_profile(session, None, origin).await.unwrap();
        enrollee.choose_password(session, Password::parse(PASSWORD.to_owned()).unwrap(), origin).await.unwrap();
    }

    /// Takes a user through onboarding.
    pub(crate) async fn enroll(&self, user: UserId) {
        let issued = self.start(user, Purpose::Onboarding).await.unwrap();
        self.complete(&issued).await;
    }

    /// Has a user be enrolled as if by onboarding, for tests of something else: no password, no message.
    pub(crate) async fn mark_enrolled(&self, user: UserId) {
        let stored = self.record::<User>(user.uuid()).await.unwrap();
        let by = EnrollmentId::new(self.clock.now(), self.entropy());
        let enrolled = Some(Enrolled { at: self.clock.now(), by });
        self.commit(vec![stored.put(&User { enrolled, ..stored.record.clone() })]).await;
    }

    pub(crate) async fn complete(&self, issued: &Issued) {
        let session = self.begin(&issued.token).await.unwrap();
        self.fill_in(&session).await;
        self.service.enrollee().complete(&session, Origin::default()).await.unwrap();
    }

    /// Adds a device in a session.
    pub(crate) async fn add_device(&self, session: &SessionSecret, number: u8) -> DeviceView {
        let key = DeviceKey::Given(public_key(number));
        let request = DeviceRequest { name: format!("device {number}").parse().unwrap(), key };
        self.service.enrollee().set_device(session, &request, Origin::default()).await.unwrap().device
    }

    /// Has an enrolled user add a device.
    pub(crate) async fn device_of(&self, user: UserId, number: u8) -> DeviceView {
        let issued = self.start(user, Purpose::Device).await.unwrap();
        let session = self.begin(&issued.token).await.unwrap();
        self.add_device(&session, number).await
    }

    /// A location for everyone, or for a group.
    pub(crate) async fn location(&self, name: &str, group: Option<&str>) -> LocationId {
        let now = self.clock.now();
        let location = Location {
            id: LocationId::new(now, self.entropy()),
            number: Number::new(self.entropy()),
            name: name.parse().unwrap(),
            endpoint: "vpn.example.com:51820".parse().unwrap(),
            public_key: public_key(200),
            private_key: None,
            pools: vec!["10.1.0.0/24".parse().unwrap()],
            allowed_ips: vec!["10.1.0.0/24".parse().unwrap()],
            dns: Vec::new(),
            keepalive: 25,
            mtu: None,
            mfa: MfaMode::Disabled,
            factors: BTreeSet::new(),
            access: group.map_or(Access::Everyone, |group| Access::Groups(groups(&[group]))),
            ownership: Ownership::Shared,
            created: now,
        };
        let guard = GuardRow { guard: Guard::Locations, members: BTreeSet::new() };
        let guard = match self.record::<GuardRow>(Guard::Locations.key().id).await {
            Some(stored) => stored.put(&guard),
            None => new_row(&guard),
        };
        self.commit(vec![new_row(&location), guard]).await;
        location.id
    }

    pub(crate) async fn settings(&self, edit: impl FnOnce(&mut Settings)) {
        let mut settings = Settings::defaults(self.service.policy());
        edit(&mut settings);
        let op = match self.record::<Settings>(Settings::KEY.id).await {
            Some(stored) => stored.put(&settings),
            None => new_row(&settings),
        };
        self.commit(vec![op]).await;
    }

    pub(crate) async fn commit(&self, ops: Vec<Op>) {
        let id = ChangeId::new(self.clock.now(), self.entropy());
        let change = Change::new(id, self.clock.now(), ops, Vec::new(), Vec::new()).unwrap();
        assert_eq!(self.store.commit(&change).await.unwrap(), CommitOutcome::Applied);
    }

    pub(crate) async fn record<R: Record>(&self, id: Uuid) -> Option<Stored<R>> {
        let row = self.store.get(&[RowKey::new(R::KIND, id)]).await.unwrap().pop().unwrap();
        row.map(|row| Stored::read(&row).unwrap())
    }

    pub(crate) async fn stored_user(&self, id: UserId) -> User {
        self.record::<User>(id.uuid()).await.unwrap().record
    }

    pub(crate) async fn stored_enrollment(&self, id: EnrollmentId) -> Enrollment {
        self.record::<Enrollment>(id.uuid()).await.unwrap().record
    }

    pub(crate) async fn all<R: Record>(&self, index: IndexName, within: &str) -> Vec<R> {
        let page = self.store.scan(&Scan::all(index, within, 1000)).await.unwrap();
        page.rows.iter().map(|row| Stored::read(row).unwrap().record).collect()
    }

    pub(crate) async fn open_enrollments(&self) -> Vec<EnrollmentView> {
        self.enrollments(Standing::Open).await
    }

    pub(crate) async fn enrollments(&self, standing: Standing) -> Vec<EnrollmentView> {
        let filter = EnrollmentFilter { standing, prefix: None };
        self.admin().enrollments(&CLI, &filter, &PageRequest::default()).await.unwrap().items
    }

    /// What the token's holder is told.
    pub(crate) async fn look(&self, token: &Token) -> Result<(), &'static str> {
        self.service.enrollee().look(token).await.map(|_| ()).map_err(code)
    }

    pub(crate) async fn audit(&self) -> Vec<AuditEntry> {
        self.all(IndexName::AuditByTime, "").await
    }

    /// Operation and code of every refusal of this actor that was written down, with its subject.
    pub(crate) async fn refusals(&self, actor: Actor) -> Vec<(String, String, Kind)> {
        let mut refusals = Vec::new();
        for entry in self.audit().await {
            if let Event::Refused { operation, code } = entry.event
                && entry.actor == actor
            {
                refusals.push((operation, code, entry.subject.kind));
            }
        }
        refusals
    }
}

fn service(
    store: Arc<dyn Store>,
    clock: &Arc<ManualClock>,
    entropy: &Arc<SeededEntropy>,
    ring: &Arc<KeyRing>,
) -> Service {
    builder(store, clock, entropy, ring).build().unwrap()
}

fn builder(
    store: Arc<dyn Store>,
    clock: &Arc<ManualClock>,
    entropy: &Arc<SeededEntropy>,
    ring: &Arc<KeyRing>,
) -> ServiceBuilder {
    let instance = Instance { url: "https://vpn.example.com".to_owned(), version: "1.0.0".to_owned() };
    let cheap = HashingOptions::new(Argon2Params { m_kib: 64, t: 1, p: 1 }, 1 << 20);
    ServiceBuilder::new(store, clock.clone(), entropy.clone(), ring.clone(), instance).hashing(cheap)
}

pub(crate) fn new_user(username: &str) -> NewUser {
    NewUser {
        username: username.parse().unwrap(),
        first_name: "Alex".parse().unwrap(),
        last_name: "Example".parse().unwrap(),
        email: Some("alex@example.com".parse().unwrap()),
        phone: None,
        groups: BTreeSet::new(),
        role: None,
        enrollment: None,
    }
}

pub(crate) fn manual(purpose: Purpose) -> StartEnrollment {
    StartEnrollment { purpose, delivery: Delivery::Manual, email: None, validity: None, wording: None }
}

pub(crate) fn groups(names: &[&str]) -> BTreeSet<GroupName> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

pub(crate) fn public_key(number: u8) -> PublicKey {
    let secret = x25519_dalek::StaticSecret::from([number; 32]);
    PublicKey::from_bytes(*x25519_dalek::PublicKey::from(&secret).as_bytes()).unwrap()
}

/// The stable code of a refusal.
pub(crate) fn code(failure: Failure) -> &'static str {
    match failure {
        Failure::Rejected(rejection) => rejection.code(),
        other => panic!("not a refusal: {other}"),
    }
}
