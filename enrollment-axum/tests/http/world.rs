//! A server with one user in it.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Router;
use axum::http::Method;
use enrollment_axum::{
    EnrollmentState, HttpOptions, admin_pages_router, admin_router, assets_router, enroll_router, health_router,
    internal_layers, openapi_router, public_layers, session_auth, sign_in_router, wizard_router,
};
use enrollment_core::domain::enrollment::Purpose;
use enrollment_core::domain::policy::Policy;
use enrollment_core::domain::role::Role;
use enrollment_core::id::EnrollmentId;
use enrollment_core::memory::MemoryStore;
use enrollment_core::port::{Channel, Entropy};
use enrollment_core::secret::{Argon2Params, HashingOptions, KeyRing};
use enrollment_core::service::administrator::{Delivery, NewApiKey, NewUser, StartEnrollment};
use enrollment_core::service::{Instance, Principal, Service, ServiceBuilder};
use enrollment_core::time::Timestamp;
use enrollment_core::worker::OutboxWorker;
use enrollment_testkit::fake::{FaultyStore, ManualClock, RecordingNotifier, SeededEntropy, TracingStore};
use serde_json::{Value, json};

use crate::client::{Answer, bearing, request, send, with_json};

/// A server: two faces over one service.
pub(crate) struct World {
    pub(crate) public: Router,
    pub(crate) internal: Router,
    pub(crate) service: Service,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) store: Arc<TracingStore>,
    pub(crate) faults: Arc<FaultyStore>,
    pub(crate) relay: Arc<RecordingNotifier>,
}

/// The reference server's own way, with everything open to a test.
pub(crate) fn world() -> World {
    world_with(HttpOptions { rates: None, ..HttpOptions::default() }, "https://vpn.example.com", Policy::standard())
}

pub(crate) fn world_with(options: HttpOptions, url: &str, policy: Policy) -> World {
    world_by(&[], options, url, policy)
}

/// With something to send mail by.
pub(crate) fn world_with_mail() -> World {
    let options = HttpOptions { rates: None, ..HttpOptions::default() };
    world_by(&[Channel::Email], options, "https://vpn.example.com", Policy::standard())
}

fn world_by(channels: &[Channel], options: HttpOptions, url: &str, policy: Policy) -> World {
    let clock = Arc::new(ManualClock::default());
    let entropy: Arc<dyn Entropy> = Arc::new(SeededEntropy::new(1));
    let faults = Arc::new(FaultyStore::new(Arc::new(MemoryStore::new())));
    let store = Arc::new(TracingStore::new(faults.clone()));
    let ring = Arc::new(KeyRing::generate(Timestamp::EPOCH, &*entropy));
    let instance = Instance { url: url.to_owned(), version: "0.0.0".to_owned() };
    let cheap = HashingOptions::new(Argon2Params { m_kib: 64, t: 1, p: 1 }, 1 << 20);
    let service = ServiceBuilder::new(store.clone(), clock.clone(), entropy, ring, instance)
        .policy(policy)
        .hashing(cheap)
        .channels(channels)
        .build()
        .expect("a service");
    let state = EnrollmentState::new(service.clone(), options);
    let pages = Router::new().merge(wizard_router()).merge(assets_router());
    let public = Router::new().merge(enroll_router()).merge(pages).merge(health_router()).with_state(state.clone());
    let internal = Router::new().merge(admin_router()).merge(health_router()).merge(openapi_router());
    let internal = enrollment_axum::api_key_auth(internal, &state).with_state(state.clone());
    let pages = Router::new().merge(admin_pages_router()).merge(sign_in_router()).with_state(state.clone());
    let internal = internal.merge(session_auth(pages, &state));
    World {
        public: public_layers(public, &state),
        internal: internal_layers(internal, &state),
        service,
        clock,
        store,
        faults,
        relay: Arc::new(RecordingNotifier::new()),
    }
}

pub(crate) const PUBLIC_KEY: &str = "jNQKmw+IF9llxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxw=";

impl World {
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        send(&self.public, with_json(Method::POST, &format!("/api/enroll/v1{path}"), body)).await
    }

    pub(crate) async fn step(&self, method: Method, path: &str, session: &str, body: &Value) -> Answer {
        let request = with_json(method, &format!("/api/enroll/v1{path}"), body);
        send(&self.public, bearing(request, session)).await
    }

    pub(crate) async fn get(&self, path: &str, session: &str) -> Answer {
        send(&self.public, bearing(request(Method::GET, &format!("/api/enroll/v1{path}")), session)).await
    }

    pub(crate) async fn begin(&self, token: &str) -> String {
        let begun = self.post("/sessions", &json!({ "token": token })).await.ok();
        begun["session_token"].as_str().expect("a session token").to_owned()
    }

    /// Sends what is due.
    pub(crate) async fn send_mail(&self) {
        let worker = OutboxWorker::new(self.service.clone(), self.relay.clone());
        while worker.run_once().await.expect("the store answers") > 0 {}
    }

    /// What was written since the last question.
    pub(crate) fn writes(&self) -> Vec<String> {
        let written = self.store.take().into_iter().filter(|call| !matches!(call.method, "get" | "find" | "scan"));
        written.map(|call| call.to_string()).collect()
    }
}

/// Somebody with the server's command line.
pub(crate) fn operator() -> Principal {
    Principal::command_line()
}

impl World {
    /// Adds a user with an onboarding enrollment, and tells its id and its token.
    pub(crate) async fn invite(&self, username: &str) -> (EnrollmentId, String) {
        let start = StartEnrollment {
            purpose: Purpose::Onboarding,
            delivery: Delivery::Manual,
            email: None,
            validity: None,
            wording: None,
        };
        let new = NewUser {
            username: username.parse().expect("a username"),
            first_name: "Alex".parse().expect("a name"),
            last_name: "Doe".parse().expect("a name"),
            email: Some(format!("{username}@example.com").parse().expect("an address")),
            phone: None,
            groups: BTreeSet::new(),
            role: None,
            enrollment: Some(start),
        };
        let (_, issued) = self.service.administrator().create_user(&operator(), new).await.expect("a user");
        let issued = issued.expect("an enrollment");
        (issued.id, issued.token.expose().to_owned())
    }
}

impl World {
    /// A key that may do this much.
    pub(crate) async fn key(&self, role: Role) -> String {
        let new = NewApiKey { name: "a test".parse().expect("a label"), role, user: None };
        let (_, secret) = self.service.administrator().create_api_key(&operator(), new).await.expect("a key");
        secret.expose().to_owned()
    }

    /// Asks the internal face.
    pub(crate) async fn admin(&self, method: Method, path: &str, key: &str, body: &Value) -> Answer {
        let request = with_json(method, &format!("/api/admin/v1{path}"), body);
        send(&self.internal, bearing(request, key)).await
    }

    /// Reads at the internal face.
    pub(crate) async fn read(&self, path: &str, key: &str) -> Value {
        send(&self.internal, bearing(request(Method::GET, &format!("/api/admin/v1{path}")), key)).await.ok()
    }

    /// Adds a location.
    pub(crate) async fn location(&self, key: &str, name: &str) -> Value {
        let location = json!({
            "name": name, "endpoint": "gw.example.com:51820", "public_key": PUBLIC_KEY,
            "pools": ["10.1.0.0/16", "fd00:1::/64"], "allowed_ips": ["10.0.0.0/8"], "dns": ["10.1.0.1"],
        });
        self.admin(Method::POST, "/locations", key, &location).await.ok()
    }
}
