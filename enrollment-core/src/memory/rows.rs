//! Rows, who holds which unique key, and where each row stands in the indexes.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use uuid::Uuid;

use super::misuse;
use crate::port::{Cursor, Direction, Expect, Op, Page, Scan, StoreError};
use crate::record::{IndexName, KeyValue, Row, RowKey, UniqueKey};

/// A place in an index: which index, which part, the place, the row.
type Place = (IndexName, String, KeyValue, Uuid);

/// The rows and what follows from them.
#[derive(Debug, Default)]
pub(super) struct Rows {
    rows: BTreeMap<RowKey, Row>,
    holders: BTreeMap<UniqueKey, RowKey>,
    places: BTreeSet<Place>,
}

impl Rows {
    pub(super) fn get(&self, key: &RowKey) -> Option<&Row> {
        self.rows.get(key)
    }

    pub(super) fn find(&self, by: &UniqueKey) -> Option<&Row> {
        self.holders.get(by).and_then(|holder| self.rows.get(holder))
    }

    /// Whether what a step expects of its row is so.
    pub(super) fn holds(&self, op: &Op) -> bool {
        let version = self.rows.get(&op.key()).map(|row| row.version);
        match op {
            Op::Put { expect: Expect::Absent, .. } => version.is_none(),
            Op::Put { expect: Expect::Version(expected), .. } | Op::Delete { version: expected, .. } => {
                version == Some(*expected)
            }
            Op::Check { version: expected, .. } => version == *expected,
        }
    }

    /// A unique key that two rows would hold after these steps.
    pub(super) fn taken(&self, ops: &[Op]) -> Option<UniqueKey> {
        // A row that is written or deleted gives up its old keys, so that a key can move within one change.
        let giving_up: BTreeSet<RowKey> =
            ops.iter().filter(|op| !matches!(op, Op::Check { .. })).map(Op::key).collect();
        let mut claimed = BTreeSet::new();
        puts(ops)
            .flat_map(|row| &row.unique)
            .find(|key| {
                let held = self.holders.get(key).is_some_and(|holder| !giving_up.contains(holder));
                held || !claimed.insert(*key)
            })
            .cloned()
    }

    /// Takes the steps; the caller has made sure that they hold and take no key from another row.
    pub(super) fn apply(&mut self, ops: &[Op]) {
        for op in ops {
            if !matches!(op, Op::Check { .. }) {
                self.remove(&op.key());
            }
        }
        for row in puts(ops) {
            self.insert(row.clone());
        }
    }

    /// The page of `scan`.
    pub(super) fn scan(&self, scan: &Scan) -> Result<Page, StoreError> {
        if !(1..=1_000).contains(&scan.limit) {
            return Err(misuse("a page has 1 to 1,000 rows"));
        }
        let after = scan.after.as_ref();
        let ends = [scan.from.as_ref(), scan.to.as_ref(), after.map(|cursor| &cursor.at)];
        if ends.into_iter().flatten().any(|value| value.value_type() != scan.index.value_type()) {
            return Err(misuse("a place of another type than the index"));
        }
        let limit = usize::try_from(scan.limit).unwrap_or(usize::MAX);
        let (low, high) = bounds(scan);
        if is_empty(&low, &high) {
            return Ok(Page { rows: Vec::new(), next: None });
        }
        let range = self.places.range((low, high));
        let mut places: Vec<&Place> = match scan.direction {
            Direction::Ascending => range.take(limit + 1).collect(),
            Direction::Descending => range.rev().take(limit + 1).collect(),
        };
        let more = places.len() > limit;
        places.truncate(limit);
        let next = places.last().filter(|_| more).map(|(_, _, at, id)| Cursor { at: at.clone(), id: *id });
        let kind = scan.index.kind();
        let rows = places.into_iter().filter_map(|(.., id)| self.rows.get(&RowKey::new(kind, *id)).cloned()).collect();
        Ok(Page { rows, next })
    }

    fn insert(&mut self, row: Row) {
        for key in &row.unique {
            self.holders.insert(key.clone(), row.key);
        }
        self.places.extend(places(&row));
        self.rows.insert(row.key, row);
    }

    fn remove(&mut self, key: &RowKey) {
        if let Some(row) = self.rows.remove(key) {
            for key in &row.unique {
                self.holders.remove(key);
            }
            for place in places(&row) {
                self.places.remove(&place);
            }
        }
    }
}

fn puts(ops: &[Op]) -> impl Iterator<Item = &Row> {
    ops.iter().filter_map(|op| match op {
        Op::Put { next, .. } => Some(next),
        Op::Check { .. } | Op::Delete { .. } => None,
    })
}

fn places(row: &Row) -> impl Iterator<Item = Place> {
    row.index.iter().map(|key| (key.name, key.within.clone(), key.at.clone(), row.key.id))
}

/// The places a scan may still visit: its range, less what lies before its cursor.
fn bounds(scan: &Scan) -> (Bound<Place>, Bound<Place>) {
    let place = |at: &KeyValue, id| (scan.index, scan.within.clone(), at.clone(), id);
    // The lowest value of all, and a text behind every place of this part: no place lies between them and the part.
    let first = KeyValue::Int(i64::MIN);
    let behind = (scan.index, format!("{}\0", scan.within), first.clone(), Uuid::nil());
    let low = Bound::Included(place(scan.from.as_ref().unwrap_or(&first), Uuid::nil()));
    let high = Bound::Excluded(scan.to.as_ref().map_or(behind, |to| place(to, Uuid::nil())));
    let Some(cursor) = &scan.after else { return (low, high) };
    let cursor = Bound::Excluded(place(&cursor.at, cursor.id));
    match scan.direction {
        Direction::Ascending => (later(low, cursor), high),
        Direction::Descending => (low, earlier(high, cursor)),
    }
}

/// The narrower of two lower bounds.
fn later(range: Bound<Place>, cursor: Bound<Place>) -> Bound<Place> {
    if value(&range) > value(&cursor) { range } else { cursor }
}

/// The narrower of two upper bounds.
fn earlier(range: Bound<Place>, cursor: Bound<Place>) -> Bound<Place> {
    if value(&range) < value(&cursor) { range } else { cursor }
}

fn value(bound: &Bound<Place>) -> Option<&Place> {
    match bound {
        Bound::Included(place) | Bound::Excluded(place) => Some(place),
        Bound::Unbounded => None,
    }
}

/// Whether nothing lies between these bounds; `BTreeSet::range` panics on some of them.
fn is_empty(low: &Bound<Place>, high: &Bound<Place>) -> bool {
    value(low) >= value(high)
}
