//! How far the peers of a location are, and what else its gateway has.

use std::net::IpAddr;

use super::{Administrator, PeerStatus};
use crate::domain::attachment::Attachment;
use crate::domain::location::Location;
use crate::domain::rejection::Rejection;
use crate::domain::role::Permission;
use crate::domain::upkeep::{Backfill, Watch};
use crate::id::{AttachmentId, DeviceId, LocationId};
use crate::port::Scan;
use crate::record::{IndexName, Kind, RowKey, Stored};
use crate::service::{Answer, Failure, Principal, operation};

/// The peers of a location (DEV-4, DEV-5, DEV-7).
#[derive(Debug, Clone, Default)]
pub struct LocationPeers {
    /// How many there are of each status.
    pub counts: PeerCounts,
    /// Those that failed, at most [`LocationPeers::MOST_FAILING`]; they are tried again.
    pub failing: Vec<FailingPeer>,
    /// What was found at the gateway; `None` before the first look.
    pub watch: Option<Watch>,
    /// How devices that existed before get their addresses; `None` where there was never anything to give.
    pub backfill: Option<Backfill>,
}

/// How many peers there are of each [`PeerStatus`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PeerCounts {
    /// In force, as intended.
    pub applied: u64,
    /// The gateway is to be told.
    pub pending: u64,
    /// Telling the gateway failed, and is tried again.
    pub failed: u64,
    /// Wait for their enrollment.
    pub staged: u64,
    /// Taken out of force, as intended.
    pub removed: u64,
}

/// A peer of which the gateway could not be told.
#[derive(Debug, Clone)]
pub struct FailingPeer {
    /// Which one.
    pub attachment: AttachmentId,
    /// Whose.
    pub device: DeviceId,
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
    /// Why, for people.
    pub failure: String,
}

impl LocationPeers {
    /// Failing peers listed one by one.
    pub const MOST_FAILING: usize = 50;

    /// How many peers the gateway has in force that nobody intends, those included that are not listed.
    #[must_use]
    pub fn unknown(&self) -> u64 {
        self.watch.as_ref().map_or(0, |watch| watch.strays.len() as u64 + watch.more)
    }

    fn count(&mut self, attachment: Attachment) {
        let counts = &mut self.counts;
        match PeerStatus::of(&attachment) {
            PeerStatus::Applied => counts.applied += 1,
            PeerStatus::Pending => counts.pending += 1,
            PeerStatus::Staged => counts.staged += 1,
            PeerStatus::Removed => counts.removed += 1,
            PeerStatus::Failed => {
                counts.failed += 1;
                if self.failing.len() < Self::MOST_FAILING {
                    let Attachment { id, device, addresses, failure, .. } = attachment;
                    let failure = failure.unwrap_or_default();
                    self.failing.push(FailingPeer { attachment: id, device, addresses, failure });
                }
            }
        }
    }
}

impl Administrator<'_> {
    /// How far the peers of a location are, what else was found at its gateway, and how far its backfill is. Reads every
    /// peer, page by page.
    ///
    /// # Errors
    /// [`Rejection::NotFound`], [`Rejection::Forbidden`].
    pub fn location_peers<'a>(&'a self, by: &'a Principal, id: LocationId) -> Answer<'a, LocationPeers> {
        operation("administrator.location_peers", async move {
            let about = RowKey::new(Kind::Location, id.uuid());
            self.audited(by, "location_peers", about, self.try_location_peers(by, id)).await
        })
    }

    async fn try_location_peers(&self, by: &Principal, id: LocationId) -> Result<LocationPeers, Failure> {
        by.demand(Permission::ReadLocations)?;
        if self.service.read::<Location>(id.uuid()).await?.is_none() {
            return Err(Rejection::NotFound { what: "location" }.into());
        }
        let rows = self.service.store().get(&[Watch::key(id), Backfill::key(id)]).await?;
        let [watch, backfill] = rows.as_slice() else {
            return Err(Failure::Broken("the store gave another number of rows than asked for".into()));
        };
        let watch = watch.as_ref().map(Stored::<Watch>::read).transpose()?;
        let backfill = backfill.as_ref().map(Stored::<Backfill>::read).transpose()?;
        let mut peers = LocationPeers {
            watch: watch.map(|stored| stored.record),
            backfill: backfill.map(|stored| stored.record),
            ..LocationPeers::default()
        };
        let mut scan = Scan::all(IndexName::AttachmentsByLocation, id.to_string(), 1_000);
        loop {
            let page = self.service.store().scan(&scan).await?;
            for row in &page.rows {
                peers.count(Stored::<Attachment>::read(row)?.record);
            }
            match page.next {
                Some(next) => scan.after = Some(next),
                None => return Ok(peers),
            }
        }
    }
}
