//! Adding the device.

use axum::Json as Answered;
use axum::extract::State;
use enrollment_core::secret::PrivateKey;
use enrollment_core::service::enrollee::{DeviceKey, DeviceRequest, NewDeviceKey};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::view::{ConfigDto, OwnDeviceDto};
use crate::client::Client;
use crate::extract::{CurrentSession, Json, field};
use crate::problem::{Answer, Problem};
use crate::state::EnrollmentState;

/// A device to add: a public key, or the wish that the server make the key pair.
#[derive(Deserialize, ToSchema)]
pub(super) struct AddDeviceRequest {
    /// Its name; empty for a machine's, which has one already.
    #[serde(default)]
    name: String,
    /// Its WireGuard public key: 32 bytes in standard Base64.
    public_key: Option<String>,
    /// The server makes the key pair, where its policy allows that.
    #[serde(default)]
    make_key: bool,
}

/// A device that was added.
#[derive(Serialize, ToSchema)]
pub(super) struct AddDeviceAnswer {
    /// The device.
    device: OwnDeviceDto,
    /// One configuration per location.
    configs: Vec<ConfigDto>,
    /// The private key, when the server made it: shown to this session only, kept nowhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    private_key: Option<String>,
}

/// Adds the device, in place of one added before. It becomes a peer when the enrollment completes; a machine's device is
/// there already, and its key is all that completes its enrollment.
#[utoipa::path(post, path = "/session/device", tag = "enrollee", responses((status = 200, body = AddDeviceAnswer)))]
pub(super) async fn device(
    State(state): State<EnrollmentState>,
    Client(origin): Client,
    CurrentSession(session): CurrentSession,
    Json(request): Json<AddDeviceRequest>,
) -> Answer<Answered<AddDeviceAnswer>> {
    let AddDeviceRequest { name, public_key, make_key } = request;
    let enrollee = state.service().enrollee();
    if name.is_empty() && !make_key {
        let key = field("public_key", &public_key.ok_or_else(|| Problem::missing_field("public_key"))?)?;
        let made = enrollee.set_machine_key(&session, &key, origin).await?;
        return Ok(Answered(AddDeviceAnswer {
            device: made.device.into(),
            configs: made.configs.into_iter().map(|config| ConfigDto::new(config, None)).collect(),
            private_key: None,
        }));
    }
    let key = match (public_key, make_key) {
        (Some(key), false) => DeviceKey::Given(field("public_key", &key)?),
        (None, true) => DeviceKey::MakeHere,
        (Some(_), true) => return Err(Problem::invalid_field("make_key", "either this or a public key, not both")),
        (None, false) => return Err(Problem::missing_field("public_key")),
    };
    let request = DeviceRequest { name: field("name", &name)?, key };
    let added = enrollee.set_device(&session, &request, origin).await?;
    let NewDeviceKey { device, configs, private_key } = added;
    let private_key = private_key.as_ref().map(PrivateKey::expose_base64);
    let private_key = private_key.as_deref().map(String::as_str);
    Ok(Answered(AddDeviceAnswer {
        device: device.into(),
        configs: configs.into_iter().map(|config| ConfigDto::new(config, private_key)).collect(),
        private_key: private_key.map(str::to_owned),
    }))
}
