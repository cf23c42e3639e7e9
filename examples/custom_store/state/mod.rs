//! What the store knows, and what it decides. Nothing here reads or writes a file, or asks for the time.

mod outbox;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::{Excluded, Included, Unbounded};

use enrollment_core::id::{ChangeId, OutboxId};
use enrollment_core::port::{
    Change, CommitOutcome, Cursor, Direction, Expect, Op, Page, Retained, Scan, SettleOutcome, Settlement, StoreError,
    StoreErrorKind,
};
use enrollment_core::record::{IndexName, KeyValue, Row, RowKey, UniqueKey};
use enrollment_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub(crate) use self::outbox::Item;

/// What a line of the log says. The facts of one line become true together.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Fact {
    /// This row stands, in place of any with its key.
    Row(Row),
    /// There is no such row.
    NoRow(RowKey),
    /// This entry is in the outbox, in place of any with its id.
    Item(Item),
    /// There is no such entry.
    NoItem(OutboxId),
    /// This change was applied.
    Change(Applied),
    /// Nothing is known of this change.
    NoChange(ChangeId),
}

/// What is remembered of a change (G3).
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Applied {
    id: ChangeId,
    fingerprint: [u8; 32],
    at: Timestamp,
}

/// Everything, in memory. The last two maps follow from the rows.
#[derive(Debug, Default)]
pub(crate) struct State {
    rows: BTreeMap<RowKey, Row>,
    items: BTreeMap<OutboxId, Item>,
    changes: BTreeMap<ChangeId, Applied>,
    holders: BTreeMap<UniqueKey, RowKey>,
    parts: BTreeMap<(IndexName, String), BTreeSet<(KeyValue, Uuid)>>,
}

impl State {
    /// Makes a fact true: the only way in which the state changes, at opening and afterwards.
    pub(crate) fn apply(&mut self, fact: Fact) {
        match fact {
            Fact::Row(row) => {
                self.remove(&row.key);
                for key in &row.unique {
                    self.holders.insert(key.clone(), row.key);
                }
                for key in &row.index {
                    let part = self.parts.entry((key.name, key.within.clone())).or_default();
                    part.insert((key.at.clone(), row.key.id));
                }
                self.rows.insert(row.key, row);
            }
            Fact::NoRow(key) => self.remove(&key),
            Fact::Item(item) => {
                self.items.insert(item.entry.id, item);
            }
            Fact::NoItem(id) => {
                self.items.remove(&id);
            }
            Fact::Change(applied) => {
                self.changes.insert(applied.id, applied);
            }
            Fact::NoChange(id) => {
                self.changes.remove(&id);
            }
        }
    }

    fn remove(&mut self, key: &RowKey) {
        let Some(row) = self.rows.remove(key) else { return };
        for unique in row.unique {
            // Within one change the key may have gone to another row already.
            if self.holders.get(&unique) == Some(key) {
                self.holders.remove(&unique);
            }
        }
        for index in row.index {
            if let Some(part) = self.parts.get_mut(&(index.name, index.within)) {
                part.remove(&(index.at, key.id));
            }
        }
    }

    pub(crate) fn row(&self, key: &RowKey) -> Option<&Row> {
        self.rows.get(key)
    }

    pub(crate) fn holder(&self, by: &UniqueKey) -> Option<&Row> {
        self.holders.get(by).and_then(|holder| self.rows.get(holder))
    }

    /// G9: starts at the cursor, so that the pages before cost nothing.
    pub(crate) fn scan(&self, scan: &Scan) -> Result<Page, StoreError> {
        let values = [scan.from.as_ref(), scan.to.as_ref(), scan.after.as_ref().map(|cursor| &cursor.at)];
        if !(1..=1_000).contains(&scan.limit)
            || values.into_iter().flatten().any(|value| value.value_type() != scan.index.value_type())
        {
            return Err(misuse("a page of 1 to 1,000 rows, at places of the index's own type"));
        }
        let empty = BTreeSet::new();
        let part = self.parts.get(&(scan.index, scan.within.clone())).unwrap_or(&empty);
        let from = |at: &KeyValue| scan.from.as_ref().is_none_or(|from| from <= at);
        let to = |at: &KeyValue| scan.to.as_ref().is_none_or(|to| at < to);
        // A cursor outside the range does not widen it.
        let cursor = scan.after.as_ref().map(|cursor| (cursor.at.clone(), cursor.id));
        let mut places: Box<dyn Iterator<Item = &(KeyValue, Uuid)>> = match scan.direction {
            Direction::Ascending => {
                let first = scan.from.clone().map_or(Unbounded, |from| Included((from, Uuid::nil())));
                let start = cursor.filter(|(at, _)| from(at)).map_or(first, Excluded);
                Box::new(part.range((start, Unbounded)).take_while(|(at, _)| to(at)))
            }
            Direction::Descending => {
                let last = scan.to.clone().map_or(Unbounded, |to| Excluded((to, Uuid::nil())));
                let start = cursor.filter(|(at, _)| to(at)).map_or(last, Excluded);
                Box::new(part.range((Unbounded, start)).rev().take_while(|(at, _)| from(at)))
            }
        };
        let limit = usize::try_from(scan.limit).unwrap_or(usize::MAX);
        let page: Vec<_> = places.by_ref().take(limit).collect();
        let more = places.next().is_some();
        let next = page.last().filter(|_| more).map(|(at, id)| Cursor { at: at.clone(), id: *id });
        let row = |(_, id): &(KeyValue, Uuid)| self.rows.get(&RowKey::new(scan.index.kind(), *id)).cloned();
        Ok(Page { rows: page.into_iter().filter_map(row).collect(), next })
    }

