//! A database with people who are about to begin, or about to complete.

use std::ops::Range;
use std::sync::Arc;

use enrollment::core::domain::policy::Policy;
use enrollment::core::domain::settings::Settings;
use enrollment::core::id::ChangeId;
use enrollment::core::port::{Change, Clock, CommitOutcome, Op, Store, SystemClock, SystemEntropy};
use enrollment::core::record::{Guard, GuardRow, new_row};
use enrollment::core::secret::{Argon2Params, HashingOptions, KeyRing, Password, SessionSecret, Token};
use enrollment::core::service::enrollee::{BeginRequest, DeviceKey, DeviceRequest};
use enrollment::core::service::{Instance, Origin, Service, ServiceBuilder};
use enrollment::sqlx::SqlxStore;

use crate::bare::{self, Dialect, Statement};
use crate::database::Database;
use crate::people;
use crate::recorder::Recorder;

/// People whose operation is measured, in one copy of the file.
pub(crate) const ITEMS: usize = 512;
/// People before them, whose operation warms everything up.
pub(crate) const SPARE: usize = 16;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Begin,
    Complete,
}

/// A database in which everybody is at the same point, and the secret with which each goes on.
#[derive(Debug)]
pub(crate) struct Scene {
    pub(crate) operation: Operation,
    pub(crate) database: Database,
    ring: Arc<KeyRing>,
    secrets: Vec<Arc<str>>,
}

/// A service at work on a copy of the database.
#[derive(Debug)]
pub(crate) struct Running {
    store: Arc<SqlxStore>,
    ring: Arc<KeyRing>,
    copy: Database,
}

fn origin() -> Origin {
    Origin { source: Some([192, 0, 2, 1].into()) }
}

impl Scene {
    /// Fills an empty database through the service's own steps.
    pub(crate) async fn prepare(operation: Operation, database: Database) -> Self {
        let ring = Arc::new(KeyRing::generate(SystemClock.now(), &SystemEntropy));
        let store = Arc::new(database.open().await);
        let mut secrets = invite(&store, &ring).await;
        if operation == Operation::Complete {
            let service = service(Arc::<SqlxStore>::clone(&store), &ring);
            for (secret, n) in secrets.iter_mut().zip(1..) {
                *secret = make_ready(&service, secret, n).await;
            }
        }
        store.close().await;
        Self { operation, database, ring, secrets }
    }

    pub(crate) fn secrets(&self, of: Range<usize>) -> &[Arc<str>] {
        &self.secrets[of]
    }

    /// A store on a copy.
    pub(crate) async fn run(&self) -> Running {
        let copy = self.database.copy().await;
        Running { store: Arc::new(copy.open().await), ring: Arc::clone(&self.ring), copy }
    }

    /// What the operation of each person asks of the store, as bare statements.
    pub(crate) async fn record(&self) -> Vec<Vec<Statement>> {
        let running = self.run().await;
        let recorder = Arc::new(Recorder::new(running.store()));
        let service = running.service(Arc::clone(&recorder) as Arc<dyn Store>);
        let dialect = Dialect::of(&self.database.place());
        let mut recorded = Vec::new();
        for secret in &self.secrets {
            perform(&service, self.operation, secret).await;
            recorded.push(bare::statements(&recorder.take(), dialect));
        }
        running.close().await;
        recorded
    }
}

impl Running {
    pub(crate) fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.store) as Arc<dyn Store>
    }

    pub(crate) fn service(&self, store: Arc<dyn Store>) -> Service {
        service(store, &self.ring)
    }

    pub(crate) async fn close(self) {
        self.store.close().await;
        self.copy.remove().await;
    }
}

/// A service with cheap password hashes: none is made or verified while time is taken.
fn service(store: Arc<dyn Store>, ring: &Arc<KeyRing>) -> Service {
    let instance = Instance { url: "https://vpn.example.com".to_owned(), version: "0.1.0".to_owned() };
    let cost = Argon2Params { m_kib: 64, t: 1, p: 1 };
    ServiceBuilder::new(store, Arc::new(SystemClock), Arc::new(SystemEntropy), Arc::clone(ring), instance)
        .hashing(HashingOptions { threads: 1, ..HashingOptions::new(cost, u64::MAX) })
        .build()
        .expect("parts that fit together")
}

/// Performs the operation for each secret, with so many callers at a time.
pub(crate) async fn each(service: &Service, operation: Operation, secrets: &[Arc<str>], callers: usize) {
    let running: Vec<_> = (0..callers)
        .map(|caller| {
            let service = service.clone();
            let own: Vec<Arc<str>> = secrets.iter().skip(caller).step_by(callers).cloned().collect();
            tokio::spawn(async move {
                for secret in own {
                    perform(&service, operation, &secret).await;
                }
            })
        })
        .collect();
    for caller in running {
        caller.await.expect("no panic");
    }
}

async fn perform(service: &Service, operation: Operation, secret: &str) {
    match operation {
        Operation::Begin => {
            begin(service, secret).await;
        }
        Operation::Complete => {
            let session = SessionSecret::parse(secret).expect("a session");
            let completion = service.enrollee().complete(&session, origin()).await.expect("completed");
            assert_eq!(completion.configs.len(), 1, "a device in one location");
        }
    }
}

async fn begin(service: &Service, token: &str) -> SessionSecret {
    let request = BeginRequest { token: Token::parse(token).expect("a token"), nonce: None, resume: None };
    service.enrollee().begin(&request, origin()).await.expect("begun").session
}

/// One location, settings, and everybody with an invitation, whose tokens are returned.
async fn invite(store: &SqlxStore, ring: &KeyRing) -> Vec<Arc<str>> {
    let now = SystemClock.now();
    let administrator = people::user(0, now);
    let guard = GuardRow { guard: Guard::Locations, members: [].into() };
    let mut ops = vec![
        new_row(&guard),
        new_row(&people::location(now)),
        new_row(&Settings::defaults(&Policy::standard())),
        new_row(&administrator),
    ];
    let mut tokens = Vec::new();
    for n in (1..).take(SPARE + ITEMS) {
        let user = people::user(n, now);
        let (enrollment, token) = people::onboarding(&user, administrator.id, ring, now);
        ops.extend([new_row(&user), new_row(&enrollment)]);
        tokens.push(token.expose().into());
    }
    write(store, ops).await;
    tokens
}

async fn write(store: &SqlxStore, ops: Vec<Op>) {
    let now = SystemClock.now();
    let change =
        Change::new(ChangeId::new(now, &SystemEntropy), now, ops, Vec::new(), Vec::new()).expect("a valid change");
    assert_eq!(store.commit(&change).await.expect("an outcome"), CommitOutcome::Applied);
}

/// Everything but completing; returns the session.
async fn make_ready(service: &Service, token: &str, n: u32) -> Arc<str> {
    let session = begin(service, token).await;
    let enrollee = service.enrollee();
    let phone = Some("+48 600 100 201".parse().expect("a number"));
    enrollee.confirm_profile(&session, phone, origin()).await.expect("confirmed");
    let password = Password::parse("seven quiet boats at noon".to_owned()).expect("a password");
    enrollee.choose_password(&session, password, origin()).await.expect("chosen");
    let request =
        DeviceRequest { name: "Laptop".parse().expect("a name"), key: DeviceKey::Given(people::public_key(n)) };
    enrollee.set_device(&session, &request, origin()).await.expect("staged");
    session.expose().into()
}
