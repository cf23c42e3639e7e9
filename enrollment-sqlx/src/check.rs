//! Whether a change keeps to the limits of the port, before it is queued: one that does not must not spoil a group.

use enrollment_core::port::{Change, Op, OutboxEntry, StoreError};
use enrollment_core::record::{Document, KeyValue, Row};

use crate::error::misuse;

/// The longest document, in bytes.
const DOCUMENT: usize = 256 * 1024;
/// The longest text of a key, in bytes.
const TEXT: usize = 1_024;

pub(crate) fn change(change: &Change) -> Result<(), StoreError> {
    for op in &change.ops {
        if let Op::Put { next, .. } = op {
            row(next)?;
        }
    }
    change.enqueue.iter().try_for_each(entry)
}

fn row(row: &Row) -> Result<(), StoreError> {
    if i64::try_from(row.version.0).is_err() {
        return Err(misuse("a version is out of range"));
    }
    let values = row.unique.iter().map(|key| &key.value).chain(row.index.iter().map(|key| &key.at));
    let values = values.filter_map(|value| match value {
        KeyValue::Text(text) => Some(text),
        KeyValue::Int(_) => None,
    });
    values.chain(row.index.iter().map(|key| &key.within)).try_for_each(|value| text(value))?;
    document(&row.body)
}

fn entry(entry: &OutboxEntry) -> Result<(), StoreError> {
    if let Some(stream) = &entry.stream {
        text(&stream.key)?;
        if i64::try_from(stream.order).is_err() {
            return Err(misuse("the order in a stream is out of range"));
        }
    }
    document(&entry.body)
}

fn text(text: &str) -> Result<(), StoreError> {
    if text.len() > TEXT || text.contains('\0') {
        return Err(misuse("a key is longer than 1,024 bytes or contains NUL"));
    }
    Ok(())
}

fn document(document: &Document) -> Result<(), StoreError> {
    if document.json.len() > DOCUMENT || document.json.contains('\0') {
        return Err(misuse("a document is longer than 256 KiB or contains NUL"));
    }
    Ok(())
}
