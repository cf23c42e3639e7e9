//! Refusals in the clients' words.

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::problem::{Problem, is_bare};

/// Whether a route, as it was matched, is one of this router's: layers around it then answer in the clients' words, too.
pub(crate) fn is_ours(route: &str) -> bool {
    let Some((_, rest)) = route.split_once("/api/v1") else { return false };
    rest.starts_with("/enrollment/") || ["", "/poll", "/info", "/health", "/{*rest}"].contains(&rest)
}

/// The answer as it is, or, when it is a refusal, as `{"error": …}`. Done twice it changes nothing more.
pub(crate) fn speak(response: Response) -> Response {
    let status = response.status();
    if status.is_success() || status.is_redirection() {
        return response;
    }
    let problem = match response.extensions().get::<Problem>() {
        Some(problem) => problem.clone(),
        None if is_bare(&response) => Problem::from_status(status),
        None => return response,
    };
    let (status, text) = (status_of(&problem), text_of(&problem));
    let (mut parts, _) = response.into_parts();
    for name in [header::CONTENT_LENGTH, header::CONTENT_TYPE, header::WWW_AUTHENTICATE] {
        parts.headers.remove(name);
    }
    let mut refused = (status, Json(json!({ "error": text }))).into_response();
    // What layers and the problem have put on stays: Allow, Retry-After, the security headers.
    for (name, value) in &parts.headers {
        refused.headers_mut().insert(name, value.clone());
    }
    refused.extensions_mut().insert(problem);
    refused
}

/// The statuses that clients know.
fn status_of(problem: &Problem) -> StatusCode {
    match (&*problem.document().code, problem.status()) {
        ("invalid_token", _) => StatusCode::UNAUTHORIZED,
        ("token_revoked" | "token_locked" | "already_completed", _) => StatusCode::FORBIDDEN,
        (_, StatusCode::GONE) => StatusCode::UNAUTHORIZED,
        (_, StatusCode::CONFLICT | StatusCode::UNPROCESSABLE_ENTITY) => StatusCode::BAD_REQUEST,
        (_, status) => status,
    }
}

/// What a person reads, which begins as Defguard's own texts do. "token expired" is the one that clients compare.
fn text_of(problem: &Problem) -> String {
    let document = problem.document();
    let (detail, field) = (&*document.detail, document.field.as_deref());
    let opening = match &*document.code {
        "token_expired" => return "token expired".to_owned(),
        "invalid_token" => "invalid token",
        "wrong_code" => "Code invalid",
        "public_key_taken" => "invalid key",
        "invalid_field" => match field {
            Some("pubkey" | "device_pub_key" | "auth_pub_key") => "invalid pubkey",
            Some("phone_number") => "invalid phone number",
            _ => return detail.to_owned(),
        },
        _ if field == Some("password") => "password not strong enough",
        _ => return detail.to_owned(),
    };
    format!("{opening}: {detail}")
}
