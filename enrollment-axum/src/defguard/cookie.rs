//! The cookie that carries a session to and from the clients.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, header};
use enrollment_core::secret::SessionSecret;

use crate::state::EnrollmentState;

/// Clients look for exactly this name, which leaves no room for the `__Host-` prefix.
const NAME: &str = "defguard_proxy";

/// The value of `Set-Cookie` that keeps a session until its deadline.
pub(super) fn set(session: &SessionSecret, left: Duration, state: &EnrollmentState) -> Option<HeaderValue> {
    cookie(session.expose(), left.as_secs(), state)
}

/// The value of `Set-Cookie` that removes it.
pub(super) fn removed(state: &EnrollmentState) -> Option<HeaderValue> {
    cookie("", 0, state)
}

fn cookie(value: &str, age: u64, state: &EnrollmentState) -> Option<HeaderValue> {
    let secure = if state.is_https() { "; Secure" } else { "" };
    let text = format!("{NAME}={value}; Path=/api/v1; Max-Age={age}; HttpOnly; SameSite=Strict{secure}");
    let mut value = HeaderValue::try_from(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// The session among a request's cookies. The desktop client sends the whole line of `Set-Cookie` back, attributes and
/// all; they are read as cookies of other names.
pub(super) fn get(headers: &HeaderMap) -> Option<SessionSecret> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    lines
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.split_once('='))
        .filter(|(name, _)| name.trim() == NAME)
        .find_map(|(_, value)| SessionSecret::parse(value.trim()).ok())
}
