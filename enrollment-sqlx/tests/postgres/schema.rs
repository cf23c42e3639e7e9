//! The tables are what the names say.

use std::collections::BTreeMap;

use enrollment_core::record::{IndexName, Kind, UniqueName, ValueType};
use sqlx::Row as _;
use sqlx::postgres::PgConnection;

use crate::support::Place;

/// Column to type, collation, and whether it is null.
type Columns = BTreeMap<String, (String, Option<String>, bool)>;

fn key(value: ValueType) -> (String, Option<String>, bool) {
    match value {
        ValueType::Int => ("bigint".to_owned(), None, true),
        ValueType::Text => ("text".to_owned(), Some("C".to_owned()), true),
    }
}

fn expected(kind: Kind) -> Columns {
    let mut columns = Columns::new();
    for (name, sort) in [("id", "uuid"), ("version", "bigint"), ("layout", "integer"), ("body", "text")] {
        columns.insert(name.to_owned(), (sort.to_owned(), None, false));
    }
    for name in UniqueName::ALL.iter().filter(|name| name.kind() == kind && !name.is_many()) {
        columns.insert(name.to_string(), key(name.value_type()));
    }
    for name in IndexName::ALL.iter().filter(|name| name.kind() == kind) {
        columns.insert(format!("{name}_in"), key(ValueType::Text));
        columns.insert(name.to_string(), key(name.value_type()));
    }
    columns
}

async fn actual(conn: &mut PgConnection, place: &Place, table: &str) -> Columns {
    let rows = sqlx::query(
        "select column_name::text, data_type::text, collation_name::text, is_nullable = 'YES' \
         from information_schema.columns where table_schema = $1 and table_name = $2",
    );
    let rows = rows.bind(&place.schema).bind(table).fetch_all(conn).await.expect("columns");
    rows.iter().map(|row| (row.get(0), (row.get(1), row.get(2), row.get(3)))).collect()
}

/// The columns of each index of a table, and whether it is unique.
async fn indexes(conn: &mut PgConnection, place: &Place, table: &str) -> Vec<(Vec<String>, bool)> {
    let rows = sqlx::query(
        "select array(select pg_get_indexdef(indexrelid, n, false) from generate_series(1, indnatts) n), indisunique \
         from pg_index where indrelid = ($1 || '.' || $2)::regclass",
    );
    let rows = rows.bind(&place.schema).bind(table).fetch_all(conn).await.expect("indexes");
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

#[tokio::test]
async fn there_is_a_table_for_every_kind_and_no_other() {
    let place = Place::new();
    place.open().await.close().await;
    let tables = sqlx::query_scalar("select tablename::text from pg_tables where schemaname = $1 order by 1");
    let tables: Vec<String> = tables.bind(&place.schema).fetch_all(&mut place.connect().await).await.expect("tables");
    let mut expected: Vec<String> = Kind::ALL.iter().map(ToString::to_string).collect();
    expected.extend(["many_keys", "outbox", "changes", "enrollment_migrations"].map(str::to_owned));
    expected.sort();
    assert_eq!(tables, expected);
}

#[tokio::test]
async fn every_table_has_exactly_the_columns_that_the_names_say() {
    let place = Place::new();
    place.open().await.close().await;
    let mut conn = place.connect().await;
    for kind in Kind::ALL {
        assert_eq!(actual(&mut conn, &place, kind.as_str()).await, expected(*kind), "{kind}");
    }
}

#[tokio::test]
async fn every_name_has_its_index() {
    let place = Place::new();
    place.open().await.close().await;
    let mut conn = place.connect().await;
    for kind in Kind::ALL {
        let mut expected = vec![(vec!["id".to_owned()], true)];
        for name in UniqueName::ALL.iter().filter(|name| name.kind() == *kind && !name.is_many()) {
            expected.push((vec![name.to_string()], true));
        }
        for name in IndexName::ALL.iter().filter(|name| name.kind() == *kind) {
            expected.push((vec![format!("{name}_in"), name.to_string(), "id".to_owned()], false));
        }
        let mut found = indexes(&mut conn, &place, kind.as_str()).await;
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{kind}");
    }
}
