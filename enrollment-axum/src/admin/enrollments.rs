//! Enrollments: the pending list, starting, sending again, revoking.

use std::collections::BTreeMap;

use axum::Json as Answered;
use axum::extract::State;
use axum::http::StatusCode;
use enrollment_core::domain::enrollment::Refusal;
use enrollment_core::id::{EnrollmentId, UserId};
use enrollment_core::service::administrator::{
    Delivery, EnrollmentFilter, EnrollmentView, Issued, Progress, ResentAll, Stage, SubjectView, WhoseView,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::auth::By;
use super::invitation::{IssuedDto, StartRequest, wording};
use super::list::{List, PageQuery};
use super::mail::MailStateDto;
use crate::extract::{OptionalJson, PathId, Query};
use crate::problem::Answer;
use crate::state::EnrollmentState;
use crate::words::{CLOSURES, DELIVERIES, STANDINGS};

/// An enrollment, as administrators see it.
#[derive(Serialize, ToSchema)]
pub(super) struct EnrollmentDto {
    /// Which one.
    id: Uuid,
    /// For whom; `null`: it is for a machine.
    user: Option<SubjectDto>,
    /// The machine it is for; `null`: it is for a person.
    machine: Option<MachineRefDto>,
    /// Their address on file.
    email: Option<String>,
    /// `onboarding`, `device`, `factor` or `network_device`.
    purpose: &'static str,
    /// When it was issued (RFC 3339, UTC).
    #[schema(format = DateTime)]
    created: String,
    /// The first instant at which its token opens nothing (RFC 3339, UTC).
    #[schema(format = DateTime)]
    expires_at: String,
    /// Whether that instant has come, for one that is still pending.
    expired: bool,
    /// How many more sessions its token opens after the present one.
    sessions_left: u32,
    /// How far it is.
    progress: ProgressDto,
    /// How often a new holder of the token took the session over.
    takeovers: u32,
    /// Wrong codes so far.
    wrong_codes: u32,
    /// Why the last completion was refused.
    last_refusal: Option<RefusalDto>,
    /// How the link gets to the person: `manual`, `email` or `both`.
    delivery: &'static str,
    /// How far the latest mail with the link is; `null`: none was asked for yet.
    mail: Option<MailStateDto>,
    /// The administrator who started it, if a person did.
    initiator: Option<Uuid>,
}

/// The machine it is for.
#[derive(Serialize, ToSchema)]
struct MachineRefDto {
    /// Which one; it may be gone.
    id: Uuid,
    /// Its name.
    name: String,
}

/// For whom.
#[derive(Serialize, ToSchema)]
struct SubjectDto {
    /// Which user.
    id: Uuid,
    /// Their username.
    username: String,
    /// First name.
    first_name: String,
    /// Last name.
    last_name: String,
}

/// How far it is.
#[derive(Serialize, ToSchema)]
struct ProgressDto {
    /// `invited`, `in_session`, `completed` or `closed`.
    stage: &'static str,
    /// When it completed or was closed (RFC 3339, UTC).
    #[schema(format = DateTime)]
    at: Option<String>,
    /// Why it was closed: `revoked`, `restarted`, `locked`, `user_disabled` or `reported`.
    why: Option<&'static str>,
    /// The profile is confirmed.
    profile: bool,
    /// A password is chosen.
    password: bool,
    /// A second factor is verified.
    mfa: bool,
    /// A device is added.
    device: bool,
}

/// A refused completion.
#[derive(Serialize, ToSchema)]
struct RefusalDto {
    /// When (RFC 3339, UTC).
    #[schema(format = DateTime)]
    at: String,
    /// What was missing.
    missing: Vec<String>,
}

/// Which enrollments.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct StatusQuery {
    /// `pending` (default), `completed` or `closed`. Expired ones stay pending: they can be renewed.
    status: Option<String>,
}

/// How to send it again.
#[derive(Default, Deserialize, ToSchema)]
pub(super) struct ResendRequest {
    /// A new link; the old one and its session are dead.
    #[serde(default)]
    rotate: bool,
    /// How a new link gets to the person: `manual`, `email` or `both`. Default: as the first one did.
    delivery: Option<String>,
    /// The subject of its mails from now on: one line with tags. Without subject and body both stay as they are; with
    /// one of them the other is the saved one.
    subject: Option<String>,
    /// The body of its mails from now on: Markdown with tags.
    body: Option<String>,
}

/// What came of sending all again.
#[derive(Serialize, ToSchema)]
pub(super) struct ResentAllDto {
    /// How many are on their way.
    sent: u64,
    /// How many are not, by the code of the reason.
    skipped: BTreeMap<&'static str, u64>,
}

/// Enrollments, the latest first; with `q` by the name of their user or machine.
#[utoipa::path(get, path = "/enrollments", operation_id = "list_enrollments", tag = "enrollments", params(StatusQuery, PageQuery), responses((status = 200, body = List<EnrollmentDto>)))]
pub(super) async fn list(
    State(state): State<EnrollmentState>,
    By(by): By,
    Query(StatusQuery { status }): Query<StatusQuery>,
    Query(query): Query<PageQuery>,
) -> Answer<Answered<List<EnrollmentDto>>> {
    let standing = STANDINGS.read_optional("status", status.as_deref())?.unwrap_or_default();
    let filter = EnrollmentFilter { standing, prefix: query.q.clone() };
    let enrollments = state.service().administrator().enrollments(&by, &filter, &query.page()).await?;
    Ok(Answered(List::of(enrollments, EnrollmentDto::from)))
}

