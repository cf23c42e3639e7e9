//! Networks: the list, adding one, changing one.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use enrollment_core::domain::group::Access;
use enrollment_core::id::LocationId;
use enrollment_core::service::administrator::{CreatedLocation, LocationPatch, LocationView, NewLocation};
use serde::Serialize;

use super::desk::{Desk, Me, done};
use super::form::{Posted, Shown};
use super::users::ListQuery;
use crate::extract::{PathId, Query, each, field, optional};
use crate::page::{Page, answer, see_other};
use crate::problem::{Answer, PageStatus, Problem};
use crate::state::EnrollmentState;
use crate::words::MFA_MODES;

/// The list.
#[derive(Debug, Clone, Serialize)]
pub(super) struct LocationsPage {
    pub(super) me: Me,
    pub(super) locations: Vec<LocationRow>,
    pub(super) done: Option<&'static str>,
}

impl Page for LocationsPage {
    const TEMPLATE: &'static str = "locations.html";
}

/// One of them.
#[derive(Debug, Clone, Serialize)]
pub(super) struct LocationRow {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) endpoint: String,
    pub(super) pools: Vec<String>,
    pub(super) mfa: &'static str,
    pub(super) groups: Vec<String>,
}

/// One network, to add or to change.
#[derive(Debug, Clone, Serialize)]
pub(super) struct LocationPage {
    pub(super) me: Me,
    /// `None`: a new one.
    pub(super) id: Option<String>,
    pub(super) form: Shown,
    pub(super) mfa: String,
    /// What cannot be changed.
    pub(super) public_key: String,
    pub(super) done: Option<&'static str>,
}

impl Page for LocationPage {
    const TEMPLATE: &'static str = "location.html";
}

/// The gateway's private key, which was made here, within the section of the gateway's file that has it.
#[derive(Debug, Clone, Serialize)]
pub(super) struct KeyPage {
    pub(super) me: Me,
    pub(super) name: String,
    pub(super) section: String,
}

impl Page for KeyPage {
    const TEMPLATE: &'static str = "location_key.html";
}

const FIELDS: &[&str] =
    &["name", "endpoint", "public_key", "pools", "allowed_ips", "dns", "keepalive", "mtu", "groups"];
/// What the WireGuard quick start recommends behind NAT.
const KEEPALIVE: &str = "25";

/// `GET /admin/locations`
pub(super) async fn list(
    State(state): State<EnrollmentState>,
    desk: Desk,
    Query(query): Query<ListQuery>,
) -> Answer<Response> {
    let locations = state.service().administrator().locations(&desk.by).await?;
    let row = |location: LocationView| LocationRow {
        id: location.id.to_string(),
        name: location.name.to_string(),
        endpoint: location.endpoint.into(),
        pools: location.pools.iter().map(ToString::to_string).collect(),
        mfa: MFA_MODES.word(location.mfa),
        groups: groups(&location.access),
    };
    let locations = locations.into_iter().map(row).collect();
    let page = LocationsPage { me: desk.me, locations, done: done(query.done.as_deref()) };
    Ok(answer(&state, StatusCode::OK, &page))
}

fn groups(access: &Access) -> Vec<String> {
    match access {
        Access::Everyone => Vec::new(),
        Access::Groups(groups) => groups.iter().map(|group| group.clone().into()).collect(),
    }
}

fn shown(
    state: &EnrollmentState,
    status: impl Into<PageStatus>,
    desk: Desk,
    form: Shown,
    mfa: &str,
    of: Option<&LocationView>,
) -> Response {
    let page = LocationPage {
        me: desk.me,
        id: of.map(|location| location.id.to_string()),
        form,
        mfa: mfa.to_owned(),
        public_key: of.map(|location| location.public_key.to_string()).unwrap_or_default(),
        done: None,
    };
    answer(state, status, &page)
}

/// `GET /admin/locations/new`
pub(super) async fn new(State(state): State<EnrollmentState>, desk: Desk) -> Response {
    let usual = [("keepalive", KEEPALIVE)];
    let empty = FIELDS.iter().filter(|name| **name != "keepalive").map(|name| (*name, ""));
    let fields: Vec<_> = usual.into_iter().chain(empty).collect();
    shown(&state, StatusCode::OK, desk, Shown::of(&fields), "internal", None)
}

