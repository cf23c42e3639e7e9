//! Rows as the databases send them.

use enrollment_core::record::{Document, IndexKey, KeyValue, Kind, Row, RowKey, UniqueKey, UniqueName, Version};
use uuid::Uuid;

use crate::schema::table;

/// The columns that every statement about rows selects.
#[derive(Debug)]
pub(crate) struct Columns<'a> {
    pub(crate) kind: &'a str,
    pub(crate) id: Uuid,
    pub(crate) version: i64,
    pub(crate) layout: i64,
    pub(crate) body: String,
    /// The values of [`Table::keys`](crate::schema::Table::keys).
    pub(crate) keys: Vec<Option<KeyValue>>,
    /// What it holds in the side table.
    pub(crate) many: Vec<(UniqueName, KeyValue)>,
}

/// What a row has in the columns of [`Table::keys`](crate::schema::Table::keys).
#[cfg(feature = "sqlite")]
pub(crate) fn key_columns(row: &Row) -> Vec<Option<KeyValue>> {
    let table = table(row.key.kind);
    let unique =
        table.unique.iter().map(|name| row.unique.iter().find(|key| key.name == *name).map(|key| key.value.clone()));
    let index = table.index.iter().flat_map(|name| {
        let key = row.index.iter().find(|key| key.name == *name);
        [key.map(|key| KeyValue::Text(key.within.clone())), key.map(|key| key.at.clone())]
    });
    unique.chain(index).collect()
}

impl Columns<'_> {
    /// `None`: something is out of its range.
    pub(crate) fn decode(self) -> Option<Row> {
        let kind: Kind = self.kind.parse().ok()?;
        let table = table(kind);
        let mut values = self.keys.into_iter();
        let mut unique = Vec::new();
        for name in &table.unique {
            if let Some(value) = values.next()? {
                unique.push(UniqueKey { name: *name, value });
            }
        }
        unique.extend(self.many.into_iter().map(|(name, value)| UniqueKey { name, value }));
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
            key: RowKey::new(kind, self.id),
            version: Version(u64::try_from(self.version).ok()?),
            unique,
            index,
            body: Document { layout: u16::try_from(self.layout).ok()?, json: self.body },
        })
    }
}
