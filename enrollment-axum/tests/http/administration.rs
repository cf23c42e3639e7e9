//! What administrators do, over HTTP.

use std::sync::Arc;

use axum::http::Method;
use enrollment_core::domain::role::Role;
use enrollment_core::port::PeerSpec;
use enrollment_core::worker::{Backfiller, Reconciler};
use enrollment_testkit::fake::FakeProvisioner;
use serde_json::{Value, json};

use crate::world::{PUBLIC_KEY, world};

const DEVICE_KEY: &str = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=";

/// INV-1, INV-2, REQ-1: from an empty instance to a user with a device, over HTTP alone.
#[tokio::test]
async fn an_administrator_lets_a_user_in() {
    let world = world();
    let key = world.key(Role::Owner).await;
    let location = world.location(&key, "Berlin").await;
    assert_eq!(
        (&location["groups"], &location["mfa"], &location["keepalive"]),
        (&Value::Null, &json!("disabled"), &json!(25))
    );

    let new = json!({
        "username": "Alex", "first_name": "Alex", "last_name": "Doe", "email": "alex@example.com",
        "groups": ["sales"], "enrollment": { "delivery": "manual", "validity": "2h" },
    });
    let created = world.admin(Method::POST, "/users", &key, &new).await;
    assert_eq!(created.status, 201);
    let created = created.ok();
    let (user, issued) = (&created["user"], &created["enrollment"]);
    assert_eq!(
        (&user["username"], &user["status"], &user["enrolled"]),
        (&json!("alex"), &json!("active"), &json!(false))
    );
    assert_eq!(issued["expires_at"], "2026-01-01T02:00:00Z");
    let token = issued["token"].as_str().expect("a token");
    assert_eq!(issued["url"], format!("https://vpn.example.com/enroll/{token}"));
    assert!(issued["deep_link"].as_str().is_some_and(|link| link.contains(token)));
    let scanned = data_encoding::BASE64.decode(issued["client_code"].as_str().expect("a code").as_bytes());
    let scanned: Value = serde_json::from_slice(&scanned.expect("Base64")).expect("JSON");
    assert_eq!(scanned, json!({ "url": "https://vpn.example.com", "token": token }));
    assert!(issued["client_qr_svg"].as_str().is_some_and(|svg| svg.contains("<svg")));

    let pending = world.read("/enrollments?status=pending&q=al", &key).await;
    assert_eq!(pending["items"][0]["id"], issued["id"]);
    assert_eq!(pending["items"][0]["progress"]["stage"], "invited");
    assert_eq!((pending["items"].as_array().map(Vec::len), &pending["next"]), (Some(1), &Value::Null));

    let session = world.begin(token).await;
    world.step(Method::PUT, "/session/profile", &session, &json!({})).await.ok();
    let password = json!({ "password": "correct horse battery staple" });
    world.step(Method::PUT, "/session/password", &session, &password).await.ok();
    let device = json!({ "name": "laptop", "public_key": DEVICE_KEY });
    let added = world.step(Method::POST, "/session/device", &session, &device).await.ok();
    let config = &added["configs"][0];
    assert_eq!((&config["location"], &config["endpoint"]), (&json!("Berlin"), &json!("gw.example.com:51820")));
    assert_eq!(config["addresses"].as_array().map(Vec::len), Some(2));
    assert!(config["config"].as_str().is_some_and(|file| file.contains(PUBLIC_KEY)), "{config}");
    assert!(added.get("private_key").is_none() && config.get("qr_svg").is_none());
    let done = world.step(Method::POST, "/session/complete", &session, &json!({})).await.ok();
    assert_eq!(done["configs"], added["configs"]);

    let id = user["id"].as_str().expect("an id");
    assert_eq!(world.read(&format!("/users/{id}"), &key).await["enrolled"], true);
    let devices = world.read(&format!("/users/{id}/devices"), &key).await;
    assert_eq!((&devices["items"][0]["name"], &devices["items"][0]["status"]), (&json!("laptop"), &json!("pending")));
    let device = devices["items"][0]["id"].as_str().expect("an id");
    assert_eq!(world.admin(Method::DELETE, &format!("/devices/{device}"), &key, &json!({})).await.status, 204);
    let gone = world.admin(Method::DELETE, &format!("/devices/{device}"), &key, &json!({})).await;
    assert_eq!((gone.status.as_u16(), gone.code().as_str()), (404, "not_found"));
}

