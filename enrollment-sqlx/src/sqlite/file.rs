//! A SQLite file: how it is made, locked and opened, and how its tables are made.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, SqlSafeStr};

use crate::error::OpenError;
use crate::schema::MIGRATIONS_TABLE;

/// How connections are made. Durable when a commit returns: with `synchronous=FULL` the log is on the disk by then.
pub(crate) fn connect_options(path: &Path, busy_timeout: Duration) -> SqliteConnectOptions {
    // The driver keeps milliseconds in an i32 and panics past it.
    let busy_timeout = busy_timeout.min(Duration::from_secs(24 * 3600));
    SqliteConnectOptions::new()
        .filename(path)
        .foreign_keys(true)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(busy_timeout)
        // What is removed is overwritten in the file, not only forgotten (SYS-9).
        .pragma("secure_delete", "on")
        // What SQLite keeps to take a statement back is a few pages; in a temporary file it would be half of what is written.
        .pragma("temp_store", "memory")
        .disable_statement_logging()
}

/// Makes the database file if there is none, readable by its owner only, and takes the lock under which tables are
/// made, waiting for other processes. The lock lasts until the file returned is dropped.
///
/// The lock is a file beside the database, `<name>.lock`, and stays there. The database itself must not be locked or
/// even opened here while it may be in use: closing any handle of a file ends all POSIX locks this process has on it,
/// SQLite's included.
pub(crate) fn make_and_lock(path: &Path) -> Result<File, OpenError> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".lock");
    let beside = PathBuf::from(beside);
    let lock = owner_only().create(true).open(&beside).and_then(|file| file.lock().map(|()| file));
    let lock = lock.map_err(|source| OpenError::File { path: beside, source })?;
    match owner_only().create_new(true).open(path) {
        Ok(_) => Ok(lock),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(lock),
        Err(source) => Err(OpenError::File { path: path.to_owned(), source }),
    }
}

fn owner_only() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Opens the file and brings its tables up to date, under the lock of [`make_and_lock`].
pub(crate) async fn prepare(options: &SqliteConnectOptions) -> Result<SqliteConnection, OpenError> {
    let mut conn = options.clone().journal_mode(SqliteJournalMode::Wal).connect().await.map_err(OpenError::Database)?;
    let mode: String =
        sqlx::query_scalar("pragma journal_mode").fetch_one(&mut conn).await.map_err(OpenError::Database)?;
    if mode != "wal" {
        return Err(OpenError::NoWriteAheadLog);
    }
    migrator().run_direct(None, &mut conn, false).await.map_err(|error| match error {
        MigrateError::VersionMissing(version) => OpenError::Newer(version),
        other => OpenError::Migration(other),
    })?;
    Ok(conn)
}

fn migrator() -> Migrator {
    let tables = include_str!("../../migrations/sqlite/0001_tables.sql").into_sql_str();
    let mails = include_str!("../../migrations/sqlite/0002_mails.sql").into_sql_str();
    let sign_in = include_str!("../../migrations/sqlite/0003_sign_in.sql").into_sql_str();
    let defguard = include_str!("../../migrations/sqlite/0004_defguard.sql").into_sql_str();
    let machines = include_str!("../../migrations/sqlite/0005_machines.sql").into_sql_str();
    let mut migrator = Migrator::with_migrations(vec![
        Migration::new(1, "tables".into(), MigrationType::Simple, tables, false),
        Migration::new(2, "mails".into(), MigrationType::Simple, mails, false),
        Migration::new(3, "sign in".into(), MigrationType::Simple, sign_in, false),
        Migration::new(4, "defguard".into(), MigrationType::Simple, defguard, false),
        Migration::new(5, "machines".into(), MigrationType::Simple, machines, false),
    ]);
    migrator.dangerous_set_table_name(MIGRATIONS_TABLE);
    migrator
}
