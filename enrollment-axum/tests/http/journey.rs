//! The whole way from a link to a completed enrollment.

use axum::http::Method;
use enrollment_axum::HttpOptions;
use enrollment_core::domain::policy::Policy;
use enrollment_core::domain::role::Role;
use enrollment_core::port::Clock;
use serde_json::{Value, json};

use crate::client::{request, send, with};
use crate::world::{PUBLIC_KEY, World, world, world_with};

/// The code of the moment for a secret in Base32.
fn code(world: &World, secret: &str) -> String {
    let secret = data_encoding::BASE32_NOPAD.decode(secret.as_bytes()).expect("Base32");
    let totp = totp_rs::Builder::new().with_secret(secret).with_skew(0).build().expect("a secret of 160 bits");
    totp.generate(u64::try_from(world.clock.now().seconds()).expect("after 1970")).to_string()
}

/// REQ-1, REQ-2, REQ-5, TOK-9
#[tokio::test]
async fn an_enrollee_gets_from_the_token_to_completion() {
    let world = world();
    let (_, token) = world.invite("alex").await;

    let look = world.post("/inspect", &json!({ "token": token })).await.ok();
    assert_eq!(look["valid"], true);
    assert_eq!(look["purpose"], "onboarding");
    assert_eq!(look["instance"], "https://vpn.example.com");
    assert_eq!(look["expires_at"], "2026-01-02T00:00:00Z");
    assert!(!look.to_string().contains("alex"), "nothing about people before begin: {look}");

    let begun = world.post("/sessions", &json!({ "token": token })).await.ok();
    let session = begun["session_token"].as_str().expect("a session token");
    assert!(session.starts_with("ens_"));
    assert_eq!(begun["deadline"], "2026-01-01T00:10:00Z");
    assert_eq!(begun["user"]["username"], "alex");
    assert_eq!(begun["missing"], json!(["profile", "password"]));

    let state = world.step(Method::PUT, "/session/profile", session, &json!({ "phone": "+49 30 123456" })).await.ok();
    assert_eq!(state["user"]["phone"], "+49 30 123456");
    assert_eq!(state["missing"], json!(["password"]));
    let state = world.step(Method::PUT, "/session/password", session, &json!({ "password": "sesame 9!" })).await.ok();
    assert_eq!(state["missing"], json!(["password_length"]));

    let refused = world.step(Method::POST, "/session/complete", session, &json!({})).await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (409, "requirements_missing"));
    assert_eq!(refused.json()["missing"], json!(["password_length"]));

    let offer = world.step(Method::POST, "/session/mfa/totp", session, &json!({})).await.ok();
    assert!(offer["otpauth_uri"].as_str().is_some_and(|uri| uri.starts_with("otpauth://totp/")));
    assert!(offer["qr_svg"].as_str().is_some_and(|svg| svg.contains("<svg")));
    let wrong = world.step(Method::POST, "/session/mfa/totp/confirm", session, &json!({ "code": "000000" })).await;
    assert_eq!((wrong.status.as_u16(), wrong.code().as_str()), (422, "wrong_code"));
    assert_eq!(wrong.json()["left"], 9);
    let right = json!({ "code": code(&world, offer["secret"].as_str().expect("a secret")) });
    let verified = world.step(Method::POST, "/session/mfa/totp/confirm", session, &right).await.ok();
    assert_eq!(verified["recovery_codes"].as_array().map(Vec::len), Some(8));
    assert_eq!(verified["missing"], json!([]));
    let again = world.step(Method::POST, "/session/mfa/totp/confirm", session, &right).await.ok();
    assert_eq!((&again["recovery_codes"], &again["already_verified"]), (&Value::Null, &json!(true)));
    let fresh = world.step(Method::POST, "/session/mfa/recovery-codes", session, &json!({})).await.ok();
    assert_ne!(fresh["recovery_codes"], verified["recovery_codes"]);

    let done = world.step(Method::POST, "/session/complete", session, &json!({})).await.ok();
    assert_eq!((&done["completed"], &done["already_completed"]), (&json!(true), &json!(false)));
    assert!(done["onboarding"]["html"].as_str().is_some_and(|html| html.contains("Alex")), "{done}");
    let again = world.step(Method::POST, "/session/complete", session, &json!({})).await.ok();
    assert_eq!((&again["completed"], &again["already_completed"]), (&json!(true), &json!(true)));
    assert_eq!(world.get("/session", session).await.ok()["completed"], true);
    let used = world.post("/inspect", &json!({ "token": token })).await;
    assert_eq!((used.status.as_u16(), used.code().as_str()), (410, "token_completed"));
}

/// REQ-1: whom to ask is shown after begin and never before.
#[tokio::test]
async fn the_initiator_is_shown_to_whoever_begins_and_to_nobody_who_looks() {
    let world = world();
    let owner = world.key(Role::Owner).await;
    let max = json!({
        "username": "maximilian", "first_name": "Max", "last_name": "Manager", "email": "max@example.com",
        "phone": "+49 30 123456", "role": "user_manager",
    });
    let max = world.admin(Method::POST, "/users", &owner, &max).await.ok();
    let key = json!({ "name": "script", "role": "user_manager", "user": max["user"]["id"] });
    let key = world.admin(Method::POST, "/api-keys", &owner, &key).await.ok();
    let alex = json!({ "username": "alex", "enrollment": {} });
    let alex = world.admin(Method::POST, "/users", key["key"].as_str().expect("a key"), &alex).await.ok();
    let token = alex["enrollment"]["token"].as_str().expect("a token");
    let look = world.post("/inspect", &json!({ "token": token })).await.text();
    let page = send(&world.public, request(Method::GET, &format!("/enroll/{token}"))).await.text();
    for shown in [look, page] {
        for theirs in ["Max", "Manager", "max@", "123456", "alex"] {
            assert!(!shown.contains(theirs), "{theirs}: {shown}");
        }
    }
    let begun = world.post("/sessions", &json!({ "token": token })).await.ok();
    let contact = json!({ "name": "Max Manager", "email": "max@example.com", "phone": "+49 30 123456" });
    assert_eq!(begun["initiator"], contact);
}

