//! Giving addresses to devices at locations that their owners came to reach.

use crate::domain::attachment::PeerState;
use crate::domain::device::Device;
use crate::domain::event::Event;
use crate::domain::location::Location;
use crate::domain::rejection::Rejection;
use crate::domain::upkeep::{Backfill, Behind, Left, Wait};
use crate::domain::user::User;
use crate::id::UserId;
use crate::port::Scan;
use crate::record::{IndexName, Kind, Record, RowKey, Stored, Version};
use crate::service::turn::{Draft, TURNS, Written};
use crate::service::{Answer, Failure, Service, round};
use crate::time::Span;
use crate::worker::SYSTEM;

/// Gives existing devices their addresses at a location that was added, or that their owners came to reach (DEV-7), and
/// has their peers put in force.
///
/// What is left stands in a row per location; each device is one change, with that row's next version. So it is killed
/// and resumed at any instant, and of two workers on one location one goes on and the other finds its change stale.
#[derive(Debug, Clone)]
pub struct Backfiller {
    service: Service,
}

/// Users looked at in one run, per location.
const BATCH: u32 = 100;
/// How long a location without a free address is left alone. Each try looks through its pools.
const UNTIL_THERE_IS_ROOM: Span = Span::minutes(5);

/// Whose devices are looked at next.
struct Batch {
    users: Vec<UserId>,
    unreadable: u64,
    /// What is left after them.
    left: Left,
}

/// What came of one user's devices.
enum Came {
    /// They have what they lacked.
    Done,
    /// There is no address for them.
    NoRoom(Rejection),
    /// Others were faster, again and again or on this very backfill: another worker is on it, or more was queued.
    Overtaken,
}

impl Backfiller {
    /// A worker for all locations.
    #[must_use]
    pub const fn new(service: Service) -> Self {
        Self { service }
    }

