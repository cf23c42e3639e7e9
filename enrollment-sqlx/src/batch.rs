//! A group of changes, decided one after the other and written together.
//!
//! The group's transaction keeps all other writers out, so what [`Facts`] say stays true until it ends. Each change
//! is judged by the facts as the changes before it left them; the net effect of all is written at the end.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use enrollment_core::id::OutboxId;
use enrollment_core::port::{
    Change, CommitOutcome, Expect, LeaseRef, Op, OutboxEntry, SettleOutcome, Settlement, StoreError,
};
use enrollment_core::record::{KeyValue, Kind, Row, RowKey, UniqueKey, UniqueName, Version};
use enrollment_core::time::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use crate::error::misuse;
use crate::facts::Facts;
use crate::outbox;
use crate::row::Line;
use crate::schema::{self, table};
use crate::script::Script;

/// What the changes of a group come to.
#[derive(Debug)]
pub(crate) struct Batch<'a> {
    facts: Facts,
    /// Who held which keys before the group.
    held_before: HashMap<UniqueKey, RowKey>,
    /// What became of rows; `None`: deleted.
    rows: BTreeMap<RowKey, Option<&'a Row>>,
    enqueued: Vec<&'a OutboxEntry>,
    /// The last settlement of each entry; those before it only extended the lease.
    settled: BTreeMap<OutboxId, outbox::Settled<'a>>,
    applied: Vec<Applied<'a>>,
}

/// A line of the table of changes.
#[derive(Debug, Serialize)]
struct Applied<'a>(Uuid, i64, &'a str);

impl<'a> Batch<'a> {
    pub(crate) fn new(facts: Facts) -> Self {
        let held_before = facts.held.clone();
        Self {
            facts,
            held_before,
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
        if change.settle.is_some_and(|lease| !self.is_current(&lease)) {
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
    pub(crate) fn settle(&mut self, lease: &LeaseRef, how: &'a Settlement, now: Timestamp) -> SettleOutcome {
        if !self.is_current(lease) {
            return SettleOutcome::LeaseLost;
        }
        if !matches!(how, Settlement::Extend { .. }) {
            self.facts.entries.insert(lease.entry, None);
        }
        self.settled.insert(lease.entry, outbox::Settled { entry: lease.entry, how, now });
        SettleOutcome::Settled
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
        if let Some(lease) = change.settle {
            // Found current by `commit`.
            let _settled = self.settle(&lease, &Settlement::Done, change.at);
        }
    }

    /// The statements that make it so: first everything that gives up keys, then everything that takes them.
    pub(crate) fn script(self) -> Script {
        let mut script = Script::default();
        let (held_before, held_after) = (self.many_before(), self.many_after());
        let given_up: Vec<_> = held_before.difference(&held_after).collect();
        let taken: Vec<_> = held_after.difference(&held_before).collect();
        let mut deleted = ByKind::new();
        let mut vacated = ByKind::new();
        let mut put = ByKind::new();
        for (key, row) in &self.rows {
            let Some(row) = row else {
                deleted.entry(key.kind).or_default().push(key.id);
                continue;
            };
            put.entry(key.kind).or_default().push(Line { table: table(key.kind), row });
            let single = row.unique.iter().filter(|unique| !unique.name.is_many());
            for holder in single.filter_map(|unique| self.held_before.get(unique)).filter(|holder| *holder != key) {
                vacated.entry(holder.kind).or_default().push(holder.id);
            }
        }
        for (kind, ids) in &deleted {
            script.add(ids, |n| table(*kind).delete(n));
        }
        for (kind, ids) in &vacated {
            script.add(ids, |n| table(*kind).vacate(n));
        }
        script.add(&given_up, schema::give_up_many);
        for (kind, rows) in &put {
            script.add(rows, |n| table(*kind).put(n));
        }
        script.add(&taken, schema::take_many);
        script.add(&self.enqueued.iter().map(|entry| outbox::Entry(entry)).collect::<Vec<_>>(), outbox::enqueue_text);
        script.add(&self.settled.into_values().collect::<Vec<_>>(), outbox::settle_text);
        script.add(&self.applied, schema::applied);
        script
    }

    /// What the rows of this group held in the side table before it.
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

type ByKind<T> = BTreeMap<Kind, Vec<T>>;

/// A line of the side table.
type ManyKey<'a> = (UniqueName, &'a KeyValue, Uuid);

fn puts(change: &Change) -> impl Iterator<Item = &Row> {
    change.ops.iter().filter_map(|op| match op {
        Op::Put { next, .. } => Some(next),
        Op::Check { .. } | Op::Delete { .. } => None,
    })
}
