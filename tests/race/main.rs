//! The race: two processes with eight threads each on one SQLite file, or eight with two on PostgreSQL, 10,000 tokens,
//! and exactly one completion of each (TOK-8, I1, I2, G1–G4).
//!
//! Of every token, four threads try to complete at the same time; of the first thousand, all sixteen.

#![allow(clippy::panic, clippy::print_stdout, reason = "a test, whose child processes answer on standard output")]

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/folder.rs"]
mod folder;
mod prepare;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use enrollment::core::domain::rejection::Rejection;
use enrollment::core::port::SystemClock;
use enrollment::core::secret::{SessionSecret, Token};
use enrollment::core::service::enrollee::BeginRequest;
use enrollment::core::service::{Failure, Origin, Service};
use tokio::task::JoinSet;

const TOKENS: usize = 10_000;
const ALL_CONTEND: usize = 1_000;

/// Where they race, and who.
#[derive(Debug, Clone, Copy)]
struct Track {
    on_a_server: bool,
    processes: usize,
    threads: usize,
}

const FILE: Track = Track { on_a_server: false, processes: 2, threads: 8 };
const SERVER: Track = Track { on_a_server: true, processes: 8, threads: 2 };
const ORIGIN: Origin = Origin { source: None };

/// Where a child finds the files, and which of the processes it is.
const CHILD_FOLDER: &str = "ENROLLMENT_RACE_FOLDER";
const PROCESS: &str = "ENROLLMENT_RACE_PROCESS";

fn contends(worker: usize, nth: usize) -> bool {
    nth < ALL_CONTEND || (worker + nth).is_multiple_of(4)
}

/// TOK-8: two processes and any number of threads, one completion of each token.
#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn two_processes_complete_every_token_exactly_once() {
    race_to_complete(FILE, "two_processes_complete_every_token_exactly_once").await;
}

/// TOK-8: the same of eight processes on PostgreSQL.
#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn eight_processes_on_postgresql_complete_every_token_exactly_once() {
    race_to_complete(SERVER, "eight_processes_on_postgresql_complete_every_token_exactly_once").await;
}

/// TOK-8, I2: of sixteen who begin at the same time, exactly one holds the session afterwards.
#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn of_all_who_begin_at_once_one_holds_the_session() {
    race_to_begin(FILE, "of_all_who_begin_at_once_one_holds_the_session").await;
}

/// TOK-8, I2: the same on PostgreSQL.
#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn of_all_who_begin_at_once_on_postgresql_one_holds_the_session() {
    race_to_begin(SERVER, "of_all_who_begin_at_once_on_postgresql_one_holds_the_session").await;
}

async fn race_to_complete(track: Track, test: &str) {
    if std::env::var_os(CHILD_FOLDER).is_some() {
        return contend(track, complete_all).await;
    }
    let folder = folder::folder(track.on_a_server);
    let prepared = prepare::ready_to_complete(folder.path(), TOKENS).await;
    let won = run_children(track, folder.path(), test);

    let mut wins: BTreeMap<usize, u32> = BTreeMap::new();
    for line in won {
        *wins.entry(line.parse().expect("a number")).or_default() += 1;
    }
    assert_eq!(wins.len(), TOKENS, "every token was completed");
    assert!(wins.values().all(|count| *count == 1), "no token was completed twice");
    prepared.assert_everything_happened_once().await;
}

async fn race_to_begin(track: Track, test: &str) {
    const CONTESTED: usize = 200;
    if std::env::var_os(CHILD_FOLDER).is_some() {
        return contend(track, begin_all).await;
    }
    let folder = folder::folder(track.on_a_server);
    let service = prepare::invited(folder.path(), CONTESTED).await;
    let answers = run_children(track, folder.path(), test);

    let mut holders: BTreeMap<usize, BTreeSet<String>> = BTreeMap::new();
    for answer in &answers {
        let (nth, secret) = answer.split_once(' ').expect("a number and a secret");
        holders.entry(nth.parse().expect("a number")).or_default().insert(secret.to_owned());
    }
    assert_eq!(holders.len(), CONTESTED);
    for secrets in holders.into_values() {
        let mut live = 0;
        for secret in secrets {
            let session = SessionSecret::parse(&secret).expect("a session secret");
            match service.enrollee().session(&session, ORIGIN).await {
                Ok(_) => live += 1,
                Err(Failure::Rejected(Rejection::SessionSuperseded)) => {}
                Err(other) => panic!("a holder heard {other:?}"),
            }
        }
        assert_eq!(live, 1);
    }
}

