//! Whatever is sent to whatever route, the answer is a problem document that repeats nothing (SYS-3).

use axum::body::Body;
use axum::http::{Method, Request, header};
use enrollment_core::domain::role::Role;
use serde_json::{Map, Value, json};

use crate::client::{Answer, bearing, request, send};
use crate::openapi::{Operation, operations};
use crate::world::{World, world};

/// Stands in everything that is sent and must stand in nothing that comes back.
const MARK: &str = "hunter2";

struct Bench {
    world: World,
    session: String,
    key: String,
}

impl Bench {
    async fn new() -> Self {
        let world = world();
        let (_, token) = world.invite("alex").await;
        let session = world.begin(&token).await;
        let key = world.key(Role::Owner).await;
        Self { world, session, key }
    }

    async fn send(&self, operation: &Operation, request: Request<Body>) -> Answer {
        let face = if operation.is_internal() { &self.world.internal } else { &self.world.public };
        let answer = send(face, request).await;
        let what = format!("{} {}", operation.method, operation.path);
        assert!(!answer.status.is_server_error(), "{what}: {} {}", answer.status, answer.text());
        if answer.status.is_client_error() {
            answer.code();
            for secret in [MARK, "ens_", "enk_", "enr_"] {
                // A session's or a key's *form* is named in no problem either.
                assert!(!answer.text().contains(secret), "{what}: {}", answer.text());
            }
        }
        answer
    }

    /// A request of somebody who may do this.
    fn request(&self, operation: &Operation, path: &str) -> Request<Body> {
        let token = if operation.is_internal() { &self.key } else { &self.session };
        bearing(request(operation.method.clone(), path), token)
    }

    async fn send_body(&self, operation: &Operation, content_type: Option<&str>, body: impl Into<Body>) -> Answer {
        let mut request = self.request(operation, &operation.path_with(&uuid::Uuid::nil().to_string()));
        if let Some(content_type) = content_type {
            request.headers_mut().insert(header::CONTENT_TYPE, content_type.parse().expect("a header"));
        }
        *request.body_mut() = body.into();
        self.send(operation, request).await
    }
}

const JSON: Option<&str> = Some("application/json");

#[tokio::test]
async fn bodies_that_are_no_json_object_are_refused_everywhere() {
    let bench = Bench::new().await;
    let deep = format!("{{\"{MARK}\":{}{}}}", "[".repeat(5000), "]".repeat(5000));
    let bodies: Vec<(Vec<u8>, &[&str])> = vec![
        (format!("{{\"{MARK}\": ").into_bytes(), &["malformed_json"]),
        (format!("{{}} {MARK}").into_bytes(), &["malformed_json", "missing_field"]),
        (b"{\"token\": \"\xff\xfe\"}".to_vec(), &["malformed_json"]),
        (b"\0\0\0".to_vec(), &["malformed_json"]),
        (b"   ".to_vec(), &["malformed_json"]),
        (format!("[\"{MARK}\"]").into_bytes(), &["invalid_body"]),
        (b"[]".to_vec(), &["invalid_body"]),
        (format!("\"{MARK}\"").into_bytes(), &["invalid_body"]),
        (b"null".to_vec(), &["invalid_body"]),
        (b"17".to_vec(), &["invalid_body"]),
    ];
    for operation in operations().iter().filter(|operation| operation.members.is_some()) {
        for (body, codes) in &bodies {
            let answer = bench.send_body(operation, JSON, body.clone()).await;
            let text = String::from_utf8_lossy(body).into_owned();
            assert!(codes.contains(&answer.code().as_str()), "{} {text}: {}", operation.path, answer.text());
        }
        bench.send_body(operation, JSON, deep.clone()).await;
        for content_type in [None, Some("text/plain"), Some("application/x-www-form-urlencoded"), Some("\u{7f}")] {
            if content_type.is_some_and(|text| text.parse::<header::HeaderValue>().is_err()) {
                continue;
            }
            let answer = bench.send_body(operation, content_type, format!("{{\"token\": \"{MARK}\"}}")).await;
            assert_eq!((answer.status.as_u16(), answer.code().as_str()), (415, "unsupported_media_type"));
        }
    }
}

/// Every member of every body, with every kind of value that is not one.
#[tokio::test]
async fn members_of_every_wrong_type_are_refused_or_ignored() {
    let bench = Bench::new().await;
    let mut refused = 0;
    for operation in &operations() {
        for member in operation.members.iter().flatten() {
            for value in [
                json!({ MARK: MARK }),
                json!([[MARK]]),
                json!(MARK),
                json!(format!("{MARK}\0")),
                json!(MARK.repeat(500)),
                json!("\u{202e}\u{0}"),
                json!(-1),
                json!(1e300),
                json!(true),
                Value::Null,
            ] {
                let body = Value::Object(Map::from_iter([(member.clone(), value)])).to_string();
                let answer = bench.send_body(operation, JSON, body).await;
                refused += u32::from(answer.status.is_client_error());
            }
        }
    }
    assert!(refused > 300, "{refused}");
}

