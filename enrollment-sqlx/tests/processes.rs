//! Several processes on one file, and processes that die.
//!
//! A test plays both sides: it starts its own binary again, for itself alone, with the folder in the environment.

#![cfg(feature = "sqlite")]

mod support;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use enrollment_core::port::{Change, CommitOutcome, Op, Store};
use enrollment_core::record::{Kind, Row, RowKey, Version};
use enrollment_sqlx::SqlxStore;
use sqlx::Row as _;
use support::{change, connect, id, open, plain, put};

const FOLDER: &str = "ENROLLMENT_TEST_FOLDER";
const NUMBER: &str = "ENROLLMENT_TEST_NUMBER";

/// The folder and number given by the parent; `None` in the parent itself.
fn given() -> Option<(PathBuf, u128)> {
    let folder = std::env::var_os(FOLDER)?;
    Some((folder.into(), std::env::var(NUMBER).ok()?.parse().ok()?))
}

fn start(test: &str, folder: &Path, number: u128) -> Child {
    Command::new(std::env::current_exe().expect("this binary"))
        .args(["--exact", test, "--nocapture"])
        .env(FOLDER, folder)
        .env(NUMBER, number.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a process")
}

fn counter() -> RowKey {
    RowKey::new(Kind::Guard, id(0))
}

/// Puts the counter one further, whoever else does.
async fn count(store: &SqlxStore, number: u128, turn: u128) {
    for attempt in 0.. {
        let row = store.get(&[counter()]).await.expect("a row").remove(0);
        let version = row.map_or(0, |row| row.version.0) + 1;
        let made = change(number * 1_000_000 + turn * 1_000 + attempt, vec![put(plain(Kind::Guard, 0, version))]);
        let outcome = store.commit(&made).await.expect("an outcome");
        if outcome == CommitOutcome::Applied {
            return;
        }
        assert_eq!(outcome, CommitOutcome::Stale);
    }
}

#[tokio::test]
async fn processes_open_a_new_file_at_once_and_agree() {
    const TEST: &str = "processes_open_a_new_file_at_once_and_agree";
    const TURNS: u128 = 20;
    if let Some((folder, number)) = given() {
        let store = open(&folder).await;
        for turn in 0..TURNS {
            count(&store, number, turn).await;
        }
        store.close().await;
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let children: Vec<_> = (1..=4).map(|number| start(TEST, folder.path(), number)).collect();
    for child in children {
        assert!(child.wait_with_output().expect("an end").status.success());
    }
    let store = open(folder.path()).await;
    let row = store.get(&[counter()]).await.expect("a row").remove(0).expect("counted");
    assert_eq!(u128::from(row.version.0), 4 * TURNS, "every turn counted once");
}

/// The rows of one change: a subject one version on, and an entry about that version.
fn whole(subject: u128, version: u64) -> Change {
    let entry = subject * 1_000_000 + u128::from(version);
    let ops: Vec<Op> = vec![put(plain(Kind::Enrollment, subject, version)), put(plain(Kind::Audit, entry, 1))];
    change(entry, ops)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_process_leaves_every_change_whole() {
    const TEST: &str = "a_killed_process_leaves_every_change_whole";
    const SUBJECTS: u128 = 8;
    if let Some((folder, _)) = given() {
        let store = std::sync::Arc::new(open(&folder).await);
        let mut tasks = tokio::task::JoinSet::new();
        for subject in 1..=SUBJECTS {
            let store = store.clone();
            tasks.spawn(async move {
                let key = RowKey::new(Kind::Enrollment, id(subject));
                let stands = store.get(&[key]).await.expect("a row").remove(0).map_or(0, |row: Row| row.version.0);
                for version in stands + 1.. {
                    let outcome = store.commit(&whole(subject, version)).await.expect("an outcome");
                    assert_eq!(outcome, CommitOutcome::Applied);
                    println!("applied {subject} {version}");
                }
            });
        }
        tasks.join_next().await.expect("a task").expect("it counts until it is killed");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let mut heard = [0; 1 + SUBJECTS as usize];
    for kill_after in [1, 40, 150, 333] {
        let mut child = start(TEST, folder.path(), 0);
        let lines = BufReader::new(child.stdout.take().expect("its output")).lines().map_while(Result::ok);
        let mut answers = 0;
        for line in lines {
            // The harness prints the test's name without ending the line.
            let Some((_, said)) = line.split_once("applied ") else { continue };
            let (subject, version) = said.split_once(' ').expect("two numbers");
            let subject: usize = subject.parse().expect("a number");
            heard[subject] = version.parse::<u64>().expect("a number").max(heard[subject]);
            answers += 1;
            if answers == kill_after {
                child.kill().expect("killed");
            }
        }
        child.wait().expect("an end");
        audit(folder.path(), &heard).await;
    }
}

/// Every change is there whole or not at all, and none is missing that was answered.
async fn audit(folder: &Path, heard: &[u64]) {
    let store = open(folder).await;
    let mut conn = connect(folder).await;
    for (subject, heard) in (0_u128..).zip(heard).skip(1) {
        let key = RowKey::new(Kind::Enrollment, id(subject));
        let row = store.get(&[key]).await.expect("a row").remove(0);
        let stands = row.map_or(Version(0), |row| row.version).0;
        assert!(stands >= *heard, "{subject} stands at {stands}, but {heard} was answered");
        for (table, columns) in [("audit", "id"), ("changes", "id")] {
            let (first, behind) = (id(subject * 1_000_000), id((subject + 1) * 1_000_000));
            let text = format!("select count({columns}) from {table} where id >= $1 and id < $2");
            let query = sqlx::query(sqlx::AssertSqlSafe(text)).bind(first.to_string()).bind(behind.to_string());
            let found: i64 = query.fetch_one(&mut conn).await.expect("a count").get(0);
            assert_eq!(u64::try_from(found).expect("a count"), stands, "{table} of {subject}");
        }
    }
    let sound: String = sqlx::query_scalar("pragma integrity_check").fetch_one(&mut conn).await.expect("a check");
    assert_eq!(sound, "ok");
    store.close().await;
}
