//! A public face with Defguard's routes, over each database.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use axum::Router;
use axum::http::Method;
use enrollment_axum::{
    EnrollmentState, HttpOptions, admin_router, api_key_auth, defguard, enroll_router, internal_layers, public_layers,
    wizard_router,
};
use enrollment_core::domain::enrollment::Purpose;
use enrollment_core::domain::policy::Policy;
use enrollment_core::domain::role::Role;
use enrollment_core::id::{EnrollmentId, UserId};
use enrollment_core::port::{Channel, Clock, Entropy, Store};
use enrollment_core::secret::{Argon2Params, HashingOptions, KeyRing, PrivateKey};
use enrollment_core::service::administrator::{
    Delivery, EnrollmentView, NewApiKey, NewUser, PeerStatus, StartEnrollment, UserPatch,
};
use enrollment_core::service::{Instance, Principal, Service, ServiceBuilder};
use enrollment_core::time::Timestamp;
use enrollment_core::worker::{OutboxWorker, PeerWorker, Sweeper};
use enrollment_sqlx::{PostgresOptions, SqliteOptions, SqlxStore};
use enrollment_testkit::fake::{FakeProvisioner, ManualClock, RecordingNotifier, SeededEntropy};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::{Answer, bearing, request, send, with, with_json};

/// A server, and what hangs on it.
pub(crate) struct World {
    pub(crate) public: Router,
    internal: Router,
    pub(crate) service: Service,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) relay: Arc<RecordingNotifier>,
    gateway: Arc<FakeProvisioner>,
    entropy: Arc<SeededEntropy>,
    key: String,
    _folder: TempDir,
}

/// One on SQLite and one on PostgreSQL.
pub(crate) async fn worlds() -> [World; 2] {
    let folder = tempfile::tempdir().expect("a folder");
    let sqlite = SqlxStore::open_sqlite(folder.path().join("vpn.db"), SqliteOptions::default()).await.expect("a store");
    let server = std::env::var("ENROLLMENT_TEST_POSTGRES")
        .expect("these tests need a PostgreSQL cluster of their own: run them by `scripts/postgres run cargo …`");
    let schema = format!("t{:016x}", RandomState::new().hash_one(std::process::id()));
    let options = PostgresOptions { schema, ..PostgresOptions::default() };
    let postgres = SqlxStore::open_postgres(&server, options).await.expect("a store");
    let url = "https://vpn.example.com";
    let nothing = tempfile::tempdir().expect("a folder");
    [world(Arc::new(sqlite), folder, url).await, world(Arc::new(postgres), nothing, url).await]
}

/// One that people reach over plain HTTP.
pub(crate) async fn plain_http() -> World {
    let folder = tempfile::tempdir().expect("a folder");
    let store = SqlxStore::open_sqlite(folder.path().join("vpn.db"), SqliteOptions::default()).await.expect("a store");
    world(Arc::new(store), folder, "http://vpn.lan:8080").await
}

async fn world(store: Arc<dyn Store>, folder: TempDir, url: &str) -> World {
    let clock = Arc::new(ManualClock::default());
    let entropy = Arc::new(SeededEntropy::new(1));
    let ring = Arc::new(KeyRing::generate(Timestamp::EPOCH, &*entropy));
    let instance = Instance { url: url.to_owned(), version: "0.0.0".to_owned() };
    let cheap = HashingOptions::new(Argon2Params { m_kib: 64, t: 1, p: 1 }, 1 << 20);
    let service = ServiceBuilder::new(store, clock.clone(), entropy.clone(), ring, instance)
        .policy(Policy::standard())
        .hashing(cheap)
        .channels(&[Channel::Email])
        .build()
        .expect("a service");
    let state = EnrollmentState::new(service.clone(), HttpOptions { rates: None, ..HttpOptions::default() });
    let public =
        Router::new().merge(enroll_router()).merge(wizard_router()).merge(defguard::router()).with_state(state.clone());
    let internal = api_key_auth(Router::new().merge(admin_router()), &state).with_state(state.clone());
    let new = NewApiKey { name: "a test".parse().expect("a label"), role: Role::Owner, user: None };
    let (_, key) = service.administrator().create_api_key(&operator(), new).await.expect("a key");
    World {
        public: public_layers(public, &state),
        internal: internal_layers(internal, &state),
        service,
        clock,
        relay: Arc::new(RecordingNotifier::new()),
        gateway: Arc::new(FakeProvisioner::new()),
        entropy,
        key: key.expose().to_owned(),
        _folder: folder,
    }
}

/// Somebody with the server's command line.
pub(crate) fn operator() -> Principal {
    Principal::command_line()
}

/// A user with an open enrollment.
pub(crate) struct Invited {
    pub(crate) user: UserId,
    pub(crate) enrollment: EnrollmentId,
    pub(crate) token: String,
}

impl World {
    /// A call of a client.
    pub(crate) async fn call(&self, path: &str, cookie: Option<&str>, body: &Value) -> Answer {
        let request = with_json(Method::POST, &format!("/api/v1{path}"), body);
        let request = match cookie {
            Some(cookie) => with(request, "cookie", cookie),
            None => request,
        };
        send(&self.public, request).await
    }

    /// Opens a session. The desktop client sends back the whole line of `Set-Cookie`, and so do these tests.
    pub(crate) async fn start(&self, token: &str) -> String {
        let started = self.call("/enrollment/start", None, &json!({ "token": token })).await;
        started.ok();
        started.header("set-cookie").expect("a cookie").to_owned()
    }

