//! API keys: who may come in, and what their role allows.

use axum::Router;
use axum::http::Method;
use axum::middleware::{self, Next};
use enrollment_axum::{EnrollmentState, HttpOptions, admin_router, internal_layers};
use enrollment_core::domain::role::Role;
use enrollment_core::service::Principal;
use serde_json::{Value, json};

use crate::client::{bearing, request, send};
use crate::world::{operator, world};

/// Without a principal nothing is answered, whatever the host forgot.
#[tokio::test]
async fn without_a_principal_nothing_is_answered() {
    let world = world();
    let state = EnrollmentState::new(world.service.clone(), HttpOptions::default());
    let bare = internal_layers(admin_router().with_state(state.clone()), &state);
    let key = world.key(Role::Owner).await;
    let refused = send(&bare, bearing(request(Method::GET, "/api/admin/v1/users"), &key)).await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (401, "unauthorized"));
}

/// A host signs people in by its own means.
#[tokio::test]
async fn a_host_brings_its_own_principal() {
    let world = world();
    let state = EnrollmentState::new(world.service.clone(), HttpOptions::default());
    let sign_in = middleware::from_fn(async |mut request: axum::extract::Request, next: Next| {
        request.extensions_mut().insert::<Principal>(operator());
        next.run(request).await
    });
    let hosted: Router = admin_router().layer(sign_in).with_state(state.clone());
    assert_eq!(send(&hosted, request(Method::GET, "/api/admin/v1/users")).await.ok()["items"], json!([]));
}

#[tokio::test]
async fn a_key_is_shown_once_and_works_until_it_is_revoked() {
    let world = world();
    let owner = world.key(Role::Owner).await;
    let new = json!({ "name": "ci", "role": "user_manager" });
    let made = world.admin(Method::POST, "/api-keys", &owner, &new).await;
    assert_eq!(made.status, 201);
    let made = made.ok();
    let key = made["key"].as_str().expect("a key");
    assert!(key.starts_with("enk_"));
    let all = world.read("/api-keys", &owner).await;
    assert_eq!(all["items"].as_array().map(Vec::len), Some(2));
    assert!(!all.to_string().contains("enk_"));

    world.read("/users", key).await;
    let path = format!("/api-keys/{}", made["id"].as_str().expect("an id"));
    assert_eq!(world.admin(Method::DELETE, &path, &owner, &Value::Null).await.status, 204);
    let revoked = world.admin(Method::GET, "/users", key, &Value::Null).await;
    assert_eq!((revoked.status.as_u16(), revoked.code().as_str()), (401, "unauthorized"));
}

/// ADM-7, as far as HTTP shows it.
#[tokio::test]
async fn a_role_that_may_not_is_told_so() {
    let world = world();
    let key = world.key(Role::HelpDesk).await;
    world.read("/users", &key).await;
    for (method, path, body) in [
        (Method::POST, "/users", json!({ "username": "alex" })),
        (Method::GET, "/api-keys", Value::Null),
        (Method::PATCH, "/settings", json!({ "organization": "x" })),
        (Method::GET, "/audit", Value::Null),
        (Method::GET, "/audit/export", Value::Null),
    ] {
        let refused = world.admin(method, path, &key, &body).await;
        assert_eq!((refused.status.as_u16(), refused.code().as_str()), (403, "forbidden"), "{path}");
    }
}

#[tokio::test]
async fn whatever_is_no_key_is_refused() {
    let world = world();
    for token in ["enk_0000", "ens_0000", "x", ""] {
        let refused = world.admin(Method::GET, "/users", token, &Value::Null).await;
        assert_eq!((refused.status.as_u16(), refused.code().as_str()), (401, "unauthorized"), "{token}");
    }
}