/// INV-1
#[tokio::test]
async fn a_password_for_a_user_is_refused_and_creates_nothing() {
    let world = world();
    let key = world.key(Role::UserManager).await;
    for password in [json!("hunter2"), json!({ "a": 1 }), json!(7)] {
        let new = json!({ "username": "alex", "password": password });
        let refused = world.admin(Method::POST, "/users", &key, &new).await;
        assert_eq!((refused.status.as_u16(), refused.code().as_str()), (422, "password_not_accepted"));
        assert!(!refused.text().contains("hunter2"));
    }
    assert_eq!(world.read("/users", &key).await["items"], json!([]));
}

/// INV-2: the token is in the one answer that makes it, and a rotation makes another.
#[tokio::test]
async fn a_token_is_shown_once() {
    let world = world();
    let key = world.key(Role::Owner).await;
    let new = json!({ "username": "alex" });
    let user = world.admin(Method::POST, "/users", &key, &new).await.ok();
    assert!(user.get("enrollment").is_none());
    let id = user["user"]["id"].as_str().expect("an id");
    let start = world.admin(Method::POST, &format!("/users/{id}/enrollments"), &key, &json!({})).await;
    assert_eq!(start.status, 201);
    let issued = start.ok();
    let token = issued["token"].as_str().expect("a token");
    let enrollment = issued["id"].as_str().expect("an id");
    for path in [format!("/enrollments/{enrollment}"), "/enrollments".into(), format!("/users/{id}"), "/audit".into()] {
        assert!(!world.read(&path, &key).await.to_string().contains("enr_"), "{path}");
    }

    let mail = world.admin(Method::POST, &format!("/enrollments/{enrollment}/resend"), &key, &json!({})).await;
    assert_eq!((mail.status.as_u16(), mail.code().as_str()), (409, "mail_not_configured"));
    let mail =
        world.admin(Method::POST, &format!("/users/{id}/enrollments"), &key, &json!({ "delivery": "email" })).await;
    assert_eq!(mail.code(), "mail_not_configured");
    let rotate = json!({ "rotate": true });
    let rotated = world.admin(Method::POST, &format!("/enrollments/{enrollment}/resend"), &key, &rotate).await.ok();
    assert_ne!(rotated["token"].as_str(), Some(token));
    assert_eq!(world.post("/inspect", &json!({ "token": token })).await.code(), "token_superseded");
    world.post("/inspect", &json!({ "token": rotated["token"] })).await.ok();

    assert_eq!(world.admin(Method::DELETE, &format!("/enrollments/{enrollment}"), &key, &json!({})).await.status, 204);
    assert_eq!(world.post("/inspect", &json!({ "token": rotated["token"] })).await.code(), "token_revoked");
    let closed = world.read("/enrollments?status=closed", &key).await;
    let progress = &closed["items"][0]["progress"];
    assert_eq!((&progress["stage"], &progress["why"]), (&json!("closed"), &json!("revoked")));
}

