//! Guards: one tiny row per set, bumped with every change to the set, so that a change can depend on all of it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::codec::Record;
use super::key::{Kind, RowKey};

/// A set that changes depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Guard {
    /// All locations, their MFA modes and access. Completion holds it.
    Locations,
    /// The users with the role of an Owner. Whatever adds, disables or removes one bumps it.
    Owners,
}

impl Guard {
    /// Its row.
    #[must_use]
    pub const fn key(self) -> RowKey {
        // 3 is the book of keys.
        let id = match self {
            Self::Locations => 1,
            Self::Owners => 2,
        };
        RowKey::new(Kind::Guard, Uuid::from_u128(id))
    }
}

/// The row of a guard. Its version stands for the set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuardRow {
    /// Which set.
    pub guard: Guard,
    /// The set itself, where it is small and has no index: the Owners.
    #[serde(default)]
    pub members: BTreeSet<Uuid>,
}

impl Record for GuardRow {
    const KIND: Kind = Kind::Guard;

    fn row_id(&self) -> Uuid {
        self.guard.key().id
    }
}
