//! The set of Owners, so that the last active one stays (ADM-7).

use std::collections::BTreeSet;

use uuid::Uuid;

use super::Administrator;
use crate::domain::rejection::Rejection;
use crate::domain::role::Role;
use crate::domain::sign_in::has_means;
use crate::domain::user::User;
use crate::id::UserId;
use crate::port::Op;
use crate::record::{Guard, GuardRow, Kind, RowKey, Stored, new_row};
use crate::service::Failure;

/// Everybody with the role of an Owner, and the guard that stands for the set: of two changes that both rely on it, one
/// reads again.
#[derive(Debug)]
pub(super) struct Owners {
    guard: Option<Stored<GuardRow>>,
    pub(super) users: Vec<User>,
}

impl Administrator<'_> {
    pub(super) async fn owners(&self) -> Result<Owners, Failure> {
        let guard = self.service.read::<GuardRow>(Guard::Owners.key().id).await?;
        let members = guard.iter().flat_map(|guard| &guard.record.members);
        let keys: Vec<RowKey> = members.map(|id| RowKey::new(Kind::User, *id)).collect();
        let mut users = Vec::new();
        for row in self.service.store().get(&keys).await?.iter().flatten() {
            users.push(Stored::<User>::read(row)?.record);
        }
        Ok(Owners { guard, users })
    }
}

impl Owners {
    /// The step that bumps the guard, with `user` in the set as they will be.
    pub(super) fn with(&self, user: &User) -> Op {
        let mut members: BTreeSet<Uuid> =
            self.guard.as_ref().map(|guard| guard.record.members.clone()).unwrap_or_default();
        if user.role == Some(Role::Owner) {
            members.insert(user.id.uuid());
        } else {
            members.remove(&user.id.uuid());
        }
        let next = GuardRow { guard: Guard::Owners, members };
        match &self.guard {
            Some(guard) => guard.put(&next),
            None => new_row(&next),
        }
    }

    /// Whether somebody could still manage administrators without `leaving`: an active Owner, and one who has what they
    /// need to sign in if `leaving` has.
    pub(super) fn demand_another(&self, leaving: &User) -> Result<(), Rejection> {
        let stays =
            |owner: &User| owner.id != leaving.id && owner.is_active() && (has_means(owner) || !has_means(leaving));
        if self.users.iter().any(stays) { Ok(()) } else { Err(Rejection::LastOwner) }
    }

    /// Whether an active Owner is enrolled. One who has lost their means is helped by the command line, and nobody is made
    /// an Owner for it unasked.
    pub(super) fn any_is_enrolled(&self) -> bool {
        self.users.iter().any(|owner| owner.is_active() && owner.is_enrolled())
    }

    /// An Owner who waits for their enrollment: the one of this name, or the first that was made.
    pub(super) fn waiting(&self, is_wanted: impl Fn(&User) -> bool) -> Option<UserId> {
        let mut waiting: Vec<&User> =
            self.users.iter().filter(|owner| owner.is_active() && !owner.is_enrolled()).collect();
        waiting.sort_by_key(|owner| (!is_wanted(owner), owner.created, owner.id));
        waiting.first().map(|owner| owner.id)
    }
}

/// Whether a user was or becomes an Owner.
pub(super) fn concerns_owners(before: Option<&User>, after: &User) -> bool {
    before.into_iter().chain([after]).any(|user| user.role == Some(Role::Owner))
}
