//! What tokens tell, and what looking changes.

use std::time::Duration;

use axum::http::Method;
use enrollment_axum::{HttpOptions, Rate, Rates};
use enrollment_core::domain::policy::Policy;
use serde_json::json;

use crate::client::{request, send, with};
use crate::world::{operator, world, world_with};

/// An answer without the one thing in it that differs.
fn apart_from_the_request(answer: &crate::client::Answer) -> (u16, Vec<(String, String)>, String) {
    let id = answer.header("x-request-id").expect("a request id").to_owned();
    let headers = answer.headers.iter().filter(|(name, _)| *name != "x-request-id");
    let headers = headers.map(|(name, value)| (name.to_string(), value.to_str().expect("text").to_owned())).collect();
    (answer.status.as_u16(), headers, answer.text().replace(&id, "ID"))
}

/// TOK-7: whoever holds no token gets one answer, byte for byte.
#[tokio::test]
async fn tokens_that_never_were_get_one_answer() {
    let world = world();
    world.invite("alex").await;
    let foreign = world_with(HttpOptions::default(), "https://other.example.com", Policy::standard());
    foreign.invite("nobody").await;
    let (_, well_formed) = foreign.invite("alex").await;
    let long = "x".repeat(10_000);
    for path in ["/inspect", "/sessions"] {
        let mut answers = Vec::new();
        for token in [well_formed.as_str(), "", "enr_", "enr_0000", "a\0b", "ens_1", &long] {
            answers.push(apart_from_the_request(&world.post(path, &json!({ "token": token })).await));
        }
        assert_eq!(answers[0].0, 404);
        assert!(answers[0].2.contains("\"invalid_token\""), "{}", answers[0].2);
        assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{path}: {answers:#?}");
    }
}

/// TOK-2, TOK-7: a mistyped token costs no read; every well-formed one that never was costs the same.
#[tokio::test]
async fn a_mistyped_token_asks_no_store_and_those_that_never_were_ask_alike() {
    let world = world();
    let (_, token) = world.invite("alex").await;
    let foreign = world_with(HttpOptions::default(), "https://other.example.com", Policy::standard());
    foreign.invite("nobody").await;
    let (_, one) = foreign.invite("alex").await;
    let (_, other) = foreign.invite("sam").await;
    let last = if token.ends_with('0') { '1' } else { '0' };
    let mistyped = format!("{}{last}", &token[..token.len() - 1]);
    for path in ["/inspect", "/sessions"] {
        let asked = async |token: &str| {
            let _ = world.store.take();
            assert_eq!(world.post(path, &json!({ "token": token })).await.code(), "invalid_token");
            world.store.take()
        };
        assert!(asked(&mistyped).await.is_empty(), "{path}");
        let calls = asked(&one).await;
        assert!(!calls.is_empty() && calls == asked(&other).await, "{path}: {calls:?}");
    }
}

/// TOK-7: whoever holds the real token is told what became of it.
#[tokio::test]
async fn a_dead_token_says_why() {
    let world = world();
    let (id, token) = world.invite("alex").await;
    let admin = world.service.administrator();
    let rotated = admin.rotate(&operator(), id).await.expect("a rotation").token.expose().to_owned();
    let ask = async |token: &str| {
        let answer = world.post("/inspect", &json!({ "token": token })).await;
        (answer.status.as_u16(), answer.code())
    };
    assert_eq!(ask(&token).await, (410, "token_superseded".to_owned()));
    admin.revoke(&operator(), id).await.expect("a revocation");
    assert_eq!(ask(&rotated).await, (410, "token_revoked".to_owned()));
    let (_, token) = world.invite("sam").await;
    world.clock.advance(Duration::from_secs(24 * 3600));
    assert_eq!(ask(&token).await, (410, "token_expired".to_owned()));
}

/// TOK-4
#[tokio::test]
async fn looking_changes_nothing_however_often() {
    let world = world();
    let (_, token) = world.invite("alex").await;
    let session = world.begin(&token).await;
    world.writes();
    for _ in 0..50 {
        world.post("/inspect", &json!({ "token": token })).await.ok();
        world.get("/session", &session).await.ok();
        for path in [format!("/enroll/{token}"), "/enroll".to_owned(), "/health/live".into(), "/health/ready".into()] {
            for method in [Method::GET, Method::HEAD] {
                assert_eq!(send(&world.public, request(method, &path)).await.status, 200);
            }
        }
    }
    assert_eq!(world.writes(), [""; 0]);
    let state = world.get("/session", &session).await.ok();
    assert_eq!(state["completed"], false);
}

/// Guesses are bounded per source, with Retry-After, and time makes good.
#[tokio::test]
async fn tokens_shown_too_often_are_refused_for_a_while() {
    let one = std::num::NonZeroU32::MIN;
    let two = std::num::NonZeroU32::new(2).expect("two");
    let rates = Rates { tokens: Rate { burst: two, per_second: one }, ..Rates::default() };
    let options = HttpOptions {
        rates: Some(rates),
        trusted_proxies: vec!["127.0.0.0/8".parse().expect("a network")],
        ..HttpOptions::default()
    };
    let world = world_with(options, "https://vpn.example.com", Policy::standard());
    let ask = async |source: &str| {
        let body = json!({ "token": "enr_x" });
        let mut request = crate::client::with_json(Method::POST, "/api/enroll/v1/inspect", &body);
        let peer: std::net::SocketAddr = "127.0.0.1:9".parse().expect("an address");
        request.extensions_mut().insert(axum::extract::ConnectInfo(peer));
        send(&world.public, with(request, "x-forwarded-for", source)).await
    };
    for _ in 0..2 {
        assert_eq!(ask("192.0.2.1").await.code(), "invalid_token");
    }
    let refused = ask("192.0.2.1").await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (429, "too_many_requests"));
    assert_eq!((refused.header("retry-after"), &refused.json()["retry_after"]), (Some("1"), &json!(1)));
    assert_eq!(ask("192.0.2.2").await.code(), "invalid_token", "another source has its own count");
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(ask("192.0.2.1").await.code(), "invalid_token");
}

/// The public face bounds requests of every kind; the internal one does not.
#[tokio::test]
async fn requests_beyond_the_rate_are_refused_at_the_public_face() {
    let one = std::num::NonZeroU32::MIN;
    let rates = Rates { requests: Rate { burst: one, per_second: one }, ..Rates::default() };
    let options = HttpOptions { rates: Some(rates), ..HttpOptions::default() };
    let world = world_with(options, "https://vpn.example.com", Policy::standard());
    let ask = async |face| send(face, request(Method::GET, "/health/live")).await;
    ask(&world.public).await.ok();
    let refused = ask(&world.public).await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (429, "too_many_requests"));
    assert_eq!(refused.header("retry-after"), Some("1"));
    for _ in 0..3 {
        ask(&world.internal).await.ok();
    }
    world.clock.advance(Duration::from_secs(1));
    ask(&world.public).await.ok();
}
