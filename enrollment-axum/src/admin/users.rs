//! Users.

use std::collections::BTreeSet;

use axum::Json as Answered;
use axum::extract::State;
use axum::http::StatusCode;
use enrollment_core::domain::group::GroupName;
use enrollment_core::domain::location::FactorKind;
use enrollment_core::domain::rejection::Rejection;
use enrollment_core::id::UserId;
use enrollment_core::service::administrator::{NewUser, UserPatch, UserView};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::auth::By;
use super::invitation::{IssuedDto, StartRequest};
use super::list::{List, PageQuery};
use super::patch::{demand_absent, given};
use crate::extract::{Json, PathId, Query, each, field, optional};
use crate::problem::{Answer, Problem};
use crate::state::EnrollmentState;
use crate::words::STATUSES;

/// A user, as administrators see them.
#[derive(Serialize, ToSchema)]
pub(super) struct UserDto {
    /// Which one.
    id: Uuid,
    /// The same as an integer below 2^53.
    number: i64,
    /// The name to sign in with.
    username: String,
    /// First name.
    first_name: String,
    /// Last name.
    last_name: String,
    /// E-mail address.
    email: Option<String>,
    /// Phone number.
    phone: Option<String>,
    /// The groups they belong to.
    groups: Vec<String>,
    /// The role they have: `owner`, `administrator`, `application_manager`, `user_manager` or `help_desk`.
    role: Option<&'static str>,
    /// `active` or `disabled`.
    status: &'static str,
    /// Whether their onboarding is complete.
    enrolled: bool,
    /// When it was completed (RFC 3339, UTC).
    #[schema(format = DateTime)]
    enrolled_at: Option<String>,
    /// Kinds of second factor that are set up.
    mfa_methods: Vec<&'static str>,
    /// When they were added (RFC 3339, UTC).
    #[schema(format = DateTime)]
    created: String,
}

/// A user to add. People choose their own passwords: one given here is refused.
#[derive(Deserialize, ToSchema)]
pub(super) struct CreateUserRequest {
    /// The name to sign in with.
    username: String,
    /// First name.
    #[serde(default)]
    first_name: String,
    /// Last name.
    #[serde(default)]
    last_name: String,
    /// E-mail address.
    email: Option<String>,
    /// Phone number.
    phone: Option<String>,
    /// The groups they belong to.
    #[serde(default)]
    groups: Vec<String>,
    /// The role they have.
    role: Option<String>,
    /// An enrollment to start with it.
    enrollment: Option<StartRequest>,
    #[schema(ignore)]
    password: Option<IgnoredAny>,
}

/// An added user.
#[derive(Serialize, ToSchema)]
pub(super) struct CreateUserAnswer {
    /// The user.
    user: UserDto,
    /// The enrollment, if one was asked for. Its token is shown here only.
    #[serde(skip_serializing_if = "Option::is_none")]
    enrollment: Option<IssuedDto>,
}

/// Changes to a user: absent members stay as they are, `null` empties.
#[derive(Deserialize, ToSchema)]
pub(super) struct ChangeUserRequest {
    /// First name.
    first_name: Option<String>,
    /// Last name.
    last_name: Option<String>,
    /// E-mail address.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    email: Option<Option<String>>,
    /// Phone number.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    phone: Option<Option<String>>,
    /// The groups they belong to.
    groups: Option<Vec<String>>,
    /// The role they have.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    role: Option<Option<String>>,
    /// `active` or `disabled`.
    status: Option<String>,
    #[schema(ignore)]
    username: Option<IgnoredAny>,
    #[schema(ignore)]
    password: Option<IgnoredAny>,
}

/// Users by username.
#[utoipa::path(get, path = "/users", operation_id = "list_users", tag = "users", params(PageQuery), responses((status = 200, body = List<UserDto>)))]
pub(super) async fn list(
    State(state): State<EnrollmentState>,
    By(by): By,
    Query(query): Query<PageQuery>,
) -> Answer<Answered<List<UserDto>>> {
    let users = state.service().administrator().users(&by, query.q.as_deref(), &query.page()).await?;
    Ok(Answered(List::of(users, UserDto::from)))
}

/// Adds a user and, if asked, starts their enrollment: both or neither.
#[utoipa::path(post, path = "/users", operation_id = "create_user", tag = "users", responses((status = 201, body = CreateUserAnswer)))]
pub(super) async fn create(
    State(state): State<EnrollmentState>,
    By(by): By,
    Json(request): Json<CreateUserRequest>,
) -> Answer<(StatusCode, Answered<CreateUserAnswer>)> {
    let new = request.read()?;
    let (user, issued) = state.service().administrator().create_user(&by, new).await?;
    let answer = CreateUserAnswer { user: user.into(), enrollment: issued.map(IssuedDto::from) };
    Ok((StatusCode::CREATED, Answered(answer)))
}

