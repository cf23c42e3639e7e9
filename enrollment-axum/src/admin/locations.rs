//! Locations: adding and reading them.

use std::collections::BTreeSet;

use axum::Json as Answered;
use axum::extract::State;
use axum::http::StatusCode;
use enrollment_core::domain::group::Access;
use enrollment_core::domain::location::FactorKind;
use enrollment_core::id::LocationId;
use enrollment_core::service::administrator::{CreatedLocation, LocationView, NewLocation};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::auth::By;
use super::list::List;
use crate::extract::{Json, PathId, each, field, optional};
use crate::problem::{Answer, Problem};
use crate::state::EnrollmentState;
use crate::words::{FACTORS, MFA_MODES, OWNERSHIPS};

/// A location, as administrators see it.
#[derive(Serialize, ToSchema)]
pub(super) struct LocationDto {
    /// Which one.
    id: Uuid,
    /// The same as an integer below 2^53.
    number: i64,
    /// Its name.
    name: String,
    /// Where clients connect to.
    endpoint: String,
    /// The gateway's public key.
    public_key: String,
    /// Whether the gateway's private key was made here.
    has_private_key: bool,
    /// Where addresses come from.
    pools: Vec<String>,
    /// What clients route into the tunnel.
    allowed_ips: Vec<String>,
    /// DNS servers and search domains.
    dns: Vec<String>,
    /// Seconds between keepalive packets; 0: none.
    keepalive: u16,
    /// Bytes; `null`: the client's choice.
    mtu: Option<u16>,
    /// Whether connecting asks for a second factor: `disabled`, `internal` or `external`.
    mfa: &'static str,
    /// Which factors it accepts when `mfa` is internal.
    factors: Vec<&'static str>,
    /// Who reaches it: members of these groups; `null`: everyone.
    groups: Option<Vec<String>>,
    /// What happens to peers that are not ours: `shared` (left alone) or `exclusive` (removed).
    ownership: &'static str,
    /// When it was made (RFC 3339, UTC).
    #[schema(format = DateTime)]
    created: String,
}

/// A location to add.
#[derive(Deserialize, ToSchema)]
pub(super) struct CreateLocationRequest {
    /// Its name.
    name: String,
    /// Where clients connect to, such as `vpn.example.com:51820`.
    endpoint: String,
    /// The gateway's public key; without one the pair is made here.
    public_key: Option<String>,
    /// Where addresses come from, 1 to 8 networks such as `10.1.0.0/16`.
    pools: Vec<String>,
    /// What clients route into the tunnel, 1 to 64 networks.
    allowed_ips: Vec<String>,
    /// DNS servers and search domains.
    #[serde(default)]
    dns: Vec<String>,
    /// Seconds between keepalive packets; 0: none. Default: 25.
    #[serde(default = "usual_keepalive")]
    keepalive: u16,
    /// Bytes, 576 to 9216.
    mtu: Option<u16>,
    /// `disabled` (default), `internal` or `external`.
    mfa: Option<String>,
    /// Which factors it accepts when `mfa` is internal: `totp`, `email`. Default: every kind.
    factors: Option<Vec<String>>,
    /// Who reaches it: members of these groups; without it everyone.
    groups: Option<Vec<String>>,
    /// `shared` (default) or `exclusive`.
    ownership: Option<String>,
}

/// What the WireGuard quick start recommends behind NAT.
const fn usual_keepalive() -> u16 {
    25
}

/// An added location.
#[derive(Serialize, ToSchema)]
pub(super) struct CreateLocationAnswer {
    #[serde(flatten)]
    location: LocationDto,
    /// The gateway's private key, when it was made here. Shown here only.
    #[serde(skip_serializing_if = "Option::is_none")]
    private_key: Option<String>,
}

/// All locations by name.
#[utoipa::path(get, path = "/locations", operation_id = "list_locations", tag = "locations", responses((status = 200, body = List<LocationDto>)))]
pub(super) async fn list(State(state): State<EnrollmentState>, By(by): By) -> Answer<Answered<List<LocationDto>>> {
    let locations = state.service().administrator().locations(&by).await?;
    Ok(Answered(List::whole(locations, LocationDto::from)))
}

