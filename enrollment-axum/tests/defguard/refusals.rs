//! Every refusal is `{"error": …}`, with a status that clients know.

use axum::body::Body;
use axum::http::{Method, Request};
use enrollment_core::domain::user::UserStatus;
use enrollment_core::service::administrator::UserPatch;
use serde_json::json;

use crate::client::{request, send, with, with_json};
use crate::desktop::error;
use crate::world::{operator, worlds};

/// SYS-3: the refusals that clients were seen to get, with the words they were seen to get.
#[tokio::test]
async fn refusals_are_what_clients_expect() {
    for world in worlds().await {
        world.location("office", "disabled").await;
        let alice = world.invite("alice").await;
        let unknown = world.replay("start-unknown-token", None, &[]).await;
        assert!(error(&unknown).starts_with("invalid token"), "{}", unknown.text());
        world.replay("create-device-no-cookie", None, &[]).await;
        let cookie = world.start(&alice.token).await;
        let bad = world.replay("create-device-bad-key", Some(&cookie), &[]).await;
        assert!(error(&bad).starts_with("invalid pubkey"), "{}", bad.text());
        let weak = world.replay("activate-weak-password", Some(&cookie), &[]).await;
        assert!(error(&weak).starts_with("password not strong enough"), "{}", weak.text());
        world.replay("mfa-start-unsupported", Some(&cookie), &[]).await;
        world.replay("mfa-start-totp-ok", Some(&cookie), &[]).await;
        let wrong = world.replay("mfa-finish-wrong-code", Some(&cookie), &[]).await;
        assert!(
            error(&wrong).starts_with("Code invalid") && error(&wrong).contains("9 more tries"),
            "{}",
            wrong.text()
        );
        let phone = json!({ "password": "seven green umbrellas dance", "phone_number": "no number" });
        let phone = world.call("/enrollment/activate_user", Some(&cookie), &phone).await;
        assert_eq!(phone.status, 400);
        assert!(error(&phone).starts_with("invalid phone number"), "{}", phone.text());

        let key = world.key();
        world.replay("create-device-ok", Some(&cookie), &[("pubkey", &key)]).await;
        let bob = world.invite("bob").await;
        let other = world.start(&bob.token).await;
        let taken = world.replay("create-device-duplicate-key", Some(&other), &[("pubkey", &key)]).await;
        assert!(error(&taken).starts_with("invalid key"), "{}", taken.text());

        world.replay("activate-ok", Some(&cookie), &[("password", "seven green umbrellas dance")]).await;
        let twice = world.replay("activate-twice", Some(&cookie), &[]).await;
        assert!(error(&twice).starts_with("user already activated"), "{}", twice.text());
        assert_eq!(twice.header("set-cookie"), None);
        world.replay("mfa-start-after-activation", Some(&cookie), &[]).await;

        world.service.administrator().revoke(&operator(), bob.enrollment).await.expect("revoked");
        let dana = world.invite("dana").await;
        let disabled = UserPatch { status: Some(UserStatus::Disabled), ..UserPatch::default() };
        world.change(dana.user, disabled).await;
        world.replay("start-disabled-user", None, &[("token", &dana.token)]).await;
        let erin = world.invite("erin").await;
        for _ in 0..3 {
            world.start(&erin.token).await;
            world.wait(601).await;
        }
        let over = world.replay("start-session-over", None, &[("token", &erin.token)]).await;
        assert!(error(&over).contains("administrator"), "{}", over.text());
        world.wait(86_400).await;
        let frank = world.invite("frank").await;
        world.wait(86_400).await;
        let expired = world.replay("start-expired-token", None, &[("token", &frank.token)]).await;
        assert_eq!(error(&expired), "token expired", "the one text that clients compare");
    }
}

