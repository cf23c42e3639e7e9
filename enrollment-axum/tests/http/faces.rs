//! Two faces that never mix (SYS-1).

use axum::http::{Method, StatusCode};
use enrollment_core::domain::role::Role;

use crate::client::{bearing, request, send};
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
