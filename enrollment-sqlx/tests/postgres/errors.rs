//! Errors say what happened, and nothing of what is kept.

use std::error::Error;
use std::time::Duration;

use enrollment_core::port::{CommitOutcome, LeaseRequest, Store, StoreErrorKind};
use enrollment_core::record::{Document, Kind, Row, UniqueKey, UniqueName};
use enrollment_core::time::Timestamp;
use enrollment_sqlx::{OpenError, PostgresOptions, SqlxStore};
use sqlx::Executor;

use crate::rows::{change, plain, put, user};
use crate::support::{Place, server_at};

#[tokio::test]
async fn a_row_that_another_transaction_holds_for_too_long_is_busy() {
    let place = Place::new();
    let options = PostgresOptions { busy_timeout: Duration::from_millis(50), ..place.options() };
    let store = SqlxStore::open_postgres(&place.url(), options).await.expect("a store");
    assert_eq!(store.commit(&change(1, vec![put(user(1, 1, "anna"))])).await.expect("made"), CommitOutcome::Applied);
    let mut other = place.connect().await;
    other.execute("begin; select 1 from users for update").await.expect("the lock");
    let update = change(2, vec![put(user(1, 2, "anna"))]);
    let error = store.commit(&update).await.expect_err("busy");
    assert_eq!(error.kind(), StoreErrorKind::Busy);
    assert!(error.is_retryable());
    assert_eq!(store.get(&[user(1, 1, "").key]).await.expect("readers do not wait"), [Some(user(1, 1, "anna"))]);
    other.execute("rollback").await.expect("unlocked");
    assert_eq!(store.commit(&update).await.expect("an outcome"), CommitOutcome::Applied);
}

#[tokio::test]
async fn an_error_tells_nothing_of_what_is_kept() {
    let place = Place::new();
    let store = place.open().await;
    let mut conn = place.connect().await;
    let secret = "a-secret-of-somebody";
    let row = |version| Row {
        body: Document { layout: 1, json: format!(r#"{{"note":"{secret}"}}"#) },
        ..user(1, version, secret)
    };
    assert_eq!(store.commit(&change(1, vec![put(row(1))])).await.expect("an outcome"), CommitOutcome::Applied);
    // A unique index that the store knows nothing of, a check that quotes the row, a row that cannot be read, a table
    // that is gone.
    conn.execute("create unique index extra on users (body)").await.expect("an index");
    let doubled = change(2, vec![put(Row { body: row(1).body, ..user(2, 1, "other") })]);
    let refused = store.commit(&doubled).await.expect_err("refused");
    conn.execute("alter table users add constraint short check (version < 2)").await.expect("a check");
    let checked = store.commit(&change(3, vec![put(row(2))])).await.expect_err("refused");
    conn.execute("update users set layout = -1").await.expect("spoiled");
    let unreadable = store.get(&[row(1).key]).await.expect_err("unreadable");
    conn.execute("drop table changes").await.expect("gone");
    let missing = store.commit(&change(4, vec![put(plain(Kind::Enrollment, 3, 1))])).await.expect_err("gone");
    for error in [refused, checked, unreadable, missing] {
        assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{error:?}");
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
    let store = Place::new().open().await;
    let document = |json: String| Row { body: Document { layout: 1, json }, ..plain(Kind::Guard, 1, 1) };
    let cases = [
        user(1, 1, "a\0b"),
        user(1, 1, &"a".repeat(1_025)),
        document(format!(r#"{{"a":"{}"}}"#, "b".repeat(256 * 1024))),
        document("{\"a\":\"\0\"}".to_owned()),
    ];
    for (n, row) in (1..).zip(cases) {
        let error = store.commit(&change(n, vec![put(row)])).await.expect_err("refused");
        assert_eq!(error.kind(), StoreErrorKind::Misuse);
        assert!(!error.is_retryable());
    }
    let nobody = store.find(&UniqueKey::new(UniqueName::Username, "a\0b")).await.expect("an answer");
    assert_eq!(nobody, None, "no text has NUL");
}

#[tokio::test]
async fn a_closed_store_is_unavailable_and_opens_again() {
    let place = Place::new();
    let store = place.open().await;
    let make = change(1, vec![put(user(1, 1, "anna"))]);
    assert_eq!(store.commit(&make).await.expect("an outcome"), CommitOutcome::Applied);
    store.close().await;
    store.close().await;
    assert_eq!(store.commit(&make).await.expect_err("closed").kind(), StoreErrorKind::Unavailable);
    assert_eq!(store.get(&[user(1, 1, "").key]).await.expect_err("closed").kind(), StoreErrorKind::Unavailable);
    assert_eq!(place.open().await.get(&[user(1, 1, "").key]).await.expect("rows"), [Some(user(1, 1, "anna"))]);
}

#[tokio::test]
async fn tables_of_a_later_version_are_not_touched() {
    let place = Place::new();
    place.open().await.close().await;
    let later = "insert into enrollment_migrations values (99, 'later', '2030-01-01', true, '', 0)";
    place.connect().await.execute(later).await.expect("a later version");
    let opened = place.try_open().await;
    assert!(matches!(opened, Err(OpenError::Newer(99))), "{opened:?}");
}

#[tokio::test]
async fn what_is_no_usable_database_is_not_opened() {
    let place = Place::new();
    for name in ["", "1st", "Public", "a-b", "a\"b", &"a".repeat(64)] {
        let options = PostgresOptions { schema: name.to_owned(), ..place.options() };
        let opened = SqlxStore::open_postgres(&place.url(), options).await;
        assert!(matches!(opened, Err(OpenError::SchemaName(_))), "{opened:?}");
    }
    for url in ["not a url", &server_at("no_such_database")] {
        let opened = SqlxStore::open_postgres(url, place.options()).await;
        assert!(matches!(opened, Err(OpenError::Database(_))), "{opened:?}");
    }
    let latin = crate::support::fresh_name();
    let make = format!("create database {latin} encoding 'LATIN1' locale 'C' template template0");
    place.connect().await.execute(sqlx::AssertSqlSafe(make)).await.expect("a database");
    let opened = SqlxStore::open_postgres(&server_at(&latin), place.options()).await;
    assert!(matches!(&opened, Err(OpenError::Encoding(found)) if found == "LATIN1"), "{opened:?}");
}

/// As after a restart of the server: calls that did nothing yet go on with other connections.
#[tokio::test]
async fn connections_that_were_ended_while_idle_are_replaced() {
    let place = Place::new();
    let store = std::sync::Arc::new(place.open().await);
    let now = Timestamp::from_seconds(1_764_000_000);
    for n in 1..4 {
        // Several connections, so that several are broken.
        let mut readers = tokio::task::JoinSet::new();
        for _ in 0..12 {
            let store = std::sync::Arc::clone(&store);
            readers.spawn(async move { store.get(&[plain(Kind::Guard, n, 1).key]).await.expect("read") });
        }
        assert_eq!(readers.join_all().await, vec![[None]; 12]);
        place.end_connections().await;
        assert_eq!(
            store.commit(&change(n, vec![put(plain(Kind::Guard, n, 1))])).await.expect("made"),
            CommitOutcome::Applied
        );
        place.end_connections().await;
        assert!(store.get(&[plain(Kind::Guard, n, 1).key]).await.expect("read")[0].is_some());
        place.end_connections().await;
        let channels = enrollment_core::port::Channel::ALL.to_vec();
        let request = LeaseRequest { channels, now, until: now.plus(Duration::from_secs(60)), limit: 1 };
        assert_eq!(store.lease(&request).await.expect("an answer"), []);
    }
}
