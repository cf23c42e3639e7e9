//! The session in a browser.

use axum::body::Body;
use axum::http::{Method, Request};
use enrollment_axum::HttpOptions;
use enrollment_core::domain::policy::Policy;
use serde_json::json;

use crate::client::{Answer, bearing, request, send, with, with_json};
use crate::world::{World, world, world_with};

async fn cookie_of(world: &World) -> String {
    let (_, token) = world.invite("alex").await;
    let begun = world.post("/sessions", &json!({ "token": token })).await;
    begun.ok();
    begun.header("set-cookie").expect("a cookie").to_owned()
}

fn pair(set_cookie: &str) -> &str {
    set_cookie.split(';').next().expect("a name and a value")
}

fn confirm(cookie: &str) -> Request<Body> {
    with(with_json(Method::PUT, "/api/enroll/v1/session/profile", &json!({})), "cookie", cookie)
}

/// SYS-5
#[tokio::test]
async fn the_cookie_is_kept_by_this_host_alone_until_the_deadline() {
    let world = world();
    let set = cookie_of(&world).await;
    let (value, attributes) = set.split_once("; ").expect("attributes");
    assert!(value.starts_with("__Host-enrollment=ens_"), "{value}");
    assert_eq!(attributes, "Path=/; Max-Age=600; HttpOnly; SameSite=Strict; Secure");
    let answer = with(request(Method::GET, "/api/enroll/v1/session"), "cookie", &format!("a=b; {value}; c=d"));
    assert_eq!(send(&world.public, answer).await.ok()["user"]["username"], "alex");
}

/// SYS-5
#[tokio::test]
async fn over_plain_http_the_cookie_has_no_prefix() {
    let options = HttpOptions { insecure_http: true, ..HttpOptions::default() };
    let world = world_with(options, "http://vpn.lan", Policy::standard());
    let set = cookie_of(&world).await;
    assert!(set.starts_with("enrollment=ens_") && !set.contains("Secure"), "{set}");
    send(&world.public, confirm(pair(&set))).await.ok();
}

/// SYS-5: over plain HTTP a browser says of our own pages, which pass no address on, `Origin: null` and nothing else.
#[tokio::test]
async fn a_form_without_an_origin_is_taken_only_over_plain_http() {
    let options = HttpOptions { insecure_http: true, ..HttpOptions::default() };
    for (world, status) in [(world_with(options, "http://vpn.lan", Policy::standard()), 303), (world(), 403)] {
        let (_, token) = world.invite("alex").await;
        let begin = || {
            let form = "application/x-www-form-urlencoded";
            let mut begin = with(request(Method::POST, "/enroll/begin"), "content-type", form);
            *begin.body_mut() = Body::from(format!("token={token}"));
            begin
        };
        for site in ["cross-site", "same-site"] {
            let foreign = with(with(begin(), "origin", "null"), "sec-fetch-site", site);
            assert_eq!(send(&world.public, foreign).await.status, 403, "{site}");
        }
        assert_eq!(send(&world.public, with(begin(), "origin", "http://evil.example")).await.status, 403);
        assert_eq!(send(&world.public, with(begin(), "origin", "null")).await.status, status);
    }
}

/// SYS-5: what another site makes a browser send is refused; a Bearer token is sent by nobody by accident.
#[tokio::test]
async fn posts_of_other_sites_are_refused_with_a_cookie_and_not_with_a_bearer_token() {
    let world = world();
    let set = cookie_of(&world).await;
    let cookie = pair(&set);
    let session = cookie.split_once('=').expect("a value").1;
    let refused = |answer: &Answer| (answer.status.as_u16(), answer.code()) == (403, "cross_site".to_owned());

    for (name, value) in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("origin", "http://vpn.example.com"),
    ] {
        assert!(refused(&send(&world.public, with(confirm(cookie), name, value)).await), "{name}: {value}");
        let plain = with_json(Method::PUT, "/api/enroll/v1/session/profile", &json!({}));
        send(&world.public, with(bearing(plain, session), name, value)).await.ok();
        let begin = with_json(Method::POST, "/api/enroll/v1/sessions", &json!({ "token": "enr_x" }));
        assert!(refused(&send(&world.public, with(begin, name, value)).await), "begin with {name}: {value}");
    }
    for (name, value) in [("sec-fetch-site", "same-origin"), ("origin", "https://vpn.example.com"), ("accept", "*/*")] {
        send(&world.public, with(confirm(cookie), name, value)).await.ok();
    }
    let read = with(request(Method::GET, "/api/enroll/v1/session"), "cookie", cookie);
    send(&world.public, with(read, "sec-fetch-site", "cross-site")).await.ok();
}

/// The cookie shows the session held before, as `resume` does.
#[tokio::test]
async fn beginning_again_with_the_cookie_continues() {
    let world = world();
    let (_, token) = world.invite("alex").await;
    let first = world.post("/sessions", &json!({ "token": token })).await;
    let cookie = pair(first.header("set-cookie").expect("a cookie")).to_owned();
    let begin = with_json(Method::POST, "/api/enroll/v1/sessions", &json!({ "token": token }));
    let again = send(&world.public, with(begin, "cookie", &cookie)).await.ok();
    assert_eq!(again["session_token"], first.ok()["session_token"]);
}

/// Headers and nonsense that are no session.
#[tokio::test]
async fn whatever_is_no_session_is_refused() {
    let world = world();
    for (name, value) in [
        ("authorization", "Basic YTpi"),
        ("authorization", "Bearer"),
        ("authorization", "Bearer ens_0000"),
        ("cookie", "__Host-enrollment=ens_0000"),
        ("cookie", "__Host-enrollment"),
        ("cookie", "=;;="),
    ] {
        let answer = send(&world.public, with(request(Method::GET, "/api/enroll/v1/session"), name, value)).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (401, "invalid_session"), "{name}: {value}");
    }
}
