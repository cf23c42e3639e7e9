//! Connections that the server ends in the middle of a call.
//!
//! The moment is chosen by a trigger on one of the tables, which ends the connection that runs it.

use enrollment_core::port::{
    Channel, CommitOutcome, LeaseRequest, Op, OutboxEntry, SettleOutcome, Settlement, Store, StoreErrorKind,
};
use enrollment_core::record::{Document, Kind};
use enrollment_core::time::Timestamp;
use sqlx::{AssertSqlSafe, Executor};

use crate::rows::{change, id, plain, put};
use crate::support::Place;

/// Ends the connection whose transaction writes to the table: at once, or when it commits. Everything else goes on.
async fn end_whoever_writes(place: &Place, table: &str, when: &str) {
    let constraint = if when == "at commit" { "constraint" } else { "" };
    let deferred = if when == "at commit" { "deferrable initially deferred" } else { "" };
    let text = format!(
        "create or replace function ends() returns trigger language plpgsql as \
         $$ begin perform pg_terminate_backend(pg_backend_pid()); perform pg_sleep(1); return new; end $$; \
         create {constraint} trigger ending after insert or update on {table} {deferred} for each row \
         execute function ends()"
    );
    place.connect().await.execute(AssertSqlSafe(text)).await.expect("a trigger");
}

async fn go_on(place: &Place, table: &str) {
    let text = format!("drop trigger ending on {table}");
    place.connect().await.execute(AssertSqlSafe(text)).await.expect("no trigger");
}

/// A change that checks that a row is absent is looked at first; its commit is a statement of its own.
#[tokio::test]
async fn a_connection_that_ends_before_the_commit_is_unavailable_and_nothing_happened() {
    let place = Place::new();
    let store = place.open().await;
    let absent = Op::Check { key: plain(Kind::Guard, 3, 1).key, version: None };
    let make = change(1, vec![put(plain(Kind::Seal, 1, 1)), put(plain(Kind::Guard, 2, 1)), absent]);
    end_whoever_writes(&place, "seals", "at once").await;
    let error = store.commit(&make).await.expect_err("no connection lasts");
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error:?}");
    assert_eq!(store.get(&[plain(Kind::Guard, 2, 1).key]).await.expect("rows"), [None]);
    go_on(&place, "seals").await;
    assert_eq!(store.commit(&make).await.expect("an outcome"), CommitOutcome::Applied);
}

/// Of a change in one statement nobody knows how far it came, so it is tried once more, and not called refused.
#[tokio::test]
async fn a_connection_that_ends_in_the_only_statement_is_unknown_and_the_same_change_tells() {
    let place = Place::new();
    let store = place.open().await;
    let make = change(1, vec![put(plain(Kind::Seal, 1, 1)), put(plain(Kind::Guard, 2, 1))]);
    end_whoever_writes(&place, "seals", "at once").await;
    let error = store.commit(&make).await.expect_err("no connection lasts");
    assert_eq!(error.kind(), StoreErrorKind::Unknown, "{error:?}");
    go_on(&place, "seals").await;
    assert_eq!(store.commit(&make).await.expect("the truth"), CommitOutcome::Applied);
    assert!(store.get(&[plain(Kind::Guard, 2, 1).key]).await.expect("rows")[0].is_some());
}

/// Once one try's fate is unknown, a refusal of the next is no answer: the first may be carried out yet.
#[tokio::test]
async fn a_refusal_after_a_try_of_unknown_fate_is_unknown() {
    let place = Place::new();
    let store = place.open().await;
    let text = "create sequence tries; create function ends_then_refuses() returns trigger language plpgsql as \
        $$ begin if nextval('tries') = 1 then perform pg_terminate_backend(pg_backend_pid()); perform pg_sleep(1); \
        end if; raise sqlstate '23514'; end $$; \
        create trigger ending before insert on seals for each row execute function ends_then_refuses()";
    let text = text.replace("'tries'", &format!("'{}.tries'", place.schema));
    place.connect().await.execute(AssertSqlSafe(text)).await.expect("a trigger");
    let error = store.commit(&change(1, vec![put(plain(Kind::Seal, 1, 1))])).await.expect_err("no seal is let in");
    assert_eq!(error.kind(), StoreErrorKind::Unknown, "{error:?}");
    let error = store.commit(&change(2, vec![put(plain(Kind::Seal, 2, 1))])).await.expect_err("refused at once");
    assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{error:?}");
}

