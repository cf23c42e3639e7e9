//! Devices of users.

use axum::Json as Answered;
use axum::extract::State;
use axum::http::StatusCode;
use enrollment_core::id::{DeviceId, UserId};
use enrollment_core::service::administrator::{AttachmentView, DeviceReport};
use enrollment_core::service::enrollee::DeviceView;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::auth::By;
use super::list::List;
use crate::extract::PathId;
use crate::problem::Answer;
use crate::state::EnrollmentState;

/// A device, and how far its peers are.
#[derive(Serialize, ToSchema)]
pub(super) struct DeviceDto {
    /// Which one.
    id: Uuid,
    /// The same as an integer below 2^53.
    number: i64,
    /// Its name.
    name: String,
    /// Its WireGuard public key.
    public_key: String,
    /// When it was added (RFC 3339, UTC).
    #[schema(format = DateTime)]
    created: String,
    /// How far it is: `removed`, `applied`, `staged`, `pending` or `failed`; the most urgent of its attachments.
    status: &'static str,
    /// One per location.
    attachments: Vec<AttachmentDto>,
}

/// A device in a location.
#[derive(Serialize, ToSchema)]
struct AttachmentDto {
    /// Which one.
    id: Uuid,
    /// The location.
    location: Uuid,
    /// The device's addresses there.
    addresses: Vec<String>,
    /// How far it is.
    status: &'static str,
    /// Why the last try failed; it is tried again.
    failure: Option<String>,
}

/// The devices of a user.
#[utoipa::path(get, path = "/users/{id}/devices", operation_id = "list_devices", tag = "devices", params(("id" = Uuid, Path)), responses((status = 200, body = List<DeviceDto>)))]
pub(super) async fn of_user(
    State(state): State<EnrollmentState>,
    By(by): By,
    PathId(user): PathId<UserId>,
) -> Answer<Answered<List<DeviceDto>>> {
    let devices = state.service().administrator().devices_of(&by, user).await?;
    Ok(Answered(List::whole(devices, DeviceDto::from)))
}

/// Removes a device: its peers go out of force.
#[utoipa::path(delete, path = "/devices/{id}", operation_id = "remove_device", tag = "devices", params(("id" = Uuid, Path)), responses((status = 204)))]
pub(super) async fn remove(
    State(state): State<EnrollmentState>,
    By(by): By,
    PathId(id): PathId<DeviceId>,
) -> Answer<StatusCode> {
    state.service().administrator().remove_device(&by, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl From<DeviceReport> for DeviceDto {
    fn from(report: DeviceReport) -> Self {
        let DeviceReport { device: DeviceView { id, number, name, public_key, created }, status, attachments } = report;
        Self {
            id: id.uuid(),
            number: number.get(),
            name: name.into(),
            public_key: public_key.to_string(),
            created: created.to_string(),
            status: status.as_str(),
            attachments: attachments.into_iter().map(AttachmentDto::from).collect(),
        }
    }
}

impl From<AttachmentView> for AttachmentDto {
    fn from(attachment: AttachmentView) -> Self {
        let AttachmentView { id, location, addresses, status, failure } = attachment;
        Self {
            id: id.uuid(),
            location: location.uuid(),
            addresses: addresses.iter().map(ToString::to_string).collect(),
            status: status.as_str(),
            failure,
        }
    }
}
