//! Two faces that never mix (SYS-1).

use axum::Router;
use axum::extract::FromRef;
use axum::http::{Method, StatusCode};
use enrollment_axum::{EnrollmentState, HttpOptions, enroll_router};
use enrollment_core::domain::role::Role;

use serde_json::json;

use crate::client::{bearing, request, send, with_json};
use crate::openapi::operations;
use crate::world::world;

/// SYS-1
#[tokio::test]
async fn no_route_of_one_face_is_on_the_other() {
    let world = world();
    let key = world.key(Role::Owner).await;
    for operation in operations() {
        let path = operation.path_with(&uuid::Uuid::nil().to_string());
        let elsewhere = match operation.path.split('/').nth(2) {
            Some("admin") => &world.public,
            Some("enroll") => &world.internal,
            _ => continue,
        };
        let answer = send(elsewhere, bearing(request(operation.method.clone(), &path), &key)).await;
        assert_eq!((answer.status, answer.code().as_str()), (StatusCode::NOT_FOUND, "not_found"), "{path}");
    }
    for path in ["/api/openapi.json", "/metrics", "/admin"] {
        assert_eq!(send(&world.public, request(Method::GET, path)).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    assert_eq!(send(&world.internal, request(Method::GET, "/enroll")).await.status, StatusCode::NOT_FOUND);
    for face in [&world.public, &world.internal] {
        for path in ["/health/live", "/health/ready"] {
            assert_eq!(send(face, request(Method::GET, path)).await.ok()["status"], "ok");
        }
    }
}

/// A host has a state of its own and puts the routes where it likes, without any of our layers.
#[tokio::test]
async fn a_host_nests_the_routes_in_its_own() {
    #[derive(Clone)]
    struct Host {
        enrollment: EnrollmentState,
    }
    impl FromRef<Host> for EnrollmentState {
        fn from_ref(host: &Host) -> Self {
            host.enrollment.clone()
        }
    }
    let world = world();
    let (_, token) = world.invite("alex").await;
    let host = Host { enrollment: EnrollmentState::new(world.service.clone(), HttpOptions::default()) };
    let router = Router::new().nest("/vpn", enroll_router::<Host>()).with_state(host);
    let inspect = |token: &str| with_json(Method::POST, "/vpn/api/enroll/v1/inspect", &json!({ "token": token }));
    assert_eq!(send(&router, inspect(&token)).await.ok()["valid"], true);
    let refused = send(&router, inspect("enr_x")).await;
    assert_eq!(refused.header("content-type"), Some("application/problem+json"));
    assert_eq!((&refused.json()["code"], refused.json().get("request_id")), (&json!("invalid_token"), None));
}