#[tokio::test]
async fn a_connection_that_ends_during_the_commit_is_unknown_and_the_same_change_tells() {
    let place = Place::new();
    let store = place.open().await;
    let make = change(1, vec![put(plain(Kind::Seal, 1, 1))]);
    end_whoever_writes(&place, "seals", "at commit").await;
    let error = store.commit(&make).await.expect_err("no answer");
    assert_eq!(error.kind(), StoreErrorKind::Unknown, "{error:?}");
    assert!(error.is_retryable());
    go_on(&place, "seals").await;
    assert_eq!(store.commit(&make).await.expect("the truth"), CommitOutcome::Applied);
    assert_eq!(store.commit(&make).await.expect("the truth"), CommitOutcome::Applied);
    assert!(store.get(&[plain(Kind::Seal, 1, 1).key]).await.expect("rows")[0].is_some());
}

/// Refused at the commit, so that nothing happened: as by a host's deferred constraint.
#[tokio::test]
async fn a_commit_that_is_refused_is_not_unknown() {
    let place = Place::new();
    let store = place.open().await;
    let text = "create table promise (id uuid references users (id) deferrable initially deferred); \
        create function promises() returns trigger language plpgsql as \
        $$ begin insert into promise values (new.id); return new; end $$; \
        create trigger promised after insert on seals for each row execute function promises()";
    place.connect().await.execute(text).await.expect("a trigger");
    let error = store.commit(&change(1, vec![put(plain(Kind::Seal, 1, 1))])).await.expect_err("refused");
    assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{error:?}");
    assert_eq!(store.get(&[plain(Kind::Seal, 1, 1).key]).await.expect("rows"), [None]);
}

#[tokio::test]
async fn a_connection_that_ends_while_settling_is_unknown() {
    let place = Place::new();
    let store = place.open().await;
    let now = Timestamp::from_seconds(1_764_000_000);
    let body = Document { layout: 1, json: "{}".to_owned() };
    let entry = enrollment_core::id::OutboxId::from_uuid(id(7));
    let mut make = change(1, vec![]);
    make.enqueue = vec![OutboxEntry { id: entry, channel: Channel::Email, stream: None, due: now, body }];
    assert_eq!(store.commit(&make).await.expect("an outcome"), CommitOutcome::Applied);
    let until = now.plus(std::time::Duration::from_secs(60));
    let request = LeaseRequest { channels: vec![Channel::Email], now, until, limit: 1 };
    end_whoever_writes(&place, "outbox", "at commit").await;
    assert_eq!(store.lease(&request).await.expect_err("no answer").kind(), StoreErrorKind::Unknown);
    go_on(&place, "outbox").await;
    let leased = store.lease(&request).await.expect("leases").remove(0).lease;
    end_whoever_writes(&place, "outbox", "at once").await;
    let error = store.settle(&leased, &Settlement::Done, now).await.expect_err("no answer");
    assert_eq!(error.kind(), StoreErrorKind::Unknown, "{error:?}");
    go_on(&place, "outbox").await;
    assert_eq!(store.settle(&leased, &Settlement::Done, now).await.expect("the truth"), SettleOutcome::Settled);
}

/// A victim of a deadlock, or of a stricter isolation, is tried again inside; one that always is becomes busy.
#[tokio::test]
async fn a_victim_is_tried_again_and_then_busy() {
    let place = Place::new();
    let store = place.open().await;
    let text = "create sequence tries; create function fails() returns trigger language plpgsql as \
        $$ begin if nextval('tries') < 4 then raise sqlstate '40P01'; end if; return new; end $$; \
        create trigger failing before insert on seals for each row execute function fails()";
    let mut conn = place.connect().await;
    conn.execute(AssertSqlSafe(text.replace("'tries'", &format!("'{}.tries'", place.schema))))
        .await
        .expect("a trigger");
    let make = change(1, vec![put(plain(Kind::Seal, 1, 1))]);
    assert_eq!(store.commit(&make).await.expect("an outcome"), CommitOutcome::Applied);
    conn.execute("alter sequence tries minvalue -1000 restart with -1000").await.expect("from the start");
    let error = store.commit(&change(2, vec![put(plain(Kind::Seal, 2, 1))])).await.expect_err("busy");
    assert_eq!(error.kind(), StoreErrorKind::Busy, "{error:?}");
}