    /// Works on one batch of users at each location where something is left, and says how many changes it made. Call
    /// again until it says 0.
    ///
    /// A location whose pool is exhausted waits, with the reason where administrators see it, and leaves nothing behind;
    /// the others go on, and so does that one when there is room. A record that cannot be read is left out and counted.
    ///
    /// # Errors
    /// When the store cannot be asked.
    pub fn run_once(&self) -> Answer<'_, usize> {
        round("backfiller", self.try_run_once())
    }

    async fn try_run_once(&self) -> Result<usize, Failure> {
        let mut changes = 0;
        for location in self.service.all::<Location>(IndexName::LocationsByName, "").await? {
            match self.fill(&location.record).await {
                Ok(made) => changes += made,
                Err(Failure::Broken(error)) => {
                    tracing::error!(%error, location = %location.record.id, "a backfill cannot go on and is tried again");
                }
                Err(failure) => return Err(failure),
            }
        }
        Ok(changes)
    }

    async fn fill(&self, location: &Location) -> Result<usize, Failure> {
        let Some(mut backfill) = self.service.read::<Backfill>(Backfill::key(location.id).id).await? else {
            return Ok(0);
        };
        if !backfill.record.is_due(self.service.now()) {
            return Ok(0);
        }
        let start = backfill.version;
        let Batch { users, mut unreadable, left } = self.batch(location, &backfill.record).await?;
        let looked = users.len() as u64;
        let made = |backfill: &Stored<Backfill>| usize::try_from(backfill.version.0 - start.0).unwrap_or(usize::MAX);
        for user in users {
            match self.give(location, &mut backfill, user).await {
                Ok(Came::Done) => {}
                Ok(Came::NoRoom(why)) => {
                    tracing::warn!(location = %location.id, %why, "a backfill waits for room");
                    self.wait(&mut backfill, &why).await?;
                    return Ok(made(&backfill));
                }
                Ok(Came::Overtaken) => return Ok(made(&backfill)),
                // What cannot be read holds up nothing else.
                Err(Failure::Broken(error)) => {
                    tracing::error!(%error, %user, "a user's devices are left out of a backfill");
                    unreadable += 1;
                }
                Err(failure) => return Err(failure),
            }
        }
        let now = self.service.now();
        let record = &backfill.record;
        let next = Backfill {
            ended: (left == Left::default()).then_some(now),
            left,
            users: record.users + looked,
            unreadable: record.unreadable + unreadable,
            waits: None,
            ..record.clone()
        };
        self.advance(Draft::new(now), &mut backfill, next).await?;
        Ok(made(&backfill))
    }

    /// Who is looked at next: those who were named, then everybody in order of their names. Of everybody, whom the
    /// location does not admit is passed over: should that change meanwhile, that change queues them.
    async fn batch(&self, location: &Location, backfill: &Backfill) -> Result<Batch, Failure> {
        let left = &backfill.left;
        let Some(behind) = left.everyone.as_ref().filter(|_| left.users.is_empty()) else {
            let mut users: Vec<UserId> = left.users.iter().copied().collect();
            let rest = users.split_off(users.len().min(BATCH as usize));
            let left = Left { users: rest.into_iter().collect(), everyone: left.everyone.clone() };
            return Ok(Batch { users, unreadable: 0, left });
        };
        let mut scan = Scan::all(IndexName::UsersByUsername, "", BATCH);
        scan.after.clone_from(&behind.user);
        let page = self.service.store().scan(&scan).await?;
        let (mut users, mut unreadable) = (Vec::new(), 0);
        for row in &page.rows {
            match Stored::<User>::read(row) {
                Ok(user) if user.record.is_active() && location.admits(&user.record) => users.push(user.record.id),
                Ok(_) => {}
                Err(error) => {
                    tracing::error!(%error, "a user is left out of a backfill");
                    unreadable += 1;
                }
            }
        }
        let everyone = page.next.map(|next| Behind { user: Some(next) });
        Ok(Batch { users, unreadable, left: Left { everyone, ..Left::default() } })
    }

    /// Gives one user's devices what they lack, one change each.
    async fn give(&self, location: &Location, backfill: &mut Stored<Backfill>, user: UserId) -> Result<Came, Failure> {
        'turns: for _ in 0..TURNS {
            let Some(world) = self.service.world_of(user, None, &[]).await? else { return Ok(Came::Done) };
            let Some(location) = world.locations.iter().find(|other| other.id == location.id) else {
                return Ok(Came::Done);
            };
            if !world.user.record.is_active() || !location.admits(&world.user.record) {
                return Ok(Came::Done);
            }
            for device in self.service.all::<Device>(IndexName::DevicesByOwner, user.to_string()).await? {
                let mut draft = Draft::new(self.service.now());
                draft.ops.extend(world.holds());
                draft.ops.extend([world.user.check(), device.check()]);
                match self.attach(&mut draft, &device.record, location).await {
                    Ok(true) => {}
                    Ok(false) => continue,
                    Err(Failure::Rejected(why)) => return Ok(Came::NoRoom(why)),
                    Err(failure) => return Err(failure),
                }
                let next = Backfill { devices: backfill.record.devices + 1, ..backfill.record.clone() };
                if self.advance(draft, backfill, next).await? {
                    continue;
                }
                let now = self.service.store().get(&[backfill.key()]).await?.pop().flatten();
                if now.map(|row| row.version) != Some(backfill.version) {
                    return Ok(Came::Overtaken);
                }
                continue 'turns;
            }
            return Ok(Came::Done);
        }
        Ok(Came::Overtaken)
    }

    /// Adds to a draft that a device is at a location; says whether it was not. A staged one becomes a peer by its
    /// enrollment alone, and then wherever its owner is admitted.
    async fn attach(&self, draft: &mut Draft, device: &Device, location: &Location) -> Result<bool, Failure> {
        if device.staged {
            return Ok(false);
        }
        let attachments = self.service.attachments(device.id).await?;
        let there = attachments.iter().find(|attachment| attachment.record.location == location.id);
        let given = match there {
            None => {
                let given = self.service.attach(draft, device, location, PeerState::Intended, &[]).await?;
                self.service.tell_worker(draft, &given)?;
                given
            }
            Some(there) if matches!(there.record.state, PeerState::Removing | PeerState::Gone) => {
                self.service.intend(draft, there, PeerState::Intended)?
            }
            Some(_) => return Ok(false),
        };
        let subject = RowKey::new(Kind::Attachment, given.row_id());
        self.service.audit(draft, SYSTEM, subject, Version::FIRST, Event::DeviceAttached);
        Ok(true)
    }

    async fn wait(&self, backfill: &mut Stored<Backfill>, why: &Rejection) -> Result<(), Failure> {
        let now = self.service.now();
        let wait = Wait { why: why.to_string(), until: now.plus(UNTIL_THERE_IS_ROOM.duration()) };
        let next = Backfill { waits: Some(wait), ..backfill.record.clone() };
        // Overtaken: more was queued, and finds out by itself.
        let _waits: bool = self.advance(Draft::new(now), backfill, next).await?;
        Ok(())
    }

    /// Writes a draft with the backfill as it is after it; says whether it took effect.
    async fn advance(
        &self,
        mut draft: Draft,
        backfill: &mut Stored<Backfill>,
        next: Backfill,
    ) -> Result<bool, Failure> {
        draft.ops.push(backfill.put(&next));
        if !matches!(self.service.write(draft).await?, Written::Applied) {
            return Ok(false);
        }
        *backfill = Stored { record: next, version: backfill.version.next() };
        Ok(true)
    }
}
