//! A group of changes, decided one after the other and written together.
//!
//! The group's transaction keeps all other writers out, so what [`Facts`] say stays true until it ends. Each change
//! is judged by the facts as the changes before it left them; the net effect of all is written at the end.

use std::collections::{BTreeMap, HashMap, HashSet};

use enrollment_core::id::OutboxId;
use enrollment_core::port::{
    Change, CommitOutcome, Expect, LeaseRef, Op, OutboxEntry, SettleOutcome, Settlement, StoreError,
};
use enrollment_core::record::{Kind, Row, RowKey, UniqueKey, Version};
use enrollment_core::time::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use crate::error::misuse;
use crate::facts::Facts;
use crate::outbox;
use crate::row::Line;
use crate::schema::{MANY_KEYS, table};
use crate::script::Script;
use crate::sqlite::{field, lines, list};

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
        let mut deleted: BTreeMap<Kind, Vec<Uuid>> = BTreeMap::new();
        let mut vacated: BTreeMap<Kind, Vec<Uuid>> = BTreeMap::new();
        let mut put: BTreeMap<Kind, Vec<Line<'_>>> = BTreeMap::new();
        for (key, row) in &self.rows {
            match row {
                Some(row) => {
                    put.entry(key.kind).or_default().push(Line { table: table(key.kind), row });
                    for old in row.unique.iter().filter_map(|unique| self.held_before.get(unique)) {
                        if old != key {
                            vacated.entry(old.kind).or_default().push(old.id);
                        }
                    }
                }
                None => deleted.entry(key.kind).or_default().push(key.id),
            }
        }
        for (kind, ids) in &deleted {
            let n = script.list(ids);
            script.push(&table(*kind).delete(n));
        }
        for (kind, ids) in vacated.iter().filter(|(kind, _)| !table(**kind).unique.is_empty()) {
            let n = script.list(ids);
            script.push(&table(*kind).vacate(n));
        }
        self.give_up_many(&mut script);
        for (kind, rows) in &put {
            let n = script.list(rows);
            script.push(&table(*kind).put(n));
        }
        self.take_many(&mut script);
        if !self.enqueued.is_empty() {
            outbox::enqueue(&mut script, &self.enqueued);
        }
        if !self.settled.is_empty() {
            outbox::settle(&mut script, self.settled.values());
        }
        if !self.applied.is_empty() {
            let n = script.list(&self.applied);
            script.push(&format!(
                "insert into changes (id, at, fingerprint) select {}, {}, {} from {};",
                field(0),
                field(1),
                field(2),
                lines(n)
            ));
        }
        script
    }

    /// Keys in the side table that rows of this group no longer hold.
    fn give_up_many(&self, script: &mut Script) {
        let ids: Vec<Uuid> =
            self.rows.keys().filter(|key| !table(key.kind).many.is_empty()).map(|key| key.id).collect();
        if ids.is_empty() {
            return;
        }
        let (ids, kept) = (script.list(&ids), script.list(&self.many_keys()));
        script.push(&format!(
            "delete from {MANY_KEYS} where id in {} and (name, value, id) not in (select {}, {}, {} from {});",
            list(ids),
            field(0),
            field(1),
            field(2),
            lines(kept)
        ));
    }

    /// Keys in the side table that rows of this group newly hold. Those they hold already are left alone.
    fn take_many(&self, script: &mut Script) {
        let keys = self.many_keys();
        if keys.is_empty() {
            return;
        }
        let n = script.list(&keys);
        let (name, value, id) = (field(0), field(1), field(2));
        script.push(&format!(
            "insert into {MANY_KEYS} (name, value, id) select {name}, {value}, {id} from {} \
             where ({name}, {value}, {id}) not in (select name, value, id from {MANY_KEYS} where id in \
             (select {id} from {}));",
            lines(n),
            lines(n)
        ));
    }

    fn many_keys(&self) -> Vec<(&str, &enrollment_core::record::KeyValue, Uuid)> {
        let rows = self.rows.values().flatten();
        rows.flat_map(|row| row.unique.iter().map(|key| (key, row.key.id)))
            .filter(|(key, _)| key.name.is_many())
            .map(|(key, id)| (key.name.as_str(), &key.value, id))
            .collect()
    }
}

fn puts(change: &Change) -> impl Iterator<Item = &Row> {
    change.ops.iter().filter_map(|op| match op {
        Op::Put { next, .. } => Some(next),
        Op::Check { .. } | Op::Delete { .. } => None,
    })
}
