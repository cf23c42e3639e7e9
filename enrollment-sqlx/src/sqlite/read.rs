//! Reading. Every call is one statement, and so one snapshot.

use std::collections::{BTreeMap, HashMap};

use enrollment_core::port::{Page, Scan, StoreError};
use enrollment_core::record::{KeyValue, Kind, Row, RowKey, UniqueKey};
use serde::de::DeserializeOwned;
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqlitePool, SqliteRow};
use sqlx::{AssertSqlSafe, Row as _, Sqlite};
use uuid::Uuid;

use super::errors::failed;
use super::lists::each;
use super::script::Script;
use super::tables::texts;
use crate::error::Failure;
use crate::row::Columns;
use crate::scan;

pub(crate) async fn get(pool: &SqlitePool, keys: &[RowKey]) -> Result<Vec<Option<Row>>, StoreError> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let mut rows = HashMap::new();
    for row in &fetch(pool, get_script(keys).query()).await? {
        let row = read(row)?;
        rows.insert(row.key, row);
    }
    Ok(keys.iter().map(|key| rows.get(key).cloned()).collect())
}

pub(crate) fn get_script(keys: &[RowKey]) -> Script {
    let mut kinds: BTreeMap<Kind, Vec<Uuid>> = BTreeMap::new();
    for key in keys {
        kinds.entry(key.kind).or_default().push(key.id);
    }
    let mut script = Script::default();
    for (kind, ids) in kinds {
        if !script.is_empty() {
            script.push(" union all ");
        }
        let n = script.list(&ids);
        script.push(&format!("{} from {} {kind} on {kind}.id = wanted", texts(kind).select, each(n)));
    }
    script
}

pub(crate) async fn find(pool: &SqlitePool, by: &UniqueKey) -> Result<Option<Row>, StoreError> {
    // SQLite would find the integer 5 by the text "5".
    if by.value.value_type() != by.name.value_type() {
        return Ok(None);
    }
    let query = bind(sqlx::query(AssertSqlSafe(find_text(by))), &by.value);
    let rows = fetch(pool, query).await?;
    Ok(rows.first().map(read).transpose()?)
}

/// `$1` is the value.
pub(crate) fn find_text(by: &UniqueKey) -> String {
    let (name, kind) = (by.name, by.name.kind());
    let select = &texts(kind).select;
    if name.is_many() {
        format!("{select} from {kind} where id = (select id from many_keys where name = '{name}' and value = $1)",)
    } else {
        format!("{select} from {kind} where {name} = $1")
    }
}

pub(crate) async fn scan(pool: &SqlitePool, scan: &Scan) -> Result<Page, StoreError> {
    scan::check(scan)?;
    let (text, values) = scan_text(scan);
    let mut query = sqlx::query(AssertSqlSafe(text)).bind(scan.within.clone());
    for value in values {
        query = match value {
            scan::Value::Key(key) => bind(query, key),
            scan::Value::Id(id) => query.bind(id.to_string()),
        };
    }
    let found = fetch(pool, query.bind(scan.limit + 1)).await?;
    Ok(scan::page(scan, found.iter().map(read).collect::<Result<_, _>>()?))
}

/// Binds as [`scan::condition`] says.
pub(crate) fn scan_text(scan: &Scan) -> (String, Vec<scan::Value<'_>>) {
    let kind = scan.index.kind();
    let (condition, values) = scan::condition(scan);
    (format!("{} from {kind}{condition}", texts(kind).select), values)
}

/// A row as [`Texts::select`](super::tables::Texts::select) selects it.
fn read(from: &SqliteRow) -> Result<Row, Failure> {
    let failed = failed("reading a row");
    let unreadable = Failure::corrupt("a row cannot be read");
    let id: String = from.try_get(1).map_err(failed)?;
    let columns = Columns {
        kind: from.try_get(0).map_err(failed)?,
        id: Uuid::parse_str(&id).map_err(|_| unreadable.clone())?,
        version: from.try_get(2).map_err(failed)?,
        layout: from.try_get(3).map_err(failed)?,
        body: from.try_get(4).map_err(failed)?,
        keys: list(from.try_get(5).map_err(failed)?)?,
        many: list(from.try_get(6).map_err(failed)?)?,
    };
    columns.decode().ok_or(unreadable)
}

async fn fetch(pool: &SqlitePool, query: Query<'_, Sqlite, SqliteArguments>) -> Result<Vec<SqliteRow>, StoreError> {
    query.fetch_all(pool).await.map_err(|error| failed("reading rows")(error).into())
}

fn bind<'q>(query: Query<'q, Sqlite, SqliteArguments>, value: &KeyValue) -> Query<'q, Sqlite, SqliteArguments> {
    match value {
        KeyValue::Int(value) => query.bind(*value),
        KeyValue::Text(value) => query.bind(value.clone()),
    }
}

/// A list in JSON. The parser's own error is not kept: it quotes what it reads.
fn list<T: DeserializeOwned>(json: &str) -> Result<Vec<T>, Failure> {
    serde_json::from_str(json).ok().ok_or(Failure::corrupt("a row cannot be read"))
}
