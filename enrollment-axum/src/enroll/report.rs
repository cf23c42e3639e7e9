//! "This wasn't me".

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::inspect::parse;
use crate::client::Client;
use crate::extract::{Json, SecretText};
use crate::problem::Answer;
use crate::state::EnrollmentState;

/// An invitation that was not meant for its holder.
#[derive(Deserialize, ToSchema)]
pub(super) struct ReportRequest {
    /// The secret of the invitation, `enr_…`.
    token: SecretText,
}

/// That it is withdrawn.
#[derive(Serialize, ToSchema)]
pub(super) struct ReportAnswer {
    /// Always true.
    reported: bool,
}

/// Withdraws an invitation that was not meant for its holder, and tells whoever sent it.
#[utoipa::path(post, path = "/report", tag = "enrollee", security(()), responses((status = 200, body = ReportAnswer)))]
pub(super) async fn report(
    State(state): State<EnrollmentState>,
    Client(origin): Client,
    Json(request): Json<ReportRequest>,
) -> Answer<axum::Json<ReportAnswer>> {
    state.limits().tokens.admit(origin.source)?;
    let token = parse(&request.token)?;
    state.service().enrollee().report(&token, origin).await?;
    Ok(axum::Json(ReportAnswer { reported: true }))
}
