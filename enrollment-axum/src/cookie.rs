//! The cookie that carries a session in a browser.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, header};
use enrollment_core::secret::SessionSecret;

use crate::state::HttpOptions;

/// With this prefix a browser keeps the cookie only when it is `Secure`, has `Path=/` and no `Domain` (RFC 6265bis,
/// section 4.1.3.2), so no other host can plant it.
const NAME: &str = "__Host-enrollment";
const INSECURE_NAME: &str = "enrollment";

fn name(options: &HttpOptions) -> &'static str {
    if options.insecure_http { INSECURE_NAME } else { NAME }
}

/// The value of `Set-Cookie` that keeps a session until its deadline.
pub(crate) fn set(session: &SessionSecret, left: Duration, options: &HttpOptions) -> Option<HeaderValue> {
    let secure = if options.insecure_http { "" } else { "; Secure" };
    let (name, secret, age) = (name(options), session.expose(), left.as_secs());
    let text = format!("{name}={secret}; Path=/; Max-Age={age}; HttpOnly; SameSite=Strict{secure}");
    let mut value = HeaderValue::try_from(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// The session in a request's cookies, if there is one that can be one.
pub(crate) fn get(headers: &HeaderMap, options: &HttpOptions) -> Option<SessionSecret> {
    let wanted = name(options);
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    lines
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.split_once('='))
        .filter(|(name, _)| name.trim() == wanted)
        .find_map(|(_, value)| SessionSecret::parse(value.trim()).ok())
}
