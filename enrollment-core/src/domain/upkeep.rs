//! What is owed to the devices of a location, and what was found at its gateway.

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::device::PublicKey;
use crate::id::{LocationId, UserId};
use crate::port::Cursor;
use crate::time::Timestamp;

/// Users waited for one by one; with more of them everybody is looked at.
const MOST_USERS: usize = 1_000;

/// Giving addresses at one location to devices that exist (DEV-7): what is left to be done, and how far it is. One per
/// location: what is queued while another is under way becomes part of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backfill {
    /// Where.
    pub location: LocationId,
    /// When it was queued.
    pub queued: Timestamp,
    /// When nothing was left.
    pub ended: Option<Timestamp>,
    /// Whose devices are left to be looked at.
    pub left: Left,
    /// Users looked at so far.
    pub users: u64,
    /// Devices that got their addresses so far.
    pub devices: u64,
    /// Users whose records cannot be read; they were left out.
    pub unreadable: u64,
    /// Why it waits.
    pub waits: Option<Wait>,
}

/// Whose devices are left.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Left {
    /// These people's.
    pub users: BTreeSet<UserId>,
    /// Everybody's behind this place.
    pub everyone: Option<Behind>,
}

/// How far everybody was looked at, by username.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Behind {
    /// The last one; `None`: nobody yet.
    pub user: Option<Cursor>,
}

/// A backfill that cannot go on for now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wait {
    /// Why, for people.
    pub why: String,
    /// When it is tried again.
    pub until: Timestamp,
}

/// How far a backfill is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BackfillState {
    /// Under way.
    Running,
    /// It cannot go on for now.
    Waiting,
    /// Nothing is left.
    Done,
}

impl BackfillState {
    /// The stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Done => "done",
        }
    }
}

impl Backfill {
    /// For everybody, on top of what is left of the one `before`.
    #[must_use]
    pub fn of_everyone(location: LocationId, before: Option<&Self>, now: Timestamp) -> Self {
        let mut next = Self::on(location, before, now);
        // Whoever was looked at already may have been refused then.
        next.left = Left { users: BTreeSet::new(), everyone: Some(Behind::default()) };
        next
    }

    /// For one user, on top of what is left of the one `before`.
    #[must_use]
    pub fn of_user(location: LocationId, before: Option<&Self>, user: UserId, now: Timestamp) -> Self {
        let mut next = Self::on(location, before, now);
        next.left.users.insert(user);
        if next.left.users.len() > MOST_USERS {
            return Self::of_everyone(location, before, now);
        }
        next
    }

    fn on(location: LocationId, before: Option<&Self>, now: Timestamp) -> Self {
        match before {
            Some(running) if running.ended.is_none() => Self { waits: None, ..running.clone() },
            _ => Self {
                location,
                queued: now,
                ended: None,
                left: Left::default(),
                users: 0,
                devices: 0,
                unreadable: 0,
                waits: None,
            },
        }
    }

    /// How far it is.
    #[must_use]
    pub const fn state(&self) -> BackfillState {
        match (&self.ended, &self.waits) {
            (Some(_), _) => BackfillState::Done,
            (None, Some(_)) => BackfillState::Waiting,
            (None, None) => BackfillState::Running,
        }
    }

    /// Whether there is something to be done at `now`.
    #[must_use]
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.ended.is_none() && self.waits.as_ref().is_none_or(|wait| wait.until <= now)
    }
}

/// What the last comparison of a location's gateway with the intentions found (DEV-4).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watch {
    /// Where.
    pub location: LocationId,
    /// When the gateway was last looked at.
    pub looked: Timestamp,
    /// Why its peers could not be compared, for people.
    pub trouble: Option<String>,
    /// Peers in force that nobody intends, at most [`Watch::MOST_STRAYS`].
    pub strays: Vec<Stray>,
    /// How many more there are.
    pub more: u64,
}

/// A peer in force that nobody intends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stray {
    /// Its key.
    pub public_key: PublicKey,
    /// Its addresses, at most [`Stray::MOST_ADDRESSES`].
    pub addresses: Vec<IpAddr>,
    /// Whether it was one of ours once, and is taken out wherever it is. Otherwise it is somebody else's, and the
    /// location's ownership says what becomes of it.
    pub ours: bool,
    /// When it was first seen.
    pub since: Timestamp,
    /// Why it could not be taken out, for people.
    pub failure: Option<String>,
}

impl Watch {
    /// Strays listed one by one; those beyond are counted.
    pub const MOST_STRAYS: usize = 500;

    /// The stray with this key, if it is listed.
    #[must_use]
    pub fn stray(&self, key: &PublicKey) -> Option<&Stray> {
        self.strays.iter().find(|stray| stray.public_key == *key)
    }
}

impl Stray {
    /// Addresses that are kept of one.
    pub const MOST_ADDRESSES: usize = 16;
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const LOCATION: LocationId = LocationId::from_uuid(Uuid::from_u128(1));

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_micros(micros)
    }

    fn user(number: u128) -> UserId {
        UserId::from_uuid(Uuid::from_u128(number))
    }

    /// DEV-7
    #[test]
    fn what_is_queued_meanwhile_becomes_part_of_the_one_under_way() {
        let first = Backfill::of_user(LOCATION, None, user(1), at(1));
        let first = Backfill { devices: 3, waits: Some(Wait { why: "full".to_owned(), until: at(9) }), ..first };
        let both = Backfill::of_user(LOCATION, Some(&first), user(2), at(2));
        assert_eq!((both.queued, both.devices, both.waits.clone()), (at(1), 3, None), "tried again at once");
        assert_eq!(both.left.users, BTreeSet::from([user(1), user(2)]));
        let far = Behind { user: Some(Cursor { at: "bob".into(), id: Uuid::nil() }) };
        let far = Backfill { left: Left { everyone: Some(far), ..both.left.clone() }, ..both };
        let one_more = Backfill::of_user(LOCATION, Some(&far), user(3), at(3));
        assert_eq!((one_more.left.users.len(), &one_more.left.everyone), (3, &far.left.everyone));
        let all = Backfill::of_everyone(LOCATION, Some(&one_more), at(4));
        assert_eq!(all.left, Left { users: BTreeSet::new(), everyone: Some(Behind::default()) }, "from the start");
        let ended = Backfill { ended: Some(at(5)), left: Left::default(), ..all };
        let anew = Backfill::of_user(LOCATION, Some(&ended), user(4), at(6));
        assert_eq!((anew.queued, anew.devices, anew.ended), (at(6), 0, None));
    }

    #[test]
    fn too_many_users_to_name_are_everybody() {
        let mut backfill = Backfill::of_user(LOCATION, None, user(0), at(1));
        for number in 1..=MOST_USERS as u128 {
            backfill = Backfill::of_user(LOCATION, Some(&backfill), user(number), at(1));
        }
        assert_eq!(backfill.left, Left { users: BTreeSet::new(), everyone: Some(Behind::default()) });
    }
}
