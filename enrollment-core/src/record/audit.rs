//! Rows of the audit log and its seals.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::codec::Record;
use super::key::{IndexKey, IndexName, Kind, RowKey, UniqueKey, UniqueName};
use crate::domain::audit::{AuditEntry, Link};
use crate::secret::{AuditSignature, Digest};
use crate::time::Timestamp;

impl Record for AuditEntry {
    const KIND: Kind = Kind::Audit;

    fn row_id(&self) -> Uuid {
        self.id.uuid()
    }

    fn unique(&self) -> Vec<UniqueKey> {
        self.sealed.iter().map(|link| UniqueKey::new(UniqueName::AuditNumber, link.number)).collect()
    }

    fn index(&self) -> Vec<IndexKey> {
        let subject_version = i64::try_from(self.subject_version.0).unwrap_or(i64::MAX);
        vec![
            match self.sealed {
                None => IndexKey::new(IndexName::AuditChain, "unsealed", self.at.micros()),
                Some(link) => IndexKey::new(IndexName::AuditChain, "sealed", link.number),
            },
            IndexKey::new(IndexName::AuditByTime, "", self.at.micros()),
            IndexKey::new(IndexName::AuditBySubject, self.subject.id.to_string(), subject_version),
        ]
    }
}

/// A signed batch of the chain. The last one, under [`Seal::HEAD`], is where the chain goes on; the one under
/// [`Seal::ORIGIN`] is where it begins once its front was pruned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seal {
    /// Which row: [`Seal::HEAD`], [`Seal::ORIGIN`] or its own.
    pub id: Uuid,
    /// The position of the batch's last entry.
    pub last: i64,
    /// The chain's digest up to and with that entry.
    pub chain: Digest,
    /// When it was sealed.
    pub at: Timestamp,
    /// The signature of the batch; of the origin, that of [`Link::pruned_bytes`].
    pub signature: AuditSignature,
}

impl Seal {
    /// The row of the chain's head.
    pub const HEAD: RowKey = RowKey::new(Kind::Seal, Uuid::from_u128(1));

    /// The row of the chain's origin: up to and with it, everything was pruned.
    pub const ORIGIN: RowKey = RowKey::new(Kind::Seal, Uuid::from_u128(2));

    /// The place in the chain that it signs.
    #[must_use]
    pub const fn link(&self) -> Link {
        Link { number: self.last, chain: self.chain }
    }
}

impl Record for Seal {
    const KIND: Kind = Kind::Seal;

    fn row_id(&self) -> Uuid {
        self.id
    }

    fn index(&self) -> Vec<IndexKey> {
        if self.id == Self::HEAD.id || self.id == Self::ORIGIN.id {
            return Vec::new();
        }
        vec![IndexKey::new(IndexName::SealsByNumber, "", self.last)]
    }
}
