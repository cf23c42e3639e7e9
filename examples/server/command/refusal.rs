//! How a command fails, and what its exit status says about that.

use std::fmt;
use std::io::{self, ErrorKind};
use std::process::ExitCode;

use axum::http::StatusCode;
use enrollment::core::service::Failure;
use serde_json::{Value, json};

/// A rule said no: a problem document of the API (RFC 9457).
#[derive(Debug)]
pub(crate) struct Refusal(Value);

impl Refusal {
    pub(crate) const fn new(problem: Value) -> Self {
        Self(problem)
    }

    /// There is nothing of this name.
    pub(crate) fn not_found(detail: String) -> Self {
        Self(json!({"code": "not_found", "status": 404, "detail": detail}))
    }

    /// Whoever this is done for may not do it.
    pub(crate) fn forbidden(detail: String) -> Self {
        Self(json!({"code": "forbidden", "status": 403, "detail": detail}))
    }

    /// An answer that says no more than its status.
    pub(super) fn bare(status: StatusCode) -> Self {
        let reason = status.canonical_reason().unwrap_or("refused");
        match status {
            StatusCode::NOT_FOUND => Self::not_found("There is nothing with this id.".to_owned()),
            _ => Self(json!({"code": "refused", "status": status.as_u16(), "detail": reason})),
        }
    }

    fn status(&self) -> u64 {
        self.0["status"].as_u64().unwrap_or(500)
    }
}

/// For people: what is wrong and what to do, then the code that the documentation knows.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |name: &str| self.0[name].as_str().unwrap_or_default();
        write!(f, "{} ({})", text("detail").trim_end_matches('.'), text("code"))
    }
}

impl std::error::Error for Refusal {}

/// The command line does not say enough.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Unclear(pub(crate) String);

/// What the exit status says: documented in `docs/guide/commands.md`.
pub(crate) fn exit_code(error: &(dyn std::error::Error + 'static)) -> ExitCode {
    if error.is::<Unclear>() {
        return ExitCode::from(2);
    }
    let status = match (error.downcast_ref::<Refusal>(), error.downcast_ref::<Failure>()) {
        (Some(refusal), _) => refusal.status(),
        (None, Some(Failure::Rejected(_))) => 400,
        _ => 500,
    };
    ExitCode::from(match status {
        404 => 4,
        400..=499 => 3,
        _ => 1,
    })
}

/// The reader of the answer has gone, as `head` does: nothing is wrong with that.
pub(crate) fn is_closed_pipe(error: &(dyn std::error::Error + 'static)) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}

/// The error as a document, for programs.
pub(crate) fn document(error: &(dyn std::error::Error + 'static)) -> Value {
    match error.downcast_ref::<Refusal>() {
        Some(Refusal(problem)) => problem.clone(),
        None => {
            let code = match error.downcast_ref::<Failure>() {
                Some(Failure::Rejected(rejection)) => rejection.code(),
                None if error.is::<Unclear>() => "usage",
                _ => "failed",
            };
            json!({"code": code, "detail": error.to_string()})
        }
    }
}
