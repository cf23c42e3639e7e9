//! Changes, decided one after the other and written together.
//!
//! Nobody else may change what [`Facts`] say until the transaction ends: SQLite's keeps all other writers out,
//! PostgreSQL's has locked what the facts are about. Each change is judged by the facts as the changes before it left
//! them; the net effect of all is written at the end.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use enrollment_core::id::OutboxId;
#[cfg(feature = "sqlite")]
use enrollment_core::port::SettleOutcome;
use enrollment_core::port::{Change, CommitOutcome, Expect, LeaseRef, Op, OutboxEntry, Settlement, StoreError};
use enrollment_core::record::{KeyValue, Kind, Row, RowKey, UniqueKey, UniqueName, Version};
use enrollment_core::time::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use crate::error::misuse;
use crate::facts::Facts;
use crate::outbox::Settled;

/// What some changes come to.
#[derive(Debug)]
pub(crate) struct Batch<'a> {
    facts: Facts,
    /// Which rows stood before.
    stood_before: HashSet<RowKey>,
    /// Who held which keys before.
    held_before: HashMap<UniqueKey, RowKey>,
    /// What became of rows; `None`: deleted.
    rows: BTreeMap<RowKey, Option<&'a Row>>,
    enqueued: Vec<&'a OutboxEntry>,
    /// The last settlement of each entry; those before it only extended the lease.
    settled: BTreeMap<OutboxId, Settled<'a>>,
    applied: Vec<Applied<'a>>,
}

/// A line of the table of changes: id, time, fingerprint.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Applied<'a>(pub(crate) Uuid, pub(crate) i64, pub(crate) &'a str);

/// A line of the side table: name, value, row.
pub(crate) type ManyKey<'a> = (UniqueName, &'a KeyValue, Uuid);

pub(crate) type ByKind<T> = BTreeMap<Kind, Vec<T>>;

/// A row to be written.
#[derive(Debug)]
pub(crate) struct Put<'a> {
    pub(crate) row: &'a Row,
    /// Whether it takes the place of one.
    pub(crate) replaces: bool,
    /// What the key columns of that one hold, as far as the database said so.
    #[cfg(feature = "sqlite")]
    pub(crate) columns: Option<&'a [Option<KeyValue>]>,
}

/// The net effect, to be written in this order: what gives up keys comes before what takes them.
#[derive(Debug)]
pub(crate) struct Writes<'a> {
    pub(crate) deleted: ByKind<Uuid>,
    /// Rows that stay and of which another takes a single-valued key; they are among those put.
    pub(crate) vacated: ByKind<Uuid>,
    pub(crate) given_up: Vec<ManyKey<'a>>,
    pub(crate) put: ByKind<Put<'a>>,
    pub(crate) taken: Vec<ManyKey<'a>>,
    pub(crate) enqueued: Vec<&'a OutboxEntry>,
    pub(crate) settled: Vec<&'a Settled<'a>>,
    pub(crate) applied: &'a [Applied<'a>],
    /// Whether a row takes a key that another gives up.
    #[cfg(feature = "postgres")]
    pub(crate) moves_keys: bool,
}

impl<'a> Batch<'a> {
    pub(crate) fn new(facts: Facts) -> Self {
        Self {
            stood_before: facts.rows.keys().copied().collect(),
            held_before: facts.held.clone(),
            facts,
            rows: BTreeMap::new(),
            enqueued: Vec::new(),
            settled: BTreeMap::new(),
            applied: Vec::new(),
        }
    }

    /// Takes a change in, if it can be applied after those taken before.
    pub(crate) fn commit(&mut self, change: &'a Change, fingerprint: &'a str) -> Result<CommitOutcome, StoreError> {
        if let Some(earlier) = self.facts.changes.get(&change.id) {
            return if earlier == fingerprint {
                Ok(CommitOutcome::Applied)
            } else {
                Err(misuse("a change of other content was applied under this id"))
            };
        }
        let mut entries = HashSet::new();
        if change.enqueue.iter().any(|entry| self.facts.entries.contains_key(&entry.id) || !entries.insert(entry.id)) {
            return Err(misuse("an outbox entry with this id exists"));
        }
        if !change.settle.iter().all(|lease| self.is_current(lease)) {
            return Ok(CommitOutcome::LeaseLost);
        }
        if !change.ops.iter().all(|op| self.holds(op)) {
            return Ok(CommitOutcome::Stale);
        }
        let written: HashSet<RowKey> =
            change.ops.iter().filter(|op| !matches!(op, Op::Check { .. })).map(Op::key).collect();
        if let Some(key) = self.taken(change, &written) {
            return Ok(CommitOutcome::Taken(key.clone()));
        }
        self.take(change, &written);
        self.facts.changes.insert(change.id, fingerprint.to_owned());
        self.applied.push(Applied(change.id.uuid(), change.at.micros(), fingerprint));
        Ok(CommitOutcome::Applied)
    }

