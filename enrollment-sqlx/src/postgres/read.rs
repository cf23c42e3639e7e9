//! Reading. Every call is one statement, and so one snapshot.

use std::collections::{BTreeMap, HashMap};

use enrollment_core::port::{Page, Scan, StoreError};
use enrollment_core::record::{KeyValue, Kind, Row, RowKey, UniqueKey, UniqueName, ValueType};
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::Postgres;
use super::errors::{Patience, Trouble, failed};
use super::schema::Schema;
use super::script::Script;
use crate::error::{Failure, misuse};
use crate::row::Columns;
use crate::scan;
use crate::schema::table;

pub(super) async fn get(db: &Postgres, keys: &[RowKey]) -> Result<Vec<Option<Row>>, StoreError> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let rows = fetch(db, &get_script(&db.schema, keys)).await?;
    let rows: HashMap<RowKey, Row> = rows.into_iter().map(|row| (row.key, row)).collect();
    Ok(keys.iter().map(|key| rows.get(key).cloned()).collect())
}

pub(super) fn get_script(schema: &Schema, keys: &[RowKey]) -> Script {
    let mut kinds: BTreeMap<Kind, Vec<Uuid>> = BTreeMap::new();
    for key in keys {
        kinds.entry(key.kind).or_default().push(key.id);
    }
    let mut script = Script::default();
    for (kind, ids) in kinds {
        if !script.is_empty() {
            script.push(" union all ");
        }
        let ids = script.bind(ids);
        script.push(&format!("{} where {kind}.id = any({ids})", schema.select(kind)));
    }
    script
}

pub(super) async fn find(db: &Postgres, by: &UniqueKey) -> Result<Option<Row>, StoreError> {
    // Nothing is held under another type, and no text has NUL.
    if by.value.value_type() != by.name.value_type() || has_nul(&by.value) {
        return Ok(None);
    }
    Ok(fetch(db, &find_script(&db.schema, by)).await?.pop())
}

pub(super) fn find_script(schema: &Schema, by: &UniqueKey) -> Script {
    let (name, kind) = (by.name, by.name.kind());
    let mut script = Script::new(schema.select(kind));
    let value = bind(&mut script, &by.value);
    script.push(&if name.is_many() {
        let many_keys = schema.at("many_keys");
        format!(" where {kind}.id = (select m.id from {many_keys} m where m.name = '{name}' and m.value = {value})")
    } else {
        format!(" where {name} = {value}")
    });
    script
}

pub(super) async fn scan(db: &Postgres, scan: &Scan) -> Result<Page, StoreError> {
    scan::check(scan)?;
    let places = [scan.from.as_ref(), scan.to.as_ref(), scan.after.as_ref().map(|cursor| &cursor.at)];
    if scan.within.contains('\0') || places.into_iter().flatten().any(has_nul) {
        return Err(misuse("a text with NUL"));
    }
    Ok(scan::page(scan, fetch(db, &scan_script(&db.schema, scan)).await?))
}

pub(super) fn scan_script(schema: &Schema, scan: &Scan) -> Script {
    let (condition, values) = scan::condition(scan);
    let mut script = Script::new(schema.select(scan.index.kind()));
    script.push(&condition);
    script.bind(&scan.within);
    for value in values {
        match value {
            scan::Value::Key(key) => bind(&mut script, key),
            scan::Value::Id(id) => script.bind(id),
        };
    }
    script.bind(i64::from(scan.limit) + 1);
    script
}

fn bind(script: &mut Script, value: &KeyValue) -> String {
    match value {
        KeyValue::Int(value) => script.bind(value),
        KeyValue::Text(value) => script.bind(value),
    }
}

fn has_nul(value: &KeyValue) -> bool {
    matches!(value, KeyValue::Text(text) if text.contains('\0'))
}

/// Reading does nothing, so it may be done again on another connection.
async fn fetch(db: &Postgres, script: &Script) -> Result<Vec<Row>, StoreError> {
    let mut patience = Patience::new("reading rows");
    loop {
        let mut lent = db.lend(&patience).await?;
        match script.clone().query().fetch_all(lent.connection()).await {
            Ok(rows) => {
                lent.give_back();
                return Ok(rows.iter().map(read).collect::<Result<_, _>>()?);
            }
            Err(error) => {
                let trouble = Trouble::Before(error);
                lent.give_back_after(&trouble);
                patience.with(trouble)?;
            }
        }
    }
}

/// A row as [`Schema::select`] selects it.
fn read(from: &PgRow) -> Result<Row, Failure> {
    let failed = failed("reading a row");
    let kind: &str = from.try_get(0).map_err(failed)?;
    let columns = Columns {
        kind,
        id: from.try_get(1).map_err(failed)?,
        version: from.try_get(2).map_err(failed)?,
        layout: from.try_get::<i32, _>(3).map_err(failed)?.into(),
        body: from.try_get(4).map_err(failed)?,
        keys: keys(kind, from.try_get(5).map_err(failed)?).ok_or(UNREADABLE)?,
        many: many(from.try_get(6).map_err(failed)?).ok_or(UNREADABLE)?,
    };
    columns.decode().ok_or(UNREADABLE)
}

const UNREADABLE: Failure = Failure::corrupt("a row cannot be read");

fn keys(kind: &str, texts: Vec<Option<String>>) -> Option<Vec<Option<KeyValue>>> {
    let types = table(kind.parse().ok()?).key_types();
    let typed = types.zip(texts).map(|(sort, text)| {
        text.map(|text| match sort {
            ValueType::Int => text.parse().map(KeyValue::Int).ok(),
            ValueType::Text => Some(KeyValue::Text(text)),
        })
    });
    // Not there, or there and readable.
    typed.map(|value| value.map_or(Some(None), |read| read.map(Some))).collect()
}

/// Each is a name, a space and a value.
fn many(texts: Vec<String>) -> Option<Vec<(UniqueName, KeyValue)>> {
    let pair = |text: String| {
        let (name, value) = text.split_once(' ')?;
        Some((name.parse().ok()?, KeyValue::Text(value.to_owned())))
    };
    texts.into_iter().map(pair).collect()
}
