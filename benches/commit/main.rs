//! Begin and complete on a SQLite file and on PostgreSQL, against the same reads and writes as bare statements.
//!
//! *Ours* is the use case as a host calls it: from the text of a token or a session secret through `Service` and
//! `SqlxStore` to its whole answer, with 1 and with 16 callers at a time.
//!
//! *Bare* is what the same use case did to the database, and nothing else. Every call of the service to its store is
//! recorded once, and each is then one or several prepared SQL statements with the recorded values, see [`bare`]. They
//! run one after the other over one connection of the same driver with the same pragmas (write-ahead log,
//! `synchronous=FULL`, foreign keys), on a copy of the same file, one transaction for each change. Nothing is derived,
//! decided, checked or made into JSON there, and nobody else is served. The connection to a file is never idle, so there
//! is no such thing as 16 in flight for it: the yardstick is the same for both. On PostgreSQL, 16 connections share the
//! uses of 16 callers. It is measured when `ENROLLMENT_TEST_POSTGRES` names a cluster (`scripts/postgres start`).
//!
//! A *begin* here opens the first session of an onboarding. A *complete* ends one with a confirmed profile, a password
//! and a device that is staged in one location with an IPv4 and an IPv6 address.

#![allow(clippy::disallowed_methods, reason = "a bench of tasks takes the time itself")]

mod bare;
#[path = "../support/database.rs"]
mod database;
#[path = "../support/people.rs"]
mod people;
mod recorder;
mod scene;
#[path = "../support/mod.rs"]
mod support;

use std::future::Future;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{Criterion, SamplingMode};
use database::{Database, Place};
use scene::{ITEMS, Operation, SPARE, Scene, each};
use tokio::runtime::Runtime;

/// Time for `count` uses of the operation with so many callers at a time.
async fn ours(scene: &Scene, callers: usize, count: usize) -> Duration {
    let running = scene.run().await;
    let service = running.service(running.store());
    // Opens the readers' connections and fills the caches, as in an instance that has run for a while.
    each(&service, scene.operation, scene.secrets(0..SPARE), SPARE).await;
    let begin = Instant::now();
    each(&service, scene.operation, scene.secrets(SPARE..SPARE + count), callers).await;
    let elapsed = begin.elapsed();
    running.close().await;
    elapsed
}

/// Time for the statements of `count` uses over as many connections as have a use.
async fn bare(scene: &Scene, recorded: &Arc<Vec<Vec<bare::Statement>>>, callers: usize, count: usize) -> Duration {
    let copy = scene.database.copy().await;
    let place = copy.place();
    // A file has one writer at a time.
    let count_of_connections = if matches!(place, Place::File(_)) { 1 } else { callers };
    let mut connections = Vec::new();
    for _ in 0..count_of_connections {
        connections.push(bare::Connection::open(&place).await);
    }
    let connections = share(recorded, 0..SPARE, connections).await;
    let begin = Instant::now();
    let connections = share(recorded, SPARE..SPARE + count, connections).await;
    let elapsed = begin.elapsed();
    for connection in connections {
        connection.close().await;
    }
    copy.remove().await;
    elapsed
}

/// Runs the statements of these uses, each connection those of its share.
async fn share(
    recorded: &Arc<Vec<Vec<bare::Statement>>>,
    uses: Range<usize>,
    connections: Vec<bare::Connection>,
) -> Vec<bare::Connection> {
    let step = connections.len();
    let running: Vec<_> = connections
        .into_iter()
        .zip(uses.start..)
        .map(|(mut connection, first)| {
            let (recorded, end) = (Arc::clone(recorded), uses.end);
            tokio::spawn(async move {
                for statement in (first..end).step_by(step).flat_map(|nth| &recorded[nth]) {
                    statement.run(&mut connection).await;
                }
                connection
            })
        })
        .collect();
    let mut connections = Vec::new();
    for connection in running {
        connections.push(connection.await.expect("no panic"));
    }
    connections
}

/// Uses measured at a time: enough for 16 callers to be in each other's way. What is reported is the time of one.
const BATCH: u32 = 128;

/// The time of one use from batches of them. A secret can be used once, so this takes rounds of at most [`ITEMS`] uses,
/// each on a fresh copy of the file.
fn rounds<F: Future<Output = Duration>>(runtime: &Runtime, batches: u64, round: impl Fn(usize) -> F) -> Duration {
    let mut left = usize::try_from(batches * u64::from(BATCH)).expect("a number of uses");
    let mut elapsed = Duration::ZERO;
    while left > 0 {
        let count = left.min(ITEMS);
        elapsed += runtime.block_on(round(count));
        left -= count;
    }
    elapsed / BATCH
}

fn against_bare(criterion: &mut Criterion, runtime: &Runtime, name: &str, operation: Operation, database: Database) {
    let scene = runtime.block_on(Scene::prepare(operation, database));
    let recorded = Arc::new(runtime.block_on(scene.record()));
    for callers in [1, 16] {
        let mut group = criterion.benchmark_group(format!("{name}_{callers}"));
        group.sampling_mode(SamplingMode::Flat).sample_size(15).measurement_time(Duration::from_secs(2));
        support::pair(
            group,
            |b| b.iter_custom(|batches| rounds(runtime, batches, |count| ours(&scene, callers, count))),
            |b| b.iter_custom(|batches| rounds(runtime, batches, |count| bare(&scene, &recorded, callers, count))),
        );
    }
    runtime.block_on(scene.database.remove());
}

fn main() {
    let mut criterion = support::criterion();
    let runtime = Runtime::new().expect("a runtime");
    for (name, operation) in [("begin", Operation::Begin), ("complete", Operation::Complete)] {
        against_bare(&mut criterion, &runtime, name, operation, Database::file());
        if let Ok(cluster) = std::env::var("ENROLLMENT_TEST_POSTGRES") {
            let database = runtime.block_on(Database::on(&cluster));
            against_bare(&mut criterion, &runtime, &format!("{name}_postgres"), operation, database);
        }
    }
    criterion.final_summary();
}
