//! The session of an enrollee.

use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use enrollment_core::domain::rejection::Rejection;
use enrollment_core::secret::SessionSecret;

use super::demand_same_site;
use crate::cookie;
use crate::problem::Problem;
use crate::state::EnrollmentState;

/// The session that a request shows: as `Authorization: Bearer ens_…`, or as the cookie when there is no such header.
/// A browser adds the cookie by itself, so with it a request from another site is refused.
pub(crate) struct CurrentSession(pub(crate) SessionSecret);

impl<S> FromRequestParts<S> for CurrentSession
where
    EnrollmentState: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let invalid = || Problem::from(Rejection::InvalidSession);
        if parts.headers.contains_key(header::AUTHORIZATION) {
            let text = bearer(&parts.headers).ok_or_else(invalid)?;
            return SessionSecret::parse(text).map(Self).map_err(|_| invalid());
        }
        let state = EnrollmentState::from_ref(state);
        let session = cookie::get(&parts.headers, state.options()).ok_or_else(invalid)?;
        demand_same_site(&parts.method, &parts.headers, &state)?;
        Ok(Self(session))
    }
}

/// The token of `Authorization: Bearer …` (RFC 6750, section 2.1).
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
