//! Devices and their configurations.

use axum::Json as Answered;
use axum::extract::State;
use axum::http::StatusCode;
use enrollment_core::domain::rejection::Rejection;
use enrollment_core::secret::PollingToken;
use enrollment_core::service::enrollee::{DeviceKey, DeviceRequest};
use serde::{Deserialize, Serialize};

use super::session::ClientSession;
use super::view::DeviceConfigDto;
use crate::client::Client;
use crate::extract::{Json, SecretText, field};
use crate::problem::Answer;
use crate::state::EnrollmentState;

/// What comes beside these, such as a token, says nothing: the session counts.
#[derive(Deserialize)]
pub(super) struct CreateRequest {
    name: String,
    pubkey: String,
}

/// Adds the device. Its addresses are reserved and its configurations are final; a peer it becomes once the enrollment
/// completes, which for an enrolled user and for a machine is in this same change (DEV-3, REQ-9, INV-10).
pub(super) async fn create(
    State(state): State<EnrollmentState>,
    Client(origin): Client,
    ClientSession(session): ClientSession,
    Json(CreateRequest { name, pubkey }): Json<CreateRequest>,
) -> Answer<Answered<DeviceConfigDto>> {
    let (enrollee, key) = (state.service().enrollee(), field("pubkey", &pubkey)?);
    // The command line of unattended machines names no device: that of a machine has its name already.
    let made = if name.is_empty() {
        enrollee.set_machine_key(&session, &key, origin).await?
    } else {
        let request = DeviceRequest { name: field("name", &name)?, key: DeviceKey::Given(key) };
        enrollee.set_client_device(&session, &request, origin).await?
    };
    Ok(Answered(DeviceConfigDto::new(made, &state.service().instance().url)))
}

#[derive(Deserialize)]
pub(super) struct InfoRequest {
    pubkey: String,
}

/// The configurations of a device that the user has, for an instance that the client knows already. Completes nothing.
pub(super) async fn network_info(
    State(state): State<EnrollmentState>,
    Client(origin): Client,
    ClientSession(session): ClientSession,
    Json(InfoRequest { pubkey }): Json<InfoRequest>,
) -> Answer<Answered<DeviceConfigDto>> {
    let key = field("pubkey", &pubkey)?;
    let known = state.service().enrollee().refresh_device(&session, &key, origin).await?;
    Ok(Answered(DeviceConfigDto::new(known, &state.service().instance().url)))
}

#[derive(Deserialize)]
pub(super) struct MobileRequest {
    auth_pub_key: String,
    device_pub_key: String,
}

/// Registers the key with which a phone approves.
pub(super) async fn register_mobile(
    State(state): State<EnrollmentState>,
    Client(origin): Client,
    ClientSession(session): ClientSession,
    Json(MobileRequest { auth_pub_key, device_pub_key }): Json<MobileRequest>,
) -> Answer<StatusCode> {
    let (key, device) = (field("auth_pub_key", &auth_pub_key)?, field("device_pub_key", &device_pub_key)?);
    state.service().enrollee().register_mobile_key(&session, &device, key, origin).await?;
    Ok(StatusCode::OK)
}

#[derive(Deserialize)]
pub(super) struct PollRequest {
    token: SecretText,
}

#[derive(Serialize)]
pub(super) struct PollAnswer {
    device_config: DeviceConfigDto,
}

/// The configurations of a device as they are now, for whoever has its polling token.
pub(super) async fn poll(
    State(state): State<EnrollmentState>,
    Client(origin): Client,
    Json(PollRequest { token }): Json<PollRequest>,
) -> Answer<Answered<PollAnswer>> {
    state.limits().tokens.admit(origin.source)?;
    let token = PollingToken::parse(token.expose()).map_err(|_| Rejection::InvalidPollingToken)?;
    let known = state.service().enrollee().poll(&token).await?;
    let device_config = DeviceConfigDto::new(known, &state.service().instance().url);
    Ok(Answered(PollAnswer { device_config }))
}
