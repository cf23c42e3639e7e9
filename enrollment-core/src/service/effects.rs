//! From what a decision causes to the steps of a change.

use std::net::IpAddr;

use super::circumstances::World;
use super::turn::{Doer, Draft, TURNS, Written};
use super::{Failure, Service};
use crate::domain::address::{Assignment, QUARANTINE, Standing};
use crate::domain::attachment::{Attachment, PeerState};
use crate::domain::command::{Changed, Effect, Outcome};
use crate::domain::device::{Device, PublicKey};
use crate::domain::enrollment::Enrollment;
use crate::domain::rejection::Rejection;
use crate::id::{DeviceId, LocationId};
use crate::port::{Channel, Stream};
use crate::record::{IndexName, Kind, RowKey, Stored, UniqueKey, UniqueName};
use crate::secret::Digest;
use crate::worker::PeerIntent;

/// What was added to a draft.
pub(crate) struct Added {
    /// The enrollment as it becomes.
    pub(crate) next: Enrollment,
    /// What the caller hears once the draft is written.
    pub(crate) outcome: Result<Outcome, Rejection>,
    /// The attachments that come into force.
    pub(crate) promoted: Vec<Attachment>,
}

impl Service {
    /// Adds what was decided of an enrollment to a draft: the enrollment, what that causes, the mails that tell of it
    /// and its audit entry.
    pub(crate) async fn add_changed(
        &self,
        draft: &mut Draft,
        doer: Doer,
        stored: &Stored<Enrollment>,
        world: Option<&World>,
        changed: Changed,
    ) -> Result<Added, Failure> {
        let Changed { next, outcome, effects, event } = changed;
        draft.ops.push(stored.put(&next));
        let promoted = self.add_effects(draft, world, effects).await?;
        self.post_caused(draft, &event, &stored.record, &next).await?;
        self.audit(draft, doer, stored.key(), stored.version, event);
        Ok(Added { next, outcome, promoted })
    }

    /// Adds everything a decision causes to a draft. Returns the attachments that come into force by it.
    async fn add_effects(
        &self,
        draft: &mut Draft,
        world: Option<&World>,
        effects: Vec<Effect>,
    ) -> Result<Vec<Attachment>, Failure> {
        let mut promoted = Vec::new();
        for effect in effects {
            match (effect, world) {
                (Effect::ReleaseDevice(device), _) => self.release(draft, device).await?,
                (Effect::PromoteDevice(device), Some(world)) => promoted = self.promote(draft, world, device).await?,
                (Effect::WriteUser(user), Some(world)) => draft.ops.push(world.user.put(&user)),
                (Effect::HoldUser, Some(world)) => draft.ops.push(world.user.check()),
                (effect, None) => return Err(Failure::Broken(format!("nobody read the world for {effect:?}").into())),
            }
        }
        Ok(promoted)
    }

    /// A staged device goes, with its attachments and addresses. Nobody ever used them, so they need no rest.
    async fn release(&self, draft: &mut Draft, device: DeviceId) -> Result<(), Failure> {
        let Some(device) = self.read::<Device>(device.uuid()).await? else { return Ok(()) };
        for attachment in self.attachments(device.record.id).await? {
            self.detach(draft, &attachment).await?;
        }
        draft.ops.push(device.delete());
        Ok(())
    }

    /// A staged device becomes a peer wherever its owner is admitted, at locations that came since it was staged too.
    async fn promote(&self, draft: &mut Draft, world: &World, device: DeviceId) -> Result<Vec<Attachment>, Failure> {
        let row = world.row(RowKey::new(Kind::Device, device.uuid()));
        let row = row.ok_or_else(|| Failure::Broken("the staged device is gone".into()))?;
        let stored = Stored::<Device>::read(row)?;
        let device = Device { staged: false, ..stored.record.clone() };
        draft.ops.push(stored.put(&device));
        let staged = self.attachments(device.id).await?;
        let mut promoted = Vec::new();
        let admits = |location: &&_| crate::domain::location::Location::admits(location, &world.user.record);
        for location in world.locations.iter().filter(admits) {
            promoted.push(match staged.iter().find(|attachment| attachment.record.location == location.id) {
                Some(attachment) => self.intend(draft, attachment, PeerState::Intended)?,
                None => {
                    let attachment = self.attach(draft, &device, location, PeerState::Intended, &[]).await?;
                    self.tell_worker(draft, &attachment)?;
                    attachment
                }
            });
        }
        for attachment in &staged {
            let open = world.locations.iter().filter(admits).any(|location| location.id == attachment.record.location);
            if !open {
                self.detach(draft, attachment).await?;
            }
        }
        Ok(promoted)
    }

