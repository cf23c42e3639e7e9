//! Headers of every answer (SYS-5).

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::{self, Next};
use axum::response::Response;

use crate::state::EnrollmentState;

/// Marks an answer that is the same for everybody and for good: it alone is cached.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Immutable;

/// Puts the headers of the OWASP HTTP Headers cheat sheet on every answer: nothing is cached (but for our own style sheet
/// and scripts, whose addresses name their content), nothing is loaded or framed, no address is passed on, and, where the
/// public URL is https, the browser never speaks plain HTTP to it.
///
/// A page that needs more than nothing brings a Content-Security-Policy of its own, which stays.
pub fn security_headers<S: Clone + Send + Sync + 'static>(router: Router<S>, state: &EnrollmentState) -> Router<S> {
    router.layer(middleware::from_fn_with_state(state.is_https(), add))
}

const CONTENT_SECURITY_POLICY: HeaderValue =
    HeaderValue::from_static("default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");

const ALWAYS: [(HeaderName, HeaderValue); 3] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
];

/// A year, as https://hstspreload.org asks for; subdomains are the host's own affair.
const STRICT_TRANSPORT_SECURITY: HeaderValue = HeaderValue::from_static("max-age=31536000");

async fn add(State(https): State<bool>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let cached = response.extensions().get::<Immutable>().is_some();
    let headers = response.headers_mut();
    if !cached {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    for (name, value) in ALWAYS {
        headers.insert(name, value);
    }
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(CONTENT_SECURITY_POLICY);
    if https {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, STRICT_TRANSPORT_SECURITY);
    }
    response
}