/// Starts the processes, lets them go at the same time, and collects what they say.
fn run_children(track: Track, folder: &Path, test: &str) -> Vec<String> {
    let start = |process: usize| {
        Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", test, "--nocapture"])
            .env(CHILD_FOLDER, folder)
            .env(PROCESS, process.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a child process")
    };
    let mut children: Vec<_> = (0..track.processes).map(start).collect();
    for child in &mut children {
        child.stdin.take().expect("a pipe").write_all(b"go\n").expect("the child listens");
    }
    let mut said = Vec::new();
    for child in children {
        let output = child.wait_with_output().expect("the child ends");
        assert!(output.status.success(), "a process failed");
        let text = String::from_utf8(output.stdout).expect("text");
        said.extend(text.lines().filter_map(|line| line.strip_prefix("race: ")).map(ToOwned::to_owned));
    }
    said
}

/// The service of this process.
async fn service(folder: &Path) -> Service {
    let store = folder::store(folder).await;
    common::service(store, &folder.join(folder::KEY_FILE), Arc::new(SystemClock)).build().expect("the parts fit")
}

/// What a child does: a task for each thread, each with its number among all.
async fn contend<F, W>(track: Track, work: W)
where
    W: Fn(Service, usize, Vec<String>) -> F,
    F: Future<Output = Vec<String>> + Send + 'static,
{
    let folder = std::env::var(CHILD_FOLDER).expect("a folder");
    let process: usize = std::env::var(PROCESS).expect("a process").parse().expect("a number");
    let service = service(Path::new(&folder)).await;
    let secrets = std::fs::read_to_string(Path::new(&folder).join("secrets")).expect("secrets");
    let secrets: Vec<String> = secrets.lines().map(ToOwned::to_owned).collect();
    std::io::stdin().lock().lines().next().expect("a sign").expect("to start");
    let mut tasks = JoinSet::new();
    for thread in 0..track.threads {
        tasks.spawn(work(service.clone(), process * track.threads + thread, secrets.clone()));
    }
    while let Some(said) = tasks.join_next().await {
        for line in said.expect("a contender") {
            println!("race: {line}");
        }
    }
}

/// Tries to complete every session this worker contends for, and says which it was the first to.
async fn complete_all(service: Service, worker: usize, secrets: Vec<String>) -> Vec<String> {
    let mut won = Vec::new();
    for (nth, secret) in secrets.iter().enumerate().filter(|(nth, _)| contends(worker, *nth)) {
        let session = SessionSecret::parse(secret).expect("a session secret");
        loop {
            match service.enrollee().complete(&session, ORIGIN).await {
                Ok(completion) if completion.repeated => break,
                Ok(_) => {
                    won.push(nth.to_string());
                    break;
                }
                // Nothing happened: as the answer says, the same request again will do.
                Err(Failure::Busy | Failure::Unavailable(_)) => {}
                Err(other) => panic!("a contender heard {other:?}"),
            }
        }
    }
    won
}

/// Begins with every token, and says which session it got.
async fn begin_all(service: Service, _worker: usize, secrets: Vec<String>) -> Vec<String> {
    let mut got = Vec::new();
    for (nth, token) in secrets.iter().enumerate() {
        let request = BeginRequest { token: Token::parse(token).expect("a token"), nonce: None, resume: None };
        loop {
            match service.enrollee().begin(&request, ORIGIN).await {
                Ok(begun) => {
                    got.push(format!("{nth} {}", begun.session.expose()));
                    break;
                }
                Err(Failure::Busy | Failure::Unavailable(_)) => {}
                Err(other) => panic!("a contender heard {other:?}"),
            }
        }
    }
    got
}
