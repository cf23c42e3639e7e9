//! Bringing the tables up to date.

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Executor, SqlSafeStr};

use super::schema::Schema;
use crate::error::OpenError;
use crate::schema::MIGRATIONS_TABLE;

/// The first half of the number of the lock under which tables are made, `migr` in ASCII. The second half stands for
/// the schema.
const MIGRATING: i32 = 0x6d69_6772;

/// Makes the schema and its tables if there are none. Processes that do so at the same time wait for each other: the
/// lock ends with the connection, which is therefore to be closed afterwards.
pub(super) async fn run(conn: &mut PgConnection, schema: &Schema) -> Result<(), OpenError> {
    let encoding: String =
        sqlx::query_scalar("show server_encoding").fetch_one(&mut *conn).await.map_err(OpenError::Database)?;
    if encoding != "UTF8" {
        return Err(OpenError::Encoding(encoding));
    }
    let (name, number) = (schema.name(), schema.number());
    let lock = format!("select pg_advisory_lock({MIGRATING}, {number})");
    conn.execute(AssertSqlSafe(lock)).await.map_err(OpenError::Database)?;
    // Not `if not exists`: that needs the right to make schemas also where there is one.
    let exists = sqlx::query_scalar("select exists (select from pg_namespace where nspname = $1)").bind(name);
    if !exists.fetch_one(&mut *conn).await.map_err(OpenError::Database)? {
        conn.execute(AssertSqlSafe(format!("create schema \"{name}\""))).await.map_err(OpenError::Database)?;
    }
    // Migrations name their tables without a schema.
    conn.execute(AssertSqlSafe(format!("set search_path = \"{name}\""))).await.map_err(OpenError::Database)?;
    migrator(schema).run_direct(None, conn, false).await.map_err(|error| match error {
        MigrateError::VersionMissing(version) => OpenError::Newer(version),
        other => OpenError::Migration(other),
    })
}

fn migrator(schema: &Schema) -> Migrator {
    let tables = include_str!("../../migrations/postgres/0001_tables.sql").into_sql_str();
    let mails = include_str!("../../migrations/postgres/0002_mails.sql").into_sql_str();
    let sign_in = include_str!("../../migrations/postgres/0003_sign_in.sql").into_sql_str();
    let defguard = include_str!("../../migrations/postgres/0004_defguard.sql").into_sql_str();
    let machines = include_str!("../../migrations/postgres/0005_machines.sql").into_sql_str();
    let mut migrator = Migrator::with_migrations(vec![
        Migration::new(1, "tables".into(), MigrationType::Simple, tables, false),
        Migration::new(2, "mails".into(), MigrationType::Simple, mails, false),
        Migration::new(3, "sign in".into(), MigrationType::Simple, sign_in, false),
        Migration::new(4, "defguard".into(), MigrationType::Simple, defguard, false),
        Migration::new(5, "machines".into(), MigrationType::Simple, machines, false),
    ]);
    migrator.dangerous_set_table_name(schema.at(MIGRATIONS_TABLE));
    // The driver's own lock is one for the whole database.
    migrator.set_locking(false);
    migrator
}
