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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use enrollment_core::service::Failure;

    use super::*;

    /// SYS-3: refusals of the layers around the router, and those that say when to come again.
    #[test]
    fn what_layers_refuse_is_said_in_the_same_words() {
        let cases = [
            (Problem::too_many_requests(Duration::from_secs(3)).into_response(), 429, Some("3")),
            (
                Problem::from(Failure::Overloaded { retry_after: Duration::from_secs(2) }).into_response(),
                503,
                Some("2"),
            ),
            (StatusCode::GATEWAY_TIMEOUT.into_response(), 504, None),
            (StatusCode::INTERNAL_SERVER_ERROR.into_response(), 500, None),
            ((StatusCode::PAYLOAD_TOO_LARGE, "length limit exceeded").into_response(), 413, None),
        ];
        for (response, status, retry_after) in cases {
            // By the router and by the layer: the second time changes nothing.
            let spoken = speak(speak(response));
            assert_eq!(spoken.status(), status);
            let header = |name| spoken.headers().get(name).and_then(|value| value.to_str().ok());
            assert_eq!((header("content-type"), header("retry-after")), (Some("application/json"), retry_after));
        }
        let fine = (StatusCode::OK, "alive").into_response();
        assert!(speak(fine).headers()["content-type"].as_bytes().starts_with(b"text/plain"));
    }

    #[test]
    fn only_routes_of_this_router_are_its_own() {
        for ours in ["/api/v1/poll", "/api/v1/enrollment/start", "/api/v1", "/api/v1/{*rest}", "/vpn/api/v1/info"] {
            assert!(is_ours(ours), "{ours}");
        }
        for other in ["-", "/api/v1/users", "/api/enroll/v1/sessions", "/api/admin/v1/users", "/poll"] {
            assert!(!is_ours(other), "{other}");
        }
    }
}
