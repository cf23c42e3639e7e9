//! Completing.

use axum::Json as Answered;
use axum::extract::State;
use enrollment_core::service::enrollee::{Completion, Onboarding};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::view::{self, ConfigDto};
use crate::client::Client;
use crate::extract::{CurrentSession, OptionalJson};
use crate::problem::Answer;
use crate::state::EnrollmentState;

/// Nothing to say.
#[derive(Default, Deserialize, ToSchema)]
pub(super) struct CompleteRequest {}

/// A completed enrollment.
#[derive(Serialize, ToSchema)]
pub(super) struct CompleteAnswer {
    /// It was complete before this request.
    already_completed: bool,
    /// The message of the administrators.
    onboarding: OnboardingDto,
    /// One configuration per location, when a device was added.
    configs: Vec<ConfigDto>,
    #[serde(flatten)]
    state: view::SessionStateDto,
}

/// The message of the administrators.
#[derive(Serialize, ToSchema)]
struct OnboardingDto {
    /// CommonMark.
    markdown: String,
    /// Sanitized HTML.
    html: String,
}

/// Completes the enrollment, when nothing is missing. Completing again changes nothing.
#[utoipa::path(post, path = "/session/complete", tag = "enrollee", responses((status = 200, body = CompleteAnswer)))]
pub(super) async fn complete(
    State(state): State<EnrollmentState>,
    Client(origin): Client,
    CurrentSession(session): CurrentSession,
    OptionalJson(CompleteRequest {}): OptionalJson<CompleteRequest>,
) -> Answer<Answered<CompleteAnswer>> {
    let completion = state.service().enrollee().complete(&session, origin).await?;
    // The text part is for mails.
    let Completion {
        state: stands,
        onboarding: Onboarding { markdown, html, text: _ },
        configs,
        private_key: _,
        repeated,
    } = completion;
    Ok(Answered(CompleteAnswer {
        already_completed: repeated,
        onboarding: OnboardingDto { markdown, html },
        configs: configs.into_iter().map(|config| ConfigDto::new(config, None)).collect(),
        state: view::SessionStateDto::new(stands, state.service().policy()),
    }))
}
