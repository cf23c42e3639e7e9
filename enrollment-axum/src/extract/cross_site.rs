//! Requests that another site makes a browser send.

use axum::http::{HeaderMap, Method, StatusCode, header};

use crate::problem::Problem;
use crate::state::EnrollmentState;

/// Refuses what a page of another origin sent with this browser's cookie (SYS-5; OWASP CSRF cheat sheet, fetch
/// metadata). `Sec-Fetch-Site` decides where the browser sends it, the `Origin` otherwise; it must be the configured
/// public URL. Who sends neither is no browser, and has no cookie that it was not given.
///
/// Over plain HTTP to another host than localhost, browsers send no `Sec-Fetch-Site`, and since our pages are under
/// `no-referrer`, `Origin: null` even to ourselves (Fetch standard, "append a request `Origin` header"). Where that is how
/// people come (`insecure_http`) `null` is therefore taken, and what keeps other sites out is the cookie's `SameSite`. Posts
/// that need no cookie, such as a begin with a token of one's own, it does not keep out.
pub(crate) fn demand_same_site(method: &Method, headers: &HeaderMap, state: &EnrollmentState) -> Result<(), Problem> {
    if method.is_safe() {
        return Ok(());
    }
    let value = |name| headers.get(name).map(|value: &axum::http::HeaderValue| value.as_bytes());
    let same = match (value("sec-fetch-site"), value(header::ORIGIN.as_str())) {
        (Some(site), _) => matches!(site, b"same-origin" | b"none"),
        (None, Some(b"null")) => state.options().insecure_http,
        (None, Some(origin)) => origin.eq_ignore_ascii_case(state.service().instance().url.as_bytes()),
        (None, None) => true,
    };
    let refusal = "This request came from another site. Use the enrollment's own page.";
    if same { Ok(()) } else { Err(Problem::new(StatusCode::FORBIDDEN, "cross_site", refusal)) }
}
