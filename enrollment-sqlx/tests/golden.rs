//! A file made by an earlier version opens, keeps what it holds, and goes on.
//!
//! `golden/sqlite-N.sqlite` has the migrations up to N, and small pages, so that it is small.

#![cfg(feature = "sqlite")]

#[path = "support/golden.rs"]
mod golden;
#[path = "support/rows.rs"]
mod rows;

use std::path::Path;

use enrollment_sqlx::{SqliteOptions, SqlxStore};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Executor};

async fn open(path: &Path) -> SqlxStore {
    SqlxStore::open_sqlite(path, SqliteOptions::default()).await.expect("a store")
}

#[tokio::test]
async fn a_file_of_an_earlier_version_opens_and_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["sqlite-1.sqlite", "sqlite-2.sqlite", "sqlite-3.sqlite", "sqlite-4.sqlite", "sqlite-5.sqlite"] {
        let path = folder.path().join(name);
        std::fs::copy(golden::file(name).0, &path).expect("the golden file");
        let store = open(&path).await;
        golden::check(&store).await;
        store.close().await;
        // And opens once more as the present version left it.
        open(&path).await.close().await;
    }
}

/// What the present version makes is what the newest golden file holds: who changes a migration that was published, or
/// adds one without a golden file, hears of it.
#[tokio::test]
async fn the_newest_golden_file_has_the_tables_of_today() {
    let folder = tempfile::tempdir().expect("a folder");
    let fresh = folder.path().join("fresh.db");
    let store = open(&fresh).await;
    golden::fill(&store).await;
    store.close().await;
    let (path, write) = golden::file("sqlite-5.sqlite");
    if write {
        let into = AssertSqlSafe(format!("pragma page_size = 512; vacuum into '{}'", path.display()));
        std::fs::remove_file(&path).ok();
        SqliteConnectOptions::new()
            .filename(&fresh)
            .connect()
            .await
            .expect("a connection")
            .execute(into)
            .await
            .expect("written");
    }
    assert_eq!(tables(&path).await, tables(&fresh).await);
}

async fn tables(path: &Path) -> Vec<(String, Option<String>)> {
    let mut conn = SqliteConnectOptions::new().filename(path).immutable(true).connect().await.expect("a connection");
    let mut tables: Vec<(String, Option<String>)> =
        sqlx::query_as("select name, sql from sqlite_schema order by name").fetch_all(&mut conn).await.expect("tables");
    let migrations = "select 'migration ' || version, hex(checksum) from enrollment_migrations order by version";
    tables.extend(
        sqlx::query_as::<_, (String, Option<String>)>(migrations).fetch_all(&mut conn).await.expect("migrations"),
    );
    tables
}