/// SYS-9
#[tokio::test]
async fn a_user_is_erased_and_is_no_more() {
    let world = world();
    let key = world.key(Role::Owner).await;
    let new = json!({ "username": "alex", "email": "alex@example.com", "enrollment": { "delivery": "manual" } });
    let created = world.admin(Method::POST, "/users", &key, &new).await.ok();
    let path = format!("/users/{}", created["user"]["id"].as_str().expect("an id"));
    let erase = format!("{path}/erase");
    let manager = world.key(Role::HelpDesk).await;
    assert_eq!(world.admin(Method::POST, &erase, &manager, &json!({})).await.code(), "forbidden");
    assert_eq!(world.admin(Method::POST, &erase, &key, &json!({})).await.status, 204);
    assert_eq!(world.admin(Method::POST, &erase, &key, &json!({})).await.code(), "not_found");
    assert_eq!(world.read("/users", &key).await["items"], json!([]));
    let token = &created["enrollment"]["token"];
    assert_eq!(world.post("/inspect", &json!({ "token": token })).await.code(), "token_revoked");
    assert_eq!(world.admin(Method::POST, "/users", &key, &new).await.status, 201, "the name is free");
}

/// INV-8: out of range is refused with the range.
#[tokio::test]
async fn a_validity_out_of_range_is_refused_with_the_range() {
    let world = world();
    let key = world.key(Role::Owner).await;
    let new = json!({ "username": "alex", "enrollment": { "validity": "1m" } });
    let refused = world.admin(Method::POST, "/users", &key, &new).await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (422, "out_of_range"));
    let problem = refused.json();
    assert_eq!(
        (&problem["field"], &problem["min"], &problem["max"]),
        (&json!("validity"), &json!("10m"), &json!("720h"))
    );
    let setting = world.admin(Method::PATCH, "/settings", &key, &json!({ "max_sessions": 1000 })).await;
    assert_eq!((setting.code().as_str(), &setting.json()["field"]), ("out_of_range", &json!("max_sessions")));
}

/// Absent leaves, `null` empties, and what cannot be changed is refused rather than ignored.
#[tokio::test]
async fn a_patch_changes_what_it_names() {
    let world = world();
    let key = world.key(Role::Owner).await;
    let new = json!({ "username": "alex", "email": "alex@example.com", "phone": "+49 30 123456" });
    let user = world.admin(Method::POST, "/users", &key, &new).await.ok();
    let path = format!("/users/{}", user["user"]["id"].as_str().expect("an id"));
    let patch = json!({ "first_name": "Alexandra", "phone": null, "role": "help_desk" });
    let changed = world.admin(Method::PATCH, &path, &key, &patch).await.ok();
    assert_eq!(changed["first_name"], "Alexandra");
    assert_eq!((&changed["email"], &changed["phone"]), (&json!("alex@example.com"), &Value::Null));
    assert_eq!(changed["role"], "help_desk");
    let disabled = world.admin(Method::PATCH, &path, &key, &json!({ "status": "disabled", "role": null })).await.ok();
    assert_eq!((&disabled["status"], &disabled["role"]), (&json!("disabled"), &Value::Null));
    let refused = world.admin(Method::PATCH, &path, &key, &json!({ "username": "sam" })).await;
    assert_eq!((refused.code().as_str(), &refused.json()["field"]), ("invalid_field", &json!("username")));
    let refused = world.admin(Method::PATCH, &path, &key, &json!({ "status": "gone" })).await;
    assert_eq!(refused.json()["detail"], "status: must be one of active, disabled");

    let location = world.location(&key, "Berlin").await;
    let path = format!("/locations/{}", location["id"].as_str().expect("an id"));
    let patch = json!({ "mfa": "internal", "mtu": 1400, "groups": ["sales"] });
    let changed = world.admin(Method::PATCH, &path, &key, &patch).await.ok();
    assert_eq!(
        (&changed["mfa"], &changed["mtu"], &changed["groups"]),
        (&json!("internal"), &json!(1400), &json!(["sales"]))
    );
    let changed = world.admin(Method::PATCH, &path, &key, &json!({ "mtu": null, "groups": null })).await.ok();
    assert_eq!(
        (&changed["mfa"], &changed["mtu"], &changed["groups"]),
        (&json!("internal"), &Value::Null, &Value::Null)
    );
    let refused = world.admin(Method::PATCH, &path, &key, &json!({ "pools": ["10.9.0.0/16"] })).await;
    assert_eq!((refused.code().as_str(), &refused.json()["field"]), ("invalid_field", &json!("pools")));
    assert_eq!(world.read("/locations", &key).await["items"], json!([changed]));
}

