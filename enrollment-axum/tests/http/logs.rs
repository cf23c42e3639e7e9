//! What a run leaves in the logs (SYS-6).

use std::io::Write;
use std::sync::{Arc, Mutex};

use axum::http::Method;
use enrollment_core::domain::role::Role;
use serde_json::json;
use tracing_subscriber::fmt::MakeWriter;

use crate::client::{request, send};
use crate::world::world;

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no panic while writing").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// One line per request with its route, status and id; no path, no token, no body, at the most talkative level.
#[tokio::test]
async fn a_request_is_logged_by_its_route_and_nothing_secret_is() {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(lines.clone()).json();
    let _guard = tracing::subscriber::set_default(subscriber.finish());
    let world = world();
    let (_, token) = world.invite("alex").await;
    let page = send(&world.public, request(Method::GET, &format!("/enroll/{token}?q=hunter2"))).await;
    let session = world.begin(&token).await;
    world.step(Method::PUT, "/session/password", &session, &json!({ "password": "hunter2 and more" })).await.ok();
    world.step(Method::PUT, "/session/password", &session, &json!({ "password": "hunter2" })).await.code();
    let key = world.key(Role::Owner).await;
    world.read("/users?q=hunter2", &key).await;
    world.post("/inspect", &json!({ "token": "enr_hunter2" })).await.code();

    let text = String::from_utf8(lines.0.lock().expect("no panic").clone()).expect("UTF-8");
    let answered: Vec<_> = text.lines().filter(|line| line.contains("\"answered\"")).collect();
    assert_eq!(answered.len(), 6, "{text}");
    let first = answered[0];
    assert!(first.contains("/enroll/{token}") && first.contains("\"status\":200"), "{first}");
    assert!(first.contains(page.header("x-request-id").expect("an id")), "{first}");
    for secret in [&token, &session, &key, "hunter2", "enr_", "ens_", "enk_"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}
