//! The protocol of Defguard's existing clients: its desktop client and its command line `dg` enroll against this router
//! as they do against Defguard's own edge. What lies behind is this crate's own and stricter.
//!
//! Ids are integers, enums are integers in answers, success is exactly 200, and every refusal, also of what is no request
//! at all, is `{"error": "…"}` with a text for people. Clients take the path of no address they are given: the router
//! belongs at the root of its host.

mod activate;
mod cookie;
mod device;
mod mfa;
mod refusal;
mod session;
mod start;
mod view;

use axum::extract::FromRef;
use axum::http::{HeaderName, HeaderValue};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use axum::{Json, Router};
use serde_json::json;

use crate::problem::Problem;
use crate::state::EnrollmentState;
pub(crate) use refusal::{is_ours, speak};

/// The version of Defguard whose protocol this is; clients compare it with the least they work with.
const PROTOCOL: &str = "1.6.2";

/// `/api/v1/…`, for the public face.
pub fn router<S>() -> Router<S>
where
    EnrollmentState: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    Router::new()
        .route("/api/v1/enrollment/start", post(start::start))
        .route("/api/v1/enrollment/create_device", post(device::create))
        .route("/api/v1/enrollment/network_info", post(device::network_info))
        .route("/api/v1/enrollment/register_mobile", post(device::register_mobile))
        .route("/api/v1/enrollment/register-mfa/code/start", post(mfa::start))
        .route("/api/v1/enrollment/register-mfa/code/finish", post(mfa::finish))
        .route("/api/v1/enrollment/activate_user", post(activate::activate))
        .route("/api/v1/poll", post(device::poll))
        .route("/api/v1/info", get(info))
        .route("/api/v1/health", get(async || "alive"))
        .route("/api/v1", any(nothing))
        .route("/api/v1/{*rest}", any(nothing))
        .layer(middleware::map_response(answered))
}

async fn info() -> impl IntoResponse {
    Json(json!({ "version": PROTOCOL }))
}

async fn nothing() -> Problem {
    Problem::from_status(axum::http::StatusCode::NOT_FOUND)
}

/// Every answer in the clients' words, and with the versions they look for.
async fn answered(response: Response) -> Response {
    let mut response = speak(response);
    for (name, value) in [
        ("defguard-core-version", PROTOCOL),
        ("defguard-component-version", PROTOCOL),
        ("defguard-core-connected", "true"),
    ] {
        response.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    response
}
