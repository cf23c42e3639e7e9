//! Staging devices: a key, an attachment per location, an address per pool.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::circumstances::World;
use super::turn::Draft;
use super::{Failure, Service};
use crate::domain::address::{Assignment, Pool, Standing, sortable};
use crate::domain::attachment::{Attachment, PeerState};
use crate::domain::device::{Device, PublicKey};
use crate::domain::location::Location;
use crate::domain::rejection::Rejection;
use crate::domain::text::DeviceName;
use crate::id::{AttachmentId, DeviceId, EnrollmentId, LocationId, Number};
use crate::port::Scan;
use crate::record::{IndexName, KeyValue, Stored, new_row};
use crate::secret::Digest;
use crate::time::Timestamp;

/// Of how many free addresses one is claimed at random. Everybody picking the lowest would meet there again and again.
const CHOICES: usize = 16;
/// Rows read at once when looking for a free address: few where there is room, as nearly everywhere, and more for each
/// further look into a crowded stretch.
const FIRST_WINDOW: u32 = 16;
const WINDOW: u32 = 256;

/// A device that a draft makes, with its attachments.
#[derive(Debug)]
pub(crate) struct NewDevice {
    pub(crate) device: Device,
    pub(crate) attachments: Vec<Attachment>,
}

/// How a new device comes in.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) name: DeviceName,
    pub(crate) public_key: PublicKey,
    pub(crate) enrollment: EnrollmentId,
    /// The digest of its polling token, if it gets one.
    pub(crate) polling: Option<Digest>,
    /// A peer at once, because its enrollment completes in the same change.
    pub(crate) at_once: bool,
    /// Attachments that go in the same change: their addresses are free for this one.
    pub(crate) in_place_of: Vec<AttachmentId>,
}

/// Where a free address is looked for.
struct Search<'a> {
    now: Timestamp,
    location: LocationId,
    pool: Pool,
    in_place_of: &'a [AttachmentId],
}

/// A free address, with its row if it has one.
type Found = (IpAddr, Option<Stored<Assignment>>);

impl Service {
    /// Adds a device of the world's user to a draft, with addresses at every location that admits them.
    pub(crate) async fn add_device(
        &self,
        draft: &mut Draft,
        world: &World,
        entry: Entry,
    ) -> Result<NewDevice, Failure> {
        let user = &world.user.record;
        let device = Device {
            id: DeviceId::new(draft.now, self.entropy()),
            number: Number::new(self.entropy()),
            owner: user.id.into(),
            name: entry.name,
            public_key: entry.public_key,
            enrollment: Some(entry.enrollment),
            staged: !entry.at_once,
            created: draft.now,
            polling: entry.polling,
            mobile_key: None,
        };
        draft.ops.push(new_row(&device));
        let state = if entry.at_once { PeerState::Intended } else { PeerState::Staged };
        let mut attachments = Vec::new();
        for location in world.locations.iter().filter(|location| location.admits(user)) {
            let attachment = self.attach(draft, &device, location, state, &entry.in_place_of).await?;
            if entry.at_once {
                self.tell_worker(draft, &attachment)?;
            }
            attachments.push(attachment);
        }
        Ok(NewDevice { device, attachments })
    }

    /// Adds an attachment of `device` to `location` to a draft, with one free address per pool; those of the attachments
    /// `in_place_of` count as free.
    pub(crate) async fn attach(
        &self,
        draft: &mut Draft,
        device: &Device,
        location: &Location,
        state: PeerState,
        in_place_of: &[AttachmentId],
    ) -> Result<Attachment, Failure> {
        let id = AttachmentId::new(draft.now, self.entropy());
        let addresses = self.claim_addresses(draft, location, id, in_place_of).await?;
        let attachment = Attachment {
            id,
            device: device.id,
            location: location.id,
            public_key: device.public_key,
            addresses,
            state,
            generation: 1,
            failure: None,
        };
        draft.ops.push(new_row(&attachment));
        Ok(attachment)
    }

    /// Adds to a draft that an attachment, which need not be yet, holds one free address per pool of `location`; those of
    /// the attachments `in_place_of` count as free.
    pub(crate) async fn claim_addresses(
        &self,
        draft: &mut Draft,
        location: &Location,
        id: AttachmentId,
        in_place_of: &[AttachmentId],
    ) -> Result<Vec<IpAddr>, Failure> {
        let mut addresses = Vec::new();
        for pool in &location.pools {
            let search = Search { now: draft.now, location: location.id, pool: *pool, in_place_of };
            let Some((address, known)) = self.free_address(&search).await? else {
                return Err(Rejection::AddressesExhausted { location: location.name.to_string() }.into());
            };
            let claim = Assignment {
                location: location.id,
                pool: *pool,
                address,
                standing: Standing::Held(id),
                last_key: known.as_ref().and_then(|known| known.record.last_key),
            };
            draft.ops.push(match known {
                // Two who claim the same address meet in the same row: one of them reads again.
                None => new_row(&claim),
                Some(known) => known.put(&claim),
            });
            addresses.push(address);
        }
        Ok(addresses)
    }

    /// A free address of a pool, with its row if it has one: looked for cyclically from a random start, and one of the
    /// first [`CHOICES`] taken at random.
    async fn free_address(&self, search: &Search<'_>) -> Result<Option<Found>, Failure> {
        let start = search.pool.start(self.random());
        let mut free = self.gaps(search, start, None).await?;
        if free.is_empty() {
            free = self.gaps(search, search.pool.lowest(), Some(start)).await?;
        }
        if free.is_empty() {
            return Ok(None);
        }
        let nth = usize::from_le_bytes(self.random()) % free.len();
        Ok(Some(free.swap_remove(nth)))
    }

    async fn gaps(&self, search: &Search<'_>, from: IpAddr, until: Option<IpAddr>) -> Result<Vec<Found>, Failure> {
        let Search { now, location, pool, in_place_of } = *search;
        let mut scan = Scan::all(IndexName::AddressesByPool, Assignment::pool_part(location, pool), FIRST_WINDOW);
        scan.from = Some(KeyValue::Text(sortable(from)));
        scan.to = until.map(|address| KeyValue::Text(sortable(address)));
        let mut from = from;
        loop {
            let page = self.store().scan(&scan).await?;
            let mut taken = Vec::new();
            let mut vacant = BTreeMap::new();
            let mut last = None;
            for row in &page.rows {
                let assignment = Stored::<Assignment>::read(row)?;
                let address = assignment.record.address;
                last = Some(address);
                let given_up = matches!(assignment.record.standing, Standing::Held(by) if in_place_of.contains(&by));
                if given_up || assignment.record.is_free(now) {
                    vacant.insert(address, assignment);
                } else {
                    taken.push(address);
                }
            }
            // The last row of a page belongs to this page: the next one begins behind it.
            let behind = last.map(|last| pool.behind(last));
            let end = if page.next.is_some() { behind } else { until };
            let found = pool.gaps(from, end, &taken, CHOICES);
            if !found.is_empty() {
                return Ok(found
                    .into_iter()
                    .map(|address| {
                        let known = vacant.remove(&address);
                        (address, known)
                    })
                    .collect());
            }
            match (page.next, behind) {
                (Some(next), Some(behind)) => {
                    scan.after = Some(next);
                    scan.limit = (scan.limit * 4).min(WINDOW);
                    from = behind;
                }
                _ => return Ok(Vec::new()),
            }
        }
    }
}
