//! Setting up a second factor.

use axum::Json as Answered;
use axum::extract::State;
use enrollment_core::service::enrollee::{EmailCodeSent, RecoveryCodes, TotpOffer};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::view;
use crate::client::Client;
use crate::extract::{CurrentSession, Json, SecretText};
use crate::problem::Answer;
use crate::state::EnrollmentState;

/// A secret for an authenticator app.
#[derive(Serialize, ToSchema)]
pub(super) struct TotpAnswer {
    /// Base32 without padding, to be typed.
    secret: String,
    /// `otpauth://totp/…`, to be opened.
    otpauth_uri: String,
    /// The same as a QR code, to be scanned.
    qr_svg: String,
}

/// A code to verify.
#[derive(Deserialize, ToSchema)]
pub(super) struct CodeRequest {
    /// Six digits, or up to eight of a code by e-mail; spaces do not matter.
    code: SecretText,
}

/// A verified factor.
#[derive(Serialize, ToSchema)]
pub(super) struct CodesAnswer {
    /// Codes that each work once in place of the factor, shown here only; `null` when there are some already, since this
    /// factor or another was verified before.
    recovery_codes: Option<Vec<String>>,
    /// The factor was verified before; ask for fresh recovery codes if they were lost.
    already_verified: bool,
    #[serde(flatten)]
    state: view::SessionStateDto,
}

/// A code that is on its way.
#[derive(Serialize, ToSchema)]
pub(super) struct EmailCodeAnswer {
    /// The first instant at which the code is worth nothing (RFC 3339, UTC); `null` when the factor was verified before
    /// and no code was sent.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
    /// The first instant at which asking again sends another (RFC 3339, UTC).
    #[schema(format = DateTime)]
    again_at: Option<String>,
    /// The factor was verified before.
    already_verified: bool,
    #[serde(flatten)]
    state: view::SessionStateDto,
}

/// Offers a secret for an authenticator app. Asking again before it is verified gives the same one.
#[utoipa::path(post, path = "/session/mfa/totp", tag = "enrollee", responses((status = 200, body = TotpAnswer)))]
pub(super) async fn totp(
    State(state): State<EnrollmentState>,
    Client(origin): Client,
    CurrentSession(session): CurrentSession,
) -> Answer<Answered<TotpAnswer>> {
    let TotpOffer { secret, uri, qr_svg } = state.service().enrollee().offer_totp(&session, origin).await?;
    Ok(Answered(TotpAnswer { secret: secret.to_string(), otpauth_uri: uri.to_string(), qr_svg: qr_svg.to_string() }))
}

/// Verifies the app by one code. Wrong ones are counted; at the limit the enrollment locks.
#[utoipa::path(post, path = "/session/mfa/totp/confirm", tag = "enrollee", responses((status = 200, body = CodesAnswer)))]
pub(super) async fn totp_confirm(
    State(state): State<EnrollmentState>,
    Client(origin): Client,
    CurrentSession(session): CurrentSession,
    Json(request): Json<CodeRequest>,
) -> Answer<Answered<CodesAnswer>> {
    let codes = state.service().enrollee().confirm_totp(&session, request.code.expose(), origin).await?;
    Ok(shown(&state, codes))
}

/// Sends a code to the user's address on file, where codes by e-mail count (`mfa_methods`). Asking again within moments
/// sends no other; a later code takes the place of the one before.
#[utoipa::path(post, path = "/session/mfa/email", tag = "enrollee", responses((status = 200, body = EmailCodeAnswer)))]
pub(super) async fn email(
    State(state): State<EnrollmentState>,
    Client(origin): Client,
    CurrentSession(session): CurrentSession,
) -> Answer<Answered<EmailCodeAnswer>> {
    let sent = state.service().enrollee().send_email_code(&session, origin).await?;
    let EmailCodeSent { expires, again, state: stands } = sent;
    Ok(Answered(EmailCodeAnswer {
        expires_at: expires.map(|expires| expires.to_string()),
        again_at: again.map(|again| again.to_string()),
        already_verified: expires.is_none(),
        state: view::SessionStateDto::new(stands, state.service().policy()),
    }))
}

/// Verifies codes by e-mail by the one that was sent last. Wrong ones are counted; at the limit the enrollment locks.
#[utoipa::path(post, path = "/session/mfa/email/confirm", tag = "enrollee", responses((status = 200, body = CodesAnswer)))]
pub(super) async fn email_confirm(
    State(state): State<EnrollmentState>,
    Client(origin): Client,
    CurrentSession(session): CurrentSession,
    Json(request): Json<CodeRequest>,
) -> Answer<Answered<CodesAnswer>> {
    let codes = state.service().enrollee().confirm_email_code(&session, request.code.expose(), origin).await?;
    Ok(shown(&state, codes))
}

/// Replaces the recovery codes, until completion. The earlier ones work no more.
#[utoipa::path(post, path = "/session/mfa/recovery-codes", tag = "enrollee", responses((status = 200, body = CodesAnswer)))]
pub(super) async fn recovery_codes(
    State(state): State<EnrollmentState>,
    Client(origin): Client,
    CurrentSession(session): CurrentSession,
) -> Answer<Answered<CodesAnswer>> {
    let codes = state.service().enrollee().replace_recovery_codes(&session, origin).await?;
    Ok(shown(&state, codes))
}

fn shown(state: &EnrollmentState, codes: RecoveryCodes) -> Answered<CodesAnswer> {
    let RecoveryCodes { codes, already_verified, state: stands } = codes;
    Answered(CodesAnswer {
        already_verified,
        recovery_codes: codes.map(|codes| codes.iter().map(|code| code.expose().to_owned()).collect()),
        state: view::SessionStateDto::new(stands, state.service().policy()),
    })
}