    /// The attachments of a device.
    pub(crate) async fn attachments(&self, device: DeviceId) -> Result<Vec<Stored<Attachment>>, Failure> {
        self.all(IndexName::AttachmentsByDevice, device.to_string()).await
    }

    /// Writes a new intention for an attachment, which is returned, and the hint for the worker that makes it so.
    pub(crate) fn intend(
        &self,
        draft: &mut Draft,
        attachment: &Stored<Attachment>,
        state: PeerState,
    ) -> Result<Attachment, Failure> {
        let next = attachment.record.clone().intend(state);
        draft.ops.push(attachment.put(&next));
        self.tell_worker(draft, &next)?;
        Ok(next)
    }

    pub(crate) fn tell_worker(&self, draft: &mut Draft, attachment: &Attachment) -> Result<(), Failure> {
        let intent = PeerIntent { attachment: attachment.id, location: attachment.location };
        let body = serde_json::to_string(&intent).map_err(|error| Failure::Broken(error.into()))?;
        let stream = Stream { key: attachment.id.to_string(), order: attachment.generation };
        self.enqueue(draft, Channel::Peer, Some(stream), body);
        Ok(())
    }

    /// Whoever has this key and shall have a peer at this location, if anybody.
    pub(crate) async fn intends(&self, at: LocationId, key: &PublicKey) -> Result<Option<Stored<Attachment>>, Failure> {
        let key = UniqueKey::new(UniqueName::PublicKey, key.to_string());
        let Some(device) = self.find::<Device>(&key).await? else { return Ok(None) };
        let there = |attachment: &Attachment| attachment.location == at && attachment.state.intended() == Some(true);
        Ok(self.attachments(device.record.id).await?.into_iter().find(|stored| there(&stored.record)))
    }

    /// Intends the peer with this key once more, if anybody does: after something was done at the gateway that may have
    /// come too late. Says whether anybody does.
    pub(crate) async fn intend_again(&self, at: LocationId, key: &PublicKey) -> Result<bool, Failure> {
        for _ in 0..TURNS {
            let Some(stored) = self.intends(at, key).await? else { return Ok(false) };
            let mut draft = Draft::new(self.now());
            self.intend(&mut draft, &stored, PeerState::Intended)?;
            if let Written::Applied = self.write(draft).await? {
                return Ok(true);
            }
        }
        Err(Failure::Busy)
    }

    async fn detach(&self, draft: &mut Draft, attachment: &Stored<Attachment>) -> Result<(), Failure> {
        let Attachment { location, addresses, .. } = &attachment.record;
        for assignment in self.assignments(*location, addresses).await? {
            // What takes its place may have its address already.
            if !draft.writes(assignment.key()) {
                draft.ops.push(assignment.delete());
            }
        }
        draft.ops.push(attachment.delete());
        Ok(())
    }

    /// The addresses of an attachment that was in force: nobody gets them before they have rested (DEV-2).
    pub(crate) async fn let_addresses_rest(&self, draft: &mut Draft, attachment: &Attachment) -> Result<(), Failure> {
        for assignment in self.assignments(attachment.location, &attachment.addresses).await? {
            let standing = Standing::RestingUntil(draft.now.plus(QUARANTINE));
            let last_key = Some(Digest::of(attachment.public_key.as_bytes()));
            draft.ops.push(assignment.put(&Assignment { standing, last_key, ..assignment.record.clone() }));
        }
        Ok(())
    }

    /// The rows of addresses at a location.
    pub(crate) async fn assignments(
        &self,
        location: LocationId,
        addresses: &[IpAddr],
    ) -> Result<Vec<Stored<Assignment>>, Failure> {
        let row_id = |address: &_| Assignment::row_id(location, *address);
        let keys: Vec<RowKey> = addresses.iter().map(|address| RowKey::new(Kind::Address, row_id(address))).collect();
        let rows = self.store().get(&keys).await?;
        Ok(rows.iter().flatten().map(Stored::read).collect::<Result<_, _>>()?)
    }
}
