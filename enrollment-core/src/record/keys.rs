//! The book of keys: which ones records may name.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::codec::Record;
use super::key::{Kind, RowKey};
use crate::port::Cursor;
use crate::secret::KeyId;
use crate::time::Timestamp;

/// Which keys records may name, in one tiny row. A key is entered before a process makes anything with it, so that a ring
/// is held against this row alone, however many records there are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyBook {
    /// The one that came into use last: a ring without it is an old copy, or another instance's.
    #[serde(default)]
    pub active: Option<KeyId>,
    /// Every key that was ever active. No secret: the keys themselves are never in the database.
    pub used: BTreeSet<KeyId>,
    /// Those that are revoked, for every process, whatever its own copy of the ring still says.
    pub revoked: BTreeSet<KeyId>,
    /// How far sealing again is, after a rotation.
    #[serde(default)]
    pub resealing: Option<Resealing>,
}

/// How far sealing again is: a place in the lists of those who hold sealed secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resealing {
    /// The key that everything comes under.
    pub key: KeyId,
    /// Since when this key is in use.
    pub since: Timestamp,
    /// When this pass over the lists began, or is to begin.
    pub due: Timestamp,
    /// Which list is next.
    pub list: ResealList,
    /// Behind which row of it; `None`: from its first.
    pub after: Option<Cursor>,
    /// How many records were sealed again.
    pub done: u64,
}

/// The lists of those who hold sealed secrets, in the order in which a secret moves from one to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResealList {
    /// Open enrollments.
    Enrollments,
    /// Users.
    Users,
    /// Locations.
    Locations,
}

impl KeyBook {
    /// Its row, beside those of the guards.
    pub const KEY: RowKey = RowKey::new(Kind::Guard, Uuid::from_u128(3));
}

impl Resealing {
    /// The start of the first pass.
    #[must_use]
    pub const fn beginning(key: KeyId, now: Timestamp) -> Self {
        Self { key, since: now, due: now, list: ResealList::Enrollments, after: None, done: 0 }
    }
}

impl Record for KeyBook {
    const KIND: Kind = Kind::Guard;

    fn row_id(&self) -> Uuid {
        Self::KEY.id
    }
}
