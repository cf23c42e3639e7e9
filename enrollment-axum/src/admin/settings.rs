//! Settings.

use axum::Json as Answered;
use axum::extract::State;
use enrollment_core::domain::settings::Settings;
use enrollment_core::service::administrator::SettingsPatch;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::auth::By;
use super::downloads::ChangeDownloads;
use super::patch::given;
use crate::downloads::DownloadsDto;
use crate::extract::{Json, optional};
use crate::problem::{Answer, Problem};
use crate::state::EnrollmentState;
use crate::words::{DEVICE_STEPS, FRONT_ENDS};

/// The settings in force.
#[derive(Serialize, ToSchema)]
pub(super) struct SettingsDto {
    /// The organization people are let into.
    organization: String,
    /// The name of the product.
    product: String,
    /// Whom an enrollee can ask for help.
    support_contact: String,
    /// How long a token is valid from issue, such as `24h`.
    token_validity: String,
    /// How long a session lasts from its own start, such as `10m`.
    session_validity: String,
    /// How many sessions one token opens.
    max_sessions: u32,
    /// Whether enrollees add a device: `mandatory`, `optional` or `administrators_only`.
    device_step: &'static str,
    /// Which front end an invitation leads to: `browser`, `desktop` or `both`.
    front_end: &'static str,
    /// Where people get the client.
    downloads: DownloadsDto,
    /// The address all mail comes from.
    sender: Option<String>,
    /// Whether the help desk may have invitations sent.
    help_desk_may_send: bool,
    /// Whether the onboarding message is mailed after completion.
    onboarding_mail: bool,
}

/// Changes to the settings: absent members stay as they are.
#[derive(Deserialize, ToSchema)]
pub(super) struct ChangeSettingsRequest {
    /// The organization people are let into.
    organization: Option<String>,
    /// The name of the product.
    product: Option<String>,
    /// Whom an enrollee can ask for help.
    support_contact: Option<String>,
    /// How long a token is valid from issue, such as `24h`.
    token_validity: Option<String>,
    /// How long a session lasts from its own start, such as `10m`.
    session_validity: Option<String>,
    /// How many sessions one token opens.
    max_sessions: Option<u32>,
    /// `mandatory`, `optional` or `administrators_only`.
    device_step: Option<String>,
    /// `browser`, `desktop` or `both`.
    front_end: Option<String>,
    /// Where people get the client.
    #[serde(default)]
    downloads: ChangeDownloads,
    /// The address all mail comes from; `null` takes it away.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    sender: Option<Option<String>>,
    /// Whether the help desk may have invitations sent.
    help_desk_may_send: Option<bool>,
    /// Whether the onboarding message is mailed after completion.
    onboarding_mail: Option<bool>,
}

/// The settings in force.
#[utoipa::path(get, path = "/settings", operation_id = "get_settings", tag = "settings", responses((status = 200, body = SettingsDto)))]
pub(super) async fn get(State(state): State<EnrollmentState>, By(by): By) -> Answer<Answered<SettingsDto>> {
    Ok(Answered(state.service().administrator().settings(&by).await?.into()))
}

/// Changes settings, all of them or none. Enrollments and sessions under way keep their deadlines.
#[utoipa::path(patch, path = "/settings", operation_id = "change_settings", tag = "settings", responses((status = 200, body = SettingsDto)))]
pub(super) async fn change(
    State(state): State<EnrollmentState>,
    By(by): By,
    Json(request): Json<ChangeSettingsRequest>,
) -> Answer<Answered<SettingsDto>> {
    let patch = request.read()?;
    Ok(Answered(state.service().administrator().change_settings(&by, patch).await?.into()))
}

impl ChangeSettingsRequest {
    fn read(self) -> Result<SettingsPatch, Problem> {
        let Self {
            organization,
            product,
            support_contact,
            token_validity,
            session_validity,
            max_sessions,
            device_step,
            front_end,
            downloads,
            sender,
            help_desk_may_send,
            onboarding_mail,
        } = self;
        Ok(SettingsPatch {
            organization: optional("organization", organization.as_deref())?,
            product: optional("product", product.as_deref())?,
            support_contact: optional("support_contact", support_contact.as_deref())?,
            token_validity: optional("token_validity", token_validity.as_deref())?,
            session_validity: optional("session_validity", session_validity.as_deref())?,
            max_sessions,
            device_step: DEVICE_STEPS.read_optional("device_step", device_step.as_deref())?,
            front_end: FRONT_ENDS.read_optional("front_end", front_end.as_deref())?,
            downloads: downloads.read()?,
            sender: sender.map(|sender| optional("sender", sender.as_deref())).transpose()?,
            help_desk_may_send,
            onboarding_mail,
        })
    }
}

impl From<Settings> for SettingsDto {
    fn from(settings: Settings) -> Self {
        let Settings {
            organization,
            product,
            support_contact,
            token_validity,
            session_validity,
            max_sessions,
            device_step,
            front_end,
            downloads,
            sender,
            help_desk_may_send,
            onboarding_mail,
        } = settings;
        Self {
            organization: organization.into(),
            product: product.into(),
            support_contact: support_contact.into(),
            token_validity: token_validity.to_string(),
            session_validity: session_validity.to_string(),
            max_sessions,
            device_step: DEVICE_STEPS.word(device_step),
            front_end: FRONT_ENDS.word(front_end),
            downloads: downloads.into(),
            sender: sender.map(Into::into),
            help_desk_may_send,
            onboarding_mail,
        }
    }
}
