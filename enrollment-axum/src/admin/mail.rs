//! Mails: what waits, what was sent, what died and why.

use axum::Json as Answered;
use axum::extract::State;
use axum::http::StatusCode;
use enrollment_core::domain::mail::{MailState, Pause};
use enrollment_core::id::{EnrollmentId, OutboxId, UserId};
use enrollment_core::service::administrator::{MailStatus, MailView};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::auth::By;
use super::list::{List, PageQuery};
use crate::extract::{OptionalJson, PathId, Query, optional};
use crate::problem::Answer;
use crate::state::EnrollmentState;
use crate::words::MAIL_STANDINGS;

/// A mail, without its text.
#[derive(Serialize, ToSchema)]
pub(super) struct MailDto {
    /// Which one; the recipient's copy has it in its `Message-ID`.
    id: Uuid,
    /// What it tells: `invitation`, `device_activation`, `enrollment_unfinished` and so on.
    letter: &'static str,
    /// Whom it concerns.
    user: Option<Uuid>,
    /// The enrollment it is about.
    enrollment: Option<Uuid>,
    /// Where it goes; `null`: to the address on file of `recipient`, whatever that is when it is sent.
    address: Option<String>,
    /// Whose address that is.
    recipient: Option<Uuid>,
    /// When it was queued (RFC 3339, UTC).
    #[schema(format = DateTime)]
    queued: String,
    /// How far it is.
    #[serde(flatten)]
    state: MailStateDto,
}

/// How far a mail is.
#[derive(Serialize, ToSchema)]
pub(super) struct MailStateDto {
    /// `queued`, `retrying`, `sent`, `dead` or `obsolete`.
    state: &'static str,
    /// When it ended, or when the next try is due (RFC 3339, UTC).
    #[schema(format = DateTime)]
    at: Option<String>,
    /// Why it was not sent yet, or not at all.
    why: Option<String>,
    /// Tries so far, while it is tried again.
    tries: Option<u32>,
    /// What the relay answered when it took it.
    receipt: Option<String>,
}

/// Whether mail can be sent, and whether it is.
#[derive(Serialize, ToSchema)]
pub(super) struct MailStatusDto {
    /// There is something to send it by.
    configured: bool,
    /// The relay refuses this server, and the queue waits.
    pause: Option<PauseDto>,
}

/// Why the queue waits.
#[derive(Serialize, ToSchema)]
struct PauseDto {
    /// Since when (RFC 3339, UTC).
    #[schema(format = DateTime)]
    since: String,
    /// Why.
    why: String,
    /// When one mail is tried again (RFC 3339, UTC).
    #[schema(format = DateTime)]
    next_probe: String,
}

/// Which mails.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct StandingQuery {
    /// `queue` (default), `sent`, `dead` or `obsolete`.
    status: Option<String>,
}

/// Where a test mail goes.
#[derive(Default, Deserialize, ToSchema)]
pub(super) struct TestRequest {
    /// The address. Default: the one on file of whoever asks.
    email: Option<String>,
}

/// A mail that was queued.
#[derive(Serialize, ToSchema)]
pub(super) struct QueuedDto {
    /// Which one.
    id: Uuid,
}

/// Mails of one standing; those on their way with the oldest first, the others with the latest.
#[utoipa::path(get, path = "/mail", operation_id = "list_mail", tag = "mail", params(StandingQuery, PageQuery), responses((status = 200, body = List<MailDto>)))]
pub(super) async fn list(
    State(state): State<EnrollmentState>,
    By(by): By,
    Query(StandingQuery { status }): Query<StandingQuery>,
    Query(query): Query<PageQuery>,
) -> Answer<Answered<List<MailDto>>> {
    let standing = MAIL_STANDINGS.read_optional("status", status.as_deref())?.unwrap_or_default();
    let mails = state.service().administrator().mails(&by, standing, &query.page()).await?;
    Ok(Answered(List::of(mails, MailDto::from)))
}

/// Whether mail can be sent, and whether it is.
#[utoipa::path(get, path = "/mail/status", operation_id = "get_mail_status", tag = "mail", responses((status = 200, body = MailStatusDto)))]
pub(super) async fn status(State(state): State<EnrollmentState>, By(by): By) -> Answer<Answered<MailStatusDto>> {
    let MailStatus { configured, pause } = state.service().administrator().mail_status(&by).await?;
    let pause = pause.map(|Pause { since, why, next_probe, .. }| PauseDto {
        since: since.to_string(),
        why,
        next_probe: next_probe.to_string(),
    });
    Ok(Answered(MailStatusDto { configured, pause }))
}

/// Queues a mail that says that mail works. What became of it stands in the list.
#[utoipa::path(post, path = "/mail/test", operation_id = "send_test_mail", tag = "mail", responses((status = 202, body = QueuedDto)))]
pub(super) async fn test(
    State(state): State<EnrollmentState>,
    By(by): By,
    OptionalJson(TestRequest { email }): OptionalJson<TestRequest>,
) -> Answer<(StatusCode, Answered<QueuedDto>)> {
    let address = optional("email", email.as_deref())?;
    let id = state.service().administrator().send_test_mail(&by, address).await?.uuid();
    Ok((StatusCode::ACCEPTED, Answered(QueuedDto { id })))
}

/// Has a mail that could not be delivered be tried again.
#[utoipa::path(post, path = "/mail/{id}/retry", operation_id = "retry_mail", tag = "mail", params(("id" = Uuid, Path)), responses((status = 200, body = MailDto)))]
pub(super) async fn retry(
    State(state): State<EnrollmentState>,
    By(by): By,
    PathId(id): PathId<OutboxId>,
) -> Answer<Answered<MailDto>> {
    Ok(Answered(state.service().administrator().revive_mail(&by, id).await?.into()))
}

/// Drops a mail that was not sent.
#[utoipa::path(delete, path = "/mail/{id}", operation_id = "drop_mail", tag = "mail", params(("id" = Uuid, Path)), responses((status = 200, body = MailDto)))]
pub(super) async fn remove(
    State(state): State<EnrollmentState>,
    By(by): By,
    PathId(id): PathId<OutboxId>,
) -> Answer<Answered<MailDto>> {
    Ok(Answered(state.service().administrator().drop_mail(&by, id).await?.into()))
}

impl From<MailView> for MailDto {
    fn from(mail: MailView) -> Self {
        let MailView { id, letter, user, enrollment, address, recipient, queued, state } = mail;
        Self {
            id: id.uuid(),
            letter,
            user: user.map(UserId::uuid),
            enrollment: enrollment.map(EnrollmentId::uuid),
            address: address.map(Into::into),
            recipient: recipient.map(UserId::uuid),
            queued: queued.to_string(),
            state: state.into(),
        }
    }
}

impl From<MailState> for MailStateDto {
    fn from(mail: MailState) -> Self {
        let state = mail.as_str();
        let (at, why, tries, receipt) = match mail {
            MailState::Queued => (None, None, None, None),
            MailState::Retrying { why, tries, at } => (Some(at), Some(why), Some(tries), None),
            MailState::Sent { at, receipt } => (Some(at), None, None, Some(receipt)),
            MailState::Dead { why, at } | MailState::Obsolete { why, at } => (Some(at), Some(why), None, None),
        };
        Self { state, at: at.map(|at| at.to_string()), why, tries, receipt }
    }
}
