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

/// The document of which a line has the start at place `i` and the length after it. All documents of a script are
/// bound as `$1`, one after the other, and not as JSON within JSON: escaping and parsing them would be most of the work.
pub(crate) fn document(i: usize) -> String {
    format!("cast(substr($1, {}, {}) as text)", field(i), field(i + 1))
}

/// The lines of list `$n`, each a single value called `wanted`, to be followed by a table and what it is joined on.
/// For each value the table is entered once; an `in` would build a table and a filter of its own first.
pub(crate) fn each(n: usize) -> String {
    format!("(select value as wanted from json_each(${n})) cross join")
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
    let mails = include_str!("../migrations/sqlite/0002_mails.sql").into_sql_str();
    let mut migrator = Migrator::with_migrations(vec![
        Migration::new(1, "tables".into(), MigrationType::Simple, tables, false),
        Migration::new(2, "mails".into(), MigrationType::Simple, mails, false),
    ]);
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

#[cfg(test)]
mod tests {
    use sqlx::{Connection, Executor};

    use super::*;

    /// What the store would say to the error of these statements, on a connection of its kind.
    async fn kind_of(options: SqliteConnectOptions, statements: &'static str) -> StoreErrorKind {
        match options.connect().await {
            Ok(mut conn) => {
                let error = conn.execute(statements).await.expect_err("refused");
                conn.close().await.expect("closed");
                classify(&error)
            }
            Err(error) => classify(&error),
        }
    }

    #[tokio::test]
    async fn errors_before_anything_took_effect_are_told_apart() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("errors.db");
        drop(make_and_lock(&path).expect("the lock"));
        let options = connect_options(&path, Duration::from_millis(10));
        // Kept open: the last one to leave locks the file for a moment.
        let mut other = prepare(&options).await.expect("tables");

        let full = "pragma max_page_count = 1; create table big (bytes blob); insert into big values (zeroblob(99999))";
        assert_eq!(kind_of(options.clone(), full).await, StoreErrorKind::Unavailable);
        let write = "delete from users";
        assert_eq!(kind_of(options.clone().read_only(true), write).await, StoreErrorKind::Unavailable);
        let absent = connect_options(&folder.path().join("absent/errors.db"), Duration::ZERO);
        assert_eq!(kind_of(absent, write).await, StoreErrorKind::Unavailable);
        let constraint = "insert into users (id, version, layout, body) values ('a', 1, 1, null)";
        assert_eq!(kind_of(options.clone(), constraint).await, StoreErrorKind::Corrupt);
        assert_eq!(kind_of(options.clone(), "delete from nothing").await, StoreErrorKind::Corrupt);
        let too_big = "select zeroblob(2000000000)";
        assert_eq!(kind_of(options.clone(), too_big).await, StoreErrorKind::Misuse);

        other.execute("begin immediate").await.expect("the lock");
        assert_eq!(kind_of(options.clone(), write).await, StoreErrorKind::Busy);
    }
}
