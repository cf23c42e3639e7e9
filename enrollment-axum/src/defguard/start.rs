//! Opening a session.

use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use enrollment_core::domain::rejection::Rejection;
use enrollment_core::secret::Token;
use enrollment_core::service::enrollee::{BeginRequest, ClientBegun};
use serde::Deserialize;

use super::cookie;
use super::session::demand_no_other_site;
use super::view::StartDto;
use crate::client::Client;
use crate::extract::{Json, SecretText};
use crate::problem::Answer;
use crate::state::EnrollmentState;

#[derive(Deserialize)]
pub(super) struct StartRequest {
    token: SecretText,
}

pub(super) async fn start(
    State(state): State<EnrollmentState>,
    Client(origin): Client,
    headers: HeaderMap,
    Json(request): Json<StartRequest>,
) -> Answer<Response> {
    demand_no_other_site(&headers)?;
    state.limits().tokens.admit(origin.source)?;
    let token = Token::parse(request.token.expose()).map_err(|_| Rejection::InvalidToken)?;
    let service = state.service();
    let begin = BeginRequest { token, nonce: None, resume: cookie::get(&headers) };
    let ClientBegun { session, view } = service.enrollee().begin_client(&begin, origin).await?;
    let cookie = cookie::set(&session, view.state.deadline.since(service.now()), &state);
    let mut response = axum::Json(StartDto::new(view, &service.instance().url)).into_response();
    response.headers_mut().extend(cookie.map(|cookie| (header::SET_COOKIE, cookie)));
    Ok(response)
}
