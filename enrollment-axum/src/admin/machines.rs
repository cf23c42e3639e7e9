//! Machines that nobody sits at: a named device each, made beforehand in one location.

use axum::Json as Answered;
use axum::extract::State;
use axum::http::StatusCode;
use enrollment_core::id::{LocationId, MachineId};
use enrollment_core::service::administrator::{CreatedMachine, MachineView, NewMachine};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::auth::By;
use super::devices::DeviceDto;
use super::invitation::IssuedDto;
use super::list::{List, PageQuery};
use crate::extract::{Json, OptionalJson, PathId, Query, field, optional};
use crate::problem::Answer;
use crate::state::EnrollmentState;

/// A machine, as administrators see it.
#[derive(Serialize, ToSchema)]
pub(super) struct MachineDto {
    /// Which one.
    id: Uuid,
    /// Its name.
    name: String,
    /// The one location it is in.
    location: Uuid,
    /// Its addresses there. They are its own until it is removed.
    addresses: Vec<String>,
    /// When it was added (RFC 3339, UTC).
    #[schema(format = DateTime)]
    created: String,
    /// How far it is: `invited`, `uninvited` (its token opens nothing any more) or `enrolled`.
    stage: &'static str,
    /// Its latest enrollment, which may be gone.
    enrollment: Uuid,
    /// The first instant at which its token opens nothing, while it waits to be redeemed (RFC 3339, UTC).
    #[schema(format = DateTime)]
    expires_at: Option<String>,
    /// Its device, once it has supplied its key.
    device: Option<DeviceDto>,
}

/// A machine to add.
#[derive(Deserialize, ToSchema)]
pub(super) struct CreateMachineRequest {
    /// Its name: 1 to 64 letters, digits or `. _ - + @`; unique in its location.
    name: String,
    /// How long the token is valid, such as `24h`. Default: as the settings say.
    validity: Option<String>,
}

/// An added machine.
#[derive(Serialize, ToSchema)]
pub(super) struct CreateMachineAnswer {
    /// The machine.
    machine: MachineDto,
    /// Its token and what to run there. Shown here only.
    enrollment: IssuedDto,
}

/// Another token.
#[derive(Default, Deserialize, ToSchema)]
pub(super) struct ReissueRequest {
    /// How long the token is valid, such as `24h`. Default: as the settings say.
    validity: Option<String>,
}

/// The machines of a location by name.
#[utoipa::path(get, path = "/locations/{id}/machines", operation_id = "list_machines", tag = "machines", params(("id" = Uuid, Path), PageQuery), responses((status = 200, body = List<MachineDto>)))]
pub(super) async fn list(
    State(state): State<EnrollmentState>,
    By(by): By,
    PathId(id): PathId<LocationId>,
    Query(query): Query<PageQuery>,
) -> Answer<Answered<List<MachineDto>>> {
    let machines = state.service().administrator().machines(&by, id, &query.page()).await?;
    Ok(Answered(List::of(machines, MachineDto::from)))
}

/// Adds a machine to a location, with its addresses. Whoever redeems its token supplies the public key and nothing else.
#[utoipa::path(post, path = "/locations/{id}/machines", operation_id = "create_machine", tag = "machines", params(("id" = Uuid, Path)), responses((status = 201, body = CreateMachineAnswer)))]
pub(super) async fn create(
    State(state): State<EnrollmentState>,
    By(by): By,
    PathId(id): PathId<LocationId>,
    Json(request): Json<CreateMachineRequest>,
) -> Answer<(StatusCode, Answered<CreateMachineAnswer>)> {
    let CreateMachineRequest { name, validity } = request;
    let new = NewMachine { name: field("name", &name)?, validity: optional("validity", validity.as_deref())? };
    let CreatedMachine { machine, issued } = state.service().administrator().create_machine(&by, id, new).await?;
    let answer = CreateMachineAnswer { machine: machine.into(), enrollment: issued.into() };
    Ok((StatusCode::CREATED, Answered(answer)))
}

/// A machine.
#[utoipa::path(get, path = "/machines/{id}", operation_id = "get_machine", tag = "machines", params(("id" = Uuid, Path)), responses((status = 200, body = MachineDto)))]
pub(super) async fn get(
    State(state): State<EnrollmentState>,
    By(by): By,
    PathId(id): PathId<MachineId>,
) -> Answer<Answered<MachineDto>> {
    Ok(Answered(state.service().administrator().machine(&by, id).await?.into()))
}

/// Removes a machine: its token is dead, its peer goes out of force, and its polling token opens nothing.
#[utoipa::path(delete, path = "/machines/{id}", operation_id = "remove_machine", tag = "machines", params(("id" = Uuid, Path)), responses((status = 204)))]
pub(super) async fn remove(
    State(state): State<EnrollmentState>,
    By(by): By,
    PathId(id): PathId<MachineId>,
) -> Answer<StatusCode> {
    state.service().administrator().remove_machine(&by, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Gives a machine that has not supplied its key another token, shown here only. The one before is dead.
#[utoipa::path(post, path = "/machines/{id}/reissue", operation_id = "reissue_machine", tag = "machines", params(("id" = Uuid, Path)), request_body = ReissueRequest, responses((status = 200, body = IssuedDto)))]
pub(super) async fn reissue(
    State(state): State<EnrollmentState>,
    By(by): By,
    PathId(id): PathId<MachineId>,
    OptionalJson(request): OptionalJson<ReissueRequest>,
) -> Answer<Answered<IssuedDto>> {
    let validity = optional("validity", request.validity.as_deref())?;
    Ok(Answered(state.service().administrator().reissue_machine(&by, id, validity).await?.into()))
}

impl From<MachineView> for MachineDto {
    fn from(machine: MachineView) -> Self {
        let MachineView { id, name, location, addresses, created, stage, enrollment, expires_at, device } = machine;
        Self {
            id: id.uuid(),
            name: name.into(),
            location: location.uuid(),
            addresses: addresses.iter().map(ToString::to_string).collect(),
            created: created.to_string(),
            stage: stage.as_str(),
            enrollment: enrollment.uuid(),
            expires_at: expires_at.map(|at| at.to_string()),
            device: device.map(Into::into),
        }
    }
}
