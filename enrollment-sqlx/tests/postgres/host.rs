//! A change inside a host's own transaction.

use enrollment_core::port::{CommitOutcome, Op, Store, StoreErrorKind};
use enrollment_core::record::{Kind, RowKey, UniqueKey, UniqueName};
use sqlx::postgres::PgConnection;
use sqlx::{Connection, Executor};

use crate::rows::{change, id, plain, put, user};
use crate::support::Place;

async fn orders(conn: &mut PgConnection) -> i64 {
    sqlx::query_scalar("select count(*) from orders").fetch_one(conn).await.expect("a count")
}

#[tokio::test]
async fn a_change_takes_effect_with_the_hosts_transaction_and_not_before() {
    let place = Place::new();
    let store = place.open().await;
    let mut conn = place.connect().await;
    conn.execute("create table orders (id bigint)").await.expect("a table of the host's");
    let make = change(1, vec![put(user(1, 1, "anna"))]);
    for commits in [false, true] {
        let mut transaction = conn.begin().await.expect("begun");
        transaction.execute("insert into orders values (1)").await.expect("written");
        let outcome = store.commit_in(&mut transaction, &make).await.expect("an outcome");
        assert_eq!(outcome, CommitOutcome::Applied);
        assert_eq!(store.get(&[user(1, 1, "").key]).await.expect("rows"), [None], "not before the host commits");
        if commits {
            transaction.commit().await.expect("committed");
        } else {
            transaction.rollback().await.expect("rolled back");
        }
    }
    assert_eq!(store.get(&[user(1, 1, "").key]).await.expect("rows"), [Some(user(1, 1, "anna"))]);
    assert_eq!(orders(&mut conn).await, 1);
    assert_eq!(store.commit(&make).await.expect("an outcome"), CommitOutcome::Applied, "the change is known");
}

#[tokio::test]
async fn a_refused_change_leaves_the_hosts_transaction_usable() {
    let place = Place::new();
    let store = place.open().await;
    let mut conn = place.connect().await;
    conn.execute("create table orders (id bigint)").await.expect("a table of the host's");
    assert_eq!(store.commit(&change(1, vec![put(user(1, 1, "anna"))])).await.expect("made"), CommitOutcome::Applied);
    let taken = CommitOutcome::Taken(UniqueKey::new(UniqueName::Username, "anna"));
    let absent = Op::Check { key: RowKey::new(Kind::User, id(1)), version: None };
    let cases = [
        (change(2, vec![put(user(1, 3, "anna"))]), CommitOutcome::Stale),
        (change(3, vec![put(user(2, 1, "anna"))]), taken),
        (change(4, vec![absent, put(plain(Kind::Guard, 4, 1))]), CommitOutcome::Stale),
        (change(1, vec![put(user(1, 1, "anna"))]), CommitOutcome::Applied),
    ];
    let mut transaction = conn.begin().await.expect("begun");
    for (change, expected) in cases {
        let outcome = store.commit_in(&mut transaction, &change).await.expect("an outcome");
        assert_eq!(outcome, expected);
        transaction.execute("insert into orders values (1)").await.expect("still usable");
    }
    let misused = store.commit_in(&mut transaction, &change(1, vec![])).await.expect_err("another content");
    assert_eq!(misused.kind(), StoreErrorKind::Misuse);
    let good = change(5, vec![put(user(2, 1, "bert"))]);
    assert_eq!(store.commit_in(&mut transaction, &good).await.expect("an outcome"), CommitOutcome::Applied);
    transaction.commit().await.expect("committed");
    assert_eq!(orders(&mut conn).await, 4);
    assert_eq!(store.get(&[user(2, 1, "").key]).await.expect("rows"), [Some(user(2, 1, "bert"))]);
}

/// What a refused change has locked is free again, also while the host's transaction goes on.
#[tokio::test]
async fn a_refused_change_holds_nothing() {
    let place = Place::new();
    let store = place.open().await;
    let mut conn = place.connect().await;
    assert_eq!(store.commit(&change(1, vec![put(user(1, 1, "anna"))])).await.expect("made"), CommitOutcome::Applied);
    let mut transaction = conn.begin().await.expect("begun");
    let stale = change(2, vec![put(user(1, 3, "anna")), put(plain(Kind::Guard, 2, 1))]);
    assert_eq!(store.commit_in(&mut transaction, &stale).await.expect("an outcome"), CommitOutcome::Stale);
    let others = change(3, vec![put(user(1, 2, "anna")), put(plain(Kind::Guard, 2, 1))]);
    assert_eq!(store.commit(&others).await.expect("nobody waits"), CommitOutcome::Applied);
    transaction.commit().await.expect("committed");
}

#[tokio::test]
async fn outside_of_a_transaction_it_is_misuse() {
    let place = Place::new();
    let store = place.open().await;
    let mut conn = place.connect().await;
    let make = change(1, vec![put(user(1, 1, "anna"))]);
    let error = store.commit_in(&mut conn, &make).await.expect_err("no transaction");
    assert_eq!(error.kind(), StoreErrorKind::Misuse, "{error:?}");
    assert_eq!(store.get(&[user(1, 1, "").key]).await.expect("rows"), [None]);
}

/// What the host wrote before stays, also when two changes meet on one row and one of the two has to look again.
#[tokio::test]
async fn a_strict_host_is_told_to_begin_again() {
    let place = Place::new();
    let store = place.open().await;
    let mut conn = place.connect().await;
    assert_eq!(store.commit(&change(1, vec![put(user(1, 1, "anna"))])).await.expect("made"), CommitOutcome::Applied);
    let mut transaction = conn.begin_with("begin isolation level repeatable read").await.expect("begun");
    transaction.execute("select count(*) from users").await.expect("a snapshot");
    assert_eq!(store.commit(&change(2, vec![put(user(1, 2, "anna"))])).await.expect("made"), CommitOutcome::Applied);
    let late = change(3, vec![put(user(1, 3, "anna"))]);
    let error = store.commit_in(&mut transaction, &late).await.expect_err("its world is too old");
    assert_eq!(error.kind(), StoreErrorKind::Busy, "{error:?}");
    transaction.rollback().await.expect("rolled back");
    let mut transaction = conn.begin().await.expect("begun again");
    assert_eq!(store.commit_in(&mut transaction, &late).await.expect("an outcome"), CommitOutcome::Applied);
    transaction.commit().await.expect("committed");
}
