//! Changing a location.

use axum::Json as Answered;
use axum::extract::State;
use enrollment_core::id::LocationId;
use enrollment_core::service::administrator::LocationPatch;
use serde::Deserialize;
use serde::de::IgnoredAny;
use utoipa::ToSchema;

use super::auth::By;
use super::locations::{LocationDto, read_access, read_factors};
use super::patch::{demand_absent, given};
use crate::extract::{Json, PathId, each, optional};
use crate::problem::{Answer, Problem};
use crate::state::EnrollmentState;
use crate::words::{MFA_MODES, OWNERSHIPS};

/// Changes to a location: absent members stay as they are. Pools and the gateway's key never change; whoever needs
/// others adds a location.
#[derive(Deserialize, ToSchema)]
pub(super) struct ChangeLocationRequest {
    /// Its name.
    name: Option<String>,
    /// Where clients connect to.
    endpoint: Option<String>,
    /// What clients route into the tunnel.
    allowed_ips: Option<Vec<String>>,
    /// DNS servers and search domains.
    dns: Option<Vec<String>>,
    /// Seconds between keepalive packets; 0: none.
    keepalive: Option<u16>,
    /// Bytes; `null`: the client's choice.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<u16>)]
    mtu: Option<Option<u16>>,
    /// `disabled`, `internal` or `external`.
    mfa: Option<String>,
    /// Which factors it accepts when `mfa` is internal.
    factors: Option<Vec<String>>,
    /// Who reaches it: members of these groups; `null`: everyone.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Vec<String>>)]
    groups: Option<Option<Vec<String>>>,
    /// `shared` or `exclusive`.
    ownership: Option<String>,
    #[schema(ignore)]
    pools: Option<IgnoredAny>,
    #[schema(ignore)]
    public_key: Option<IgnoredAny>,
}

/// Changes a location.
#[utoipa::path(patch, path = "/locations/{id}", operation_id = "change_location", tag = "locations", params(("id" = Uuid, Path)), responses((status = 200, body = LocationDto)))]
pub(super) async fn change(
    State(state): State<EnrollmentState>,
    By(by): By,
    PathId(id): PathId<LocationId>,
    Json(request): Json<ChangeLocationRequest>,
) -> Answer<Answered<LocationDto>> {
    let patch = request.read()?;
    Ok(Answered(state.service().administrator().change_location(&by, id, patch).await?.into()))
}

impl ChangeLocationRequest {
    fn read(self) -> Result<LocationPatch, Problem> {
        let Self {
            name,
            endpoint,
            allowed_ips,
            dns,
            keepalive,
            mtu,
            mfa,
            factors,
            groups,
            ownership,
            pools,
            public_key,
        } = self;
        demand_absent("pools", pools)?;
        demand_absent("public_key", public_key)?;
        Ok(LocationPatch {
            name: optional("name", name.as_deref())?,
            endpoint: optional("endpoint", endpoint.as_deref())?,
            allowed_ips: allowed_ips.map(|networks| each("allowed_ips", &networks)).transpose()?,
            dns: dns.map(|entries| each("dns", &entries)).transpose()?,
            keepalive,
            mtu,
            mfa: MFA_MODES.read_optional("mfa", mfa.as_deref())?,
            factors: factors.as_deref().map(read_factors).transpose()?,
            access: groups.map(|groups| read_access(groups.as_deref())).transpose()?,
            ownership: OWNERSHIPS.read_optional("ownership", ownership.as_deref())?,
        })
    }
}
