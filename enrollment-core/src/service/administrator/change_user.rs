//! Changing users, and what follows for their enrollments and peers.

use std::collections::BTreeSet;

use super::owners::concerns_owners;
use super::{Administrator, UserView, doer};
use crate::domain::attachment::PeerState;
use crate::domain::contact::{Email, Phone};
use crate::domain::device::Device;
use crate::domain::enrollment::{Closure, Purpose};
use crate::domain::event::Event;
use crate::domain::group::GroupName;
use crate::domain::location::Location;
use crate::domain::rejection::Rejection;
use crate::domain::role::{Permission, Role};
use crate::domain::text::PersonName;
use crate::domain::user::{User, UserStatus};
use crate::id::UserId;
use crate::record::{IndexName, Kind, RowKey, Stored};
use crate::service::circumstances::World;
use crate::service::turn::{Draft, TURNS, Written};
use crate::service::{Answer, Failure, Lacking, Principal, operation};

/// What becomes of a user; `None` leaves a field as it is, `Some(None)` empties it. A username never changes.
#[derive(Debug, Clone, Default)]
pub struct UserPatch {
    /// First name.
    pub first_name: Option<PersonName>,
    /// Last name.
    pub last_name: Option<PersonName>,
    /// Where mail goes.
    pub email: Option<Option<Email>>,
    /// Where short messages go.
    pub phone: Option<Option<Phone>>,
    /// The groups they belong to.
    pub groups: Option<BTreeSet<GroupName>>,
    /// The role they have.
    pub role: Option<Option<Role>>,
    /// Whether they may do anything.
    pub status: Option<UserStatus>,
}

impl Administrator<'_> {
    /// Changes a user, with all that follows, in one change. Disabling ends their open enrollments and takes their peers
    /// out of force; enabling puts those peers back where the user is admitted, and so does a change of groups. Where a
    /// device of theirs has no address yet, a backfill gives it one, queued in the same change (DEV-7). A role
    /// that is given or raised ends open enrollments too: their links are in the hands of people who had the right to
    /// enroll the user as they were, not as they are (ADM-7).
    ///
    /// # Errors
    /// [`Rejection::Outranked`]; [`Rejection::Forbidden`] for a change of role by anybody but an Owner;
    /// [`Rejection::LastOwner`].
    pub fn change_user<'a>(&'a self, by: &'a Principal, id: UserId, patch: UserPatch) -> Answer<'a, UserView> {
        operation("administrator.change_user", async move {
            let about = RowKey::new(Kind::User, id.uuid());
            self.audited(by, "change_user", about, self.try_change_user(by, id, &patch)).await
        })
    }

    async fn try_change_user(&self, by: &Principal, id: UserId, patch: &UserPatch) -> Result<UserView, Failure> {
        by.demand(Permission::ManageUsers)?;
        for _ in 0..TURNS {
            let world = self.service.world_of(id, None, &[]).await?.ok_or(Rejection::NotFound { what: "user" })?;
            let before = &world.user.record;
            by.demand_rank(before.role)?;
            let (after, fields) = patch.applied_to(before);
            if after.role != before.role {
                demand_role_change(by, before, after.role)?;
            }
            if fields.is_empty() && after.status == before.status {
                return Ok(UserView::from(before));
            }
            let mut draft = Draft::new(self.service.now());
            draft.ops.push(world.user.put(&after));
            self.add_consequences(&mut draft, by, &world, &after).await?;
            self.log_change(&mut draft, by, &world.user, &after, fields);
            if let Written::Applied = self.write(by, draft).await? {
                return Ok(UserView::from(&after));
            }
        }
        Err(Failure::Busy)
    }

    async fn add_consequences(
        &self,
        draft: &mut Draft,
        by: &Principal,
        world: &World,
        after: &User,
    ) -> Result<(), Failure> {
        let before = &world.user.record;
        if concerns_owners(Some(before), after) && (before.role != after.role || before.status != after.status) {
            let owners = self.owners().await?;
            let acts = |user: &User| user.is_active() && user.role == Some(Role::Owner);
            if acts(before) && !acts(after) {
                owners.demand_another(before)?;
            }
            draft.ops.push(owners.with(after));
        }
        let end = end_of_enrollments(before, after);
        let moves_peers = before.status != after.status || before.groups != after.groups;
        if end.is_none() && !moves_peers {
            return Ok(());
        }
        for purpose in Purpose::OF_PEOPLE {
            let Some(open) = self.open_enrollment(before, purpose).await? else { continue };
            match end {
                // Should it complete meanwhile, its device counts among those to be aligned.
                None => draft.ops.push(open.check()),
                Some(why) => {
                    self.close(draft, by, &open, why).await?;
                }
            }
        }
        if !moves_peers {
            return Ok(());
        }
        self.align_peers(draft, world, after).await
    }

    /// Wishes every peer of a user in force exactly where they are admitted, and queues a backfill where a device of
    /// theirs has no address yet (DEV-7). Staged devices stay as they are: they become peers by their enrollment alone.
    async fn align_peers(&self, draft: &mut Draft, world: &World, user: &User) -> Result<(), Failure> {
        let admits = |location: &Location| user.is_active() && location.admits(user);
        let mut lacking = BTreeSet::new();
        for device in self.service.all::<Device>(IndexName::DevicesByOwner, user.id.to_string()).await? {
            let attachments = self.service.attachments(device.record.id).await?;
            for attachment in &attachments {
                let location = world.locations.iter().find(|location| location.id == attachment.record.location);
                match (attachment.record.state, location.is_some_and(admits)) {
                    (PeerState::Intended | PeerState::Applied, false) => {
                        self.service.intend(draft, attachment, PeerState::Removing)?;
                    }
                    (PeerState::Removing | PeerState::Gone, true) => {
                        self.service.intend(draft, attachment, PeerState::Intended)?;
                    }
                    _ => {}
                }
            }
            let is_there = |id| attachments.iter().any(|attachment| attachment.record.location == id);
            if !device.record.staged {
                let admitted = world.locations.iter().filter(|location| admits(location));
                lacking.extend(admitted.map(|location| location.id).filter(|id| !is_there(*id)));
            }
        }
        for location in lacking {
            self.service.queue_backfill(draft, location, Lacking::User(user.id)).await?;
        }
        if user.is_active() {
            draft.ops.extend(world.holds());
        }
        Ok(())
    }

    fn log_change(
        &self,
        draft: &mut Draft,
        by: &Principal,
        before: &Stored<User>,
        after: &User,
        fields: Vec<&'static str>,
    ) {
        if !fields.is_empty() {
            let fields = fields.into_iter().map(str::to_owned).collect();
            self.service.audit(draft, doer(by), before.key(), before.version, Event::UserChanged { fields });
        }
        if before.record.status != after.status {
            let event = if after.is_active() { Event::UserEnabled } else { Event::UserDisabled };
            self.service.audit(draft, doer(by), before.key(), before.version, event);
        }
    }
}