/// Adds a location.
#[utoipa::path(post, path = "/locations", operation_id = "create_location", tag = "locations", responses((status = 201, body = CreateLocationAnswer)))]
pub(super) async fn create(
    State(state): State<EnrollmentState>,
    By(by): By,
    Json(request): Json<CreateLocationRequest>,
) -> Answer<(StatusCode, Answered<CreateLocationAnswer>)> {
    let new = request.read()?;
    let CreatedLocation { location, private_key } = state.service().administrator().create_location(&by, new).await?;
    let private_key = private_key.map(|key| key.expose_base64().to_string());
    Ok((StatusCode::CREATED, Answered(CreateLocationAnswer { location: location.into(), private_key })))
}

/// A location.
#[utoipa::path(get, path = "/locations/{id}", operation_id = "get_location", tag = "locations", params(("id" = Uuid, Path)), responses((status = 200, body = LocationDto)))]
pub(super) async fn get(
    State(state): State<EnrollmentState>,
    By(by): By,
    PathId(id): PathId<LocationId>,
) -> Answer<Answered<LocationDto>> {
    Ok(Answered(state.service().administrator().location(&by, id).await?.into()))
}

impl CreateLocationRequest {
    fn read(self) -> Result<NewLocation, Problem> {
        let Self {
            name,
            endpoint,
            public_key,
            pools,
            allowed_ips,
            dns,
            keepalive,
            mtu,
            mfa,
            factors,
            groups,
            ownership,
        } = self;
        Ok(NewLocation {
            name: field("name", &name)?,
            endpoint: field("endpoint", &endpoint)?,
            public_key: optional("public_key", public_key.as_deref())?,
            pools: each("pools", &pools)?,
            allowed_ips: each("allowed_ips", &allowed_ips)?,
            dns: each("dns", &dns)?,
            keepalive,
            mtu,
            mfa: MFA_MODES.read_optional("mfa", mfa.as_deref())?.unwrap_or_default(),
            factors: factors.as_deref().map(read_factors).transpose()?,
            access: read_access(groups.as_deref())?,
            ownership: OWNERSHIPS.read_optional("ownership", ownership.as_deref())?.unwrap_or_default(),
        })
    }
}

pub(super) fn read_factors(factors: &[String]) -> Result<BTreeSet<FactorKind>, Problem> {
    factors.iter().map(|factor| FACTORS.read("factors", factor)).collect()
}

pub(super) fn read_access(groups: Option<&[String]>) -> Result<Access, Problem> {
    Ok(match groups {
        None => Access::Everyone,
        Some(groups) => Access::Groups(each("groups", groups)?),
    })
}

impl From<LocationView> for LocationDto {
    fn from(location: LocationView) -> Self {
        let LocationView {
            id,
            number,
            name,
            endpoint,
            public_key,
            has_private_key,
            pools,
            allowed_ips,
            dns,
            keepalive,
            mtu,
            mfa,
            factors,
            access,
            ownership,
            created,
        } = location;
        Self {
            id: id.uuid(),
            number: number.get(),
            name: name.into(),
            endpoint: endpoint.into(),
            public_key: public_key.to_string(),
            has_private_key,
            pools: pools.iter().map(ToString::to_string).collect(),
            allowed_ips: allowed_ips.iter().map(ToString::to_string).collect(),
            dns: dns.into_iter().map(Into::into).collect(),
            keepalive,
            mtu,
            mfa: MFA_MODES.word(mfa),
            factors: factors.into_iter().map(FactorKind::as_str).collect(),
            groups: match access {
                Access::Everyone => None,
                Access::Groups(groups) => Some(groups.into_iter().map(Into::into).collect()),
            },
            ownership: OWNERSHIPS.word(ownership),
            created: created.to_string(),
        }
    }
}