/// TOK-9: the deadline is the first instant at which nothing is done.
#[tokio::test]
async fn a_session_ends_at_its_deadline() {
    let world = world();
    let (_, token) = world.invite("alex").await;
    let session = world.begin(&token).await;
    world.clock.advance(std::time::Duration::from_secs(600) - std::time::Duration::from_micros(1));
    world.get("/session", &session).await.ok();
    world.clock.advance(std::time::Duration::from_micros(1));
    let late = world.get("/session", &session).await;
    assert_eq!((late.status.as_u16(), late.code().as_str()), (401, "session_expired"));
    assert_eq!(late.header("www-authenticate"), Some("Bearer realm=\"enrollment\""));
}

/// A repeated begin with the same nonce, or with the session as `resume`, is the same session (TOK-5).
#[tokio::test]
async fn beginning_again_continues_the_holders_session_and_fences_a_strangers() {
    let world = world();
    let (_, token) = world.invite("alex").await;
    let with_nonce = json!({ "token": token, "nonce": "0123456789012345678901" });
    let first = world.post("/sessions", &with_nonce).await.ok();
    let again = world.post("/sessions", &with_nonce).await.ok();
    assert_eq!(first["session_token"], again["session_token"]);
    let resumed = world.post("/sessions", &json!({ "token": token, "resume": first["session_token"] })).await.ok();
    assert_eq!(first["session_token"], resumed["session_token"]);
    let other = world.begin(&token).await;
    assert_ne!(first["session_token"].as_str(), Some(other.as_str()));
    let fenced = world.get("/session", first["session_token"].as_str().expect("a token")).await;
    assert_eq!((fenced.status.as_u16(), fenced.code().as_str()), (401, "session_superseded"));
}

/// REQ-8: a key pair of the server's making is a policy switch, shown once with file and QR code.
#[tokio::test]
async fn the_server_makes_a_key_pair_only_where_its_policy_allows_it() {
    let policy = Policy { server_made_keys: true, ..Policy::standard() };
    let options = HttpOptions { rates: None, ..HttpOptions::default() };
    for (world, allowed) in [(world_with(options, "https://vpn.example.com", policy), true), (world(), false)] {
        let key = world.key(Role::Owner).await;
        world.location(&key, "Berlin").await;
        let (_, token) = world.invite("alex").await;
        let session = world.begin(&token).await;
        let device = async |body: Value| world.step(Method::POST, "/session/device", &session, &body).await;
        let made = device(json!({ "name": "laptop", "make_key": true })).await;
        if !allowed {
            assert_eq!((made.status.as_u16(), made.code().as_str()), (422, "public_key_needed"));
            continue;
        }
        let made = made.ok();
        let private = made["private_key"].as_str().expect("a private key");
        let config = &made["configs"][0];
        assert!(config["config"].as_str().is_some_and(|file| file.contains(private)), "{config}");
        assert!(config["qr_svg"].as_str().is_some_and(|svg| svg.contains("<svg")));
        let state = world.get("/session", &session).await.ok();
        assert_eq!(state["device"]["name"], "laptop");
        assert!(!state.to_string().contains(private), "shown once");

        let both = device(json!({ "name": "laptop", "make_key": true, "public_key": PUBLIC_KEY })).await;
        assert_eq!((both.code().as_str(), &both.json()["field"]), ("invalid_field", &json!("make_key")));
        let neither = device(json!({ "name": "laptop" })).await;
        assert_eq!((neither.code().as_str(), &neither.json()["field"]), ("missing_field", &json!("public_key")));
        let unsafe_key = json!({ "name": "laptop", "public_key": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=" });
        assert_eq!(device(unsafe_key).await.code(), "invalid_field");
    }
}

/// TOK-1, MFA-3: pages promise what is in force, not what usually is.
#[tokio::test]
async fn pages_name_the_time_and_the_codes_that_are_in_force() {
    let policy = Policy { recovery_codes: 3, ..Policy::standard() };
    let world = world_with(HttpOptions { rates: None, ..HttpOptions::default() }, "https://vpn.example.com", policy);
    let owner = world.key(Role::Owner).await;
    let shows = async |path: &str, words: &str| {
        let text = send(&world.public, request(Method::GET, path)).await.text();
        assert!(text.contains(words), "{path}: {text}");
    };
    let (_, earlier) = world.invite("alex").await;
    world.admin(Method::PATCH, "/settings", &owner, &json!({ "session_validity": "25m" })).await.ok();
    let (_, later) = world.invite("bea").await;
    shows("/enroll", "Once you begin you have 25 minutes.").await;
    shows(&format!("/enroll/{earlier}"), "Once you begin you have 10 minutes.").await;
    shows(&format!("/enroll/{later}"), "Once you begin you have 25 minutes.").await;

    let session = world.begin(&later).await;
    let offer = world.step(Method::POST, "/session/mfa/totp", &session, &json!({})).await.ok();
    let right = json!({ "code": code(&world, offer["secret"].as_str().expect("a secret")) });
    world.step(Method::POST, "/session/mfa/totp/confirm", &session, &right).await.ok();
    let cookie = format!("__Host-enrollment={session}");
    let factor = with(request(Method::GET, "/enroll/second-factor"), "cookie", &cookie);
    let text = send(&world.public, factor).await.text();
    assert!(text.contains("You were shown 3 codes, once."), "{text}");
}
