//! Who reaches a location, and what follows from that for its peers.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::Administrator;
use crate::domain::attachment::{Attachment, PeerState};
use crate::domain::device::Device;
use crate::domain::location::Location;
use crate::domain::owner::Owner;
use crate::domain::rejection::Rejection;
use crate::domain::user::User;
use crate::id::{LocationId, UserId};
use crate::port::{StoreError, StoreErrorKind};
use crate::record::{IndexName, Record, RowKey, Stored};
use crate::service::Failure;
use crate::service::turn::{Draft, TURNS, Written};

/// Peers that move in one change: enough for most networks, few enough for one transaction.
const MOST_MOVES: usize = 500;
/// Rows read at once.
const WINDOW: usize = 1_000;

/// A peer that shall be in force from now on, or no longer.
struct Move {
    attachment: Stored<Attachment>,
    owner: Option<Stored<User>>,
    to: PeerState,
}

impl Administrator<'_> {
    /// Adds to a draft that every peer of a location is in force exactly where `location` admits its owner.
    ///
    /// What completes or changes between this and the commit is left to [`Self::align_rest`].
    pub(super) async fn align_location(&self, draft: &mut Draft, location: &Location) -> Result<(), Failure> {
        let moves = self.moves(location).await?;
        if moves.len() > MOST_MOVES {
            let reason = format!(
                "this moves {} peers, and at most {MOST_MOVES} move at once; change it in steps, or the groups of \
                 users instead",
                moves.len()
            );
            return Err(Rejection::InvalidField { field: "groups", reason }.into());
        }
        self.add_moves(draft, &moves)
    }

    /// Moves the peers that came while the location changed: a device that completed against it as it was, a user whose
    /// groups changed. None comes after the change, since whoever makes one holds the guard of all locations.
    pub(super) async fn align_rest(&self, id: LocationId) -> Result<(), Failure> {
        for _ in 0..TURNS {
            let Some(location) = self.service.read::<Location>(id.uuid()).await? else { return Ok(()) };
            let mut moves = self.moves(&location.record).await?;
            if moves.is_empty() {
                return Ok(());
            }
            moves.truncate(MOST_MOVES);
            let mut draft = Draft::new(self.service.now());
            draft.ops.push(location.check());
            self.add_moves(&mut draft, &moves)?;
            // Applied or stale: look again.
            let _: Written = self.service.write(draft).await?;
        }
        // The location itself has changed, so this is not "nothing happened". The same request again goes on here.
        let why = "the peers of the location changed again and again";
        Err(Failure::OutcomeUnknown(StoreError::new(StoreErrorKind::Unknown, why)))
    }

    fn add_moves(&self, draft: &mut Draft, moves: &[Move]) -> Result<(), Failure> {
        let mut owners = BTreeMap::new();
        for Move { attachment, owner, to } in moves {
            self.service.intend(draft, attachment, *to)?;
            owners.extend(owner.as_ref().map(|owner| (owner.record.id, owner.check())));
        }
        draft.ops.extend(owners.into_values());
        Ok(())
    }

    /// The peers that are in force and shall not be, or the other way round. Staged devices become peers by their
    /// enrollment alone, and what is left of removed devices only goes.
    async fn moves(&self, location: &Location) -> Result<Vec<Move>, Failure> {
        let attachments = self.service.all::<Attachment>(IndexName::AttachmentsByLocation, location.id.to_string());
        let attachments = attachments.await?;
        let devices = self.by_id::<Device>(attachments.iter().map(|stored| stored.record.device.uuid())).await?;
        let owners = devices.values().filter_map(|stored| stored.record.owner.user());
        let users = self.by_id::<User>(owners.map(UserId::uuid)).await?;
        let mut moves = Vec::new();
        for attachment in attachments {
            let Some(device) = devices.get(&attachment.record.device.uuid()) else { continue };
            let owner = users.get(&device.record.owner.uuid()).cloned();
            let admitted = match device.record.owner {
                Owner::User(_) => {
                    owner.as_ref().is_some_and(|owner| owner.record.is_active() && location.admits(&owner.record))
                }
                // Its one location is its own until it is removed; groups are of people.
                Owner::Machine { .. } => true,
            };
            let to = match (attachment.record.state, admitted) {
                (PeerState::Intended | PeerState::Applied, false) => PeerState::Removing,
                (PeerState::Removing | PeerState::Gone, true) => PeerState::Intended,
                _ => continue,
            };
            moves.push(Move { attachment, owner, to });
        }
        Ok(moves)
    }

    async fn by_id<R: Record>(&self, ids: impl Iterator<Item = Uuid>) -> Result<BTreeMap<Uuid, Stored<R>>, Failure> {
        let mut keys: Vec<RowKey> = ids.map(|id| RowKey::new(R::KIND, id)).collect();
        keys.sort();
        keys.dedup();
        let mut found = BTreeMap::new();
        for window in keys.chunks(WINDOW) {
            for row in self.service.store().get(window).await?.iter().flatten() {
                found.insert(row.key.id, Stored::read(row)?);
            }
        }
        Ok(found)
    }
}