/// DEV-4, DEV-5, DEV-7
#[tokio::test]
async fn the_peers_of_a_location_are_counted_with_strangers_and_the_backfill() {
    let world = world();
    let key = world.key(Role::Owner).await;
    let location = world.location(&key, "Berlin").await;
    let id = location["id"].as_str().expect("an id");
    let path = format!("/locations/{id}/peers");
    let new = world.read(&path, &key).await;
    assert_eq!((&new["applied"], &new["looked"], &new["unknown"]), (&json!(0), &Value::Null, &json!(0)));
    assert_eq!(new["backfill"]["state"], "running");

    let gateway = Arc::new(FakeProvisioner::new());
    let strange = PeerSpec {
        public_key: PUBLIC_KEY.parse().expect("a key"),
        addresses: vec!["10.1.0.9".parse().expect("an address")],
    };
    gateway.put_by_hand(id.parse().expect("an id"), strange);
    Reconciler::new(world.service.clone(), gateway).run_once().await.expect("compared");
    while Backfiller::new(world.service.clone()).run_once().await.expect("filled") > 0 {}
    let now = world.read(&path, &key).await;
    assert_eq!((&now["unknown"], now["looked"].is_string(), &now["trouble"]), (&json!(1), true, &Value::Null));
    let stray = &now["strays"][0];
    assert_eq!((&stray["public_key"], &stray["ours"]), (&json!(PUBLIC_KEY), &json!(false)));
    assert_eq!((&stray["addresses"], &stray["failure"]), (&json!(["10.1.0.9"]), &Value::Null));
    assert_eq!((&now["backfill"]["state"], &now["backfill"]["devices"]), (&json!("done"), &json!(0)));
    let nowhere = "/locations/0190b0f0-0000-7000-8000-0123456789ab/peers";
    let refused = world.admin(Method::GET, nowhere, &key, &json!({})).await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (404, "not_found"));
}

/// A gateway's key that is made here is shown once.
#[tokio::test]
async fn a_gateways_private_key_is_shown_once() {
    let world = world();
    let key = world.key(Role::Owner).await;
    let new = json!({ "name": "Here", "endpoint": "gw:1", "pools": ["10.1.0.0/16"], "allowed_ips": ["10.0.0.0/8"] });
    let created = world.admin(Method::POST, "/locations", &key, &new).await.ok();
    let private = created["private_key"].as_str().expect("a private key");
    assert_eq!(created["has_private_key"], true);
    let path = format!("/locations/{}", created["id"].as_str().expect("an id"));
    assert!(!world.read(&path, &key).await.to_string().contains(private));
    assert!(!world.read("/locations", &key).await.to_string().contains(private));
}

#[tokio::test]
async fn settings_are_read_and_changed() {
    let world = world();
    let key = world.key(Role::Owner).await;
    let before = world.read("/settings", &key).await;
    assert_eq!((&before["token_validity"], &before["session_validity"]), (&json!("24h"), &json!("10m")));
    let patch = json!({ "organization": "ACME", "session_validity": "20m", "front_end": "browser", "sender": "vpn@acme.example" });
    let after = world.admin(Method::PATCH, "/settings", &key, &patch).await.ok();
    assert_eq!((&after["organization"], &after["session_validity"]), (&json!("ACME"), &json!("20m")));
    assert_eq!(after["token_validity"], before["token_validity"]);
    assert_eq!(world.read("/settings", &key).await, after);
    let cleared = world.admin(Method::PATCH, "/settings", &key, &json!({ "sender": null })).await.ok();
    assert_eq!(cleared["sender"], Value::Null);
}

