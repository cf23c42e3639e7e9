//! API keys.

use axum::Json as Answered;
use axum::extract::State;
use axum::http::StatusCode;
use enrollment_core::id::{ApiKeyId, UserId};
use enrollment_core::service::administrator::{ApiKeyView, NewApiKey};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::auth::By;
use super::list::List;
use crate::extract::{Json, PathId, field, optional};
use crate::problem::Answer;
use crate::state::EnrollmentState;

/// A key, as administrators see it.
#[derive(Serialize, ToSchema)]
pub(super) struct ApiKeyDto {
    /// Which one.
    id: Uuid,
    /// What it is for.
    name: String,
    /// What it may do.
    role: &'static str,
    /// The administrator it acts for.
    user: Option<Uuid>,
    /// When it was made (RFC 3339, UTC).
    #[schema(format = DateTime)]
    created: String,
    /// When it was revoked (RFC 3339, UTC).
    #[schema(format = DateTime)]
    revoked: Option<String>,
}

/// A key to make.
#[derive(Deserialize, ToSchema)]
pub(super) struct CreateApiKeyRequest {
    /// What it is for.
    #[serde(default)]
    name: String,
    /// What it may do: `owner`, `administrator`, `application_manager`, `user_manager` or `help_desk`.
    role: String,
    /// The administrator it acts for.
    user: Option<String>,
}

/// A key that was made.
#[derive(Serialize, ToSchema)]
pub(super) struct CreateApiKeyAnswer {
    #[serde(flatten)]
    description: ApiKeyDto,
    /// The secret, `enk_…`, shown here only.
    key: String,
}

/// All keys, revoked ones too.
#[utoipa::path(get, path = "/api-keys", operation_id = "list_api_keys", tag = "api keys", responses((status = 200, body = List<ApiKeyDto>)))]
pub(super) async fn list(State(state): State<EnrollmentState>, By(by): By) -> Answer<Answered<List<ApiKeyDto>>> {
    let keys = state.service().administrator().api_keys(&by).await?;
    Ok(Answered(List::whole(keys, ApiKeyDto::from)))
}

/// Makes a key.
#[utoipa::path(post, path = "/api-keys", operation_id = "create_api_key", tag = "api keys", responses((status = 201, body = CreateApiKeyAnswer)))]
pub(super) async fn create(
    State(state): State<EnrollmentState>,
    By(by): By,
    Json(request): Json<CreateApiKeyRequest>,
) -> Answer<(StatusCode, Answered<CreateApiKeyAnswer>)> {
    let CreateApiKeyRequest { name, role, user } = request;
    let new = NewApiKey {
        name: field("name", &name)?,
        role: field("role", &role)?,
        user: optional("user", user.as_deref())?,
    };
    let (description, secret) = state.service().administrator().create_api_key(&by, new).await?;
    let answer = CreateApiKeyAnswer { description: description.into(), key: secret.expose().to_owned() };
    Ok((StatusCode::CREATED, Answered(answer)))
}

/// Revokes a key, for good.
#[utoipa::path(delete, path = "/api-keys/{id}", operation_id = "revoke_api_key", tag = "api keys", params(("id" = Uuid, Path)), responses((status = 204)))]
pub(super) async fn revoke(
    State(state): State<EnrollmentState>,
    By(by): By,
    PathId(id): PathId<ApiKeyId>,
) -> Answer<StatusCode> {
    state.service().administrator().revoke_api_key(&by, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl From<ApiKeyView> for ApiKeyDto {
    fn from(key: ApiKeyView) -> Self {
        let ApiKeyView { id, name, role, user, created, revoked } = key;
        Self {
            id: id.uuid(),
            name: name.into(),
            role: role.as_str(),
            user: user.map(UserId::uuid),
            created: created.to_string(),
            revoked: revoked.map(|at| at.to_string()),
        }
    }
}
