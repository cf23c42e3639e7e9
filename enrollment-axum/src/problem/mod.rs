//! Problem documents: the one form of every refusal (RFC 9457, SYS-3).

mod document;
mod table;

use std::borrow::Cow;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

pub use document::ProblemDocument;

use crate::layers::RequestId;
use crate::page::{Asker, as_page};
use crate::state::EnrollmentState;

/// A refusal on its way out. Becomes a [`ProblemDocument`]; the layer that knows the request's id writes it in.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    status: StatusCode,
    document: Box<ProblemDocument>,
    headers: HeaderMap,
}

/// What a handler answers.
pub(crate) type Answer<T> = Result<T, Problem>;

impl Problem {
    /// A refusal with a stable code and a sentence that says what to do next. Neither may hold what a client sent.
    pub(crate) fn new(status: StatusCode, code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        let mut headers = HeaderMap::new();
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"enrollment\""));
        }
        Self { status, document: Box::new(ProblemDocument::new(status, code, detail.into())), headers }
    }

    /// The problem that stands for a bare status, as the router and the layers answer it.
    pub(crate) fn from_status(status: StatusCode) -> Self {
        let (code, detail) = table::of_status(status);
        Self::new(status, code, detail)
    }

    pub(crate) fn invalid_field(field: impl Into<String>, reason: impl std::fmt::Display) -> Self {
        let field = field.into();
        let detail = format!("{field}: {reason}");
        Self::new(StatusCode::BAD_REQUEST, "invalid_field", detail).with(|document| document.field = Some(field))
    }

    pub(crate) fn missing_field(field: impl Into<String>) -> Self {
        let field = field.into();
        let detail = format!("{field}: must be given");
        Self::new(StatusCode::BAD_REQUEST, "missing_field", detail).with(|document| document.field = Some(field))
    }

    pub(crate) fn too_many_requests(wait: Duration) -> Self {
        Self::from_status(StatusCode::TOO_MANY_REQUESTS).retry_after(wait)
    }

    /// Who asks has shown nothing that authenticates them.
    pub(crate) fn unauthorized() -> Self {
        Self::from_status(StatusCode::UNAUTHORIZED)
    }

    /// What it says.
    pub(crate) fn document(&self) -> &ProblemDocument {
        &self.document
    }

    /// Its status.
    pub(crate) const fn status(&self) -> StatusCode {
        self.status
    }

    /// How a page that says this itself is answered.
    pub(crate) fn page_status(&self) -> PageStatus {
        PageStatus { status: self.status, headers: self.headers.clone(), code: Some(self.document.code.clone()) }
    }

    fn with(mut self, change: impl FnOnce(&mut ProblemDocument)) -> Self {
        change(&mut self.document);
        self
    }

    /// Says when to try again, in whole seconds, at least one.
    fn retry_after(mut self, wait: Duration) -> Self {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        let seconds = seconds.max(1);
        self.headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        self.with(|document| document.retry_after = Some(seconds))
    }
}

/// The media type of RFC 9457.
pub(crate) const MEDIA_TYPE: &str = "application/problem+json";

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.status, self.headers.clone(), self.document.to_json()).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        response.extensions_mut().insert(self);
        response
    }
}

/// How a page is answered: its status; where it says a refusal itself, also that one's headers and its code.
#[derive(Debug)]
pub(crate) struct PageStatus {
    status: StatusCode,
    headers: HeaderMap,
    code: Option<Cow<'static, str>>,
}

/// The code of a refusal that a page says itself. A [`Problem`] in its place would be made another page of.
#[derive(Debug, Clone)]
struct SaidCode(Cow<'static, str>);

impl From<StatusCode> for PageStatus {
    fn from(status: StatusCode) -> Self {
        Self { status, headers: HeaderMap::new(), code: None }
    }
}

impl PageStatus {
    pub(crate) fn onto(self, mut response: Response) -> Response {
        *response.status_mut() = self.status;
        response.headers_mut().extend(self.headers);
        if let Some(code) = self.code {
            response.extensions_mut().insert(SaidCode(code));
        }
        response
    }
}

/// The stable code of a refusal, such as `invalid_token`, for a host that counts; `None` of any other response. One of a
/// known set of words, never anything a client sent.
#[must_use]
pub fn problem_code(response: &Response) -> Option<&str> {
    let extensions = response.extensions();
    let problem = extensions.get::<Problem>().map(|problem| &problem.document.code);
    problem.or_else(|| extensions.get::<SaidCode>().map(|SaidCode(code)| code)).map(AsRef::as_ref)
}

/// Writes the request's id into a problem document, and makes one of a bare refusal: that of a route that is not
/// there, a method that is not allowed, a body that is too large. What comes with a content of its own is left alone.
///
/// A person's browser gets the same as a page.
pub(crate) fn finish(response: Response, id: &RequestId, asker: Asker, state: &EnrollmentState) -> Response {
    let status = response.status();
    let problem = match response.extensions().get::<Problem>() {
        Some(problem) => problem.clone(),
        None if is_bare(&response) && (status.is_client_error() || status.is_server_error()) => {
            Problem::from_status(status)
        }
        None => return response,
    };
    let problem = problem.with(|document| document.request_id = Some(id.to_string()));
    let finished = match asker {
        Asker::Program => problem.into_response(),
        Asker::Enrollee | Asker::Administrator => {
            let mut page = as_page(state, status, &problem.document, asker);
            page.headers_mut().extend(problem.headers);
            page
        }
    };
    let (finished, body) = finished.into_parts();
    let (mut parts, _) = response.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.extensions.extend(finished.extensions);
    // What layers have put on stays: Allow, Retry-After, the security headers.
    parts.headers.extend(finished.headers);
    Response::from_parts(parts, body)
}

/// Whether a response has no content, or only a line of the framework's.
pub(crate) fn is_bare(response: &Response) -> bool {
    match response.headers().get(header::CONTENT_TYPE) {
        None => true,
        Some(content_type) => content_type.as_bytes().starts_with(b"text/plain"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SYS-3: what a page says itself is counted and waited for like a problem document.
    #[test]
    fn a_page_that_says_a_refusal_has_its_status_headers_and_code() {
        let problem = Problem::too_many_requests(Duration::from_secs(5));
        let page = problem.page_status().onto("a page".into_response());
        assert_eq!(page.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(page.headers()[header::RETRY_AFTER], "5");
        assert_eq!(problem_code(&page), Some("too_many_requests"));
        assert!(page.extensions().get::<Problem>().is_none(), "it stays the page it is");
        assert_eq!(problem_code(&PageStatus::from(StatusCode::OK).onto("a page".into_response())), None);
    }
}
