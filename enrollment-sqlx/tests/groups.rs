//! Changes that share a transaction are judged as if they came one after the other.
//!
//! On a runtime of one thread, the tasks of `together` have all queued their changes before the writing task runs, so
//! that they form one group; `a_transaction_of_unknown_fate_is_unknown_to_its_whole_group` shows that they do.

#![cfg(feature = "sqlite")]

mod support;

use std::sync::Arc;

use enrollment_core::memory::MemoryStore;
use enrollment_core::port::{Change, CommitOutcome, Op, Store, StoreError, StoreErrorKind};
use enrollment_core::record::{Kind, Row, RowKey, UniqueKey, UniqueName, Version};
use enrollment_sqlx::SqlxStore;
use proptest::prelude::*;
use sqlx::Executor;
use support::{change, connect, id, open, plain, put, user};

/// Commits all at once; the outcomes in order.
async fn together(store: &Arc<SqlxStore>, changes: &[Change]) -> Vec<Result<CommitOutcome, StoreError>> {
    let commit = |change: &Change| {
        let (store, change) = (Arc::clone(store), change.clone());
        tokio::spawn(async move { store.commit(&change).await })
    };
    let waiting: Vec<_> = changes.iter().map(commit).collect();
    let mut outcomes = Vec::new();
    for task in waiting {
        outcomes.push(task.await.expect("no panic"));
    }
    outcomes
}

/// What a step of the comparison does: a row of a few, a version near its own, a few names.
#[derive(Debug, Clone)]
enum Step {
    Put { row: u128, version: u64, names: Vec<u8> },
    Check { row: u128, version: Option<u64> },
    Delete { row: u128, version: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    let names = proptest::collection::vec(0..5_u8, 0..3);
    prop_oneof![
        4 => (0..4_u128, 1..4_u64, names).prop_map(|(row, version, names)| Step::Put { row, version, names }),
        1 => (0..4_u128, proptest::option::of(1..4_u64)).prop_map(|(row, version)| Step::Check { row, version }),
        1 => (0..4_u128, 1..4_u64).prop_map(|(row, version)| Step::Delete { row, version }),
    ]
}

/// An enrollment that holds a token, past tokens, or both; `None` when the names repeat.
fn row(row: u128, version: u64, names: &[u8]) -> Row {
    let mut unique: Vec<_> = names
        .iter()
        .enumerate()
        .map(|(i, name)| {
            UniqueKey::new(if i == 0 { UniqueName::Token } else { UniqueName::PastToken }, format!("name {name}"))
        })
        .collect();
    unique.dedup();
    Row { unique, ..plain(Kind::Enrollment, row, version) }
}

fn ops(steps: &[Step]) -> Vec<Op> {
    let key = |row| RowKey::new(Kind::Enrollment, id(row));
    let mut ops: Vec<Op> = Vec::new();
    for step in steps {
        let op = match step {
            Step::Put { row: n, version, names } => put(row(*n, *version, names)),
            Step::Check { row, version } => Op::Check { key: key(*row), version: version.map(Version) },
            Step::Delete { row, version } => Op::Delete { key: key(*row), version: Version(*version) },
        };
        if ops.iter().all(|other| other.key() != op.key()) {
            ops.push(op);
        }
    }
    ops
}

async fn rows(store: &dyn Store) -> Vec<Option<Row>> {
    let keys: Vec<_> = (0..4).map(|n| RowKey::new(Kind::Enrollment, id(n))).collect();
    store.get(&keys).await.expect("rows")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// The reference store, which takes one change at a time, answers the same and holds the same afterwards.
    #[test]
    fn a_group_is_its_changes_one_after_the_other(
        groups in proptest::collection::vec(
            proptest::collection::vec(proptest::collection::vec(step(), 1..4), 1..8),
            1..12,
        ),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let folder = tempfile::tempdir().expect("a folder");
            let (store, reference) = (Arc::new(open(folder.path()).await), MemoryStore::new());
            let mut n = 0;
            for group in &groups {
                let changes: Vec<_> = group
                    .iter()
                    .map(|steps| {
                        n += 1;
                        change(n, ops(steps))
                    })
                    .collect();
                let outcomes = together(&store, &changes).await;
                for (change, outcome) in changes.iter().zip(outcomes) {
                    let expected = reference.commit(change).await.expect("an outcome");
                    assert_eq!(outcome.expect("an outcome"), expected, "{change:?}");
                }
                assert_eq!(rows(&*store).await, rows(&reference).await);
            }
            store.close().await;
        });
    }
}

