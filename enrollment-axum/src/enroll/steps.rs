//! Where a session stands, the profile and the password.

use axum::Json as Answered;
use axum::extract::State;
use enrollment_core::domain::rejection::Rejection;
use enrollment_core::secret::Password;
use enrollment_core::service::enrollee::SessionState;
use serde::Deserialize;
use utoipa::ToSchema;

use super::view;
use crate::client::Client;
use crate::extract::{CurrentSession, Json, OptionalJson, SecretText, optional};
use crate::problem::Answer;
use crate::state::EnrollmentState;

/// Data to confirm.
#[derive(Default, Deserialize, ToSchema)]
pub(super) struct ProfileRequest {
    /// The corrected phone number; without it the one on file stays.
    phone: Option<String>,
}

/// A password to choose.
#[derive(Deserialize, ToSchema)]
pub(super) struct PasswordRequest {
    /// The password.
    password: SecretText,
}

/// Where the session stands; also after completion, until its deadline.
#[utoipa::path(get, path = "/session", tag = "enrollee", responses((status = 200, body = view::SessionStateDto)))]
pub(super) async fn session(
    State(state): State<EnrollmentState>,
    Client(origin): Client,
    CurrentSession(session): CurrentSession,
) -> Answer<Answered<view::SessionStateDto>> {
    Ok(shown(&state, state.service().enrollee().session(&session, origin).await?))
}

/// Confirms the user's own data.
#[utoipa::path(put, path = "/session/profile", tag = "enrollee", responses((status = 200, body = view::SessionStateDto)))]
pub(super) async fn profile(
    State(state): State<EnrollmentState>,
    Client(origin): Client,
    CurrentSession(session): CurrentSession,
    OptionalJson(request): OptionalJson<ProfileRequest>,
) -> Answer<Answered<view::SessionStateDto>> {
    let phone = optional("phone", request.phone.as_deref())?;
    Ok(shown(&state, state.service().enrollee().confirm_profile(&session, phone, origin).await?))
}

/// Chooses a password.
#[utoipa::path(put, path = "/session/password", tag = "enrollee", responses((status = 200, body = view::SessionStateDto)))]
pub(super) async fn password(
    State(state): State<EnrollmentState>,
    Client(origin): Client,
    CurrentSession(session): CurrentSession,
    Json(request): Json<PasswordRequest>,
) -> Answer<Answered<view::SessionStateDto>> {
    let password = Password::parse(request.password.into_string()).map_err(Rejection::Password)?;
    Ok(shown(&state, state.service().enrollee().choose_password(&session, password, origin).await?))
}

fn shown(state: &EnrollmentState, stands: SessionState) -> Answered<view::SessionStateDto> {
    Answered(view::SessionStateDto::new(stands, state.service().policy()))
}
