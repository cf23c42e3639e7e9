//! An instance with mail, and people in it.

use std::collections::BTreeSet;
use std::sync::Arc;

use data_encoding::BASE32_NOPAD;
use enrollment_core::domain::audit::{Actor, AuditEntry};
use enrollment_core::domain::contact::Email;
use enrollment_core::domain::enrollment::{Enrollment, Purpose};
use enrollment_core::domain::event::Event;
use enrollment_core::domain::group::Access;
use enrollment_core::domain::location::{FactorKind, MfaMode, Ownership};
use enrollment_core::domain::mail::{Mail, MailState};
use enrollment_core::domain::role::Role;
use enrollment_core::id::{EnrollmentId, LocationId, OutboxId, UserId};
use enrollment_core::memory::MemoryStore;
use enrollment_core::port::{Channel, Clock, Recipient, Scan, Store};
use enrollment_core::record::{IndexName, Record, RowKey, Stored};
use enrollment_core::secret::{Argon2Params, HashingOptions, KeyRing, Password, SessionSecret, Token};
use enrollment_core::service::administrator::{
    Administrator, Delivery, Issued, NewLocation, NewUser, StartEnrollment, UserPatch, UserView, Wording,
};
use enrollment_core::service::enrollee::{BeginRequest, DeviceKey, DeviceRequest};
use enrollment_core::service::{Failure, Instance, Origin, Principal, Service, ServiceBuilder};
use enrollment_core::time::Span;
use enrollment_core::worker::OutboxWorker;
use enrollment_testkit::fake::{FaultyStore, ManualClock, Recorded, RecordingNotifier, SeededEntropy};

pub(crate) const CLI: Principal = Principal::command_line();
pub(crate) const HERE: Origin = Origin { source: None };
pub(crate) const URL: &str = "https://vpn.example.com";

