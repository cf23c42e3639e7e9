//! Bodies: JSON, bounded in size and time.

use axum::body::Bytes;
use axum::extract::{FromRef, FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use serde::de::{DeserializeOwned, IgnoredAny};

use crate::problem::Problem;
use crate::state::EnrollmentState;

/// A JSON body. Members that are not known are ignored; what is wrong is named by its path and never repeated.
pub(crate) struct Json<T>(pub(crate) T);

/// A JSON body that may also be left out, which is then `T::default()`.
pub(crate) struct OptionalJson<T>(pub(crate) T);

impl<S, T> FromRequest<S> for Json<T>
where
    EnrollmentState: FromRef<S>,
    S: Send + Sync,
    T: DeserializeOwned,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let is_json = is_json(request.headers());
        let bytes = read(request, state).await?;
        if !is_json {
            return Err(Problem::from_status(StatusCode::UNSUPPORTED_MEDIA_TYPE));
        }
        parse(&bytes).map(Self)
    }
}

impl<S, T> FromRequest<S> for OptionalJson<T>
where
    EnrollmentState: FromRef<S>,
    S: Send + Sync,
    T: DeserializeOwned + Default,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let is_json = is_json(request.headers());
        let bytes = read(request, state).await?;
        match (bytes.is_empty(), is_json) {
            (true, _) => Ok(Self(T::default())),
            (false, true) => parse(&bytes).map(Self),
            (false, false) => Err(Problem::from_status(StatusCode::UNSUPPORTED_MEDIA_TYPE)),
        }
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(content_type) = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}

async fn read<S>(request: Request, state: &S) -> Result<Bytes, Problem>
where
    EnrollmentState: FromRef<S>,
    S: Send + Sync,
{
    let bytes = within_time(&EnrollmentState::from_ref(state), Bytes::from_request(request, state)).await?;
    // Too large or broken off: the status says which.
    bytes.map_err(|rejection| Problem::from_status(rejection.into_response().status()))
}

/// What reading a body comes to, unless it takes too long to arrive.
pub(crate) async fn within_time<T>(state: &EnrollmentState, reading: impl Future<Output = T>) -> Result<T, Problem> {
    let read = tokio::time::timeout(state.options().body_timeout, reading).await;
    read.map_err(|_| Problem::from_status(StatusCode::REQUEST_TIMEOUT))
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    // In members that are not known, the library would not look.
    let not_text = |_| Problem::new(StatusCode::BAD_REQUEST, "malformed_json", "The body is not UTF-8.");
    let text = std::str::from_utf8(bytes).map_err(not_text)?;
    if !text.trim_start().starts_with('{') {
        // The library would also read a struct's members from an array, by position.
        serde_json::from_str::<IgnoredAny>(text).map_err(|error| malformed(&error))?;
        return Err(not_an_object());
    }
    let mut json = serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| describe(&error))?;
    json.end().map_err(|error| malformed(&error))?;
    Ok(value)
}

/// The library's own message would repeat what was sent. A path consists of names that this crate gave, because the
/// content of unknown members is not judged.
fn describe(error: &serde_path_to_error::Error<serde_json::Error>) -> Problem {
    let inner = error.inner();
    if inner.classify() != serde_json::error::Category::Data {
        return malformed(inner);
    }
    let path = match error.path().to_string() {
        root if root == "." => None,
        path => Some(path),
    };
    let text = inner.to_string();
    let missing = text.strip_prefix("missing field `").and_then(|rest| rest.split_once('`')).map(|(name, _)| name);
    match (path, missing) {
        (None, Some(name)) => Problem::missing_field(name),
        (Some(path), Some(name)) => Problem::missing_field(format!("{path}.{name}")),
        (Some(path), None) => Problem::invalid_field(path, "has the wrong type"),
        (None, None) => not_an_object(),
    }
}

fn not_an_object() -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "invalid_body", "The body must be a JSON object.")
}

fn malformed(error: &serde_json::Error) -> Problem {
    let detail = format!("The body is not JSON (line {}, column {}).", error.line(), error.column());
    Problem::new(StatusCode::BAD_REQUEST, "malformed_json", detail)
}
