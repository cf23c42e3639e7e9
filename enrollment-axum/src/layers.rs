//! Layers that a host can put around the routers, one by one or all together.

use std::any::Any;
use std::fmt;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use enrollment_core::id::new_uuid;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::timeout::TimeoutLayer;
use tracing::Instrument;
use tracing::field::Empty;
use uuid::Uuid;

use crate::headers::security_headers;
use crate::limits::rate_limited;
use crate::page::{self, Asker};
use crate::problem::{self, problem_code};
use crate::state::EnrollmentState;

/// Everything for the public face: bounded bodies, a rate per source, a timeout, panics caught, security headers,
/// request ids and one log line per request. Every refusal is a problem document.
pub fn public_layers<S: Clone + Send + Sync + 'static>(router: Router<S>, state: &EnrollmentState) -> Router<S> {
    let router = body_limit(router, state.options().public_body);
    around(rate_limited(router, state), state)
}

/// Everything for the internal face: as [`public_layers`], with larger bodies and without a rate per source.
pub fn internal_layers<S: Clone + Send + Sync + 'static>(router: Router<S>, state: &EnrollmentState) -> Router<S> {
    around(body_limit(router, state.options().internal_body), state)
}

fn around<S: Clone + Send + Sync + 'static>(router: Router<S>, state: &EnrollmentState) -> Router<S> {
    let router = catch_panics(timeout(router, state.options().timeout));
    observed(security_headers(router, state), state)
}

/// Refuses bodies of more than `bytes` with `payload_too_large`.
pub fn body_limit<S: Clone + Send + Sync + 'static>(router: Router<S>, bytes: usize) -> Router<S> {
    router.layer(RequestBodyLimitLayer::new(bytes)).layer(DefaultBodyLimit::disable())
}

/// Answers `outcome_unknown` when a request takes longer: its change may have happened or not, and the same request
/// again returns the truth.
pub fn timeout<S: Clone + Send + Sync + 'static>(router: Router<S>, after: Duration) -> Router<S> {
    router.layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, after))
}

/// Answers `internal` when a handler panics, and logs that it did. What it panicked with goes nowhere.
pub fn catch_panics<S: Clone + Send + Sync + 'static>(router: Router<S>) -> Router<S> {
    router.layer(CatchPanicLayer::custom(|_: Box<dyn Any + Send>| {
        tracing::error!("a handler panicked");
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    }))
}

/// The header of the request's id.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What a request is called in the logs and in its answer. Made here, never taken from the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestId(Uuid);

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0.simple(), f)
    }
}

/// Gives every request an id, writes one log line about it, and makes every refusal a problem document with that id;
/// a person at a page gets it as a page.
///
/// The line names method, matched route, status, time taken and id; of a refusal its code, and where an enrollment was
/// found, its id. It never names the path, in which tokens stand, nor anything of header or body. The request's id is also
/// a [`RequestId`] among its extensions.
///
/// All of it happens within one span, `request`, so that whoever collects traces has one per request. At its end the span
/// gets `status` and `code`, and by `otel.status_code` whoever exports it to OpenTelemetry an error where the server is to
/// blame. A `traceparent` of the client is never believed: no stranger decides what is recorded, or in whose trace.
pub fn observed<S: Clone + Send + Sync + 'static>(router: Router<S>, state: &EnrollmentState) -> Router<S> {
    router.layer(middleware::from_fn_with_state(state.clone(), observe))
}

async fn observe(State(state): State<EnrollmentState>, mut request: Request, next: Next) -> Response {
    let service = state.service();
    let started = service.now();
    let id = RequestId(new_uuid(started, service.entropy()));
    request.extensions_mut().insert(id);
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or("-", MatchedPath::as_str);
    let asker = page::asker(request.method(), request.uri(), request.headers());
    let method = request.method().clone();
    let method = method_name(&method);
    let span = tracing::info_span!(
        "request",
        method = %method,
        route,
        id = %id,
        enrollment = Empty,
        status = Empty,
        code = Empty,
        otel.status_code = Empty,
    );
    let finish = finisher(route);
    async {
        let response = finish(next.run(request).await, &id, asker, &state);
        let took = service.now().since(started);
        let code = problem_code(&response);
        let status = response.status();
        tracing::info!(status = status.as_u16(), code, micros = took.as_micros(), "answered");
        // After the line, which has them already.
        span.record("status", i64::from(status.as_u16())).record("code", code);
        span.record("otel.status_code", status.is_server_error().then_some("ERROR"));
        with_id(response, id)
    }
    .instrument(span.clone())
    .await
}

/// How an answer of this route is finished: Defguard's clients read refusals in their own form.
fn finisher(route: &str) -> fn(Response, &RequestId, Asker, &EnrollmentState) -> Response {
    #[cfg(feature = "defguard")]
    if crate::defguard::is_ours(route) {
        return |response, _, _, _| crate::defguard::speak(response);
    }
    let _ = route;
    problem::finish
}

/// A method's name. A client can invent methods: those have no name here.
fn method_name(method: &axum::http::Method) -> &str {
    use axum::http::Method as M;
    match *method {
        M::GET | M::HEAD | M::POST | M::PUT | M::PATCH | M::DELETE | M::OPTIONS => method.as_str(),
        _ => "-",
    }
}

fn with_id(mut response: Response, id: RequestId) -> Response {
    if let Ok(value) = HeaderValue::try_from(id.to_string()) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}