/// A service with mail, and everything around it.
pub(crate) struct Bench {
    pub(crate) service: Service,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) memory: Arc<MemoryStore>,
    pub(crate) store: Arc<FaultyStore>,
    pub(crate) relay: Arc<RecordingNotifier>,
    pub(crate) ring: Arc<KeyRing>,
    entropy: Arc<SeededEntropy>,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::by(&[Channel::Email])
    }

    /// Without anything to send mail by.
    pub(crate) fn without_mail() -> Self {
        Self::by(&[])
    }

    fn by(channels: &[Channel]) -> Self {
        let clock = Arc::new(ManualClock::default());
        let entropy = Arc::new(SeededEntropy::new(3));
        let memory = Arc::new(MemoryStore::new());
        let store = Arc::new(FaultyStore::new(memory.clone()));
        let ring = Arc::new(KeyRing::generate(clock.now(), &*entropy));
        let relay = Arc::new(RecordingNotifier::new());
        let service = service(store.clone(), &clock, &entropy, &ring, channels);
        Self { service, clock, memory, store, relay, ring, entropy }
    }

    /// The same instance in another process, with another key ring.
    pub(crate) fn with_ring(&self, ring: &Arc<KeyRing>) -> Service {
        service(self.store.clone(), &self.clock, &self.entropy, ring, &[Channel::Email])
    }

    /// The same instance through another store.
    pub(crate) fn through(&self, store: Arc<dyn Store>) -> Service {
        service(store, &self.clock, &self.entropy, &self.ring, &[Channel::Email])
    }

    pub(crate) fn entropy(&self) -> &SeededEntropy {
        &self.entropy
    }

    pub(crate) fn admin(&self) -> Administrator<'_> {
        self.service.administrator()
    }

    pub(crate) fn worker(&self) -> OutboxWorker {
        OutboxWorker::new(self.service.clone(), self.relay.clone())
    }

    /// Sends what is due until nothing is left.
    pub(crate) async fn send(&self) {
        let worker = self.worker();
        while worker.run_once().await.unwrap() > 0 {}
    }

    /// Lets time pass, and sends what is due then.
    pub(crate) async fn send_after(&self, span: Span) {
        self.clock.advance(span.duration());
        self.send().await;
    }

    /// A user with an address on file.
    pub(crate) async fn user(&self, username: &str) -> UserView {
        self.admin().create_user(&CLI, new_user(username)).await.unwrap().0
    }

    /// A user with a role, and what they are when they sign in.
    pub(crate) async fn administrator(&self, username: &str, role: Role) -> (UserView, Principal) {
        let new = NewUser { role: Some(role), ..new_user(username) };
        let user = self.admin().create_user(&CLI, new).await.unwrap().0;
        let by =
            Principal { actor: Actor::User(user.id), role: Some(role), user: Some(user.id), origin: HERE, epoch: None };
        (user, by)
    }

    /// A location whose gateway's key pair is made here; `factor`: the one it accepts.
    pub(crate) async fn location(&self, mfa: MfaMode, factor: Option<FactorKind>) -> LocationId {
        let new = NewLocation {
            name: "office".parse().unwrap(),
            endpoint: "vpn.example.com:51820".parse().unwrap(),
            public_key: None,
            pools: vec!["10.1.0.0/24".parse().unwrap()],
            allowed_ips: vec!["10.1.0.0/24".parse().unwrap()],
            dns: Vec::new(),
            keepalive: 25,
            mtu: None,
            mfa,
            factors: factor.map(|factor| BTreeSet::from([factor])),
            access: Access::Everyone,
            ownership: Ownership::Shared,
        };
        self.admin().create_location(&CLI, new).await.unwrap().location.id
    }

    pub(crate) async fn readdress(&self, user: UserId, to: Option<&str>) {
        let patch = UserPatch { email: Some(to.map(email)), ..UserPatch::default() };
        self.admin().change_user(&CLI, user, patch).await.unwrap();
    }

    pub(crate) async fn start(&self, by: &Principal, user: UserId, start: StartEnrollment) -> Result<Issued, Failure> {
        self.admin().start(by, user, start).await
    }

    pub(crate) async fn begin(&self, token: &Token) -> Result<SessionSecret, Failure> {
        let token = Token::parse(token.expose()).unwrap();
        let request = BeginRequest { token, nonce: None, resume: None };
        Ok(self.service.enrollee().begin(&request, HERE).await?.session)
    }

    /// Confirms the profile and chooses a password.
    pub(crate) async fn fill_in(&self, session: &SessionSecret) {
        let enrollee = self.service.enrollee();
        enrollee.confirm_profile(session, None, HERE).await.unwrap();
        let password = Password::parse("quiet lanterns over the harbor".to_owned()).unwrap();
        enrollee.choose_password(session, password, HERE).await.unwrap();
    }

    pub(crate) async fn complete(&self, session: &SessionSecret) {
        self.service.enrollee().complete(session, HERE).await.unwrap();
    }

    /// Sets up an authenticator app.
    pub(crate) async fn set_up_totp(&self, session: &SessionSecret) {
        let enrollee = self.service.enrollee();
        let offer = enrollee.offer_totp(session, HERE).await.unwrap();
        let secret = BASE32_NOPAD.decode(offer.secret.as_bytes()).unwrap();
        let totp = totp_rs::Builder::new().with_secret(secret).with_skew(0).build().unwrap();
        let code = totp.generate(u64::try_from(self.clock.now().seconds()).unwrap()).to_string();
        enrollee.confirm_totp(session, &code, HERE).await.unwrap();
    }

    pub(crate) async fn add_device(&self, session: &SessionSecret, tag: u8) {
        let public_key = enrollment_core::domain::device::PublicKey::from_bytes([tag + 9; 32]).unwrap();
        let request =
            DeviceRequest { name: format!("laptop {tag}").parse().unwrap(), key: DeviceKey::Given(public_key) };
        self.service.enrollee().set_device(session, &request, HERE).await.unwrap();
    }

    /// Takes a user through onboarding by hand, and forgets the mails of it.
    pub(crate) async fn enroll(&self, user: UserId) {
        let issued = self.start(&CLI, user, manual(Purpose::Onboarding)).await.unwrap();
        let session = self.begin(&issued.token).await.unwrap();
        self.fill_in(&session).await;
        self.complete(&session).await;
        self.send().await;
    }

    pub(crate) async fn record<R: Record>(&self, id: uuid::Uuid) -> Option<R> {
        let row = self.memory.get(&[RowKey::new(R::KIND, id)]).await.unwrap().pop().unwrap();
        row.map(|row| Stored::read(&row).unwrap().record)
    }

    pub(crate) async fn mail(&self, id: OutboxId) -> Mail {
        self.record(id.uuid()).await.unwrap()
    }

    pub(crate) async fn stored(&self, id: EnrollmentId) -> Enrollment {
        self.record(id.uuid()).await.unwrap()
    }

    /// All mails, in the order in which they were queued, by letter and state.
    pub(crate) async fn mails(&self) -> Vec<(&'static str, &'static str)> {
        let mut all = self.all_mails().await;
        all.sort_by_key(|mail| (mail.queued, mail.id));
        all.iter().map(|mail| (mail.letter.as_str(), mail.state.as_str())).collect()
    }

    pub(crate) async fn all_mails(&self) -> Vec<Mail> {
        let mut all = Vec::new();
        for standing in ["queue", "sent", "dead", "obsolete"] {
            all.extend(self.all::<Mail>(IndexName::MailsByState, standing).await);
        }
        all
    }

    pub(crate) async fn all<R: Record>(&self, index: IndexName, within: &str) -> Vec<R> {
        let mut scan = Scan::all(index, within, 1000);
        let mut all = Vec::new();
        loop {
            let page = self.memory.scan(&scan).await.unwrap();
            all.extend(page.rows.iter().map(|row| Stored::<R>::read(row).unwrap().record));
            match page.next {
                Some(cursor) => scan.after = Some(cursor),
                None => return all,
            }
        }
    }

    /// The states of all mails of one letter.
    pub(crate) async fn states(&self, letter: &str) -> Vec<MailState> {
        let all = self.all_mails().await;
        all.into_iter().filter(|mail| mail.letter.as_str() == letter).map(|mail| mail.state).collect()
    }

    /// What arrived at an address, in order.
    pub(crate) fn inbox(&self, address: &str) -> Vec<Recorded> {
        self.relay.arrived_at(&to(address))
    }

    /// The subjects of what arrived at an address, in any order.
    pub(crate) fn subjects(&self, address: &str) -> BTreeSet<String> {
        self.inbox(address).into_iter().map(|mail| mail.subject).collect()
    }

    pub(crate) async fn audit(&self) -> Vec<AuditEntry> {
        self.all(IndexName::AuditByTime, "").await
    }

    /// How often something was audited.
    pub(crate) async fn audited(&self, event: &Event) -> usize {
        self.audit().await.iter().filter(|entry| entry.event == *event).count()
    }
}

