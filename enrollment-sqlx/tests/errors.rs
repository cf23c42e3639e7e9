//! Errors say what happened, and nothing of what is kept.

#![cfg(feature = "sqlite")]

mod support;

use std::error::Error;
use std::time::Duration;

use enrollment_core::port::{CommitOutcome, Store, StoreErrorKind};
use enrollment_core::record::{Document, Kind, Row};
use enrollment_sqlx::{OpenError, SqliteOptions, SqlxStore};
use sqlx::Executor;
use support::{change, connect, open, plain, put, user};

#[tokio::test]
async fn a_file_that_another_process_writes_for_too_long_is_busy() {
    let folder = tempfile::tempdir().expect("a folder");
    let options = SqliteOptions { busy_timeout: Duration::from_millis(20), ..SqliteOptions::default() };
    let store = SqlxStore::open_sqlite(folder.path().join("enrollment.db"), options).await.expect("a store");
    let mut other = connect(folder.path()).await;
    other.execute("begin immediate").await.expect("the lock");
    let make = change(1, vec![put(user(1, 1, "anna"))]);
    let error = store.commit(&make).await.expect_err("busy");
    assert_eq!(error.kind(), StoreErrorKind::Busy);
    assert!(error.is_retryable());
    assert_eq!(store.get(&[user(1, 1, "").key]).await.expect("readers do not wait"), [None]);
    other.execute("rollback").await.expect("unlocked");
    assert_eq!(store.commit(&make).await.expect("an outcome"), CommitOutcome::Applied);
}

#[tokio::test]
async fn an_error_tells_nothing_of_what_is_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path()).await;
    let mut conn = connect(folder.path()).await;
    let secret = "a-secret-of-somebody";
    let row = |version| Row {
        body: Document { layout: 1, json: format!(r#"{{"note":"{secret}"}}"#) },
        ..user(1, version, secret)
    };
    assert_eq!(store.commit(&change(1, vec![put(row(1))])).await.expect("an outcome"), CommitOutcome::Applied);
    // A unique index that the store knows nothing of, a table that is gone, a row that cannot be read.
    conn.execute("create unique index extra on users (body)").await.expect("an index");
    let doubled = change(2, vec![put(Row { body: row(1).body, ..user(2, 1, "other") })]);
    let refused = store.commit(&doubled).await.expect_err("refused");
    conn.execute("update users set layout = -1").await.expect("spoiled");
    let unreadable = store.get(&[row(1).key]).await.expect_err("unreadable");
    conn.execute("drop table many_keys").await.expect("gone");
    let missing = store.commit(&change(3, vec![put(plain(Kind::Enrollment, 3, 1))])).await.expect_err("gone");
    for error in [refused, unreadable, missing] {
        assert_eq!(error.kind(), StoreErrorKind::Corrupt);
        let mut told = format!("{error} {error:?}");
        let mut cause = error.source();
        while let Some(error) = cause {
            told.push_str(&format!(" {error} {error:?}"));
            cause = error.source();
        }
        assert!(!told.contains(secret), "{told}");
    }
}

#[tokio::test]
async fn a_change_outside_the_limits_is_misuse() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path()).await;
    let document = |json: String| Row { body: Document { layout: 1, json }, ..plain(Kind::Guard, 1, 1) };
    let cases = [
        user(1, 1, "a\0b"),
        user(1, 1, &"a".repeat(1_025)),
        document(format!(r#"{{"a":"{}"}}"#, "b".repeat(256 * 1024))),
    ];
    for (n, row) in (1..).zip(cases) {
        let error = store.commit(&change(n, vec![put(row)])).await.expect_err("refused");
        assert_eq!(error.kind(), StoreErrorKind::Misuse);
        assert!(!error.is_retryable());
    }
}

#[tokio::test]
async fn a_closed_store_is_unavailable_and_opens_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path()).await;
    let make = change(1, vec![put(user(1, 1, "anna"))]);
    // The commit is queued before the closing, and so finished.
    let (outcome, ()) = tokio::join!(store.commit(&make), store.close());
    assert_eq!(outcome.expect("an outcome"), CommitOutcome::Applied);
    store.close().await;
    assert_eq!(store.commit(&make).await.expect_err("closed").kind(), StoreErrorKind::Unavailable);
    assert_eq!(store.get(&[user(1, 1, "").key]).await.expect_err("closed").kind(), StoreErrorKind::Unavailable);
    assert!(!folder.path().join("enrollment.db-wal").exists(), "closing leaves no log behind");
    let again = open(folder.path()).await;
    assert_eq!(again.get(&[user(1, 1, "").key]).await.expect("rows"), [Some(user(1, 1, "anna"))]);
}

#[tokio::test]
async fn tables_of_a_later_version_are_not_touched() {
    let folder = tempfile::tempdir().expect("a folder");
    open(folder.path()).await.close().await;
    let later = "insert into enrollment_migrations values (99, 'later', '2030-01-01', true, x'00', 0)";
    connect(folder.path()).await.execute(later).await.expect("a later version");
    let opened = SqlxStore::open_sqlite(folder.path().join("enrollment.db"), SqliteOptions::default()).await;
    assert!(matches!(opened, Err(OpenError::Newer(99))), "{opened:?}");
}

#[tokio::test]
async fn what_is_no_database_is_not_opened() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("enrollment.db");
    std::fs::write(&path, "dear diary, ".repeat(100)).expect("a diary");
    let opened = SqlxStore::open_sqlite(&path, SqliteOptions::default()).await;
    assert!(matches!(opened, Err(OpenError::Database(_))), "{opened:?}");
    let opened = SqlxStore::open_sqlite(folder.path().join("no/such/folder.db"), SqliteOptions::default()).await;
    assert!(matches!(opened, Err(OpenError::File { .. })), "{opened:?}");
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_can_read_the_files() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path()).await;
    let made = store.commit(&change(1, vec![put(user(1, 1, "anna"))])).await;
    assert_eq!(made.expect("an outcome"), CommitOutcome::Applied);
    for name in ["enrollment.db", "enrollment.db-wal", "enrollment.db-shm", "enrollment.db.lock"] {
        let meta = std::fs::metadata(folder.path().join(name)).expect(name);
        assert_eq!(meta.permissions().mode() & 0o777, 0o600, "{name}");
    }
}
