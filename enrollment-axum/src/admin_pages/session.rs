//! The cookies of an administrator's browser, and the principal they make of a request.

use std::time::Duration;

use axum::Router;
use axum::extract::{FromRef, FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use enrollment_core::domain::rejection::Rejection;
use enrollment_core::domain::sign_in::{ABSOLUTE, KNOWN_FOR, SECOND_STEP};
use enrollment_core::secret::{AdminSessionSecret, BrowserSecret};
use enrollment_core::service::sign_in::Opened;
use enrollment_core::service::{Failure, Origin};

use crate::client;
use crate::problem::Problem;
use crate::state::{EnrollmentState, HttpOptions};

/// A session, and on the way to one.
const SESSION: &str = "enrollment_admin";
/// Beyond the first step of signing in.
const HALF_WAY: &str = "enrollment_sign_in";
/// What tells this browser from a stranger's.
const BROWSER: &str = "enrollment_browser";

/// Whoever has a session of [`sign_in_router`](crate::sign_in_router) becomes the request's
/// [`Principal`](enrollment_core::service::Principal). A request without one passes as it is, so that a host can put its
/// own ways of signing in beside this one; a page that needs a principal then leads to the sign-in.
pub fn session_auth<S: Clone + Send + Sync + 'static>(router: Router<S>, state: &EnrollmentState) -> Router<S> {
    router.layer(middleware::from_fn_with_state(state.clone(), authenticate))
}

/// That this library's own sign-in stands before the pages.
#[derive(Debug, Clone, Copy)]
pub(super) struct OwnSignIn;

async fn authenticate(State(state): State<EnrollmentState>, mut request: Request, next: Next) -> Response {
    request.extensions_mut().insert(OwnSignIn);
    if let Some(session) = session(request.headers(), state.options()) {
        let source = client::source(request.headers(), request.extensions(), state.options());
        match state.service().sign_in().authenticate(&session, Origin { source }).await {
            Ok(signed_in) => {
                request.extensions_mut().insert(signed_in.principal);
                request.extensions_mut().insert(signed_in);
            }
            Err(Failure::Rejected(_)) => {}
            Err(failure) => return Problem::from(failure).into_response(),
        }
    }
    next.run(request).await
}

/// The secret of the session in the request's cookie; for what only its holder does.
pub(super) struct Held(pub(super) AdminSessionSecret);

impl<S> FromRequestParts<S> for Held
where
    EnrollmentState: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let state = EnrollmentState::from_ref(state);
        session(&parts.headers, state.options()).map(Self).ok_or_else(|| Rejection::NotSignedIn.into())
    }
}

/// The session that the browser holds.
pub(super) fn session(headers: &HeaderMap, options: &HttpOptions) -> Option<AdminSessionSecret> {
    find(headers, options, SESSION).and_then(|text| AdminSessionSecret::parse(text).ok())
}

/// What the first step of signing in gave.
pub(super) fn half_way(headers: &HeaderMap, options: &HttpOptions) -> Option<AdminSessionSecret> {
    find(headers, options, HALF_WAY).and_then(|text| AdminSessionSecret::parse(text).ok())
}

/// What this browser is known by.
pub(super) fn browser(headers: &HeaderMap, options: &HttpOptions) -> Option<BrowserSecret> {
    find(headers, options, BROWSER).and_then(|text| BrowserSecret::parse(text).ok())
}

/// Puts a session that has just begun into the browser, and forgets the way there.
pub(super) fn keep(mut response: Response, opened: &Opened, options: &HttpOptions) -> Response {
    set(&mut response, options, SESSION, opened.session.expose(), ABSOLUTE);
    if let Some(browser) = &opened.browser {
        set(&mut response, options, BROWSER, browser.expose(), KNOWN_FOR);
    }
    set(&mut response, options, HALF_WAY, "", Duration::ZERO);
    response
}

/// Remembers that the first step succeeded.
pub(super) fn keep_half_way(mut response: Response, secret: &AdminSessionSecret, options: &HttpOptions) -> Response {
    set(&mut response, options, HALF_WAY, secret.expose(), SECOND_STEP);
    response
}

/// Takes the session out of the browser, which stays known.
pub(super) fn forget(mut response: Response, options: &HttpOptions) -> Response {
    set(&mut response, options, SESSION, "", Duration::ZERO);
    set(&mut response, options, HALF_WAY, "", Duration::ZERO);
    response
}

/// With the prefix a browser keeps a cookie only when it is `Secure`, has `Path=/` and no `Domain` (RFC 6265bis, section
/// 4.1.3.2), so no other host can plant it.
fn prefix(options: &HttpOptions) -> &'static str {
    if options.insecure_http { "" } else { "__Host-" }
}

fn set(response: &mut Response, options: &HttpOptions, name: &str, secret: &str, age: Duration) {
    let secure = if options.insecure_http { "" } else { "; Secure" };
    let (prefix, age) = (prefix(options), age.as_secs());
    let text = format!("{prefix}{name}={secret}; Path=/; Max-Age={age}; HttpOnly; SameSite=Strict{secure}");
    if let Ok(mut value) = HeaderValue::try_from(text) {
        value.set_sensitive(true);
        response.headers_mut().append(header::SET_COOKIE, value);
    }
}

fn find<'a>(headers: &'a HeaderMap, options: &HttpOptions, wanted: &str) -> Option<&'a str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.split_once('='));
    let is_it = |name: &str| name.strip_prefix(prefix(options)) == Some(wanted);
    pairs.map(|(name, value)| (name.trim(), value.trim())).find(|(name, _)| is_it(name)).map(|(_, value)| value)
}
