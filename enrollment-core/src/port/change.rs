//! One conditional, all-or-nothing write.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};

use super::lease::{LeaseRef, OutboxEntry, Stream};
use crate::id::{ChangeId, OutboxId};
use crate::record::{Document, IndexKey, KeyValue, Row, RowKey, UniqueKey, Version};
use crate::time::Timestamp;

/// What a row must be before it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
pub enum Expect {
    /// There is no such row yet.
    Absent,
    /// It stands at this version.
    Version(Version),
}

/// One step of a change.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize)]
pub enum Op {
    /// Writes a row; `next.version` is 1 or one more than expected.
    Put {
        /// What it must have been.
        expect: Expect,
        /// What it becomes.
        next: Row,
    },
    /// Writes nothing, but holds the row at this version until the change has taken effect.
    Check {
        /// Which row.
        key: RowKey,
        /// Where it must stand; `None`: it must be absent.
        version: Option<Version>,
    },
    /// Removes a row.
    Delete {
        /// Which row.
        key: RowKey,
        /// Where it must stand.
        version: Version,
    },
}

impl Op {
    /// The row this step is about.
    #[must_use]
    pub const fn key(&self) -> RowKey {
        match self {
            Self::Put { next, .. } => next.key,
            Self::Check { key, .. } | Self::Delete { key, .. } => *key,
        }
    }
}

/// One all-or-nothing write. Audit entries are rows like others ([`crate::record::Kind::Audit`]).
///
/// The fields are exhaustive on purpose: a new field is a new guarantee and must break third-party stores.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Repeating a change under the same id applies nothing twice (G3).
    pub id: ChangeId,
    /// When it was decided. The store writes it down and compares it with nothing.
    pub at: Timestamp,
    /// At most one step per row, sorted by row: every store locks in one order.
    pub ops: Vec<Op>,
    /// Entries for the outbox, sorted by id.
    pub enqueue: Vec<OutboxEntry>,
    /// The leases under which this change is made, sorted by entry and ended as done by it; when one of them is lost,
    /// nothing is applied.
    pub settle: Vec<LeaseRef>,
}

/// A change that contradicts itself. Always a fault of the program.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidChange {
    /// Two steps about one row.
    #[error("two steps about {0}")]
    TwoSteps(RowKey),
    /// Two leases of one entry.
    #[error("two leases of the entry {0}")]
    TwoLeases(OutboxId),
    /// A row's next version does not follow the expected one.
    #[error("the next version of {0} does not follow the expected one")]
    VersionGap(RowKey),
    /// A key of another kind, or two where one is allowed.
    #[error("a key of {0} is of another kind, of another type, or doubled")]
    WrongKey(RowKey),
}

impl Change {
    /// A change in its one order, or why it is none.
    ///
    /// # Errors
    /// When two steps are about one row or two leases about one entry, a version does not follow, or a key does not belong
    /// to its row.
    pub fn new(
        id: ChangeId,
        at: Timestamp,
        mut ops: Vec<Op>,
        mut enqueue: Vec<OutboxEntry>,
        mut settle: Vec<LeaseRef>,
    ) -> Result<Self, InvalidChange> {
        for op in &mut ops {
            if let Op::Put { expect, next } = op {
                next.unique.sort();
                next.index.sort();
                check_row(*expect, next)?;
            }
        }
        ops.sort_by_key(Op::key);
        if let Some(pair) = ops.windows(2).find(|pair| pair[0].key() == pair[1].key()) {
            return Err(InvalidChange::TwoSteps(pair[0].key()));
        }
        enqueue.sort_by_key(|entry| entry.id);
        settle.sort_by_key(|lease| lease.entry);
        if let Some(pair) = settle.windows(2).find(|pair| pair[0].entry == pair[1].entry) {
            return Err(InvalidChange::TwoLeases(pair[0].entry));
        }
        Ok(Self { id, at, ops, enqueue, settle })
    }

    /// A digest of everything the change says (not of its id and time), by which a repeated id is told from a
    /// reused one.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 32] {
        let mut content = Content(Sha256::new());
        content.count(self.ops.len());
        for op in &self.ops {
            content.op(op);
        }
        content.count(self.enqueue.len());
        for entry in &self.enqueue {
            content.entry(entry);
        }
        // The last part, and each of one length: how many there are need not be said.
        for LeaseRef { entry, fence } in &self.settle {
            content.bytes(entry.uuid().as_bytes());
            content.number(*fence);
        }
        content.0.finalize().into()
    }
}

