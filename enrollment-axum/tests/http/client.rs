//! Requests and answers.

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        let json = serde_json::from_slice(&self.bytes);
        assert!(json.is_ok(), "not JSON: {} {}", self.status, self.text());
        json.expect("just looked at")
    }

    /// The JSON of a success.
    pub(crate) fn ok(&self) -> Value {
        assert!(self.status.is_success(), "{} {}", self.status, self.text());
        self.json()
    }

    /// The code of a refusal, which must be a problem document.
    pub(crate) fn code(&self) -> String {
        let content_type = self.headers.get(header::CONTENT_TYPE).map(|value| value.to_str().expect("text").to_owned());
        assert_eq!(content_type.as_deref(), Some("application/problem+json"), "{} {}", self.status, self.text());
        let problem = self.json();
        for member in ["type", "title", "detail", "code", "request_id"] {
            assert!(problem[member].is_string(), "{member}: {problem}");
        }
        assert_eq!(problem["status"], self.status.as_u16());
        assert_eq!(problem["type"], format!("urn:enrollment:problem:{}", problem["code"].as_str().expect("a code")));
        assert_eq!(problem["request_id"].as_str(), self.header("x-request-id"));
        problem["code"].as_str().expect("a code").to_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("a header of text"))
    }
}

/// Asks a router.
pub(crate) async fn send(router: &Router, request: Request<Body>) -> Answer {
    let response = router.clone().oneshot(request).await.expect("routers do not fail");
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.expect("a body").to_bytes().to_vec();
    Answer { status: parts.status, headers: parts.headers, bytes }
}

/// A request without a body.
pub(crate) fn request(method: Method, path: &str) -> Request<Body> {
    Request::builder().method(method).uri(path).body(Body::empty()).expect("a request")
}

/// A request with a JSON body.
pub(crate) fn with_json(method: Method, path: &str, body: &Value) -> Request<Body> {
    let mut request = request(method, path);
    request.headers_mut().insert(header::CONTENT_TYPE, "application/json".parse().expect("a header"));
    *request.body_mut() = Body::from(body.to_string());
    request
}

/// The same with a Bearer token.
pub(crate) fn bearing(mut request: Request<Body>, token: &str) -> Request<Body> {
    let value = format!("Bearer {token}").parse().expect("a header");
    request.headers_mut().insert(header::AUTHORIZATION, value);
    request
}

/// The same with one more header.
pub(crate) fn with(mut request: Request<Body>, name: &'static str, value: &str) -> Request<Body> {
    request.headers_mut().insert(name, value.parse().expect("a header"));
    request
}
