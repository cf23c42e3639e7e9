//! Which refusal has which status: the one table of both faces.

use std::time::Duration;

use axum::http::StatusCode;
use enrollment_core::domain::rejection::Rejection;
use enrollment_core::service::Failure;

use super::Problem;

/// After this long a store that was busy or away is asked again.
const STORE_RETRY: Duration = Duration::from_secs(2);

/// The status of a refusal.
///
/// 410: a token that was real and is dead. 401: a session that opens nothing. 409: the state of things stands against
/// it, and another step changes that. 422: understood, and not acceptable.
fn status(rejection: &Rejection) -> StatusCode {
    use Rejection as R;
    match rejection {
        R::InvalidField { .. } => StatusCode::BAD_REQUEST,
        R::InvalidSession | R::SessionExpired | R::SessionSuperseded => StatusCode::UNAUTHORIZED,
        R::Forbidden | R::Outranked => StatusCode::FORBIDDEN,
        R::InvalidToken | R::NotFound { .. } => StatusCode::NOT_FOUND,
        R::TokenExpired
        | R::TokenRevoked
        | R::TokenCompleted
        | R::TokenSuperseded
        | R::TokenLocked
        | R::SessionsExhausted => StatusCode::GONE,
        R::WrongCode { .. }
        | R::Password(_)
        | R::PublicKeyNeeded
        | R::OutOfRange { .. }
        | R::PasswordNotAccepted
        | R::InvalidTemplate { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        R::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
        // Among them: already_completed, requirements_missing, mfa_not_started, step_not_offered, …_taken,
        // user_disabled, already_enrolled, no_location, mail_not_configured, last_owner.
        _ => StatusCode::CONFLICT,
    }
}

impl From<Rejection> for Problem {
    fn from(rejection: Rejection) -> Self {
        let problem = Self::new(status(&rejection), rejection.code(), rejection.to_string());
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
            Rejection::TooMany { retry_after } => problem.retry_after(retry_after),
            _ => problem,
        }
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        let busy = |code, wait| Self::new(StatusCode::SERVICE_UNAVAILABLE, code, failure.to_string()).retry_after(wait);
        match failure {
            Failure::Rejected(rejection) => rejection.into(),
            Failure::Busy => busy("busy", Duration::from_secs(1)),
            Failure::Overloaded { retry_after } => busy("overloaded", retry_after),
            Failure::Unavailable(ref error) => {
                tracing::warn!(error = chain(error), "the store is not available");
                busy("unavailable", STORE_RETRY)
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
