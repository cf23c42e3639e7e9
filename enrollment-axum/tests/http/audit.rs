//! The audit log over HTTP.

use std::net::SocketAddr;
use std::time::Duration;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Method, Request};
use enrollment_axum::HttpOptions;
use enrollment_core::domain::policy::Policy;
use enrollment_core::domain::role::Role;
use enrollment_core::worker::Sealer;
use serde_json::{Value, json};

use crate::client::{bearing, send, with, with_json};
use crate::world::{World, world, world_with};

async fn seal(world: &World) {
    let sealer = Sealer::new(world.service.clone());
    while sealer.run_once().await.expect("a sealed log") > 0 {
        world.clock.advance(Duration::from_secs(1));
    }
}

/// ADM-8, as far as HTTP shows it: read page by page, exported whole, verified.
#[tokio::test]
async fn the_log_is_read_exported_and_verified() {
    let world = world();
    let key = world.key(Role::Owner).await;
    let user = world.admin(Method::POST, "/users", &key, &json!({ "username": "alex" })).await.ok();
    let id = user["user"]["id"].as_str().expect("an id");
    world.admin(Method::PATCH, &format!("/users/{id}"), &key, &json!({ "first_name": "Alex" })).await.ok();

    let about = world.read(&format!("/audit?subject={id}"), &key).await;
    let actions: Vec<_> =
        about["items"].as_array().expect("items").iter().map(|entry| &entry["event"]["action"]).collect();
    assert_eq!(actions, ["user_changed", "user_created"]);
    assert_eq!(about["items"][0]["actor"]["kind"], "api_key");

    let mut all = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = world.read(&format!("/audit?limit=1{cursor}"), &key).await;
        all.extend(page["items"].as_array().expect("items").clone());
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(all.len(), 3, "{all:#?}");

    seal(&world).await;
    let export = world.admin(Method::GET, "/audit/export", &key, &Value::Null).await;
    assert_eq!(export.header("content-type"), Some("application/x-ndjson"));
    let lines: Vec<Value> = export.text().lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines.iter().filter(|line| line.get("entry").is_some()).count(), 3);
    assert!(lines.last().is_some_and(|line| line.get("seal").is_some()), "the last entry is signed");

    let report = world.admin(Method::POST, "/audit/verify", &key, &json!({})).await.ok();
    assert_eq!((&report["ok"], &report["entries"], &report["problem"]), (&json!(true), &json!(3), &Value::Null));
}

/// ADM-8, SYS-5: the source of an entry is the client, not the proxy.
#[tokio::test]
async fn the_log_tells_the_clients_address() {
    let options = HttpOptions {
        trusted_proxies: vec!["10.0.0.0/8".parse().expect("a network")],
        rates: None,
        ..HttpOptions::default()
    };
    let world = world_with(options, "https://vpn.example.com", Policy::standard());
    let key = world.key(Role::Owner).await;
    let from = |request: Request<Body>, peer: &str| {
        let mut request = with(request, "x-forwarded-for", "203.0.113.9, 198.51.100.7");
        request.extensions_mut().insert(ConnectInfo::<SocketAddr>(peer.parse().expect("an address")));
        request
    };
    let create = with_json(Method::POST, "/api/admin/v1/users", &json!({ "username": "alex" }));
    send(&world.internal, from(bearing(create, &key), "10.0.0.1:9")).await.ok();
    let (_, token) = world.invite("sam").await;
    world.clock.advance(Duration::from_secs(1));
    let begin = with_json(Method::POST, "/api/enroll/v1/sessions", &json!({ "token": token }));
    send(&world.public, from(begin, "192.0.2.1:9")).await.ok();

    let log = world.read("/audit", &key).await;
    let sources: Vec<_> = log["items"].as_array().expect("items").iter().filter_map(|e| e["source"].as_str()).collect();
    assert_eq!(sources, ["192.0.2.1", "198.51.100.7"]);
}

/// More than one stretch of the export.
#[tokio::test]
async fn a_long_log_is_exported_whole_and_in_order() {
    let world = world();
    let key = world.key(Role::Owner).await;
    for nth in 0..600 {
        world.admin(Method::POST, "/users", &key, &json!({ "username": format!("user{nth}") })).await.ok();
    }
    seal(&world).await;
    let export = world.admin(Method::GET, "/audit/export", &key, &Value::Null).await.text();
    let lines = export.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let numbers: Vec<i64> = lines.filter_map(|line| line["entry"]["sealed"]["number"].as_i64()).collect();
    assert_eq!(numbers, (1..=601).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_cursor_of_another_list_is_refused() {
    let world = world();
    let key = world.key(Role::Owner).await;
    for cursor in ["x", "1", "1.x", "x.00000000000000000000000000000000"] {
        let refused = world.admin(Method::GET, &format!("/audit?cursor={cursor}"), &key, &Value::Null).await;
        assert_eq!(
            (refused.code().as_str(), &refused.json()["field"]),
            ("invalid_field", &json!("cursor")),
            "{cursor}"
        );
    }
}
