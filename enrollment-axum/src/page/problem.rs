//! Refusals as pages: the same texts as for programs, and a way on.

use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::Response;
use serde::Serialize;

use super::engine::{Page, answer};
use crate::problem::ProblemDocument;
use crate::state::EnrollmentState;

/// A refusal, for a person.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct ProblemPage {
    /// What happened, in a few words.
    pub(crate) title: String,
    /// What happened and what to do next.
    pub(crate) detail: String,
    /// The request, for the operator's logs; where the operator can help.
    pub(crate) request_id: Option<String>,
    /// Seconds until the same may succeed.
    pub(crate) retry_after: Option<u64>,
    /// Where to go from here: a path and what the link says.
    pub(crate) way_on: Option<(&'static str, &'static str)>,
}

impl Page for ProblemPage {
    const TEMPLATE: &'static str = "problem.html";
}

/// Who asks: a person's browser, or a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asker {
    Program,
    /// A browser at a page of this part.
    Enrollee,
    /// A browser at a page of the administration.
    Administrator,
}

/// Who hears a refusal of this request: a browser asks for HTML by name, programs do not; below `/api` there are no
/// pages.
pub(crate) fn asker(method: &Method, uri: &Uri, headers: &HeaderMap) -> Asker {
    let pages = matches!(*method, Method::GET | Method::HEAD | Method::POST);
    let html = headers.get_all(header::ACCEPT).iter().any(|value| {
        value.to_str().is_ok_and(|value| value.split([',', ';']).any(|media| media.trim() == "text/html"))
    });
    let path = uri.path();
    if !pages || !html || path.starts_with("/api/") {
        return Asker::Program;
    }
    if path == "/admin" || path.starts_with("/admin/") { Asker::Administrator } else { Asker::Enrollee }
}

/// The page of a refusal.
pub(crate) fn as_page(
    state: &EnrollmentState,
    status: StatusCode,
    document: &ProblemDocument,
    asker: Asker,
) -> Response {
    answer(state, status, &ProblemPage::new(document, asker))
}

impl ProblemPage {
    pub(super) fn new(document: &ProblemDocument, asker: Asker) -> Self {
        let code = &*document.code;
        let title = title(code).map_or_else(|| document.title.to_string(), str::to_owned);
        let detail = detail(code).unwrap_or(&document.detail);
        // The heading has said so.
        let detail = detail.strip_prefix(&format!("{title}. ")).unwrap_or(detail);
        Self {
            detail: detail.to_owned(),
            title,
            request_id: document.request_id.clone().filter(|_| document.status >= 500),
            retry_after: document.retry_after,
            way_on: if asker == Asker::Administrator { at_administration(code) } else { at_enrollment(code) },
        }
    }
}

/// The heading for a person, where the name of the code would not be one. The text below it is the same for programs.
fn title(code: &str) -> Option<&'static str> {
    Some(match code {
        "invalid_token" => "This link is not valid",
        "token_expired" => "This link has expired",
        "token_revoked" => "This invitation was withdrawn",
        "token_completed" => "You have done this already",
        "token_superseded" => "There is a newer link",
        "token_locked" => "This invitation is locked",
        "sessions_exhausted" => "This link was opened too often",
        "invalid_session" => "Please open your link again",
        "session_expired" => "Your time is up",
        "session_superseded" => "Your link was opened elsewhere",
        "already_completed" => "You have done this already",
        "overloaded" | "busy" | "too_many_requests" => "One moment, please",
        "unavailable" => "We cannot be reached right now",
        "outcome_unknown" => "We are not sure that this worked",
        "not_found" => "There is nothing here",
        "forbidden" | "outranked" => "You may not do this",
        "last_owner" => "Somebody must be left",
        "not_signed_in" => "You are not signed in",
        "cross_site" => "This came from another site",
        "codes_exhausted" => "No more codes for now",
        "internal" => "Something went wrong",
        "bad_request" | "invalid_form" | "invalid_query" => "That did not arrive whole",
        "addresses_exhausted" => "The network is full",
        _ => return None,
    })
}

/// What is said to programs in words that are for programs.
fn detail(code: &str) -> Option<&'static str> {
    Some(match code {
        "overloaded" | "busy" => "Many people are here at once. Nothing happened; please try again in a moment.",
        "unavailable" => "Nothing happened, and nothing is lost. Please try again in a moment.",
        "outcome_unknown" => {
            "It may have worked or not, and nothing is lost. Go on, and you see what is done; doing it again does no harm."
        }
        "method_not_allowed" => "This page is not opened like this. Start from the beginning.",
        _ => return None,
    })
}

const ENTER: (&str, &str) = ("/enroll", "Enter a link or code");
const GO_ON: (&str, &str) = ("/enroll/continue", "Go on where you are");

fn at_enrollment(code: &str) -> Option<(&'static str, &'static str)> {
    Some(match code {
        "invalid_token" | "invalid_session" | "session_expired" | "token_superseded" | "not_found"
        | "method_not_allowed" => ENTER,
        "token_expired" | "token_revoked" | "token_completed" | "token_locked" | "sessions_exhausted"
        | "session_superseded" => return None,
        _ => GO_ON,
    })
}

fn at_administration(code: &str) -> Option<(&'static str, &'static str)> {
    Some(match code {
        "unauthorized" | "not_signed_in" => ("/admin/sign-in", "Sign in"),
        _ => ("/admin", "Back to the start"),
    })
}
