//! One person: who they are, their devices and how far each is, and what can be done about them.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use enrollment_core::domain::role::Role;
use enrollment_core::id::UserId;
use enrollment_core::service::administrator::{DeviceReport, UserPatch};
use serde::Serialize;

use super::desk::{Desk, Me, When, done};
use super::form::Posted;
use super::sign_in::DoneQuery;
use super::users::{UserRow, role_words};
use crate::extract::{PathId, Query, optional};
use crate::page::{Page, answer, see_other};
use crate::problem::Answer;
use crate::state::EnrollmentState;
use crate::words::STATUSES;

/// One person.
#[derive(Debug, Clone, Serialize)]
pub(super) struct UserPage {
    pub(super) me: Me,
    pub(super) user: UserRow,
    pub(super) role: &'static str,
    pub(super) roles: Vec<(&'static str, String)>,
    pub(super) devices: Vec<DeviceRow>,
    pub(super) can_mail: bool,
    pub(super) done: Option<&'static str>,
}

impl Page for UserPage {
    const TEMPLATE: &'static str = "user.html";
}

/// A device, and how far it is at each location.
#[derive(Debug, Clone, Serialize)]
pub(super) struct DeviceRow {
    pub(super) name: String,
    pub(super) added: When,
    pub(super) status: &'static str,
    pub(super) at: Vec<AttachmentRow>,
}

/// A device at a location.
#[derive(Debug, Clone, Serialize)]
pub(super) struct AttachmentRow {
    pub(super) location: String,
    pub(super) addresses: Vec<String>,
    pub(super) status: &'static str,
    pub(super) failure: Option<String>,
}

/// `GET /admin/users/{id}`
pub(super) async fn show(
    State(state): State<EnrollmentState>,
    desk: Desk,
    PathId(id): PathId<UserId>,
    Query(DoneQuery { done: word }): Query<DoneQuery>,
) -> Answer<Response> {
    let administrator = state.service().administrator();
    let user = administrator.user(&desk.by, id).await?;
    let devices = administrator.devices_of(&desk.by, id).await?;
    let names: BTreeMap<_, _> = if desk.me.may.read_locations && !devices.is_empty() {
        let locations = administrator.locations(&desk.by).await?;
        locations.into_iter().map(|location| (location.id, location.name.to_string())).collect()
    } else {
        BTreeMap::new()
    };
    let page = UserPage {
        me: desk.me,
        role: user.role.map_or("", |role| role.as_str()),
        user: user.into(),
        roles: Role::ALL.into_iter().map(|role| (role.as_str(), role_words(role))).collect(),
        devices: devices.into_iter().map(|report| device(report, &names)).collect(),
        can_mail: state.service().can_mail(),
        done: done(word.as_deref()),
    };
    Ok(answer(&state, StatusCode::OK, &page))
}

fn device(report: DeviceReport, names: &BTreeMap<enrollment_core::id::LocationId, String>) -> DeviceRow {
    let attachment = |attachment: enrollment_core::service::administrator::AttachmentView| AttachmentRow {
        location: names.get(&attachment.location).cloned().unwrap_or_else(|| "A network".to_owned()),
        addresses: attachment.addresses.iter().map(ToString::to_string).collect(),
        status: attachment.status.as_str(),
        failure: attachment.failure,
    };
    DeviceRow {
        name: report.device.name.to_string(),
        added: report.device.created.into(),
        status: report.status.as_str(),
        at: report.attachments.into_iter().map(attachment).collect(),
    }
}

/// `POST /admin/users/{id}/status`
pub(super) async fn set_status(
    State(state): State<EnrollmentState>,
    desk: Desk,
    PathId(id): PathId<UserId>,
    posted: Posted,
) -> Answer<Response> {
    let word = posted.get("status");
    let patch = UserPatch { status: Some(STATUSES.read("status", word)?), ..UserPatch::default() };
    state.service().administrator().change_user(&desk.by, id, patch).await?;
    let done = if word == "disabled" { "disabled" } else { "enabled" };
    Ok(see_other(&format!("/admin/users/{id}?done={done}")))
}

/// `POST /admin/users/{id}/role`
pub(super) async fn set_role(
    State(state): State<EnrollmentState>,
    desk: Desk,
    PathId(id): PathId<UserId>,
    posted: Posted,
) -> Answer<Response> {
    let role: Option<Role> = optional("role", posted.given("role"))?;
    let patch = UserPatch { role: Some(role), ..UserPatch::default() };
    state.service().administrator().change_user(&desk.by, id, patch).await?;
    Ok(see_other(&format!("/admin/users/{id}?done=role")))
}