/// INV-11: where people get the client.
#[tokio::test]
async fn downloads_are_https_and_change_one_by_one() {
    let world = world();
    let key = world.key(Role::Owner).await;
    let change = async |downloads: Value| {
        world.admin(Method::PATCH, "/settings", &key, &json!({ "downloads": downloads })).await
    };
    let all = |linux: Value| json!({ "windows": "https://example.com/w", "macos": null, "linux": linux, "ios": null, "android": null });
    change(json!({ "windows": "https://example.com/w", "linux": "https://example.com/l" })).await.ok();
    let after = change(json!({ "linux": null, "android": null })).await.ok();
    assert_eq!(after["downloads"], all(Value::Null));
    for bad in ["http://example.com/l", "javascript:alert(1)", "https://me@example.com", "", "linux"] {
        let refused = change(json!({ "linux": bad })).await;
        assert_eq!((refused.status.as_u16(), refused.code().as_str()), (400, "invalid_field"), "{bad}");
        assert_eq!(refused.json()["field"], "downloads.linux");
    }
    assert_eq!(world.read("/settings", &key).await, after);
    change(json!({ "linux": "https://example.com/l2" })).await.ok();
    let (_, token) = world.invite("anna").await;
    let look = world.post("/inspect", &json!({ "token": token })).await.ok();
    assert_eq!(look["downloads"], all("https://example.com/l2".into()));
}

/// MSG-3, as far as HTTP shows it.
#[tokio::test]
async fn a_text_is_checked_when_it_is_saved() {
    let world = world();
    let key = world.key(Role::Owner).await;
    let built_in = world.read("/templates/onboarding", &key).await;
    assert_eq!(built_in["is_own"], false);
    let wrong = json!({ "source": "Hello\n{{ first_nme }}" });
    let refused = world.admin(Method::PUT, "/templates/onboarding", &key, &wrong).await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (422, "invalid_template"));
    assert_eq!(refused.json()["line"], 2);
    let right = json!({ "source": "# Hello {{ first_name }}" });
    let preview = world.admin(Method::POST, "/templates/onboarding/preview", &key, &right).await.ok();
    assert!(preview["html"].as_str().is_some_and(|html| html.contains("<h1>Hello ")), "{preview}");
    assert_eq!(world.read("/templates/onboarding", &key).await, built_in, "a preview saves nothing");
    let saved = world.admin(Method::PUT, "/templates/onboarding", &key, &right).await.ok();
    assert_eq!((&saved["is_own"], &saved["source"]), (&json!(true), &right["source"]));
    let in_force = world.admin(Method::POST, "/templates/onboarding/preview", &key, &json!({})).await.ok();
    assert_eq!(in_force, preview);
    assert_eq!(world.admin(Method::DELETE, "/templates/onboarding", &key, &json!({})).await.ok(), built_in);
    assert_eq!(world.read("/templates", &key).await["items"][0], built_in);
    let unknown = world.admin(Method::PUT, "/templates/nothing", &key, &right).await;
    assert_eq!((unknown.status.as_u16(), unknown.code().as_str()), (404, "not_found"));
}

/// Lists go on where the page before ended.
#[tokio::test]
async fn users_come_page_by_page() {
    let world = world();
    let key = world.key(Role::UserManager).await;
    for nth in 0..5 {
        world.admin(Method::POST, "/users", &key, &json!({ "username": format!("user{nth}") })).await.ok();
    }
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = world.read(&format!("/users?limit=2{cursor}"), &key).await;
        seen.extend(page["items"].as_array().expect("items").iter().map(|user| user["username"].clone()));
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen, ["user0", "user1", "user2", "user3", "user4"]);
    for query in ["limit=0", "limit=501"] {
        let refused = world.admin(Method::GET, &format!("/users?{query}"), &key, &json!({})).await;
        assert_eq!(refused.code(), "out_of_range", "{query}");
    }
    let refused = world.admin(Method::GET, "/users?limit=many", &key, &json!({})).await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (400, "invalid_query"));
    let refused = world.admin(Method::GET, "/users?cursor=x", &key, &json!({})).await;
    assert_eq!((refused.code().as_str(), &refused.json()["field"]), ("invalid_field", &json!("cursor")));
}
