//! Which refusal has which status: the one table of both faces.

use std::time::Duration;

use axum::http::StatusCode;
use enrollment_core::domain::rejection::{Rejection, RejectionClass};
use enrollment_core::service::Failure;

use super::Problem;

/// After this long a store that was busy or away is asked again.
const STORE_RETRY: Duration = Duration::from_secs(2);

/// The status of a refusal.
const fn status(class: RejectionClass) -> StatusCode {
    match class {
        RejectionClass::Invalid => StatusCode::BAD_REQUEST,
        RejectionClass::Unauthenticated => StatusCode::UNAUTHORIZED,
        RejectionClass::Forbidden => StatusCode::FORBIDDEN,
        RejectionClass::NotFound => StatusCode::NOT_FOUND,
        RejectionClass::Gone => StatusCode::GONE,
        RejectionClass::Conflict => StatusCode::CONFLICT,
        RejectionClass::Unacceptable => StatusCode::UNPROCESSABLE_ENTITY,
        RejectionClass::TooMany => StatusCode::TOO_MANY_REQUESTS,
    }
}

impl From<Rejection> for Problem {
    fn from(rejection: Rejection) -> Self {
        let problem = Self::new(status(rejection.class()), rejection.code(), rejection.to_string());
        match rejection {
            Rejection::RequirementsMissing(missing) => problem.with(|document| {
                document.missing = Some(missing.into_iter().map(|missing| missing.code().to_owned()).collect());
            }),
            Rejection::InvalidField { field, .. } => problem.with(|document| document.field = Some(field.to_owned())),
            Rejection::OutOfRange { field, reason } => problem.with(|document| {
                document.field = Some(field.to_owned());
                document.min = Some(reason.min);
                document.max = Some(reason.max);
            }),
            Rejection::Password(_) => problem.with(|document| document.field = Some("password".to_owned())),
            Rejection::WrongCode { left } => problem.with(|document| document.left = Some(left)),
            Rejection::InvalidTemplate { line, .. } => problem.with(|document| document.line = Some(line)),
            Rejection::TooMany { retry_after } | Rejection::CodesExhausted { retry_after } => {
                problem.retry_after(retry_after)
            }
            _ => problem,
        }
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        let code = failure.code();
        let busy = |wait| Self::new(StatusCode::SERVICE_UNAVAILABLE, code, failure.to_string()).retry_after(wait);
        match failure {
            Failure::Rejected(rejection) => rejection.into(),
            Failure::Busy => busy(Duration::from_secs(1)),
            Failure::Overloaded { retry_after } => busy(retry_after),
            Failure::Unavailable(ref error) => {
                tracing::warn!(error = chain(error), "the store is not available");
                busy(STORE_RETRY)
            }
            Failure::UnknownKey(key) => {
                tracing::warn!(%key, "a record names a key that the key ring does not have");
                busy(STORE_RETRY)
            }
            Failure::OutcomeUnknown(error) => {
                tracing::error!(error = chain(&error), "the fate of a change is not known");
                Self::from_status(StatusCode::GATEWAY_TIMEOUT)
            }
            other => {
                tracing::error!(error = chain(&other), "a request met something broken");
                Self::from_status(StatusCode::INTERNAL_SERVER_ERROR)
            }
        }
    }
}

/// An error and its sources, for the log.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let sources = std::iter::successors(Some(error), |error| error.source());
    sources.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// Code and text of a status that the router or a layer answers by itself.
pub(super) fn of_status(status: StatusCode) -> (&'static str, &'static str) {
    match status {
        StatusCode::UNAUTHORIZED => ("unauthorized", "Sign in, or send your API key as a Bearer token."),
        StatusCode::NOT_FOUND => ("not_found", "There is nothing at this address."),
        StatusCode::METHOD_NOT_ALLOWED => {
            ("method_not_allowed", "This address does not take this method; the header Allow names those it takes.")
        }
        StatusCode::REQUEST_TIMEOUT => ("request_timeout", "The request took too long to arrive. Send it again."),
        StatusCode::PAYLOAD_TOO_LARGE => ("payload_too_large", "The request is too large."),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            ("unsupported_media_type", "Send JSON, with the header \"Content-Type: application/json\".")
        }
        StatusCode::TOO_MANY_REQUESTS => ("too_many_requests", "Too many requests. Wait a moment and try again."),
        StatusCode::SERVICE_UNAVAILABLE => ("unavailable", "The server cannot do this now. Nothing happened."),
        StatusCode::GATEWAY_TIMEOUT => {
            ("outcome_unknown", "It is not known whether this happened. The same request again tells.")
        }
        status if status.is_client_error() => ("bad_request", "The server does not understand this request."),
        _ => ("internal", "Something is broken on the server. Tell its operator the request id."),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::header::RETRY_AFTER;
    use axum::response::IntoResponse;

    use super::*;

    /// PWD-3, SYS-3, SYS-10
    #[test]
    fn whatever_was_not_begun_says_when_to_come_again() {
        let unknown = (Failure::UnknownKey("x1w1mcxs".parse().expect("a name")), "2");
        for (failure, wait) in
            [(Failure::Overloaded { retry_after: Duration::from_secs(3) }, "3"), (Failure::Busy, "1"), unknown]
        {
            let response = Problem::from(failure).into_response();
            assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
            assert_eq!(response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()), Some(wait));
        }
    }
}
