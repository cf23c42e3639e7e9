//! Setting up a second factor.

use axum::Json as Answered;
use axum::extract::State;
use axum::http::StatusCode;
use enrollment_core::domain::location::FactorKind;
use enrollment_core::service::enrollee::RecoveryCodes;
use serde::{Deserialize, Serialize};

use super::session::ClientSession;
use crate::client::Client;
use crate::extract::{Json, SecretText};
use crate::problem::{Answer, Problem};
use crate::state::EnrollmentState;

#[derive(Deserialize)]
pub(super) struct StartRequest {
    method: String,
}

#[derive(Serialize)]
pub(super) struct StartAnswer {
    totp_secret: Option<String>,
}

/// Shows a secret for an authenticator app, or sends a code by e-mail.
pub(super) async fn start(
    State(state): State<EnrollmentState>,
    Client(origin): Client,
    ClientSession(session): ClientSession,
    Json(StartRequest { method }): Json<StartRequest>,
) -> Answer<Answered<StartAnswer>> {
    let enrollee = state.service().enrollee();
    let totp_secret = match kind(&method)? {
        FactorKind::Totp => Some(enrollee.offer_totp(&session, origin).await?.secret.to_string()),
        FactorKind::Email => {
            enrollee.send_email_code(&session, origin).await?;
            None
        }
    };
    Ok(Answered(StartAnswer { totp_secret }))
}

#[derive(Deserialize)]
pub(super) struct FinishRequest {
    code: SecretText,
    method: String,
}

#[derive(Serialize)]
pub(super) struct FinishAnswer {
    recovery_codes: Vec<String>,
}

/// Verifies the factor by a code.
pub(super) async fn finish(
    State(state): State<EnrollmentState>,
    Client(origin): Client,
    ClientSession(session): ClientSession,
    Json(FinishRequest { code, method }): Json<FinishRequest>,
) -> Answer<Answered<FinishAnswer>> {
    let enrollee = state.service().enrollee();
    let verified = match kind(&method)? {
        FactorKind::Totp => enrollee.confirm_totp(&session, code.expose(), origin).await?,
        FactorKind::Email => enrollee.confirm_email_code(&session, code.expose(), origin).await?,
    };
    let codes = match verified {
        // The answer with the codes was lost, and clients know no call to replace them.
        RecoveryCodes { codes: None, already_verified: true, .. } => {
            enrollee.replace_recovery_codes(&session, origin).await?.codes
        }
        // For a second factor beside another there are no further codes.
        RecoveryCodes { codes, .. } => codes,
    };
    let codes = codes.unwrap_or_default();
    Ok(Answered(FinishAnswer { recovery_codes: codes.iter().map(|code| code.expose().to_owned()).collect() }))
}

fn kind(method: &str) -> Answer<FactorKind> {
    match method {
        "Totp" => Ok(FactorKind::Totp),
        "Email" => Ok(FactorKind::Email),
        _ => Err(Problem::new(StatusCode::BAD_REQUEST, "method_not_supported", "Method not supported.")),
    }
}