/// An enrollment.
#[utoipa::path(get, path = "/enrollments/{id}", operation_id = "get_enrollment", tag = "enrollments", params(("id" = Uuid, Path)), responses((status = 200, body = EnrollmentDto)))]
pub(super) async fn get(
    State(state): State<EnrollmentState>,
    By(by): By,
    PathId(id): PathId<EnrollmentId>,
) -> Answer<Answered<EnrollmentDto>> {
    Ok(Answered(state.service().administrator().enrollment(&by, id).await?.into()))
}

/// Starts an enrollment for a user. An open one of the same purpose ends. The token is shown here only.
#[utoipa::path(post, path = "/users/{id}/enrollments", operation_id = "start_enrollment", tag = "enrollments", params(("id" = Uuid, Path)), request_body = StartRequest, responses((status = 201, body = IssuedDto)))]
pub(super) async fn start(
    State(state): State<EnrollmentState>,
    By(by): By,
    PathId(user): PathId<UserId>,
    OptionalJson(request): OptionalJson<StartRequest>,
) -> Answer<(StatusCode, Answered<IssuedDto>)> {
    let issued = state.service().administrator().start(&by, user, request.read()?).await?;
    Ok((StatusCode::CREATED, Answered(issued.into())))
}

/// Sends the link again by mail: the same one with the same expiry, to the address in force when it is sent; or makes a
/// new one, which is shown here only and mailed where `delivery` says so.
#[utoipa::path(post, path = "/enrollments/{id}/resend", operation_id = "resend_enrollment", tag = "enrollments", params(("id" = Uuid, Path)), request_body = ResendRequest, responses((status = 200, body = IssuedDto)))]
pub(super) async fn resend(
    State(state): State<EnrollmentState>,
    By(by): By,
    PathId(id): PathId<EnrollmentId>,
    OptionalJson(request): OptionalJson<ResendRequest>,
) -> Answer<Answered<IssuedDto>> {
    let ResendRequest { rotate, delivery, subject, body } = request;
    let administrator = state.service().administrator();
    let wording = wording(subject, body);
    let delivery = DELIVERIES.read_optional("delivery", delivery.as_deref())?;
    if !rotate {
        return Ok(Answered(administrator.resend(&by, id, wording).await?.into()));
    }
    let delivery = match delivery {
        Some(delivery) => delivery,
        None => administrator.enrollment(&by, id).await?.delivery,
    };
    let issued = match delivery {
        Delivery::Manual => {
            wording.map_or(Ok(()), |wording| wording.demand_mailed(delivery))?;
            administrator.rotate(&by, id).await?
        }
        Delivery::Email | Delivery::Both => administrator.rotate_and_send(&by, id, wording).await?,
    };
    Ok(Answered(Issued { delivery, ..issued }.into()))
}

/// Sends every invitation again that can still be redeemed: the same links with the same expiries. Those whose mail is
/// still on its way are not sent twice.
#[utoipa::path(post, path = "/enrollments/resend", operation_id = "resend_enrollments", tag = "enrollments", responses((status = 200, body = ResentAllDto)))]
pub(super) async fn resend_all(State(state): State<EnrollmentState>, By(by): By) -> Answer<Answered<ResentAllDto>> {
    let ResentAll { sent, skipped } = state.service().administrator().resend_all(&by).await?;
    Ok(Answered(ResentAllDto { sent, skipped }))
}

/// Revokes an enrollment: its token is dead at once, the user or machine stays.
#[utoipa::path(delete, path = "/enrollments/{id}", operation_id = "revoke_enrollment", tag = "enrollments", params(("id" = Uuid, Path)), responses((status = 204)))]
pub(super) async fn revoke(
    State(state): State<EnrollmentState>,
    By(by): By,
    PathId(id): PathId<EnrollmentId>,
) -> Answer<StatusCode> {
    state.service().administrator().revoke(&by, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl From<EnrollmentView> for EnrollmentDto {
    fn from(enrollment: EnrollmentView) -> Self {
        let EnrollmentView {
            id,
            whose,
            email,
            purpose,
            created,
            expires_at,
            expired,
            sessions_left,
            progress,
            takeovers,
            wrong_codes,
            last_refusal,
            delivery,
            mail,
            initiator,
        } = enrollment;
        let (user, machine) = match whose {
            WhoseView::Person(person) => (Some(person.into()), None),
            WhoseView::Machine { id, name } => (None, Some(MachineRefDto { id: id.uuid(), name: name.to_string() })),
        };
        Self {
            id: id.uuid(),
            user,
            machine,
            email: email.map(Into::into),
            purpose: purpose.as_str(),
            created: created.to_string(),
            expires_at: expires_at.to_string(),
            expired,
            sessions_left,
            progress: progress.into(),
            takeovers,
            wrong_codes,
            last_refusal: last_refusal.map(|Refusal { at, missing }| RefusalDto { at: at.to_string(), missing }),
            delivery: DELIVERIES.word(delivery),
            mail: mail.map(Into::into),
            initiator: initiator.map(UserId::uuid),
        }
    }
}

impl From<SubjectView> for SubjectDto {
    fn from(person: SubjectView) -> Self {
        let SubjectView { id, username, first_name, last_name } = person;
        Self {
            id: id.uuid(),
            username: username.to_string(),
            first_name: first_name.into(),
            last_name: last_name.into(),
        }
    }
}

impl From<Progress> for ProgressDto {
    fn from(progress: Progress) -> Self {
        let Progress { stage, profile, password, mfa, device } = progress;
        let (at, why) = match stage {
            Stage::Invited | Stage::InSession => (None, None),
            Stage::Completed { at } => (Some(at), None),
            Stage::Closed { at, why } => (Some(at), Some(CLOSURES.word(why))),
        };
        Self { stage: stage.as_str(), at: at.map(|at| at.to_string()), why, profile, password, mfa, device }
    }
}
