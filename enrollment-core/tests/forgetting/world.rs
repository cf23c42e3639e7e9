//! An instance on a SQLite file, with mail and a gateway, and people in it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use enrollment_core::domain::audit::{Actor, AuditEntry};
use enrollment_core::domain::device::PublicKey;
use enrollment_core::domain::enrollment::Purpose;
use enrollment_core::domain::event::Event;
use enrollment_core::domain::group::Access;
use enrollment_core::domain::location::{MfaMode, Ownership};
use enrollment_core::domain::mail::Mail;
use enrollment_core::domain::policy::Policy;
use enrollment_core::domain::role::Role;
use enrollment_core::id::{LocationId, UserId};
use enrollment_core::port::{
    Channel, DeliveryError, DeliveryErrorKind, Message, Notifier, Receipt, Recipient, Scan, Store,
};
use enrollment_core::record::{IndexName, Record, Stored};
use enrollment_core::secret::{Argon2Params, HashingOptions, KeyRing, Password, SessionSecret, Token};
use enrollment_core::service::administrator::{
    Administrator, Delivery, Issued, NewLocation, NewUser, StartEnrollment, UserView,
};
use enrollment_core::service::enrollee::{BeginRequest, DeviceKey, DeviceRequest};
use enrollment_core::service::{AuditReport, Failure, Instance, Origin, Principal, Service, ServiceBuilder};
use enrollment_core::time::Span;
use enrollment_core::worker::{Eraser, OutboxWorker, PeerWorker, Pruner, Sealer, Sweeper};
use enrollment_sqlx::{SqliteOptions, SqlxStore};
use enrollment_testkit::fake::{FakeProvisioner, ManualClock, SeededEntropy};

pub(crate) const CLI: Principal = Principal::command_line();

/// A relay that quotes addresses, as relays do, and rejects some.
#[derive(Debug, Default)]
pub(crate) struct Postmaster {
    pub(crate) rejects: Mutex<Vec<String>>,
}

#[async_trait]
impl Notifier for Postmaster {
    fn channels(&self) -> &[Channel] {
        &[Channel::Email]
    }

    async fn deliver(&self, message: &Message) -> Result<Receipt, DeliveryError> {
        let Recipient::Email(to) = &message.to else { panic!("not a mail") };
        if self.rejects.lock().unwrap().contains(&to.to_string()) {
            return Err(DeliveryError::new(DeliveryErrorKind::Rejected, &format!("550 5.1.1 <{to}>: unknown")));
        }
        Ok(Receipt::new(&format!("250 2.0.0 queued for <{to}>")))
    }
}

