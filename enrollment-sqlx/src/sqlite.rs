//! What is SQLite's own: how a file is made, locked and opened, how its tables are made, how lists are spelled, and
//! what its error codes mean. Another database would have such a file of its own.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use enrollment_core::port::StoreErrorKind;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, SqlSafeStr};

use crate::error::OpenError;

/// The table that says which migrations ran.
pub(crate) const MIGRATIONS_TABLE: &str = "enrollment_migrations";

/// The lines of list `$n` as rows, to be taken apart by [`field`]. In binary form, or each field would parse its line
/// once more.
pub(crate) fn lines(n: usize) -> String {
    format!("jsonb_each(${n})")
}

/// The value at place `i` of a line.
pub(crate) fn field(i: usize) -> String {
    format!("value->>{i}")
}

/// The lines of list `$n`, each a single value, as the right side of `in`.
pub(crate) fn list(n: usize) -> String {
    format!("(select value from json_each(${n}))")
}

/// How connections are made. Durable when a commit returns: with `synchronous=FULL` the log is on the disk by then.
pub(crate) fn connect_options(path: &Path, busy_timeout: Duration) -> SqliteConnectOptions {
    // The driver keeps milliseconds in an i32 and panics past it.
    let busy_timeout = busy_timeout.min(Duration::from_secs(24 * 3600));
    SqliteConnectOptions::new()
        .filename(path)
        .foreign_keys(true)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(busy_timeout)
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
    let tables = include_str!("../migrations/sqlite/0001_tables.sql").into_sql_str();
    let mut migrator =
        Migrator::with_migrations(vec![Migration::new(1, "tables".into(), MigrationType::Simple, tables, false)]);
    migrator.dangerous_set_table_name(MIGRATIONS_TABLE);
    migrator
}

/// What an error means that came before anything took effect. Codes: <https://sqlite.org/rescode.html>.
pub(crate) fn classify(error: &sqlx::Error) -> StoreErrorKind {
    match error {
        sqlx::Error::Database(error) => {
            // The low byte of an extended code is the primary code.
            let code = error.code().and_then(|code| code.parse::<u32>().ok());
            match code.map(|code| code & 0xff) {
                // BUSY, LOCKED, INTERRUPT, PROTOCOL (a race for the log's lock)
                Some(5 | 6 | 9 | 15) => StoreErrorKind::Busy,
                // PERM, NOMEM, READONLY, IOERR, FULL, CANTOPEN, NOLFS, AUTH
                Some(3 | 7 | 8 | 10 | 13 | 14 | 22 | 23) => StoreErrorKind::Unavailable,
                // TOOBIG
                Some(18) => StoreErrorKind::Misuse,
                _ => StoreErrorKind::Corrupt,
            }
        }
        sqlx::Error::PoolTimedOut => StoreErrorKind::Busy,
        sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed | sqlx::Error::Io(_) => StoreErrorKind::Unavailable,
        _ => StoreErrorKind::Corrupt,
    }
}