impl UserPatch {
    /// The user after the change, and which fields other than the status it changes.
    fn applied_to(&self, before: &User) -> (User, Vec<&'static str>) {
        let mut after = before.clone();
        let mut fields = Vec::new();
        let mut changes = |name, changed| {
            if changed {
                fields.push(name);
            }
        };
        changes("first_name", set(&mut after.first_name, self.first_name.as_ref()));
        changes("last_name", set(&mut after.last_name, self.last_name.as_ref()));
        changes("email", set(&mut after.email, self.email.as_ref()));
        changes("phone", set(&mut after.phone, self.phone.as_ref()));
        changes("groups", set(&mut after.groups, self.groups.as_ref()));
        changes("role", set(&mut after.role, self.role.as_ref()));
        set(&mut after.status, self.status.as_ref());
        if after.role != before.role || (before.is_active() && !after.is_active()) {
            // Ends every session of theirs as an administrator (AUTH-4).
            after.sign_ins.epoch = after.sign_ins.epoch.wrapping_add(1);
        }
        (after, fields)
    }
}

/// Sets a field if there is a value for it; says whether that changed it.
fn set<T: Clone + PartialEq>(field: &mut T, value: Option<&T>) -> bool {
    let changed = value.is_some_and(|value| value != field);
    if let Some(value) = value {
        field.clone_from(value);
    }
    changed
}

/// Why the open enrollments of a user end with a change, if they do.
///
/// With a role that rises, or moves sideways to other permissions, they end too: whoever holds their links was judged
/// against the role as it was, and could now act as somebody above them.
fn end_of_enrollments(before: &User, after: &User) -> Option<Closure> {
    let gains = after.role != before.role && after.role.is_some_and(|role| !role.is_outranked_by(before.role));
    if !after.is_active() {
        Some(Closure::UserDisabled)
    } else if gains {
        Some(Closure::Revoked)
    } else {
        None
    }
}

/// Roles are given and taken by Owners, to nobody above themselves, and never up for themselves.
fn demand_role_change(by: &Principal, user: &User, role: Option<Role>) -> Result<(), Rejection> {
    by.demand(Permission::ManageAdministrators)?;
    by.demand_rank(role)?;
    let rises = user.role.map_or(role.is_some(), |present| present.is_outranked_by(role));
    if by.user == Some(user.id) && rises { Err(Rejection::Forbidden) } else { Ok(()) }
}
