//! Completing.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use enrollment_core::domain::contact::Phone;
use enrollment_core::domain::rejection::Rejection;
use enrollment_core::secret::Password;
use enrollment_core::service::Failure;
use serde::Deserialize;

use super::cookie;
use super::session::ClientSession;
use crate::client::Client;
use crate::extract::{Json, SecretText, optional};
use crate::problem::{Answer, Problem};
use crate::state::EnrollmentState;

#[derive(Deserialize)]
pub(super) struct ActivateRequest {
    password: SecretText,
    phone_number: Option<String>,
}

/// The last call of a client, which does not look at the answer. Refused, be it for what a field holds or for a body that
/// is no request at all, the session lives on, the pending list shows what is missing, and the user gets a mail that says so (REQ-10).
pub(super) async fn activate(
    State(state): State<EnrollmentState>,
    Client(origin): Client,
    ClientSession(session): ClientSession,
    request: Answer<Json<ActivateRequest>>,
) -> Answer<Response> {
    let enrollee = state.service().enrollee();
    let (password, phone) = match request.and_then(|Json(request)| read(request)) {
        Ok(read) => read,
        Err(problem) => {
            enrollee.activation_refused(&session, origin).await?;
            return Err(problem);
        }
    };
    enrollee.activate(&session, password, phone, origin).await.map_err(refused)?;
    let mut response = StatusCode::OK.into_response();
    response.headers_mut().extend(cookie::removed(&state).map(|cookie| (header::SET_COOKIE, cookie)));
    Ok(response)
}

fn read(ActivateRequest { password, phone_number }: ActivateRequest) -> Answer<(Password, Option<Phone>)> {
    // Clients send an empty field where nobody typed a number.
    let phone = optional("phone_number", phone_number.as_deref().filter(|phone| !phone.trim().is_empty()))?;
    Ok((Password::parse(password.into_string()).map_err(Rejection::Password)?, phone))
}

/// Who completed before, with another password, reads that they did. With the same it is no refusal.
fn refused(failure: Failure) -> Problem {
    match failure {
        Failure::Rejected(Rejection::AlreadyCompleted) => {
            let text = "user already activated: your enrollment is complete, with the password you chose then.";
            Problem::new(StatusCode::BAD_REQUEST, "user_already_activated", text)
        }
        other => other.into(),
    }
}
