//! What every answer has, and what layers answer by themselves.

use axum::Router;
use axum::body::Body;
use axum::http::Method;
use axum::routing::get;
use enrollment_axum::{EnrollmentState, HttpOptions, Readiness, public_layers};
use enrollment_core::domain::policy::Policy;
use enrollment_core::domain::role::Role;
use enrollment_core::port::StoreErrorKind;
use enrollment_testkit::fake::{Moment, Trouble};
use serde_json::json;

use crate::administrator::{encoded, location};
use crate::client::{Answer, bearing, request, send, with, with_json};
use crate::openapi::operations;
use crate::world::{World, world, world_with};

fn assert_guarded(answer: &Answer, https: bool) {
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
    let policy = answer.header("content-security-policy").expect("a policy");
    assert!(policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
    assert_eq!(answer.header("strict-transport-security").is_some(), https);
    assert!(answer.header("x-request-id").is_some_and(|id| id.len() == 32));
}

/// SYS-5: on every answer of both faces, refusals of the layers included.
#[tokio::test]
async fn every_answer_has_the_headers() {
    let world = world();
    let key = world.key(Role::Owner).await;
    for operation in operations() {
        let face = if operation.is_internal() { &world.internal } else { &world.public };
        let path = operation.path_with(&uuid::Uuid::nil().to_string());
        assert_guarded(&send(face, bearing(request(operation.method.clone(), &path), &key)).await, true);
        assert_guarded(&send(face, request(Method::OPTIONS, &path)).await, true);
    }
    for path in ["/", "/enroll", "/enroll/enr_x", "/nothing", "/api/enroll/v1", "//", "/%FF"] {
        assert_guarded(&send(&world.public, request(Method::GET, path)).await, true);
        assert_guarded(&send(&world.internal, request(Method::GET, path)).await, true);
    }
    let plain = world_with(HttpOptions::default(), "http://localhost:8080", Policy::standard());
    assert_guarded(&send(&plain.public, request(Method::GET, "/enroll")).await, false);
}

#[tokio::test]
async fn what_is_not_there_is_a_problem() {
    let world = world();
    for path in ["/", "/nothing", "/api/enroll/v1/nothing", "/enroll/a/b", "/%FF"] {
        let answer = send(&world.public, request(Method::GET, path)).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (404, "not_found"), "{path}");
    }
}

/// A client cannot choose what its request is called.
#[tokio::test]
async fn request_ids_are_made_here_and_each_is_another() {
    let world = world();
    let ask = async || {
        let answer = send(&world.public, with(request(Method::GET, "/enroll"), "x-request-id", "mine")).await;
        answer.header("x-request-id").expect("an id").to_owned()
    };
    let (one, other) = (ask().await, ask().await);
    assert!(one != other && one != "mine" && other != "mine");
}

fn layered(world: &World, router: Router, options: HttpOptions) -> Router {
    public_layers(router, &EnrollmentState::new(world.service.clone(), options))
}

/// A fault of ours is `internal`, and says nothing of what it was.
#[tokio::test]
async fn a_panic_is_a_problem_that_tells_nothing() {
    async fn fails() -> &'static str {
        panic!("the secret of this test")
    }
    let router = layered(&world(), Router::new().route("/fails", get(fails)), HttpOptions::default());
    let answer = send(&router, request(Method::GET, "/fails")).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (500, "internal"));
    assert!(!answer.text().contains("secret"));
    assert_guarded(&answer, true);
}

/// SYS-3: what took too long may have happened.
#[tokio::test(start_paused = true)]
async fn what_takes_too_long_has_an_unknown_outcome() {
    let router = Router::new().route("/hangs", get(std::future::pending::<&'static str>));
    let router = layered(&world(), router, HttpOptions::default());
    let answer = send(&router, request(Method::GET, "/hangs")).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (504, "outcome_unknown"));
}

/// A body that never ends to arrive.
#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_arrive_is_not_waited_for() {
    let world = world();
    let mut request = with_json(Method::POST, "/api/enroll/v1/inspect", &json!({}));
    *request.body_mut() = Body::from_stream(futures_util::stream::pending::<Result<Vec<u8>, std::io::Error>>());
    let answer = send(&world.public, request).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (408, "request_timeout"));
}

