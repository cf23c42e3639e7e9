//! A server that crashes in the middle of everything, in a cluster of this test's own.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use enrollment_core::port::{CommitOutcome, Store};
use enrollment_core::record::{Kind, RowKey};
use enrollment_sqlx::{PostgresOptions, SqlxStore};
use tokio::task::JoinSet;

use crate::rows::{change, id, plain, put};

/// A cluster, stopped and removed when this is dropped.
struct Cluster {
    url: String,
}

fn script(command: &str, url: Option<&str>) -> String {
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../scripts/postgres");
    let mut program = Command::new(script);
    program.arg(command).envs(url.map(|url| ("ENROLLMENT_TEST_POSTGRES", url)));
    let output = program.output().expect("the script runs");
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

impl Cluster {
    fn start() -> Self {
        let said = script("start", None);
        let (_, url) = said.trim().split_once('=').expect("export NAME=VALUE");
        Self { url: url.to_owned() }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        script("stop", Some(&self.url));
    }
}

/// The processes of the server are killed while changes are under way, and start again. Whatever was answered is there;
/// whatever was not, the same change tells; nobody hears anything but that it was not to be told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_crashes_loses_nothing_that_it_answered() {
    const SUBJECTS: u128 = 8;
    const CHANGES: u64 = 120;
    let cluster = Cluster::start();
    let store = SqlxStore::open_postgres(&cluster.url, PostgresOptions::default()).await.expect("a store");
    let (store, done) = (Arc::new(store), Arc::new(AtomicU64::new(0)));
    let mut tasks = JoinSet::new();
    for subject in 1..=SUBJECTS {
        let (store, done) = (Arc::clone(&store), Arc::clone(&done));
        tasks.spawn(async move {
            let mut unanswered = 0;
            for version in 1..=CHANGES {
                let entry = subject * 1_000 + u128::from(version);
                let ops = vec![put(plain(Kind::Enrollment, subject, version)), put(plain(Kind::Audit, entry, 1))];
                let made = change(entry, ops);
                loop {
                    match store.commit(&made).await {
                        Ok(outcome) => break assert_eq!(outcome, CommitOutcome::Applied, "{subject} {version}"),
                        Err(error) => assert!(error.is_retryable(), "{error:?}"),
                    }
                    unanswered += 1;
                    tokio::task::yield_now().await;
                }
                done.fetch_add(1, Ordering::Relaxed);
            }
            unanswered
        });
    }
    for part in 1..=2 {
        while done.load(Ordering::Relaxed) < part * 300 {
            tokio::task::yield_now().await;
        }
        script("crash", Some(&cluster.url));
    }
    let unanswered: u64 = tasks.join_all().await.into_iter().sum();
    assert!(unanswered > 0, "the server crashed without anybody noticing");
    for subject in 1..=SUBJECTS {
        let keys = (1..=CHANGES).map(|version| RowKey::new(Kind::Audit, id(subject * 1_000 + u128::from(version))));
        let keys: Vec<_> = keys.chain([RowKey::new(Kind::Enrollment, id(subject))]).collect();
        let mut rows = store.get(&keys).await.expect("rows");
        assert_eq!(rows.pop().flatten().map(|row| row.version.0), Some(CHANGES));
        assert!(rows.iter().all(Option::is_some), "an entry of subject {subject} is missing");
    }
    store.close().await;
}
