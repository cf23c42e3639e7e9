//! Opening a session: the one POST that redeems a token.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use enrollment_core::domain::rejection::Rejection;
use enrollment_core::secret::{SessionNonce, Token};
use enrollment_core::service::Failure;
use enrollment_core::service::enrollee::{BeginRequest, Begun};
use serde::Deserialize;

use super::journey;
use crate::client::Client;
use crate::cookie;
use crate::extract::SecretText;
use crate::page::{Branding, Form, see_other};
use crate::problem::{Answer, Problem};
use crate::state::EnrollmentState;

#[derive(Deserialize)]
pub(super) struct BeginForm {
    token: SecretText,
    nonce: Option<SecretText>,
}

/// Redeems the token, or continues: pressed twice, the nonce makes it the same session; in a second tab, the cookie does.
/// Leads to an address without the token.
pub(super) async fn begin(
    State(state): State<EnrollmentState>,
    Client(origin): Client,
    headers: HeaderMap,
    Form(form): Form<BeginForm>,
) -> Answer<Response> {
    state.limits().tokens.admit(origin.source)?;
    let token = Token::parse(token_of(form.token.expose())).map_err(|_| Rejection::InvalidToken)?;
    let nonce = form.nonce.map(|nonce| SessionNonce::parse(nonce.expose())).transpose();
    let nonce = nonce.map_err(|_| Problem::from_status(StatusCode::BAD_REQUEST))?;
    let resume = cookie::get(&headers, state.options());
    let service = state.service();
    let request = BeginRequest { token, nonce, resume };
    let begun = match service.enrollee().begin_person(&request, origin).await {
        // The page of the invitation says what to do with it.
        Err(Failure::Rejected(Rejection::ForMachine)) => {
            return Ok(see_other(&format!("/enroll/{}", request.token.expose())));
        }
        other => other?,
    };
    let Begun { session, state: stands } = begun;
    state.branding().seen(Branding::from(&stands.settings));
    let mut response = see_other(journey::next(&stands, None));
    if let Some(cookie) = cookie::set(&session, stands.deadline.since(service.now()), state.options()) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

/// People paste what they have: the token, or the whole link.
fn token_of(typed: &str) -> &str {
    let typed = typed.trim().trim_end_matches('/');
    typed.rsplit_once("/enroll/").map_or(typed, |(_, token)| token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pasted_link_is_as_good_as_its_token() {
        for typed in ["enr_1", " enr_1 ", "https://vpn.example.com/enroll/enr_1", "http://x/vpn/enroll/enr_1/\n"] {
            assert_eq!(token_of(typed), "enr_1", "{typed}");
        }
    }
}
