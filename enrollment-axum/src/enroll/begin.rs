//! Opening a session.

use axum::extract::State;
use axum::http::{HeaderMap, Method, header};
use axum::response::{IntoResponse, Response};
use enrollment_core::secret::{SessionNonce, SessionSecret};
use enrollment_core::service::enrollee::{BeginRequest, Begun};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::inspect::parse;
use super::view;
use crate::client::Client;
use crate::cookie;
use crate::extract::{Json, SecretText, demand_same_site};
use crate::problem::{Answer, Problem};
use crate::state::EnrollmentState;

/// A token to redeem.
#[derive(Deserialize, ToSchema)]
pub(super) struct SessionsRequest {
    /// The secret of the invitation, `enr_…`.
    token: SecretText,
    /// 22 to 128 random visible ASCII characters, the same when the same request is repeated: it then leads to the same
    /// session.
    nonce: Option<SecretText>,
    /// The session secret held before, to continue with everything done there. The cookie says the same.
    resume: Option<SecretText>,
}

/// An open session.
#[derive(Serialize, ToSchema)]
pub(super) struct SessionsAnswer {
    /// The session's secret, `ens_…`, for `Authorization: Bearer`.
    session_token: String,
    #[serde(flatten)]
    state: view::SessionStateDto,
}

/// Redeems a token for a session, or continues the caller's own. The only call that redeems a token.
#[utoipa::path(
    post,
    path = "/sessions",
    tag = "enrollee",
    security(()),
    responses((status = 200, body = SessionsAnswer, headers(("Set-Cookie" = String, description = "The session, for browsers"))))
)]
pub(super) async fn begin(
    State(state): State<EnrollmentState>,
    Client(origin): Client,
    method: Method,
    headers: HeaderMap,
    Json(request): Json<SessionsRequest>,
) -> Answer<Response> {
    // Otherwise another site could make a browser hold a session of that site's choice.
    demand_same_site(&method, &headers, &state)?;
    state.limits().tokens.admit(origin.source)?;
    let token = parse(&request.token)?;
    let nonce = request.nonce.map(|nonce| SessionNonce::parse(nonce.expose())).transpose();
    let nonce = nonce.map_err(|error| Problem::invalid_field("nonce", error))?;
    let resume = match request.resume {
        Some(secret) => {
            Some(SessionSecret::parse(secret.expose()).map_err(|error| Problem::invalid_field("resume", error))?)
        }
        None => cookie::get(&headers, state.options()),
    };
    let service = state.service();
    let begun = service.enrollee().begin(&BeginRequest { token, nonce, resume }, origin).await?;
    let Begun { session, state: stands } = begun;
    let cookie = cookie::set(&session, stands.deadline.since(service.now()), state.options());
    let answer = SessionsAnswer {
        session_token: session.expose().to_owned(),
        state: view::SessionStateDto::new(stands, service.policy()),
    };
    let mut response = axum::Json(answer).into_response();
    if let Some(cookie) = cookie {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    Ok(response)
}