/// SYS-3: also of what is no request at all.
#[tokio::test]
async fn whatever_is_no_request_is_refused_in_json() {
    for world in worlds().await {
        let alice = world.invite("alice").await;
        let raw = |path: &str, content_type: &'static str, body: Vec<u8>| {
            let mut request = with(request(Method::POST, path), "content-type", content_type);
            *request.body_mut() = Body::from(body);
            request
        };
        let start = "/api/v1/enrollment/start";
        let get = |path: &str| request(Method::GET, path);
        let cases: Vec<(Request<Body>, u16)> = vec![
            (get("/api/v1/nothing"), 404),
            (get("/api/v1"), 404),
            (request(Method::DELETE, "/api/v1/enrollment/nothing/at/all"), 404),
            (get(start), 405),
            (request(Method::PUT, "/api/v1/poll"), 405),
            (raw(start, "text/plain", b"{}".to_vec()), 415),
            (raw(start, "application/json", b"{".to_vec()), 400),
            (raw(start, "application/json", b"[]".to_vec()), 400),
            (raw(start, "application/json", vec![0xff, 0xfe]), 400),
            (raw(start, "application/json", Vec::new()), 400),
            (with_json(Method::POST, start, &json!({})), 400),
            (with_json(Method::POST, start, &json!({ "token": 7 })), 400),
            (with_json(Method::POST, start, &json!({ "token": null })), 400),
            (with_json(Method::POST, start, &json!({ "token": "x".repeat(100_000) })), 413),
            (with_json(Method::POST, start, &json!({ "token": "x".repeat(10_000) })), 401),
            (with_json(Method::POST, start, &json!({ "token": "enr_\0" })), 401),
            (with_json(Method::POST, "/api/v1/poll", &json!({ "token": "\0" })), 403),
            (
                with(with_json(Method::POST, start, &json!({ "token": alice.token })), "sec-fetch-site", "cross-site"),
                403,
            ),
        ];
        for (request, status) in cases {
            let said = format!("{} {}", request.method(), request.uri());
            let answer = send(&world.public, request).await;
            assert_eq!(answer.status, status, "{said}: {}", answer.text());
            assert_eq!(answer.header("content-type"), Some("application/json"), "{said}");
            assert!(error(&answer).len() > 10, "{said}: {}", answer.text());
            assert!(answer.header("x-request-id").is_some() && answer.header("cache-control").is_some(), "{said}");
        }
        let cookie = world.start(&alice.token).await;
        for (path, body) in [
            ("create_device", json!({ "name": "a\0b", "pubkey": world.key() })),
            ("create_device", json!({ "name": "", "pubkey": world.key() })),
            ("create_device", json!({ "name": ["a"], "pubkey": world.key() })),
            ("create_device", json!({ "name": "a", "pubkey": "\0" })),
            ("network_info", json!({ "pubkey": "\0" })),
            ("activate_user", json!({ "password": "\0" })),
            ("activate_user", json!({ "password": { "a": 1 } })),
            ("register-mfa/code/start", json!({ "method": 0 })),
            ("register-mfa/code/finish", json!({ "code": "\0\0\0\0\0\0", "method": "Totp" })),
            ("register_mobile", json!({ "auth_pub_key": "\0", "device_pub_key": "\0" })),
        ] {
            let answer = world.call(&format!("/enrollment/{path}"), Some(&cookie), &body).await;
            assert_eq!(answer.status, 400, "{path}: {}", answer.text());
            error(&answer);
        }
    }
}

/// TOK-4: a scanner that opens addresses changes nothing.
#[tokio::test]
async fn a_get_or_head_of_any_route_changes_nothing() {
    for world in worlds().await {
        let alice = world.invite("alice").await;
        for path in ["start", "create_device", "activate_user", "network_info", "register_mobile"] {
            for method in [Method::GET, Method::HEAD] {
                let path = format!("/api/v1/enrollment/{path}?token={}", alice.token);
                assert_eq!(send(&world.public, request(method, &path)).await.status, 405, "{path}");
            }
        }
        let untouched = world.enrollment(alice.enrollment).await;
        assert_eq!(format!("{:?}", untouched.progress.stage), "Invited");
    }
}