    pub(crate) async fn admin(&self, method: Method, path: &str, body: &Value) -> Value {
        let request = with_json(method, &format!("/api/admin/v1{path}"), body);
        send(&self.internal, bearing(request, &self.key)).await.ok()
    }

    /// Deletes something.
    pub(crate) async fn removed(&self, path: &str) {
        let request = request(Method::DELETE, &format!("/api/admin/v1{path}"));
        assert_eq!(send(&self.internal, bearing(request, &self.key)).await.status, 204, "{path}");
    }

    pub(crate) async fn read(&self, path: &str) -> Value {
        let request = request(Method::GET, &format!("/api/admin/v1{path}"));
        send(&self.internal, bearing(request, &self.key)).await.ok()
    }

    /// Adds a location; which one.
    pub(crate) async fn location(&self, name: &str, mfa: &str) -> String {
        let location = json!({
            "name": name, "endpoint": "vpn.example.test:50051", "public_key": self.key(),
            "pools": ["10.50.0.0/16"], "allowed_ips": ["10.50.0.0/16", "192.168.50.0/24"],
            "dns": ["10.50.0.53", "corp.test"], "keepalive": 25, "mfa": mfa,
        });
        let added = self.admin(Method::POST, "/locations", &location).await;
        added["location"]["id"].as_str().or_else(|| added["id"].as_str()).expect("an id").to_owned()
    }

    /// The public half of a new pair.
    pub(crate) fn key(&self) -> String {
        PrivateKey::pair(&*self.entropy as &dyn Entropy).expect("a pair").1.to_string()
    }

    /// Adds a user with an onboarding enrollment.
    pub(crate) async fn invite(&self, username: &str) -> Invited {
        let new = NewUser {
            username: username.parse().expect("a username"),
            first_name: "Alice".parse().expect("a name"),
            last_name: "Tester".parse().expect("a name"),
            email: Some(format!("{username}@example.test").parse().expect("an address")),
            phone: Some("+48 600 000 000".parse().expect("a number")),
            groups: BTreeSet::new(),
            role: None,
            enrollment: Some(manual(Purpose::Onboarding)),
        };
        let (user, issued) = self.service.administrator().create_user(&operator(), new).await.expect("a user");
        let issued = issued.expect("an enrollment");
        Invited { user: user.id, enrollment: issued.id, token: issued.token.expose().to_owned() }
    }

    /// Starts another enrollment of a user.
    pub(crate) async fn invite_again(&self, user: UserId, purpose: Purpose) -> Invited {
        let issued = self.service.administrator().start(&operator(), user, manual(purpose)).await.expect("issued");
        Invited { user, enrollment: issued.id, token: issued.token.expose().to_owned() }
    }

    /// Adds a user who has completed their onboarding, without a device.
    pub(crate) async fn enrolled(&self, username: &str) -> UserId {
        let invited = self.invite(username).await;
        let cookie = self.start(&invited.token).await;
        let done = json!({ "password": "seven green umbrellas dance" });
        let done = self.call("/enrollment/activate_user", Some(&cookie), &done).await;
        assert_eq!(done.status, 200, "{}", done.text());
        invited.user
    }

    pub(crate) async fn change(&self, user: UserId, patch: UserPatch) {
        self.service.administrator().change_user(&operator(), user, patch).await.expect("changed");
    }

    pub(crate) async fn enrollment(&self, id: EnrollmentId) -> EnrollmentView {
        self.service.administrator().enrollment(&operator(), id).await.expect("an enrollment")
    }

    /// The user's devices by name, with how far their peers are.
    pub(crate) async fn devices(&self, user: UserId) -> Vec<(String, PeerStatus)> {
        let devices = self.service.administrator().devices_of(&operator(), user).await.expect("devices");
        devices.into_iter().map(|report| (report.device.name.into(), report.status)).collect()
    }

    /// How many peers the gateway of a location has, once it was told all that is to be told.
    pub(crate) async fn peers(&self, location: &str) -> usize {
        let worker = PeerWorker::new(self.service.clone(), self.gateway.clone());
        while worker.run_once().await.expect("the store answers") > 0 {}
        self.gateway.peers(location.parse().expect("an id")).len()
    }

    /// Lets time pass, and does what is due then.
    pub(crate) async fn wait(&self, seconds: u64) {
        self.clock.advance(std::time::Duration::from_secs(seconds));
        let sweeper = Sweeper::new(self.service.clone());
        while sweeper.run_once().await.expect("the store answers") > 0 {}
        let worker = OutboxWorker::new(self.service.clone(), self.relay.clone());
        while worker.run_once().await.expect("the store answers") > 0 {}
    }

    /// The code of the moment for a secret in Base32.
    pub(crate) fn code(&self, secret: &str) -> String {
        let secret = data_encoding::BASE32_NOPAD.decode(secret.as_bytes()).expect("Base32");
        let totp = totp_rs::Builder::new().with_secret(secret).with_skew(0).build().expect("a secret of 160 bits");
        totp.generate(u64::try_from(self.clock.now().seconds()).expect("after 1970")).to_string()
    }
}

fn manual(purpose: Purpose) -> StartEnrollment {
    StartEnrollment { purpose, delivery: Delivery::Manual, email: None, validity: None, wording: None }
}
