//! Pages of an index, as SQL text.

use enrollment_core::port::{Cursor, Direction, Page, Scan, StoreError};
use enrollment_core::record::{KeyValue, Row};
use uuid::Uuid;

use crate::error::misuse;
use crate::schema::part;

/// What is bound to the text, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    Key(&'a KeyValue),
    Id(Uuid),
}

/// Whether a scan keeps to the contract.
pub(crate) fn check(scan: &Scan) -> Result<(), StoreError> {
    if !(1..=1_000).contains(&scan.limit) {
        return Err(misuse("a page has 1 to 1,000 rows"));
    }
    let after = scan.after.as_ref();
    let places = [scan.from.as_ref(), scan.to.as_ref(), after.map(|cursor| &cursor.at)];
    if places.into_iter().flatten().any(|place| place.value_type() != scan.index.value_type()) {
        return Err(misuse("a place of another type than the index"));
    }
    Ok(())
}

/// What follows the name of the table. `$1` is the part; then come the values returned; last the limit.
///
/// The index gives rows in the order (place, id). Of the range's start and the cursor only the one further on is named,
/// so that the index is entered there and a page costs the same however many come before it.
pub(crate) fn condition(scan: &Scan) -> (String, Vec<Value<'_>>) {
    let index = scan.index;
    let ascending = scan.direction == Direction::Ascending;
    let mut text = format!(" where {} = $1", part(index));
    let mut values = Vec::new();
    // Whether the start of the range lies behind the cursor's row, in the direction of the scan.
    let start_is_ahead = |cursor: &Cursor| match scan.direction {
        Direction::Ascending => scan.from.as_ref().is_some_and(|from| *from > cursor.at),
        Direction::Descending => scan.to.as_ref().is_some_and(|to| *to <= cursor.at),
    };
    let cursor = scan.after.as_ref().filter(|cursor| !start_is_ahead(cursor));
    if let Some(from) = scan.from.as_ref().filter(|_| !ascending || cursor.is_none()) {
        values.push(Value::Key(from));
        text.push_str(&format!(" and {index} >= ${}", values.len() + 1));
    }
    if let Some(to) = scan.to.as_ref().filter(|_| ascending || cursor.is_none()) {
        values.push(Value::Key(to));
        text.push_str(&format!(" and {index} < ${}", values.len() + 1));
    }
    if let Some(cursor) = cursor {
        values.push(Value::Key(&cursor.at));
        values.push(Value::Id(cursor.id));
        let than = if ascending { ">" } else { "<" };
        text.push_str(&format!(" and ({index}, id) {than} (${}, ${})", values.len(), values.len() + 1));
    }
    let order = if ascending { "asc" } else { "desc" };
    text.push_str(&format!(" order by {index} {order}, id {order} limit ${}", values.len() + 2));
    (text, values)
}

/// A page of what was found with one row more than asked, which tells whether there is a next page.
pub(crate) fn page(scan: &Scan, mut rows: Vec<Row>) -> Page {
    let limit = usize::try_from(scan.limit).unwrap_or(usize::MAX);
    let more = rows.len() > limit;
    rows.truncate(limit);
    let last = rows.last().filter(|_| more);
    let next = last.and_then(|row| {
        let key = row.index.iter().find(|key| key.name == scan.index)?;
        Some(Cursor { at: key.at.clone(), id: row.key.id })
    });
    Page { rows, next }
}
