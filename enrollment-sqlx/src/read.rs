//! Reading. Every call is one statement, and so one snapshot.

use std::collections::{BTreeMap, HashMap};

use enrollment_core::port::{Cursor, Direction, Page, Scan, StoreError};
use enrollment_core::record::{KeyValue, Kind, Row, RowKey, UniqueKey};
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqlitePool, SqliteRow};
use sqlx::{AssertSqlSafe, Sqlite};
use uuid::Uuid;

use crate::error::{Failure, misuse};
use crate::row;
use crate::schema::{part, table};
use crate::script::Script;
use crate::sqlite::list;

pub(crate) async fn get(pool: &SqlitePool, keys: &[RowKey]) -> Result<Vec<Option<Row>>, StoreError> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let mut rows = HashMap::new();
    for row in fetch(pool, get_script(keys).query()).await? {
        let row = row::read(&row)?;
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
        script.push(&format!("{} where id in {}", table(kind).select, list(n)));
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
    Ok(rows.first().map(row::read).transpose()?)
}

/// `$1` is the value.
pub(crate) fn find_text(by: &UniqueKey) -> String {
    let (name, table) = (by.name, table(by.name.kind()));
    if name.is_many() {
        format!("{} where id = (select id from many_keys where name = '{name}' and value = $1)", table.select)
    } else {
        format!("{} where {name} = $1", table.select)
    }
}

pub(crate) async fn scan(pool: &SqlitePool, scan: &Scan) -> Result<Page, StoreError> {
    if !(1..=1_000).contains(&scan.limit) {
        return Err(misuse("a page has 1 to 1,000 rows"));
    }
    let after = scan.after.as_ref();
    let places = [scan.from.as_ref(), scan.to.as_ref(), after.map(|cursor| &cursor.at)];
    if places.into_iter().flatten().any(|place| place.value_type() != scan.index.value_type()) {
        return Err(misuse("a place of another type than the index"));
    }
    let (text, values) = scan_text(scan);
    let mut query = sqlx::query(AssertSqlSafe(text)).bind(scan.within.clone());
    for value in &values {
        query = bind(query, value);
    }
    // One more than asked tells whether there is a next page.
    let found = fetch(pool, query.bind(scan.limit + 1)).await?;
    let limit = usize::try_from(scan.limit).unwrap_or(usize::MAX);
    let mut rows = Vec::with_capacity(found.len().min(limit));
    for row in found.iter().take(limit) {
        rows.push(row::read(row)?);
    }
    let last = rows.last().filter(|_| found.len() > limit);
    let next = last.and_then(|row| {
        let key = row.index.iter().find(|key| key.name == scan.index)?;
        Some(Cursor { at: key.at.clone(), id: row.key.id })
    });
    Ok(Page { rows, next })
}

/// `$1` is the part; then come the values returned; last the limit.
///
/// The index gives rows in the order (place, id). Of the range's start and the cursor only the one further on is named,
/// so that the index is entered there and a page costs the same however many come before it.
pub(crate) fn scan_text(scan: &Scan) -> (String, Vec<KeyValue>) {
    let index = scan.index;
    let ascending = scan.direction == Direction::Ascending;
    let mut text = format!("{} where {} = $1", table(index.kind()).select, part(index));
    let mut values = Vec::new();
    // Whether the start of the range lies behind the cursor's row, in the direction of the scan.
    let start_is_ahead = |cursor: &Cursor| match scan.direction {
        Direction::Ascending => scan.from.as_ref().is_some_and(|from| *from > cursor.at),
        Direction::Descending => scan.to.as_ref().is_some_and(|to| *to <= cursor.at),
    };
    let cursor = scan.after.as_ref().filter(|cursor| !start_is_ahead(cursor));
    if let Some(from) = scan.from.as_ref().filter(|_| !ascending || cursor.is_none()) {
        values.push(from.clone());
        text.push_str(&format!(" and {index} >= ${}", values.len() + 1));
    }
    if let Some(to) = scan.to.as_ref().filter(|_| ascending || cursor.is_none()) {
        values.push(to.clone());
        text.push_str(&format!(" and {index} < ${}", values.len() + 1));
    }
    if let Some(cursor) = cursor {
        values.push(cursor.at.clone());
        values.push(KeyValue::Text(cursor.id.to_string()));
        let than = if ascending { ">" } else { "<" };
        text.push_str(&format!(" and ({index}, id) {than} (${}, ${})", values.len(), values.len() + 1));
    }
    let order = if ascending { "asc" } else { "desc" };
    text.push_str(&format!(" order by {index} {order}, id {order} limit ${}", values.len() + 2));
    (text, values)
}

async fn fetch(pool: &SqlitePool, query: Query<'_, Sqlite, SqliteArguments>) -> Result<Vec<SqliteRow>, StoreError> {
    query.fetch_all(pool).await.map_err(|error| Failure::new("reading rows", error).into())
}

fn bind<'q>(query: Query<'q, Sqlite, SqliteArguments>, value: &KeyValue) -> Query<'q, Sqlite, SqliteArguments> {
    match value {
        KeyValue::Int(value) => query.bind(*value),
        KeyValue::Text(value) => query.bind(value.clone()),
    }
}