/// `POST /admin/locations`
pub(super) async fn add(State(state): State<EnrollmentState>, desk: Desk, posted: Posted) -> Answer<Response> {
    let added: Result<_, Problem> = async {
        let new = read_new(&posted)?;
        Ok(state.service().administrator().create_location(&desk.by, new).await?)
    }
    .await;
    match added {
        Ok(CreatedLocation { location, private_key: Some(key) }) => {
            let page = KeyPage {
                me: desk.me,
                name: location.name.to_string(),
                section: location.gateway_section(&key.expose_base64()).to_string(),
            };
            Ok(answer(&state, StatusCode::CREATED, &page))
        }
        Ok(_) => Ok(see_other("/admin/locations?done=saved")),
        Err(problem) => {
            let status = problem.page_status();
            let form = Shown::typed(FIELDS, &posted).refused(problem, &[("location_name_taken", "name")])?;
            Ok(shown(&state, status, desk, form, posted.get("mfa"), None))
        }
    }
}

/// `GET /admin/locations/{id}`
pub(super) async fn show(
    State(state): State<EnrollmentState>,
    desk: Desk,
    PathId(id): PathId<LocationId>,
) -> Answer<Response> {
    let location = state.service().administrator().location(&desk.by, id).await?;
    let join = |parts: Vec<String>| parts.join(", ");
    let form = Shown::of(&[
        ("name", location.name.as_str()),
        ("endpoint", &String::from(location.endpoint.clone())),
        ("public_key", ""),
        ("pools", &join(location.pools.iter().map(ToString::to_string).collect())),
        ("allowed_ips", &join(location.allowed_ips.iter().map(ToString::to_string).collect())),
        ("dns", &join(location.dns.iter().map(|entry| String::from(entry.clone())).collect())),
        ("keepalive", &location.keepalive.to_string()),
        ("mtu", &location.mtu.map(|mtu| mtu.to_string()).unwrap_or_default()),
        ("groups", &join(groups(&location.access))),
    ]);
    Ok(shown(&state, StatusCode::OK, desk, form, MFA_MODES.word(location.mfa), Some(&location)))
}

/// `POST /admin/locations/{id}`
pub(super) async fn change(
    State(state): State<EnrollmentState>,
    desk: Desk,
    PathId(id): PathId<LocationId>,
    posted: Posted,
) -> Answer<Response> {
    let administrator = state.service().administrator();
    let changed: Result<_, Problem> = async {
        let patch = read_patch(&posted)?;
        Ok(administrator.change_location(&desk.by, id, patch).await?)
    }
    .await;
    let Err(problem) = changed else { return Ok(see_other("/admin/locations?done=saved")) };
    let status = problem.page_status();
    let form = Shown::typed(FIELDS, &posted).refused(problem, &[("location_name_taken", "name")])?;
    let location = administrator.location(&desk.by, id).await?;
    Ok(shown(&state, status, desk, form, posted.get("mfa"), Some(&location)))
}

fn read_new(posted: &Posted) -> Result<NewLocation, Problem> {
    Ok(NewLocation {
        name: field("name", posted.get("name").trim())?,
        endpoint: field("endpoint", posted.get("endpoint").trim())?,
        public_key: optional("public_key", posted.given("public_key"))?,
        pools: each("pools", &posted.list("pools"))?,
        allowed_ips: each("allowed_ips", &posted.list("allowed_ips"))?,
        dns: each("dns", &posted.list("dns"))?,
        keepalive: field("keepalive", posted.given("keepalive").unwrap_or(KEEPALIVE))?,
        mtu: optional("mtu", posted.given("mtu"))?,
        mfa: MFA_MODES.read_optional("mfa", posted.given("mfa"))?.unwrap_or_default(),
        factors: None,
        access: access(posted)?,
        ownership: enrollment_core::domain::location::Ownership::default(),
    })
}

fn read_patch(posted: &Posted) -> Result<LocationPatch, Problem> {
    Ok(LocationPatch {
        name: Some(field("name", posted.get("name").trim())?),
        endpoint: Some(field("endpoint", posted.get("endpoint").trim())?),
        allowed_ips: Some(each("allowed_ips", &posted.list("allowed_ips"))?),
        dns: Some(each("dns", &posted.list("dns"))?),
        keepalive: Some(field("keepalive", posted.given("keepalive").unwrap_or(KEEPALIVE))?),
        mtu: Some(optional("mtu", posted.given("mtu"))?),
        mfa: Some(MFA_MODES.read("mfa", posted.get("mfa"))?),
        access: Some(access(posted)?),
        ..LocationPatch::default()
    })
}

/// Members of the groups named; without any, everybody.
fn access(posted: &Posted) -> Result<Access, Problem> {
    let named = posted.list("groups");
    if named.is_empty() { Ok(Access::Everyone) } else { Ok(Access::Groups(each("groups", &named)?)) }
}
