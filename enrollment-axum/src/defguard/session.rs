//! The session that a client shows.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use enrollment_core::domain::rejection::Rejection;
use enrollment_core::secret::SessionSecret;

use super::cookie;
use crate::problem::Problem;

/// The session of the cookie.
pub(super) struct ClientSession(pub(super) SessionSecret);

impl<S: Sync> FromRequestParts<S> for ClientSession {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        demand_no_other_site(&parts.headers)?;
        cookie::get(&parts.headers).map(Self).ok_or_else(|| Rejection::InvalidSession.into())
    }
}

/// Refuses what a browser says another site made it send. Clients that are no browser say nothing, or an `Origin` of
/// their own invention, which is therefore not asked for; a browser keeps the cookie to its own site (`SameSite`), and
/// sends JSON elsewhere only where it is allowed to, which it is nowhere here.
pub(super) fn demand_no_other_site(headers: &HeaderMap) -> Result<(), Problem> {
    match headers.get("sec-fetch-site").map(|site| site.as_bytes()) {
        None | Some(b"same-origin" | b"none") => Ok(()),
        Some(_) => {
            let refusal = "This request came from another site.";
            Err(Problem::new(StatusCode::FORBIDDEN, "cross_site", refusal))
        }
    }
}