fn service(
    store: Arc<dyn Store>,
    clock: &Arc<ManualClock>,
    entropy: &Arc<SeededEntropy>,
    ring: &Arc<KeyRing>,
    channels: &[Channel],
) -> Service {
    let instance = Instance { url: URL.to_owned(), version: "1".to_owned() };
    let cheap = Argon2Params { m_kib: 8, t: 1, p: 1 };
    let hashing = HashingOptions { params: cheap, limit: cheap, threads: 1, queue: 16 };
    let builder = ServiceBuilder::new(store, clock.clone(), entropy.clone(), ring.clone(), instance);
    builder.hashing(hashing).channels(channels).build().unwrap()
}

/// `username@example.com`, Alex.
pub(crate) fn new_user(username: &str) -> NewUser {
    NewUser {
        username: username.parse().unwrap(),
        first_name: "Alex".parse().unwrap(),
        last_name: "Example".parse().unwrap(),
        email: Some(email(&format!("{username}@example.com"))),
        phone: None,
        groups: BTreeSet::new(),
        role: None,
        enrollment: None,
    }
}

pub(crate) fn manual(purpose: Purpose) -> StartEnrollment {
    StartEnrollment { purpose, delivery: Delivery::Manual, email: None, validity: None, wording: None }
}

/// To the address on file.
pub(crate) fn mailed(purpose: Purpose) -> StartEnrollment {
    StartEnrollment { delivery: Delivery::Email, ..manual(purpose) }
}

/// To this address.
pub(crate) fn mailed_to(purpose: Purpose, address: &str) -> StartEnrollment {
    StartEnrollment { email: Some(email(address)), ..mailed(purpose) }
}

/// To the address on file, in these words.
pub(crate) fn worded(purpose: Purpose, wording: Wording) -> StartEnrollment {
    StartEnrollment { wording: Some(wording), ..mailed(purpose) }
}

/// Words for one invitation; an empty one stays as it is saved.
pub(crate) fn wording(subject: &str, body: &str) -> Wording {
    let given = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    Wording { subject: given(subject), body: given(body) }
}

pub(crate) fn email(text: &str) -> Email {
    text.parse().unwrap()
}

pub(crate) fn to(address: &str) -> Recipient {
    Recipient::Email(email(address))
}

/// The stable code of a refusal.
pub(crate) fn code(failure: Failure) -> &'static str {
    match failure {
        Failure::Rejected(rejection) => rejection.code(),
        other => panic!("not a refusal: {other}"),
    }
}
