//! What a database has to say about everything that changes expect. Each database has its own way to be asked.

use std::collections::{BTreeMap, HashMap};

use enrollment_core::id::{ChangeId, OutboxId};
#[cfg(feature = "sqlite")]
use enrollment_core::port::LeaseRef;
use enrollment_core::port::{Change, Op};
use enrollment_core::record::{KeyValue, Kind, RowKey, UniqueKey, UniqueName, Version};
use serde::Deserialize;
use uuid::Uuid;

/// What some changes and settlements are about.
#[derive(Debug, Default)]
pub(crate) struct Wanted<'a> {
    pub(crate) changes: Vec<ChangeId>,
    /// Entries to be put in, of which none may exist.
    pub(crate) enqueued: Vec<OutboxId>,
    /// Entries whose leases are ended or extended.
    pub(crate) settled: Vec<OutboxId>,
    pub(crate) rows: BTreeMap<Kind, Rows>,
    pub(crate) keys: BTreeMap<UniqueName, Vec<&'a KeyValue>>,
}

/// The rows of one kind.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    pub(crate) ids: Vec<Uuid>,
    /// Whether any of them is to be written or removed; otherwise all are only held.
    pub(crate) written: bool,
}

impl<'a> Wanted<'a> {
    pub(crate) fn change(&mut self, change: &'a Change) {
        self.changes.push(change.id);
        self.enqueued.extend(change.enqueue.iter().map(|entry| entry.id));
        self.settled.extend(change.settle.iter().map(|lease| lease.entry));
        for op in &change.ops {
            let rows = self.rows.entry(op.key().kind).or_default();
            rows.ids.push(op.key().id);
            rows.written |= !matches!(op, Op::Check { .. });
            if let Op::Put { next, .. } = op {
                for key in &next.unique {
                    self.keys.entry(key.name).or_default().push(&key.value);
                }
            }
        }
    }

    #[cfg(feature = "sqlite")]
    pub(crate) fn lease(&mut self, lease: &LeaseRef) {
        self.settled.push(lease.entry);
    }
}

/// What holds, as far as it was asked.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    /// Changes that were applied, with their fingerprints.
    pub(crate) changes: HashMap<ChangeId, String>,
    /// Entries that exist, with the fence of the lease that nobody else took and nothing ended.
    pub(crate) entries: HashMap<OutboxId, Option<u64>>,
    /// Where rows stand.
    pub(crate) rows: HashMap<RowKey, Version>,
    /// What their key columns hold, as far as a database says so.
    #[cfg(feature = "sqlite")]
    pub(crate) columns: HashMap<RowKey, Vec<Option<KeyValue>>>,
    /// Who holds unique keys: those asked for, and all that the rows asked for have in the side table.
    pub(crate) held: HashMap<UniqueKey, RowKey>,
}

/// One of them.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Fact {
    Change(ChangeId, String),
    Entry(OutboxId, Option<u64>),
    /// With the values of [`Table::keys`](crate::schema::Table::keys), where they are wanted.
    Row(Kind, Uuid, Version, Option<Vec<Option<KeyValue>>>),
    Held(UniqueName, KeyValue, Uuid),
}

impl Facts {
    pub(crate) fn add(&mut self, fact: Fact) {
        match fact {
            Fact::Change(id, fingerprint) => {
                self.changes.insert(id, fingerprint);
            }
            Fact::Entry(id, fence) => {
                self.entries.insert(id, fence);
            }
            Fact::Row(kind, id, version, _columns) => {
                let key = RowKey::new(kind, id);
                self.rows.insert(key, version);
                #[cfg(feature = "sqlite")]
                self.columns.extend(_columns.map(|columns| (key, columns)));
            }
            Fact::Held(name, value, id) => {
                self.held.insert(UniqueKey { name, value }, RowKey::new(name.kind(), id));
            }
        }
    }
}