    /// G2, G3, G4: whether a change applies, and what it makes true.
    pub(crate) fn commit(&self, change: &Change) -> Result<(CommitOutcome, Vec<Fact>), StoreError> {
        let refused = |outcome| Ok((outcome, Vec::new()));
        let applied = Applied { id: change.id, fingerprint: change.fingerprint(), at: change.at };
        if let Some(earlier) = self.changes.get(&change.id) {
            return if earlier.fingerprint == applied.fingerprint {
                refused(CommitOutcome::Applied)
            } else {
                Err(misuse("this id was used for another change"))
            };
        }
        let ids: BTreeSet<OutboxId> = change.enqueue.iter().map(|entry| entry.id).collect();
        if ids.len() < change.enqueue.len() || ids.iter().any(|id| self.items.contains_key(id)) {
            return Err(misuse("this id was used for another entry"));
        }
        let mut settled = Vec::new();
        for lease in &change.settle {
            match self.settle(lease, &Settlement::Done, change.at) {
                (SettleOutcome::LeaseLost, _) => return refused(CommitOutcome::LeaseLost),
                (SettleOutcome::Settled, facts) => settled.extend(facts),
            }
        }
        if !change.ops.iter().all(|op| self.holds(op)) {
            return refused(CommitOutcome::Stale);
        }
        if let Some(key) = self.taken(&change.ops) {
            return refused(CommitOutcome::Taken(key));
        }
        let rows = change.ops.iter().filter_map(|op| match op {
            Op::Put { next, .. } => Some(Fact::Row(next.clone())),
            Op::Delete { key, .. } => Some(Fact::NoRow(*key)),
            Op::Check { .. } => None,
        });
        let items = change.enqueue.iter().map(|entry| Fact::Item(Item::new(entry.clone())));
        let facts = rows.chain(items).chain(settled).chain([Fact::Change(applied)]).collect();
        Ok((CommitOutcome::Applied, facts))
    }

    /// Removes what ended before this time.
    pub(crate) fn prune(&self, what: Retained, before: Timestamp, limit: u32) -> (u64, Vec<Fact>) {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let facts: Vec<Fact> = match what {
            Retained::Changes => {
                let old = self.changes.values().filter(|applied| applied.at < before);
                old.map(|applied| Fact::NoChange(applied.id)).take(limit).collect()
            }
            Retained::Settled | Retained::Dead => {
                let old = self.items.values().filter(|item| item.ended_before(before, what == Retained::Dead));
                old.map(|item| Fact::NoItem(item.entry.id)).take(limit).collect()
            }
        };
        (facts.len() as u64, facts)
    }

    fn holds(&self, op: &Op) -> bool {
        let standing = self.rows.get(&op.key()).map(|row| row.version);
        match op {
            Op::Put { expect: Expect::Absent, .. } => standing.is_none(),
            Op::Put { expect: Expect::Version(version), .. } | Op::Delete { version, .. } => standing == Some(*version),
            Op::Check { version, .. } => standing == *version,
        }
    }

    /// A key that two rows would hold afterwards. Rows that are written or deleted give up their old keys first.
    fn taken(&self, ops: &[Op]) -> Option<UniqueKey> {
        let free: BTreeSet<RowKey> = ops.iter().filter(|op| !matches!(op, Op::Check { .. })).map(Op::key).collect();
        let mut claimed = BTreeSet::new();
        for op in ops {
            let Op::Put { next, .. } = op else { continue };
            for key in &next.unique {
                let held = self.holders.get(key).is_some_and(|holder| !free.contains(holder));
                if held || !claimed.insert(key) {
                    return Some(key.clone());
                }
            }
        }
        None
    }
}

fn misuse(message: &str) -> StoreError {
    StoreError::new(StoreErrorKind::Misuse, message)
}
