//! Codes by e-mail, over HTTP.

use axum::http::Method;
use enrollment_core::domain::role::Role;
use enrollment_core::time::Span;
use serde_json::{Value, json};

use crate::client::Answer;
use crate::world::{PUBLIC_KEY, World, world, world_with_mail};

/// The code in the mail that came last.
pub(crate) fn mailed_code(world: &World) -> String {
    let text = world.relay.arrived().pop().expect("a mail").text;
    let (_, rest) = text.split_once("Your code: ").expect("a code");
    rest.chars().take_while(char::is_ascii_digit).collect()
}

async fn ask(world: &World, session: &str) -> Answer {
    world.step(Method::POST, "/session/mfa/email", session, &json!({})).await
}

async fn enter(world: &World, session: &str, code: &str) -> Answer {
    world.step(Method::POST, "/session/mfa/email/confirm", session, &json!({ "code": code })).await
}

/// MFA-2, MFA-3, REQ-3: where the locations accept nothing else, from asking for the code to completion.
#[tokio::test]
async fn an_enrollee_sets_up_codes_by_mail_where_the_locations_accept_nothing_else() {
    let world = world_with_mail();
    let key = world.key(Role::Owner).await;
    let location = json!({
        "name": "Berlin", "endpoint": "gw.example.com:51820", "public_key": PUBLIC_KEY, "pools": ["10.1.0.0/16"],
        "allowed_ips": ["10.0.0.0/8"], "mfa": "internal", "factors": ["email"],
    });
    world.admin(Method::POST, "/locations", &key, &location).await.ok();
    let (_, token) = world.invite("alex").await;
    let session = world.begin(&token).await;
    let state = world.get("/session", &session).await.ok();
    assert_eq!((&state["mfa_methods"], &state["mfa_verified"]), (&json!(["email"]), &json!(false)));

    let sent = ask(&world, &session).await.ok();
    assert_eq!(sent["expires_at"], "2026-01-01T00:10:00Z");
    assert_eq!(sent["again_at"], "2026-01-01T00:00:30Z");
    assert_eq!(sent["already_verified"], false);
    assert_eq!(ask(&world, &session).await.ok(), sent, "a double click");
    world.send_mail().await;
    assert_eq!(world.relay.count(), 1);
    let code = mailed_code(&world);
    let wrong: String = code.chars().map(|digit| if digit == '9' { '8' } else { '9' }).collect();
    let refused = enter(&world, &session, &wrong).await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (422, "wrong_code"));
    assert_eq!(refused.json()["left"], 9);
    let no_code = enter(&world, &session, "12345").await;
    assert_eq!((no_code.status.as_u16(), no_code.code().as_str()), (400, "invalid_field"));
    assert_eq!(no_code.json()["field"], "code");

    let (spaced, missing) = (format!("{} {}", &code[..3], &code[3..]), json!(["profile", "password", "device"]));
    let verified = enter(&world, &session, &spaced).await.ok();
    assert_eq!(verified["recovery_codes"].as_array().map(Vec::len), Some(8));
    assert_eq!((&verified["already_verified"], &verified["missing"]), (&json!(false), &missing));
    let again = enter(&world, &session, &code).await.ok();
    assert_eq!((&again["recovery_codes"], &again["already_verified"]), (&Value::Null, &json!(true)));
    let nothing = ask(&world, &session).await.ok();
    assert_eq!((&nothing["expires_at"], &nothing["already_verified"]), (&Value::Null, &json!(true)));

    world.step(Method::PUT, "/session/profile", &session, &json!({})).await.ok();
    world.step(Method::PUT, "/session/password", &session, &json!({ "password": "sesame 9!" })).await.ok();
    let device = json!({ "name": "laptop", "public_key": "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=" });
    world.step(Method::POST, "/session/device", &session, &device).await.ok();
    assert_eq!(world.step(Method::POST, "/session/complete", &session, &json!({})).await.ok()["completed"], true);
    assert_eq!(world.read("/users", &key).await["items"][0]["mfa_methods"], json!(["email"]));
}

/// MFA-2, SYS-3: every refusal has its code, and one that time heals says when.
#[tokio::test]
async fn codes_by_mail_are_refused_by_stable_codes() {
    let without = world();
    let (_, token) = without.invite("alex").await;
    let session = without.begin(&token).await;
    assert_eq!(without.get("/session", &session).await.ok()["mfa_methods"], json!(["totp"]));
    let refused = ask(&without, &session).await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (409, "email_codes_not_offered"));
    let refused = enter(&without, &session, "123456").await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (409, "mfa_not_started"));

    let world = world_with_mail();
    let (_, token) = world.invite("alex").await;
    let session = world.begin(&token).await;
    for _ in 0..5 {
        ask(&world, &session).await.ok();
        world.clock.advance(Span::seconds(30).duration());
    }
    let refused = ask(&world, &session).await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (429, "codes_exhausted"));
    assert_eq!((refused.header("retry-after"), &refused.json()["retry_after"]), (Some("450"), &json!(450)));

    world.clock.advance(Span::seconds(449).duration());
    world.send_mail().await;
    let code = mailed_code(&world);
    world.clock.advance(Span::seconds(131).duration());
    let next = world.post("/sessions", &json!({ "token": token, "resume": session })).await.ok();
    let next = next["session_token"].as_str().expect("a session token");
    let refused = enter(&world, next, &code).await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (409, "code_expired"));
    ask(&world, next).await.ok();
}