/// A host that answers for itself is left alone.
#[tokio::test]
async fn refusals_with_a_content_of_their_own_stay_as_they_are() {
    async fn teapot() -> (axum::http::StatusCode, axum::Json<&'static str>) {
        (axum::http::StatusCode::IM_A_TEAPOT, axum::Json("short and stout"))
    }
    let router = layered(&world(), Router::new().route("/teapot", get(teapot)), HttpOptions::default());
    let answer = send(&router, request(Method::GET, "/teapot")).await;
    assert_eq!((answer.status.as_u16(), answer.text().as_str()), (418, "\"short and stout\""));
}

/// SYS-6: alive while the store is away, and not ready.
#[tokio::test]
async fn ready_means_that_the_store_answers() {
    let world = world();
    assert_eq!(send(&world.public, request(Method::GET, "/health/ready")).await.ok()["status"], "ok");
    world.faults.die_at(1, Moment::Before);
    for face in [&world.public, &world.internal] {
        let answer = send(face, request(Method::GET, "/health/ready")).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (503, "unavailable"));
        assert_eq!(send(face, request(Method::GET, "/health/live")).await.ok()["status"], "ok");
    }
    world.faults.revive();
    send(&world.public, request(Method::GET, "/health/ready")).await.ok();
}

/// A host that knows itself unfit is not ready; whoever comes all the same is served.
#[tokio::test]
async fn a_process_that_its_host_holds_back_is_not_ready_and_serves() {
    let readiness = Readiness::default();
    let options = HttpOptions { readiness: readiness.clone(), ..HttpOptions::default() };
    let world = world_with(options, "https://vpn.example.com", Policy::standard());
    readiness.hold_back(true);
    let answer = send(&world.public, request(Method::GET, "/health/ready")).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (503, "unavailable"));
    assert_eq!(send(&world.public, request(Method::GET, "/enroll")).await.status, 200);
    readiness.hold_back(false);
    send(&world.public, request(Method::GET, "/health/ready")).await.ok();
}

/// SYS-3: 503 means that nothing happened and says when to come again.
#[tokio::test]
async fn what_could_not_happen_says_when_to_come_again() {
    let world = world();
    let (_, token) = world.invite("alex").await;
    world.faults.trouble_commits(1, Trouble::Error(StoreErrorKind::Unavailable));
    let answer = world.post("/sessions", &json!({ "token": token })).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (503, "unavailable"));
    assert_eq!((answer.header("retry-after"), &answer.json()["retry_after"]), (Some("2"), &json!(2)));
    world.begin(&token).await;
}

/// SYS-3: after 504 the same request again returns the truth.
#[tokio::test]
async fn an_unknown_outcome_is_told_by_the_same_request_again() {
    let world = world();
    let (_, token) = world.invite("alex").await;
    let begin = json!({ "token": token, "nonce": "0123456789012345678901" });
    world.faults.trouble_commits(10, Trouble::AnswerLost);
    let answer = world.post("/sessions", &begin).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (504, "outcome_unknown"));
    world.faults.revive();
    world.writes();
    world.post("/sessions", &begin).await.ok();
    assert_eq!(world.writes(), [""; 0], "it had happened");
}

/// Alice's of RFC 7748, section 6.1.
const DEVICE_KEY: &str = "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=";

/// SYS-3: a device that was added is not said to be none because the next page could not be read.
#[tokio::test]
async fn a_device_that_was_added_leads_on_whatever_the_next_read_does() {
    let mut calls = 0;
    for (fails, leads_to) in [(false, "/enroll/profile"), (true, "/enroll/continue")] {
        let world = world();
        world.location(&world.key(Role::Owner).await, "office").await;
        let (_, token) = world.invite("alex").await;
        let session = world.begin(&token).await;
        world.faults.revive();
        if fails {
            world.faults.die_at(calls, Moment::Before);
        }
        let form = "application/x-www-form-urlencoded";
        let mut add = with(request(Method::POST, "/enroll/device"), "content-type", form);
        add = with(add, "cookie", &format!("__Host-enrollment={session}"));
        *add.body_mut() = Body::from(format!("name=laptop&way=paste&public_key={}", encoded(DEVICE_KEY)));
        assert_eq!(location(&send(&world.public, add).await), leads_to);
        calls = world.faults.calls();
        world.faults.revive();
        assert_eq!(world.get("/session", &session).await.ok()["device"]["name"], "laptop");
    }
}
