//! What SQLite's error codes mean. Its messages name tables and columns only, so its errors are kept as they are.

use enrollment_core::port::StoreErrorKind;

use crate::error::Failure;

/// The database refused, before anything took effect.
pub(crate) fn failed(during: &'static str) -> impl Fn(sqlx::Error) -> Failure + Copy {
    move |error| Failure::new(classify(&error), during, error)
}

/// The database failed while making things take effect.
pub(crate) fn unknown(during: &'static str) -> impl Fn(sqlx::Error) -> Failure + Copy {
    move |error| Failure::new(StoreErrorKind::Unknown, during, error)
}

/// Whether reading or writing the file failed: IOERR, FULL.
pub(crate) fn is_of_the_disk(error: &sqlx::Error) -> bool {
    matches!(primary_code(error), Some(10 | 13))
}

/// <https://sqlite.org/rescode.html>
fn primary_code(error: &sqlx::Error) -> Option<u32> {
    // The low byte of an extended code is the primary code.
    Some(error.as_database_error()?.code()?.parse::<u32>().ok()? & 0xff)
}

/// What an error means that came before anything took effect.
pub(crate) fn classify(error: &sqlx::Error) -> StoreErrorKind {
    match error {
        sqlx::Error::Database(_) => {
            match primary_code(error) {
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
    use std::time::Duration;

    use sqlx::sqlite::SqliteConnectOptions;
    use sqlx::{ConnectOptions, Connection, Executor};

    use super::super::file::{connect_options, make_and_lock, prepare};
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