pub(crate) struct World {
    pub(crate) service: Service,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) store: Arc<SqlxStore>,
    pub(crate) relay: Arc<Postmaster>,
    pub(crate) gateway: Arc<FakeProvisioner>,
    folder: tempfile::TempDir,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::under(Policy::standard()).await
    }

    pub(crate) async fn under(policy: Policy) -> Self {
        let clock = Arc::new(ManualClock::default());
        let entropy = Arc::new(SeededEntropy::new(11));
        let folder = tempfile::tempdir().unwrap();
        let store = SqlxStore::open_sqlite(folder.path().join("world.db"), SqliteOptions::default()).await.unwrap();
        let store = Arc::new(store);
        let ring = Arc::new(KeyRing::generate(enrollment_core::port::Clock::now(&*clock), &*entropy));
        let cheap = Argon2Params { m_kib: 8, t: 1, p: 1 };
        let instance = Instance { url: "https://vpn.example.com".to_owned(), version: "1".to_owned() };
        let service = ServiceBuilder::new(store.clone(), clock.clone(), entropy, ring, instance)
            .policy(policy)
            .hashing(HashingOptions { params: cheap, limit: cheap, threads: 1, queue: 16 })
            .channels(&[Channel::Email])
            .build()
            .unwrap();
        Self { service, clock, store, relay: Arc::default(), gateway: Arc::default(), folder }
    }

    pub(crate) fn admin(&self) -> Administrator<'_> {
        self.service.administrator()
    }

    /// Lets every worker run until nothing is left to do.
    pub(crate) async fn work(&self) {
        let peers = PeerWorker::new(self.service.clone(), self.gateway.clone());
        while peers.run_once().await.unwrap() > 0 {}
        let outbox = OutboxWorker::new(self.service.clone(), self.relay.clone());
        while outbox.run_once().await.unwrap() > 0 {}
        let sweeper = Sweeper::new(self.service.clone());
        while sweeper.run_once().await.unwrap() > 0 {}
        let eraser = Eraser::new(self.service.clone());
        while eraser.run_once().await.unwrap() > 0 {}
        let sealer = Sealer::new(self.service.clone());
        while sealer.run_once().await.unwrap() > 0 {}
    }

    pub(crate) async fn work_after(&self, span: Span) {
        self.clock.advance(span.duration());
        self.work().await;
    }

    /// Removes what has been kept long enough, and says how much that was.
    pub(crate) async fn prune(&self) -> usize {
        let pruner = Pruner::new(self.service.clone());
        let mut removed = 0;
        loop {
            match pruner.run_once().await.unwrap() {
                0 => return removed,
                some => removed += some,
            }
        }
    }

    pub(crate) async fn location(&self) -> LocationId {
        let new = NewLocation {
            name: "office".parse().unwrap(),
            endpoint: "vpn.example.com:51820".parse().unwrap(),
            public_key: Some(public_key(200)),
            pools: vec!["10.1.0.0/24".parse().unwrap()],
            allowed_ips: vec!["10.0.0.0/8".parse().unwrap()],
            dns: Vec::new(),
            keepalive: 25,
            mtu: None,
            mfa: MfaMode::Disabled,
            factors: None,
            access: Access::Everyone,
            ownership: Ownership::Shared,
        };
        self.admin().create_location(&CLI, new).await.unwrap().location.id
    }

    pub(crate) async fn user(&self, username: &str, role: Option<Role>) -> UserView {
        self.admin().create_user(&CLI, NewUser { role, ..new_user(username) }).await.unwrap().0
    }

    pub(crate) async fn start(&self, by: &Principal, user: UserId, start: StartEnrollment) -> Issued {
        self.admin().start(by, user, start).await.unwrap()
    }

    pub(crate) async fn begin(&self, token: &Token, origin: Origin) -> Result<SessionSecret, Failure> {
        let token = Token::parse(token.expose()).unwrap();
        let request = BeginRequest { token, nonce: None, resume: None };
        Ok(self.service.enrollee().begin(&request, origin).await?.session)
    }

    /// Profile and password.
    pub(crate) async fn fill_in(&self, session: &SessionSecret, phone: Option<&str>, origin: Origin) {
        let enrollee = self.service.enrollee();
        enrollee.confirm_profile(session, phone.map(|phone| phone.parse().unwrap()), origin).await.unwrap();
        let password = Password::parse("quiet lanterns over the harbor".to_owned()).unwrap();
        enrollee.choose_password(session, password, origin).await.unwrap();
    }

    pub(crate) async fn device(&self, session: &SessionSecret, name: &str, tag: u8, origin: Origin) {
        let request = DeviceRequest { name: name.parse().unwrap(), key: DeviceKey::Given(public_key(tag)) };
        self.service.enrollee().set_device(session, &request, origin).await.unwrap();
    }

    /// Everything, from the token to completion, with a device where there is a location to reach.
    pub(crate) async fn complete(&self, token: &Token, device: Option<u8>) {
        let origin = Origin::default();
        let session = self.begin(token, origin).await.unwrap();
        self.fill_in(&session, None, origin).await;
        if let Some(tag) = device {
            self.device(&session, "own", tag, origin).await;
        }
        self.service.enrollee().complete(&session, origin).await.unwrap();
    }

    pub(crate) async fn all<R: Record>(&self, index: IndexName, within: &str) -> Vec<R> {
        let page = self.store.scan(&Scan::all(index, within, 1000)).await.unwrap();
        assert_eq!(page.next, None, "one page is enough for a test");
        page.rows.iter().map(|row| Stored::read(row).unwrap().record).collect()
    }

    pub(crate) async fn mails(&self) -> Vec<Mail> {
        let mut all = Vec::new();
        for standing in ["queue", "sent", "dead", "obsolete"] {
            all.extend(self.all::<Mail>(IndexName::MailsByState, standing).await);
        }
        all
    }

    pub(crate) async fn audit(&self) -> Vec<AuditEntry> {
        self.all(IndexName::AuditByTime, "").await
    }

    pub(crate) async fn audited(&self, event: &Event) -> usize {
        self.audit().await.iter().filter(|entry| entry.event == *event).count()
    }

    pub(crate) async fn report(&self) -> AuditReport {
        self.admin().verify_audit(&CLI).await.unwrap()
    }

    /// Every byte of the database: the file, and the log of changes beside it.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for name in ["world.db", "world.db-wal"] {
            bytes.extend(std::fs::read(self.folder.path().join(name)).unwrap_or_default());
        }
        bytes
    }
}

/// An administrator at an address.
pub(crate) fn signed_in(user: UserId, role: Role, source: &str) -> Principal {
    Principal { actor: Actor::User(user), role: Some(role), user: Some(user), origin: from(source), epoch: None }
}

pub(crate) fn from(source: &str) -> Origin {
    Origin { source: Some(source.parse().unwrap()) }
}

/// `username@example.com`.
pub(crate) fn new_user(username: &str) -> NewUser {
    NewUser {
        username: username.parse().unwrap(),
        first_name: "Alex".parse().unwrap(),
        last_name: "Example".parse().unwrap(),
        email: Some(format!("{username}@example.com").parse().unwrap()),
        phone: None,
        groups: BTreeSet::new(),
        role: None,
        enrollment: None,
    }
}

pub(crate) fn manual(purpose: Purpose) -> StartEnrollment {
    StartEnrollment { purpose, delivery: Delivery::Manual, email: None, validity: None, wording: None }
}

/// By mail, to this address or the one on file.
pub(crate) fn mailed(purpose: Purpose, to: Option<&str>) -> StartEnrollment {
    let email = to.map(|to| to.parse().unwrap());
    StartEnrollment { delivery: Delivery::Both, email, ..manual(purpose) }
}

pub(crate) fn public_key(tag: u8) -> PublicKey {
    PublicKey::from_bytes([tag.max(9); 32]).unwrap()
}

/// The stable code of a refusal.
#[track_caller]
pub(crate) fn code<T: std::fmt::Debug>(result: Result<T, Failure>) -> &'static str {
    match result {
        Err(Failure::Rejected(rejection)) => rejection.code(),
        other => panic!("not refused: {other:?}"),
    }
}
