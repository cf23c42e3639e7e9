//! Several processes on one database, and processes that die.
//!
//! A test plays both sides: it starts its own binary again, for itself alone, with the schema in the environment.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use enrollment_core::port::{Change, CommitOutcome, Op, Store};
use enrollment_core::record::{Kind, Row, RowKey, Version};
use enrollment_sqlx::SqlxStore;

use crate::rows::{change, id, plain, put};
use crate::support::Place;

const SCHEMA: &str = "ENROLLMENT_TEST_SCHEMA";
const NUMBER: &str = "ENROLLMENT_TEST_NUMBER";

/// The place and number given by the parent; `None` in the parent itself.
fn given() -> Option<(Place, u128)> {
    let schema = std::env::var(SCHEMA).ok()?;
    Some((Place { schema }, std::env::var(NUMBER).ok()?.parse().ok()?))
}

fn start(test: &str, place: &Place, number: u128) -> Child {
    Command::new(std::env::current_exe().expect("this binary"))
        .args(["--exact", test, "--nocapture"])
        .env(SCHEMA, &place.schema)
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
async fn processes_open_a_new_database_at_once_and_agree() {
    const TEST: &str = "processes::processes_open_a_new_database_at_once_and_agree";
    const TURNS: u128 = 20;
    if let Some((place, number)) = given() {
        let store = place.open().await;
        for turn in 0..TURNS {
            count(&store, number, turn).await;
        }
        return;
    }
    let place = Place::new();
    let children: Vec<_> = (1..=4).map(|number| start(TEST, &place, number)).collect();
    for child in children {
        assert!(child.wait_with_output().expect("an end").status.success());
    }
    let row = place.open().await.get(&[counter()]).await.expect("a row").remove(0).expect("counted");
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
    const TEST: &str = "processes::a_killed_process_leaves_every_change_whole";
    const SUBJECTS: u128 = 8;
    if let Some((place, _)) = given() {
        let store = std::sync::Arc::new(place.open().await);
        let mut tasks = tokio::task::JoinSet::new();
        for subject in 1..=SUBJECTS {
            let store = store.clone();
            tasks.spawn(async move {
                let key = RowKey::new(Kind::Enrollment, id(subject));
                let stands = store.get(&[key]).await.expect("a row").remove(0).map_or(0, |row: Row| row.version.0);
                let mut next = stands + 1;
                loop {
                    match store.commit(&whole(subject, next)).await.expect("an outcome") {
                        CommitOutcome::Applied => println!("applied {subject} {next}"),
                        // The server was still at work on the last change of the process that was killed.
                        CommitOutcome::Stale => assert_eq!(next, stands + 1),
                        other => panic!("{other:?}"),
                    }
                    next += 1;
                }
            });
        }
        tasks.join_next().await.expect("a task").expect("it counts until it is killed");
        return;
    }
    let place = Place::new();
    let mut heard = [0; 1 + SUBJECTS as usize];
    for kill_after in [1, 40, 150, 333] {
        let mut child = start(TEST, &place, 0);
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
        audit(&place, &heard).await;
    }
}

/// Every change is there whole or not at all, and none is missing that was answered.
async fn audit(place: &Place, heard: &[u64]) {
    let mut conn = place.connect().await;
    // One statement, and so one snapshot, since the server may still be at work on a change of the process.
    let count = "select (select version from enrollments where id = $1), \
        (select count(*) from audit where id >= $2 and id < $3), (select count(*) from changes where id >= $2 and id < $3)";
    for (subject, heard) in (0_u128..).zip(heard).skip(1) {
        let (first, behind) = (id(subject * 1_000_000), id((subject + 1) * 1_000_000));
        let query = sqlx::query_as::<_, (Option<i64>, i64, i64)>(count).bind(id(subject)).bind(first).bind(behind);
        let (stands, entries, changes) = query.fetch_one(&mut conn).await.expect("counts");
        let stands = stands.unwrap_or(0);
        assert!(
            Version(u64::try_from(stands).expect("a version")) >= Version(*heard),
            "{heard} was answered, {stands} stands"
        );
        assert_eq!((entries, changes), (stands, stands), "of subject {subject}");
    }
}
