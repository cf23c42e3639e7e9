//! The tables are what the names say.

#![cfg(feature = "sqlite")]

mod support;

use std::collections::BTreeMap;

use enrollment_core::record::{IndexName, Kind, UniqueName, ValueType};
use sqlx::Row as _;
use sqlx::sqlite::SqliteConnection;
use support::{connect, open};

/// Column to type, and whether it is null.
type Columns = BTreeMap<String, (String, bool)>;

fn sql_type(value: ValueType) -> String {
    match value {
        ValueType::Int => "INTEGER",
        ValueType::Text => "TEXT",
    }
    .to_owned()
}

fn expected(kind: Kind) -> Columns {
    let mut columns = Columns::new();
    for (name, sort) in [("id", "TEXT"), ("version", "INTEGER"), ("layout", "INTEGER"), ("body", "TEXT")] {
        columns.insert(name.to_owned(), (sort.to_owned(), false));
    }
    for name in UniqueName::ALL.iter().filter(|name| name.kind() == kind && !name.is_many()) {
        columns.insert(name.to_string(), (sql_type(name.value_type()), true));
    }
    for name in IndexName::ALL.iter().filter(|name| name.kind() == kind) {
        columns.insert(format!("{name}_in"), ("TEXT".to_owned(), true));
        columns.insert(name.to_string(), (sql_type(name.value_type()), true));
    }
    columns
}

async fn actual(conn: &mut SqliteConnection, table: &str) -> Columns {
    let rows = sqlx::query("select name, type, \"notnull\" from pragma_table_info($1)").bind(table).fetch_all(conn);
    let rows = rows.await.expect("columns");
    rows.iter().map(|row| (row.get(0), (row.get(1), row.get::<i64, _>(2) == 0))).collect()
}

/// The columns of each index of a table, and whether it is unique.
async fn indexes(conn: &mut SqliteConnection, table: &str) -> Vec<(Vec<String>, bool)> {
    let rows = sqlx::query(
        "select (select group_concat(name) from pragma_index_info(list.name)), \"unique\" \
         from pragma_index_list($1) list",
    );
    let rows = rows.bind(table).fetch_all(conn).await.expect("indexes");
    rows.iter()
        .map(|row| (row.get::<String, _>(0).split(',').map(str::to_owned).collect(), row.get::<i64, _>(1) == 1))
        .collect()
}

#[tokio::test]
async fn there_is_a_table_for_every_kind_and_no_other() {
    let folder = tempfile::tempdir().expect("a folder");
    open(folder.path()).await.close().await;
    let mut conn = connect(folder.path()).await;
    let tables = sqlx::query_scalar("select name from sqlite_schema where type = 'table' order by name");
    let tables: Vec<String> = tables.fetch_all(&mut conn).await.expect("tables");
    let mut expected: Vec<String> = Kind::ALL.iter().map(ToString::to_string).collect();
    expected.extend(["many_keys", "outbox", "changes", "enrollment_migrations"].map(str::to_owned));
    expected.sort();
    assert_eq!(tables, expected);
}

#[tokio::test]
async fn every_table_has_exactly_the_columns_that_the_names_say() {
    let folder = tempfile::tempdir().expect("a folder");
    open(folder.path()).await.close().await;
    let mut conn = connect(folder.path()).await;
    for kind in Kind::ALL {
        assert_eq!(actual(&mut conn, kind.as_str()).await, expected(*kind), "{kind}");
    }
}

#[tokio::test]
async fn every_name_has_its_index() {
    let folder = tempfile::tempdir().expect("a folder");
    open(folder.path()).await.close().await;
    let mut conn = connect(folder.path()).await;
    for kind in Kind::ALL {
        let mut expected = vec![(vec!["id".to_owned()], true)];
        for name in UniqueName::ALL.iter().filter(|name| name.kind() == *kind && !name.is_many()) {
            expected.push((vec![name.to_string()], true));
        }
        for name in IndexName::ALL.iter().filter(|name| name.kind() == *kind) {
            expected.push((vec![format!("{name}_in"), name.to_string(), "id".to_owned()], false));
        }
        let mut found = indexes(&mut conn, kind.as_str()).await;
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{kind}");
    }
}

/// The side table has one type of value.
#[test]
fn keys_of_which_a_row_holds_several_are_texts() {
    for name in UniqueName::ALL.iter().filter(|name| name.is_many()) {
        assert_eq!(name.value_type(), ValueType::Text, "{name}");
    }
}
