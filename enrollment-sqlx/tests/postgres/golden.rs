//! A database made by an earlier version opens, keeps what it holds, and goes on.
//!
//! `golden/postgres-N.sql` is a dump of one with the migrations up to N.

use std::process::Command;
use std::str::FromStr;

use enrollment_sqlx::{PostgresOptions, SqlxStore};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Executor};

use crate::golden_rows::{check, file, fill};
use crate::support::{Place, fresh_name, server_at};

/// A new database in the cluster: a dump names its schema, which is `public` here.
async fn database() -> String {
    let name = fresh_name();
    let make = AssertSqlSafe(format!("create database {name}"));
    Place::new().connect().await.execute(make).await.expect("a database");
    server_at(&name)
}

async fn open(url: &str) -> SqlxStore {
    SqlxStore::open_postgres(url, PostgresOptions::default()).await.expect("a store")
}

/// A database with what the dump says.
async fn restored(name: &str) -> String {
    let url = database().await;
    let dump = std::fs::read_to_string(file(name).0).expect("the golden dump");
    let mut conn = PgConnectOptions::from_str(&url).expect("an address").connect().await.expect("a connection");
    conn.execute(AssertSqlSafe(dump)).await.expect("restored");
    url
}

#[tokio::test]
async fn a_database_of_an_earlier_version_opens_and_goes_on() {
    for name in ["postgres-1.sql", "postgres-2.sql", "postgres-3.sql", "postgres-4.sql", "postgres-5.sql"] {
        let url = restored(name).await;
        check(&open(&url).await).await;
        // And opens once more as the present version left it.
        open(&url).await;
    }
}

/// What the present version makes is what the newest golden dump holds: who changes a migration that was published, or
/// adds one without a golden dump, hears of it.
#[tokio::test]
async fn the_newest_golden_dump_has_the_tables_of_today() {
    let fresh = database().await;
    fill(&open(&fresh).await).await;
    let (path, write) = file("postgres-5.sql");
    if write {
        let dump = Command::new("pg_dump").args(["--inserts", "--no-owner", "--no-privileges", &fresh]).output();
        let dump = String::from_utf8(dump.expect("pg_dump in the path").stdout).expect("UTF-8");
        // Comments, and what only psql understands.
        let lines = dump.lines().filter(|line| !line.is_empty() && !line.starts_with("--") && !line.starts_with('\\'));
        std::fs::write(&path, lines.map(|line| format!("{line}\n")).collect::<String>()).expect("written");
    }
    assert_eq!(tables(&restored("postgres-5.sql").await).await, tables(&fresh).await);
}

async fn tables(url: &str) -> Vec<(String, String)> {
    let mut conn = PgConnectOptions::from_str(url).expect("an address").connect().await.expect("a connection");
    let all = "select table_name || '.' || column_name, data_type || coalesce(' ' || collation_name, '') || is_nullable \
          || coalesce(column_default, '') from information_schema.columns where table_schema = 'public' \
        union all select indexname::text, indexdef from pg_indexes where schemaname = 'public' \
        union all select conname::text, pg_get_constraintdef(oid) from pg_constraint \
          where connamespace = 'public'::regnamespace \
        union all select 'migration ' || version, encode(checksum, 'hex') from public.enrollment_migrations order by 1, 2";
    sqlx::query_as(all).fetch_all(&mut conn).await.expect("tables")
}