/// What a change says, field by field and each after its length, so that no two different changes give the same bytes.
/// Destructured without `..`: a field that is forgotten here would be a change that goes unnoticed.
struct Content(Sha256);

impl Content {
    fn number(&mut self, number: u64) {
        self.0.update(number.to_be_bytes());
    }

    fn count(&mut self, count: usize) {
        self.number(count as u64);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.0.update(bytes);
    }

    fn key(&mut self, key: RowKey) {
        self.bytes(key.kind.as_str().as_bytes());
        self.bytes(key.id.as_bytes());
    }

    fn value(&mut self, value: &KeyValue) {
        match value {
            KeyValue::Int(number) => {
                self.0.update([0]);
                self.0.update(number.to_be_bytes());
            }
            KeyValue::Text(text) => {
                self.0.update([1]);
                self.bytes(text.as_bytes());
            }
        }
    }

    fn document(&mut self, Document { layout, json }: &Document) {
        self.number(u64::from(*layout));
        self.bytes(json.as_bytes());
    }

    fn op(&mut self, op: &Op) {
        match op {
            Op::Put { expect, next: Row { key, version, unique, index, body } } => {
                self.0.update([0]);
                // Versions start at 1, so 0 stands for "absent".
                self.number(match expect {
                    Expect::Absent => 0,
                    Expect::Version(version) => version.0,
                });
                self.key(*key);
                self.number(version.0);
                self.count(unique.len());
                for UniqueKey { name, value } in unique {
                    self.bytes(name.as_str().as_bytes());
                    self.value(value);
                }
                self.count(index.len());
                for IndexKey { name, within, at } in index {
                    self.bytes(name.as_str().as_bytes());
                    self.bytes(within.as_bytes());
                    self.value(at);
                }
                self.document(body);
            }
            Op::Check { key, version } => {
                self.0.update([1]);
                self.key(*key);
                self.number(version.map_or(0, |version| version.0));
            }
            Op::Delete { key, version } => {
                self.0.update([2]);
                self.key(*key);
                self.number(version.0);
            }
        }
    }

    fn entry(&mut self, OutboxEntry { id, channel, stream, due, body }: &OutboxEntry) {
        self.bytes(id.uuid().as_bytes());
        self.bytes(channel.as_str().as_bytes());
        match stream {
            None => self.0.update([0]),
            Some(Stream { key, order }) => {
                self.0.update([1]);
                self.bytes(key.as_bytes());
                self.number(*order);
            }
        }
        self.0.update(due.micros().to_be_bytes());
        self.document(body);
    }
}

fn check_row(expect: Expect, next: &Row) -> Result<(), InvalidChange> {
    let follows = match expect {
        Expect::Absent => Version::FIRST,
        Expect::Version(version) => version.next(),
    };
    if next.version != follows {
        return Err(InvalidChange::VersionGap(next.key));
    }
    let kind = next.key.kind;
    let mut singles = BTreeSet::new();
    let unique_fit = next.unique.iter().all(|key| {
        key.name.kind() == kind
            && key.name.value_type() == key.value.value_type()
            && (key.name.is_many() || singles.insert(key.name))
    }) && next.unique.windows(2).all(|pair| pair[0] != pair[1]);
    let mut names = BTreeSet::new();
    let index_fit = next
        .index
        .iter()
        .all(|key| key.name.kind() == kind && key.name.value_type() == key.at.value_type() && names.insert(key.name));
    if unique_fit && index_fit { Ok(()) } else { Err(InvalidChange::WrongKey(next.key)) }
}

/// What became of a change. None of these is an error.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum CommitOutcome {
    /// It took effect, now or when the same id was first committed.
    Applied,
    /// A row did not stand where the change expected it; nothing was applied.
    Stale,
    /// Another row holds this key, or would by the same change; nothing was applied.
    Taken(UniqueKey),
    /// A lease of `settle` is no longer the caller's; nothing was applied.
    LeaseLost,
}
