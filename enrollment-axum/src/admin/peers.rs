//! The peers of a location.

use axum::Json as Answered;
use axum::extract::State;
use enrollment_core::domain::upkeep::{Backfill, Stray, Watch};
use enrollment_core::id::LocationId;
use enrollment_core::service::administrator::{FailingPeer, LocationPeers, PeerCounts};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::auth::By;
use crate::extract::PathId;
use crate::problem::Answer;
use crate::state::EnrollmentState;

/// How far the peers of a location are, and what else its gateway has.
#[derive(Serialize, ToSchema)]
pub(super) struct LocationPeersDto {
    /// Peers in force, as intended.
    applied: u64,
    /// Peers of which the gateway is to be told.
    pending: u64,
    /// Peers of which the gateway could not be told; they are tried again.
    failed: u64,
    /// Peers that wait for their enrollment.
    staged: u64,
    /// Peers taken out of force, as intended.
    removed: u64,
    /// Those that failed, at most 50.
    failing: Vec<FailingPeerDto>,
    /// When the gateway was last compared with what is intended (RFC 3339, UTC); `null`: not yet.
    #[schema(format = DateTime)]
    looked: Option<String>,
    /// Why it could not be compared.
    trouble: Option<String>,
    /// How many peers the gateway has in force that nobody intends.
    unknown: u64,
    /// These peers, at most 500.
    strays: Vec<StrayDto>,
    /// How devices that existed before get their addresses here; `null`: there was never anything to give.
    backfill: Option<BackfillDto>,
}

/// A peer of which the gateway could not be told.
#[derive(Serialize, ToSchema)]
struct FailingPeerDto {
    /// Which one.
    id: Uuid,
    /// Whose.
    device: Uuid,
    /// Its addresses.
    addresses: Vec<String>,
    /// Why.
    failure: String,
}

/// A peer in force that nobody intends.
#[derive(Serialize, ToSchema)]
struct StrayDto {
    /// Its key.
    public_key: String,
    /// Its addresses, at most 16.
    addresses: Vec<String>,
    /// `true`: it was one of ours and is taken out. `false`: somebody else's, and the location's `ownership` says what
    /// becomes of it.
    ours: bool,
    /// When it was first seen (RFC 3339, UTC).
    #[schema(format = DateTime)]
    since: String,
    /// Why it could not be taken out.
    failure: Option<String>,
}

/// How far a backfill is.
#[derive(Serialize, ToSchema)]
struct BackfillDto {
    /// `running`, `waiting` or `done`.
    state: &'static str,
    /// When it was queued (RFC 3339, UTC).
    #[schema(format = DateTime)]
    queued: String,
    /// When nothing was left (RFC 3339, UTC).
    #[schema(format = DateTime)]
    ended: Option<String>,
    /// Users looked at so far.
    users: u64,
    /// Devices that got their addresses so far.
    devices: u64,
    /// Users whose records cannot be read; they were left out.
    unreadable: u64,
    /// Why it waits.
    why: Option<String>,
    /// When it goes on (RFC 3339, UTC).
    #[schema(format = DateTime)]
    next_try: Option<String>,
}

/// How far the peers of a location are, what else its gateway has, and how far its backfill is.
#[utoipa::path(get, path = "/locations/{id}/peers", operation_id = "get_location_peers", tag = "locations", params(("id" = Uuid, Path)), responses((status = 200, body = LocationPeersDto)))]
pub(super) async fn of_location(
    State(state): State<EnrollmentState>,
    By(by): By,
    PathId(id): PathId<LocationId>,
) -> Answer<Answered<LocationPeersDto>> {
    Ok(Answered(state.service().administrator().location_peers(&by, id).await?.into()))
}

impl From<LocationPeers> for LocationPeersDto {
    fn from(peers: LocationPeers) -> Self {
        let unknown = peers.unknown();
        let LocationPeers { counts, failing, watch, backfill } = peers;
        let PeerCounts { applied, pending, failed, staged, removed } = counts;
        let (looked, trouble, strays) = match watch {
            Some(Watch { looked, trouble, strays, .. }) => (Some(looked.to_string()), trouble, strays),
            None => (None, None, Vec::new()),
        };
        Self {
            applied,
            pending,
            failed,
            staged,
            removed,
            failing: failing.into_iter().map(FailingPeerDto::from).collect(),
            looked,
            trouble,
            unknown,
            strays: strays.into_iter().map(StrayDto::from).collect(),
            backfill: backfill.map(BackfillDto::from),
        }
    }
}

impl From<FailingPeer> for FailingPeerDto {
    fn from(peer: FailingPeer) -> Self {
        let FailingPeer { attachment, device, addresses, failure } = peer;
        let addresses = addresses.iter().map(ToString::to_string).collect();
        Self { id: attachment.uuid(), device: device.uuid(), addresses, failure }
    }
}

impl From<Stray> for StrayDto {
    fn from(stray: Stray) -> Self {
        let Stray { public_key, addresses, ours, since, failure } = stray;
        let addresses = addresses.iter().map(ToString::to_string).collect();
        Self { public_key: public_key.to_string(), addresses, ours, since: since.to_string(), failure }
    }
}

impl From<Backfill> for BackfillDto {
    fn from(backfill: Backfill) -> Self {
        let state = backfill.state().as_str();
        let Backfill { queued, ended, users, devices, unreadable, waits, .. } = backfill;
        let (why, until) = waits.map(|wait| (wait.why, wait.until)).unzip();
        Self {
            state,
            queued: queued.to_string(),
            ended: ended.map(|at| at.to_string()),
            users,
            devices,
            unreadable,
            why,
            next_try: until.map(|at| at.to_string()),
        }
    }
}
