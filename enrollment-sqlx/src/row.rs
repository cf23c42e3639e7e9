//! Rows as the database sends and takes them.

use enrollment_core::record::{Document, IndexKey, KeyValue, Kind, Row, RowKey, UniqueKey, UniqueName, Version};
use serde::ser::{Serialize, SerializeSeq, Serializer};
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use crate::error::Failure;
use crate::schema::{Table, table};

/// A row as [`Table::select`] selects it.
pub(crate) fn read(from: &SqliteRow) -> Result<Row, Failure> {
    let failed = |error| Failure::new("reading a row", error);
    let kind: String = from.try_get(0).map_err(failed)?;
    let id: String = from.try_get(1).map_err(failed)?;
    let version: i64 = from.try_get(2).map_err(failed)?;
    let layout: i64 = from.try_get(3).map_err(failed)?;
    let json: String = from.try_get(4).map_err(failed)?;
    let keys: String = from.try_get(5).map_err(failed)?;
    let many: String = from.try_get(6).map_err(failed)?;
    decode(&kind, &id, version, layout, json, &keys, &many).ok_or(Failure::corrupt("a row cannot be read"))
}

/// `None` says no more than that something is unreadable: the parsers' own errors quote what they read.
fn decode(kind: &str, id: &str, version: i64, layout: i64, json: String, keys: &str, many: &str) -> Option<Row> {
    let kind: Kind = kind.parse().ok()?;
    let table = table(kind);
    let mut values = serde_json::from_str::<Vec<Option<KeyValue>>>(keys).ok()?.into_iter();
    let mut unique = Vec::new();
    for name in &table.unique {
        if let Some(value) = values.next()? {
            unique.push(UniqueKey { name: *name, value });
        }
    }
    for (name, value) in serde_json::from_str::<Vec<(UniqueName, KeyValue)>>(many).ok()? {
        unique.push(UniqueKey { name, value });
    }
    unique.sort();
    let mut index = Vec::new();
    for name in &table.index {
        match (values.next()?, values.next()?) {
            (Some(KeyValue::Text(within)), Some(at)) => index.push(IndexKey { name: *name, within, at }),
            (None, None) => {}
            _ => return None,
        }
    }
    Some(Row {
        key: RowKey::new(kind, Uuid::parse_str(id).ok()?),
        version: Version(u64::try_from(version).ok()?),
        unique,
        index,
        body: Document { layout: u16::try_from(layout).ok()?, json },
    })
}

/// A row as [`Table::put`] takes it: the values of all columns in order.
#[derive(Debug)]
pub(crate) struct Line<'a> {
    pub(crate) table: &'a Table,
    pub(crate) row: &'a Row,
}

impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { table, row } = self;
        let mut line = serializer.serialize_seq(None)?;
        line.serialize_element(&row.key.id)?;
        line.serialize_element(&row.version)?;
        line.serialize_element(&row.body.layout)?;
        line.serialize_element(&row.body.json)?;
        for name in &table.unique {
            line.serialize_element(&row.unique.iter().find(|key| key.name == *name).map(|key| &key.value))?;
        }
        for name in &table.index {
            let key = row.index.iter().find(|key| key.name == *name);
            line.serialize_element(&key.map(|key| &key.within))?;
            line.serialize_element(&key.map(|key| &key.at))?;
        }
        line.end()
    }
}
