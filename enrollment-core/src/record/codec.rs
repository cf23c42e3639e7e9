//! From a record to its row and back.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use uuid::Uuid;

use super::key::{IndexKey, Kind, RowKey, UniqueKey};
use super::row::{Document, Row, Version};
use crate::port::{Expect, Op};

/// A record that a store can keep.
pub trait Record: Serialize + DeserializeOwned {
    /// Its kind.
    const KIND: Kind;
    /// The layout this program writes. One more with every change that an older program could not read.
    const LAYOUT: u16 = 1;

    /// Which row it is.
    fn row_id(&self) -> Uuid;

    /// The values nobody else may hold.
    fn unique(&self) -> Vec<UniqueKey> {
        Vec::new()
    }

    /// Where it stands in indexes.
    fn index(&self) -> Vec<IndexKey> {
        Vec::new()
    }

    /// A document of an older layout in today's.
    ///
    /// # Errors
    /// When there was no such layout.
    fn upcast(layout: u16, _document: Value) -> Result<Value, RecordError> {
        Err(RecordError::Layout { kind: Self::KIND, layout })
    }
}

/// A row that is not the record it should be.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// Written by a later version, or by none.
    #[error("{kind} of layout {layout} cannot be read: it was written by a later version")]
    Layout {
        /// The kind.
        kind: Kind,
        /// The layout.
        layout: u16,
    },
    /// The document does not fit its layout.
    #[error("{key} cannot be read")]
    Document {
        /// Which row.
        key: RowKey,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// A row of another kind.
    #[error("{0} is not of the kind that was asked for")]
    Kind(RowKey),
}

/// A record as it stands in the store.
#[derive(Debug, Clone)]
pub struct Stored<R> {
    /// The record.
    pub record: R,
    /// Its version.
    pub version: Version,
}

impl<R: Record> Stored<R> {
    /// The record of a row.
    ///
    /// # Errors
    /// When the row is of another kind or its document cannot be read.
    pub fn read(row: &Row) -> Result<Self, RecordError> {
        if row.key.kind != R::KIND {
            return Err(RecordError::Kind(row.key));
        }
        let source = |source| RecordError::Document { key: row.key, source };
        let record = if row.body.layout == R::LAYOUT {
            serde_json::from_str(&row.body.json).map_err(source)?
        } else {
            let document = serde_json::from_str(&row.body.json).map_err(source)?;
            serde_json::from_value(R::upcast(row.body.layout, document)?).map_err(source)?
        };
        Ok(Self { record, version: row.version })
    }

    /// Which row it is.
    #[must_use]
    pub fn key(&self) -> RowKey {
        RowKey::new(R::KIND, self.record.row_id())
    }

    /// The step that writes `next` in its place.
    #[must_use]
    pub fn put(&self, next: &R) -> Op {
        Op::Put { expect: Expect::Version(self.version), next: row(next, self.version.next()) }
    }

    /// The step that holds it as it is.
    #[must_use]
    pub fn check(&self) -> Op {
        Op::Check { key: self.key(), version: Some(self.version) }
    }

    /// The step that removes it.
    #[must_use]
    pub fn delete(&self) -> Op {
        Op::Delete { key: self.key(), version: self.version }
    }
}

/// The step that writes a record for the first time.
#[must_use]
pub fn new_row<R: Record>(record: &R) -> Op {
    Op::Put { expect: Expect::Absent, next: row(record, Version::FIRST) }
}

#[allow(clippy::expect_used, reason = "records are plain data: no maps with foreign keys, no fallible serializers")]
fn row<R: Record>(record: &R, version: Version) -> Row {
    Row {
        key: RowKey::new(R::KIND, record.row_id()),
        version,
        unique: record.unique(),
        index: record.index(),
        body: Document { layout: R::LAYOUT, json: serde_json::to_string(record).expect("a record is plain data") },
    }
}