#[tokio::test]
async fn two_rows_can_swap_their_keys() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Arc::new(open(folder.path()).await);
    let make = change(1, vec![put(user(1, 1, "anna")), put(user(2, 1, "bert"))]);
    let swap = change(2, vec![put(user(1, 2, "bert")), put(user(2, 2, "anna"))]);
    for outcome in together(&store, &[make]).await.into_iter().chain(together(&store, &[swap]).await) {
        assert_eq!(outcome.expect("an outcome"), CommitOutcome::Applied);
    }
    let holder = store.find(&UniqueKey::new(UniqueName::Username, "bert")).await.expect("an answer");
    assert_eq!(holder, Some(user(1, 2, "bert")));
}

#[tokio::test]
async fn a_caller_that_goes_away_hurts_nobody() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Arc::new(open(folder.path()).await);
    let (gone, stays) = (change(1, vec![put(user(1, 1, "anna"))]), change(2, vec![put(user(2, 1, "bert"))]));
    {
        // Once polled it is queued; then it is dropped.
        tokio::select! {
            biased;
            outcome = store.commit(&gone) => panic!("nothing is written before the writing task runs: {outcome:?}"),
            () = std::future::ready(()) => {}
        }
    }
    assert_eq!(store.commit(&stays).await.expect("an outcome"), CommitOutcome::Applied);
    let rows = store.get(&[user(1, 1, "").key, user(2, 1, "").key]).await.expect("rows");
    assert!(rows[0].is_none() || rows[0] == Some(user(1, 1, "anna")), "whole or not at all");
    assert_eq!(rows[1], Some(user(2, 1, "bert")));
}

/// Ends every transaction that inserts a seal, so that the writer, which did not end it, cannot tell how it ended.
const END_UNSEEN: &str = "create trigger ended after insert on seals begin select raise(rollback, 'ended'); end";

#[tokio::test]
async fn a_transaction_of_unknown_fate_is_unknown_to_its_whole_group() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Arc::new(open(folder.path()).await);
    let mut conn = connect(folder.path()).await;
    conn.execute(END_UNSEEN).await.expect("a trigger");
    let changes = [change(1, vec![put(plain(Kind::Seal, 1, 1))]), change(2, vec![put(user(2, 1, "bert"))])];
    for outcome in together(&store, &changes).await {
        let error = outcome.expect_err("no answer");
        assert_eq!(error.kind(), StoreErrorKind::Unknown);
        assert!(error.is_retryable());
    }
    conn.execute("drop trigger ended").await.expect("no trigger");
    for outcome in together(&store, &changes).await {
        assert_eq!(outcome.expect("the truth"), CommitOutcome::Applied);
    }
    assert_eq!(
        store.find(&UniqueKey::new(UniqueName::Username, "bert")).await.expect("a row"),
        Some(user(2, 1, "bert"))
    );
}

/// Refuses seals at once.
const REFUSE: &str = "create trigger refused before insert on seals begin select raise(abort, 'refused'); end";

/// Refuses seals at the commit only: a promise of a row that never comes.
const REFUSE_AT_COMMIT: &str = "create table promise (id text references users (id) deferrable initially deferred); \
    create trigger promised after insert on seals begin insert into promise values ('never'); end";

#[tokio::test]
async fn a_change_that_the_database_refuses_spoils_no_other() {
    spoils_no_other(REFUSE).await;
}

#[tokio::test]
async fn a_change_that_the_database_refuses_at_the_commit_spoils_no_other() {
    spoils_no_other(REFUSE_AT_COMMIT).await;
}

async fn spoils_no_other(refuse: &'static str) {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Arc::new(open(folder.path()).await);
    connect(folder.path()).await.execute(refuse).await.expect("a trigger");
    let changes = [
        change(1, vec![put(user(1, 1, "anna"))]),
        change(2, vec![put(plain(Kind::Seal, 2, 1)), put(user(2, 1, "bert"))]),
        change(3, vec![put(user(3, 1, "carl"))]),
    ];
    let mut outcomes = together(&store, &changes).await.into_iter();
    assert_eq!(outcomes.next().expect("three").expect("applied"), CommitOutcome::Applied);
    assert_eq!(outcomes.next().expect("three").expect_err("refused").kind(), StoreErrorKind::Corrupt);
    assert_eq!(outcomes.next().expect("three").expect("applied"), CommitOutcome::Applied);
    assert_eq!(store.find(&UniqueKey::new(UniqueName::Username, "bert")).await.expect("an answer"), None);
}