#[tokio::test]
async fn paths_and_queries_of_nonsense_are_refused() {
    let bench = Bench::new().await;
    for operation in &operations() {
        for value in [MARK, "%00", "%FF%FE", "..%2F..", "-", &MARK.repeat(200), "%F0%9F%98%80"] {
            if operation.path.contains('{') {
                let answer = bench.send(operation, bench.request(operation, &operation.path_with(value))).await;
                assert!(answer.status.is_client_error(), "{} {}", operation.path, answer.status);
            }
            let nil = uuid::Uuid::nil().to_string();
            let path = format!(
                "{}?limit={value}&cursor={value}&status={value}&subject={value}&q={value}",
                operation.path_with(&nil)
            );
            bench.send(operation, bench.request(operation, &path)).await;
        }
    }
}

/// Without a session or a key there is nothing but that answer; bodies are not even looked at.
#[tokio::test]
async fn without_authentication_every_route_says_so() {
    let bench = Bench::new().await;
    for operation in operations().iter().filter(|operation| !operation.open) {
        let path = operation.path_with(&uuid::Uuid::nil().to_string());
        let mut request = request(operation.method.clone(), &path);
        *request.body_mut() = Body::from("{");
        let answer = bench.send(operation, request).await;
        let code = if operation.is_internal() { "unauthorized" } else { "invalid_session" };
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (401, code), "{path}");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer realm=\"enrollment\""));
    }
}

#[tokio::test]
async fn methods_that_a_route_does_not_take_are_refused_with_those_it_takes() {
    let bench = Bench::new().await;
    let all = operations();
    for operation in &all {
        let taken: Vec<_> =
            all.iter().filter(|other| other.path == operation.path).map(|other| &other.method).collect();
        for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::TRACE] {
            if taken.contains(&&method) {
                continue;
            }
            let mut request = bench.request(operation, &operation.path_with(&uuid::Uuid::nil().to_string()));
            *request.method_mut() = method;
            let answer = bench.send(operation, request).await;
            assert_eq!((answer.status.as_u16(), answer.code().as_str()), (405, "method_not_allowed"));
            let allowed = answer.header("allow").expect("Allow");
            assert!(taken.iter().all(|method| allowed.contains(method.as_str())), "{} {allowed}", operation.path);
        }
    }
}

#[tokio::test]
async fn bodies_that_are_too_large_are_refused() {
    let bench = Bench::new().await;
    for operation in operations().iter().filter(|operation| operation.members.is_some()) {
        let bytes = if operation.is_internal() { 1024 * 1024 } else { 16 * 1024 };
        let body = format!("{{\"{}\": 1}}", "x".repeat(bytes));
        // With a length that is announced, and without one.
        let chunks = futures_util::stream::iter([Ok::<_, std::io::Error>(body.clone())]);
        for body in [Body::from(body.clone()), Body::from_stream(chunks)] {
            let answer = bench.send_body(operation, JSON, body).await;
            assert_eq!(
                (answer.status.as_u16(), answer.code().as_str()),
                (413, "payload_too_large"),
                "{}",
                operation.path
            );
        }
    }
}

/// TOK-4: no GET and no HEAD of either face writes anything.
#[tokio::test]
async fn reading_writes_nothing_anywhere() {
    let bench = Bench::new().await;
    let user = bench.world.read("/users", &bench.key).await["items"][0]["id"].as_str().expect("an id").to_owned();
    let enrollment =
        bench.world.read("/enrollments", &bench.key).await["items"][0]["id"].as_str().expect("an id").to_owned();
    let location = bench.world.location(&bench.key, "Berlin").await["id"].as_str().expect("an id").to_owned();
    let printer = json!({ "name": "printer" });
    let path = format!("/locations/{location}/machines");
    let machine = bench.world.admin(Method::POST, &path, &bench.key, &printer).await.ok();
    let machine = machine["machine"]["id"].as_str().expect("an id").to_owned();
    bench.world.writes();
    for operation in operations().iter().filter(|operation| operation.method == Method::GET) {
        let id = match operation.path.split('/').nth(4) {
            Some("users") => &user,
            Some("enrollments") => &enrollment,
            Some("locations") => &location,
            Some("machines") => &machine,
            _ => "onboarding",
        };
        for method in [Method::GET, Method::HEAD] {
            let mut request = bench.request(operation, &operation.path_with(id));
            *request.method_mut() = method;
            let answer = bench.send(operation, request).await;
            assert!(answer.status.is_success(), "{} {}", operation.path, answer.text());
            assert_eq!(bench.world.writes(), [""; 0], "{}", operation.path);
        }
    }
}
