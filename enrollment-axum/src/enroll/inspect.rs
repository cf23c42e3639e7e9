//! Looking at a token.

use axum::extract::State;
use enrollment_core::domain::rejection::Rejection;
use enrollment_core::secret::Token;
use enrollment_core::service::enrollee::Look;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::client::Client;
use crate::downloads::DownloadsDto;
use crate::extract::{Json, SecretText};
use crate::problem::Answer;
use crate::state::EnrollmentState;
use crate::words::FRONT_ENDS;

/// A token to look at.
#[derive(Deserialize, ToSchema)]
pub(super) struct InspectRequest {
    /// The secret of the invitation, `enr_…`.
    token: SecretText,
}

/// What everybody with a token may know.
#[derive(Serialize, ToSchema)]
pub(super) struct InspectAnswer {
    /// Always true: a token that opens nothing is a problem.
    valid: bool,
    /// What it is for: `onboarding`, `device`, `factor` or `network_device`.
    purpose: &'static str,
    /// Where the instance is reached.
    instance: String,
    /// Whose instance it is.
    organization: String,
    /// Whom to ask for help.
    support_contact: String,
    /// The first instant at which the token opens nothing (RFC 3339, UTC).
    #[schema(format = DateTime)]
    expires_at: String,
    /// Which front end it leads to: `browser`, `desktop` or `both`.
    front_end: &'static str,
    /// Where people get the client.
    #[schema(inline)]
    downloads: DownloadsDto,
}

/// Tells what a token is for, and changes nothing, however often it is asked.
#[utoipa::path(post, path = "/inspect", tag = "enrollee", security(()), responses((status = 200, body = InspectAnswer)))]
pub(super) async fn inspect(
    State(state): State<EnrollmentState>,
    Client(origin): Client,
    Json(request): Json<InspectRequest>,
) -> Answer<axum::Json<InspectAnswer>> {
    state.limits().tokens.admit(origin.source)?;
    let token = parse(&request.token)?;
    let look = state.service().enrollee().look(&token).await?;
    let Look {
        purpose,
        organization,
        product: _,
        instance_url,
        support_contact,
        expires_at,
        front_end,
        downloads,
        session_validity: _,
    } = look;
    Ok(axum::Json(InspectAnswer {
        valid: true,
        purpose: purpose.as_str(),
        instance: instance_url,
        organization: organization.into(),
        support_contact: support_contact.into(),
        expires_at: expires_at.to_string(),
        front_end: FRONT_ENDS.word(front_end),
        downloads: downloads.into(),
    }))
}

/// A mistyped token hears exactly what an unknown one hears (TOK-7).
pub(super) fn parse(token: &SecretText) -> Result<Token, Rejection> {
    Token::parse(token.expose()).map_err(|_| Rejection::InvalidToken)
}
