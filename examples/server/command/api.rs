//! The administrator's API, answered in this process: a command is a request to it. So a command does what the API does,
//! refuses what it refuses, and `--json` shows its documents.

use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, StatusCode, header};
use axum::response::Response;
use axum::{Extension, Router};
use enrollment::axum::{EnrollmentState, HttpOptions, admin_router};
use enrollment::core::service::{Principal, Service};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};
use tower::ServiceExt as _;

use super::refusal::Refusal;
use crate::Error;

/// The longest answer that is not a stream: a page of 500 users with all they may have.
const LONGEST: usize = 64 * 1024 * 1024;
/// Items asked for at once, the most there are on a page.
const PAGE: usize = 500;

/// Whoever may read key ring and database, at the administrator's API.
#[derive(Debug, Clone)]
pub(crate) struct Api(Router);

impl Api {
    /// The API of this service, asked by `by`.
    pub(crate) fn new(service: &Service, by: Principal) -> Self {
        let state = EnrollmentState::new(service.clone(), HttpOptions::default());
        Self(admin_router().layer(Extension(by)).with_state(state))
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Value, Error> {
        self.send(Method::GET, path, Members::default()).await
    }

    /// Sends a request with these members, and reads its answer; one without content is `null`.
    pub(crate) async fn send(&self, method: Method, path: &str, members: Members) -> Result<Value, Error> {
        let bytes = to_bytes(self.ask(method, path, members).await?.into_body(), LONGEST).await?;
        Ok(if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes)? })
    }

    /// Sends a request whose answer may be long.
    pub(crate) async fn ask(&self, method: Method, path: &str, members: Members) -> Result<Response, Error> {
        let mut request = Request::builder().method(method).uri(format!("/api/admin/v1{path}"));
        let body = match members.0 {
            none if none.is_empty() => Body::empty(),
            some => {
                request = request.header(header::CONTENT_TYPE, "application/json");
                Body::from(serde_json::to_vec(&some)?)
            }
        };
        let response = self.0.clone().oneshot(request.body(body)?).await?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let bytes = to_bytes(response.into_body(), LONGEST).await?;
        Err(refusal(status, &bytes).into())
    }

    /// The page of a list after this one.
    pub(crate) async fn page(
        &self,
        list: &List<'_>,
        cursor: Option<&str>,
    ) -> Result<(Vec<Value>, Option<String>), Error> {
        let mut path = format!("{}?limit={PAGE}", list.path);
        for (name, value) in list.query.iter().copied().chain([("cursor", cursor)]) {
            if let Some(value) = value {
                path += &format!("&{name}={}", escaped(value));
            }
        }
        let mut page = self.get(&path).await?;
        let items = match page["items"].take() {
            Value::Array(items) => items,
            other => return Err(format!("{}: a list was expected, not {other}", list.path).into()),
        };
        Ok((items, page["next"].as_str().map(str::to_owned)))
    }
}

/// A list, and which of its items.
#[derive(Debug)]
pub(crate) struct List<'a> {
    path: &'a str,
    query: Vec<(&'static str, Option<&'a str>)>,
}

impl<'a> List<'a> {
    pub(crate) const fn all(path: &'a str) -> Self {
        Self { path, query: Vec::new() }
    }

    pub(crate) fn only(mut self, name: &'static str, value: Option<&'a str>) -> Self {
        self.query.push((name, value));
        self
    }
}

/// The members of a request's document.
#[derive(Debug, Default)]
pub(crate) struct Members(Map<String, Value>);

impl Members {
    /// A member, where somebody gave a value.
    pub(crate) fn given(mut self, name: &str, value: Option<impl Into<Value>>) -> Self {
        if let Some(value) = value {
            self.0.insert(name.to_owned(), value.into());
        }
        self
    }

    pub(crate) fn set(self, name: &str, value: impl Into<Value>) -> Self {
        self.given(name, Some(value))
    }

    /// A member that shall be empty from now on.
    pub(crate) fn cleared(self, name: &str, cleared: bool) -> Self {
        self.given(name, cleared.then_some(Value::Null))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn into_value(self) -> Value {
        Value::Object(self.0)
    }
}

/// Everything but letters, digits and what is harmless in a path.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A part of a path.
pub(crate) fn escaped(part: &str) -> String {
    utf8_percent_encode(part, ESCAPED).to_string()
}

/// Why not, as the API says it.
fn refusal(status: StatusCode, body: &[u8]) -> Refusal {
    match serde_json::from_slice::<Value>(body) {
        Ok(problem) if problem["code"].is_string() => Refusal::new(problem),
        _ => Refusal::bare(status),
    }
}
