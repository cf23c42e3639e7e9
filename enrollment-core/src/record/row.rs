//! What a store keeps: a row with its keys and a document it never interprets.

use serde::{Deserialize, Serialize};

use super::key::{IndexKey, RowKey, UniqueKey};

/// How often a row has been written: 1 when made, one more with every change, without gaps (I7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Version(pub u64);

impl Version {
    /// The version of a new row.
    pub const FIRST: Self = Self(1);

    /// The version after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// A JSON document and the version of its layout. A store keeps it byte for byte or as equal JSON, and never looks
/// inside.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Document {
    /// Version of the layout; core's upcasters read every version up to today's.
    pub layout: u16,
    /// The JSON text: an object, at most 256 KiB.
    pub json: String,
}

/// A record as the store keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Row {
    /// Which row.
    pub key: RowKey,
    /// How often it has been written.
    pub version: Version,
    /// Values nobody else may hold, sorted; of the row's own kind.
    pub unique: Vec<UniqueKey>,
    /// Where it stands in indexes, sorted, at most one per name; of the row's own kind.
    pub index: Vec<IndexKey>,
    /// The rest.
    pub body: Document,
}