/// A user.
#[utoipa::path(get, path = "/users/{id}", operation_id = "get_user", tag = "users", params(("id" = Uuid, Path)), responses((status = 200, body = UserDto)))]
pub(super) async fn get(
    State(state): State<EnrollmentState>,
    By(by): By,
    PathId(id): PathId<UserId>,
) -> Answer<Answered<UserDto>> {
    Ok(Answered(state.service().administrator().user(&by, id).await?.into()))
}

/// Changes a user. Disabling ends their enrollments and takes their devices out of force.
#[utoipa::path(patch, path = "/users/{id}", operation_id = "change_user", tag = "users", params(("id" = Uuid, Path)), responses((status = 200, body = UserDto)))]
pub(super) async fn change(
    State(state): State<EnrollmentState>,
    By(by): By,
    PathId(id): PathId<UserId>,
    Json(request): Json<ChangeUserRequest>,
) -> Answer<Answered<UserDto>> {
    let patch = request.read()?;
    Ok(Answered(state.service().administrator().change_user(&by, id, patch).await?.into()))
}

/// Erases a user: their record, links and devices at once; enrollments, mails and where they came from soon after. The
/// audit log keeps ids. It cannot be undone; to shut somebody out for a while, disable them instead.
#[utoipa::path(post, path = "/users/{id}/erase", operation_id = "erase_user", tag = "users", params(("id" = Uuid, Path)), responses((status = 204)))]
pub(super) async fn erase(
    State(state): State<EnrollmentState>,
    By(by): By,
    PathId(id): PathId<UserId>,
) -> Answer<StatusCode> {
    state.service().administrator().erase_user(&by, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl CreateUserRequest {
    fn read(self) -> Result<NewUser, Problem> {
        let Self { username, first_name, last_name, email, phone, groups, role, enrollment, password } = self;
        demand_no_password(password)?;
        Ok(NewUser {
            username: field("username", &username)?,
            first_name: field("first_name", &first_name)?,
            last_name: field("last_name", &last_name)?,
            email: optional("email", email.as_deref())?,
            phone: optional("phone", phone.as_deref())?,
            groups: each("groups", &groups)?,
            role: optional("role", role.as_deref())?,
            enrollment: enrollment.map(StartRequest::read).transpose()?,
        })
    }
}

impl ChangeUserRequest {
    fn read(self) -> Result<UserPatch, Problem> {
        let Self { first_name, last_name, email, phone, groups, role, status, username, password } = self;
        demand_no_password(password)?;
        demand_absent("username", username)?;
        Ok(UserPatch {
            first_name: optional("first_name", first_name.as_deref())?,
            last_name: optional("last_name", last_name.as_deref())?,
            email: email.map(|email| optional("email", email.as_deref())).transpose()?,
            phone: phone.map(|phone| optional("phone", phone.as_deref())).transpose()?,
            groups: groups.map(|groups| each::<BTreeSet<GroupName>, _>("groups", &groups)).transpose()?,
            role: role.map(|role| optional("role", role.as_deref())).transpose()?,
            status: STATUSES.read_optional("status", status.as_deref())?,
        })
    }
}

/// INV-1
fn demand_no_password(password: Option<IgnoredAny>) -> Result<(), Rejection> {
    password.map_or(Ok(()), |IgnoredAny| Err(Rejection::PasswordNotAccepted))
}

impl From<UserView> for UserDto {
    fn from(user: UserView) -> Self {
        let UserView {
            id,
            number,
            username,
            first_name,
            last_name,
            email,
            phone,
            groups,
            role,
            status,
            enrolled,
            factors,
            created,
        } = user;
        Self {
            id: id.uuid(),
            number: number.get(),
            username: username.to_string(),
            first_name: first_name.into(),
            last_name: last_name.into(),
            email: email.map(Into::into),
            phone: phone.map(Into::into),
            groups: groups.into_iter().map(Into::into).collect(),
            role: role.map(|role| role.as_str()),
            status: STATUSES.word(status),
            enrolled: enrolled.is_some(),
            enrolled_at: enrolled.map(|at| at.to_string()),
            mfa_methods: factors.into_iter().map(FactorKind::as_str).collect(),
            created: created.to_string(),
        }
    }
}