    /// Ends or extends a lease.
    #[cfg(feature = "sqlite")]
    pub(crate) fn settle(&mut self, lease: &LeaseRef, how: &'a Settlement, now: Timestamp) -> SettleOutcome {
        if !self.is_current(lease) {
            return SettleOutcome::LeaseLost;
        }
        self.end_lease(lease, how, now);
        SettleOutcome::Settled
    }

    fn end_lease(&mut self, lease: &LeaseRef, how: &'a Settlement, now: Timestamp) {
        if !matches!(how, Settlement::Extend { .. }) {
            self.facts.entries.insert(lease.entry, None);
        }
        self.settled.insert(lease.entry, Settled { entry: lease.entry, how, now });
    }

    fn is_current(&self, lease: &LeaseRef) -> bool {
        self.facts.entries.get(&lease.entry) == Some(&Some(lease.fence))
    }

    fn holds(&self, op: &Op) -> bool {
        let stands: Option<Version> = self.facts.rows.get(&op.key()).copied();
        match op {
            Op::Put { expect: Expect::Absent, .. } => stands.is_none(),
            Op::Put { expect: Expect::Version(version), .. } | Op::Delete { version, .. } => stands == Some(*version),
            Op::Check { version, .. } => stands == *version,
        }
    }

    /// A key that two rows would hold after this change. The rows it writes give up their old keys first.
    fn taken(&self, change: &'a Change, written: &HashSet<RowKey>) -> Option<&'a UniqueKey> {
        let mut claimed = HashSet::new();
        puts(change).flat_map(|row| &row.unique).find(|key| {
            self.facts.held.get(key).is_some_and(|holder| !written.contains(holder)) || !claimed.insert(*key)
        })
    }

    fn take(&mut self, change: &'a Change, written: &HashSet<RowKey>) {
        for key in written {
            self.facts.rows.remove(key);
            self.rows.insert(*key, None);
        }
        self.facts.held.retain(|_, holder| !written.contains(holder));
        for row in puts(change) {
            self.facts.rows.insert(row.key, row.version);
            self.facts.held.extend(row.unique.iter().map(|key| (key.clone(), row.key)));
            self.rows.insert(row.key, Some(row));
        }
        for entry in &change.enqueue {
            self.facts.entries.insert(entry.id, None);
            self.enqueued.push(entry);
        }
        for lease in &change.settle {
            self.end_lease(lease, &Settlement::Done, change.at);
        }
    }

    /// What has to be written to make it so.
    pub(crate) fn writes(&self) -> Writes<'_> {
        let (held_before, held_after) = (self.many_before(), self.many_after());
        let mut deleted = ByKind::new();
        let mut vacated = ByKind::new();
        let mut put = ByKind::new();
        for (key, row) in &self.rows {
            let Some(row) = row else {
                deleted.entry(key.kind).or_insert_with(Vec::new).push(key.id);
                continue;
            };
            put.entry(key.kind).or_insert_with(Vec::new).push(Put {
                row,
                replaces: self.stood_before.contains(key),
                #[cfg(feature = "sqlite")]
                columns: self.facts.columns.get(key).map(Vec::as_slice),
            });
            let single = row.unique.iter().filter(|unique| !unique.name.is_many());
            let others = single.filter_map(|unique| self.held_before.get(unique)).filter(|holder| *holder != key);
            // A deleted row has given up everything.
            for holder in others.filter(|holder| self.rows.get(*holder).is_some_and(Option::is_some)) {
                vacated.entry(holder.kind).or_insert_with(Vec::new).push(holder.id);
            }
        }
        Writes {
            deleted,
            vacated,
            given_up: held_before.difference(&held_after).copied().collect(),
            put,
            taken: held_after.difference(&held_before).copied().collect(),
            enqueued: self.enqueued.clone(),
            settled: self.settled.values().collect(),
            applied: &self.applied,
            #[cfg(feature = "postgres")]
            moves_keys: self.moves_keys(),
        }
    }

    #[cfg(feature = "postgres")]
    fn moves_keys(&self) -> bool {
        let mut keys = self.rows.values().flatten().flat_map(|row| row.unique.iter().map(|key| (key, row.key)));
        keys.any(|(key, row)| self.held_before.get(key).is_some_and(|holder| *holder != row))
    }

    /// What the rows that are written held in the side table before.
    fn many_before(&self) -> BTreeSet<ManyKey<'_>> {
        let held =
            self.held_before.iter().filter(|(key, holder)| key.name.is_many() && self.rows.contains_key(*holder));
        held.map(|(key, holder)| (key.name, &key.value, holder.id)).collect()
    }

    /// What they hold in it afterwards.
    fn many_after(&self) -> BTreeSet<ManyKey<'a>> {
        let keys = self.rows.values().flatten().flat_map(|row| row.unique.iter().map(|key| (key, row.key.id)));
        keys.filter(|(key, _)| key.name.is_many()).map(|(key, id)| (key.name, &key.value, id)).collect()
    }
}

fn puts(change: &Change) -> impl Iterator<Item = &Row> {
    change.ops.iter().filter_map(|op| match op {
        Op::Put { next, .. } => Some(next),
        Op::Check { .. } | Op::Delete { .. } => None,
    })
}
