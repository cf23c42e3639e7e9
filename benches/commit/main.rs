//! Begin and complete on a SQLite file, against the same reads and writes as bare statements.
//!
//! *Ours* is the use case as a host calls it: from the text of a token or a session secret through `Service` and
//! `SqlxStore` to its whole answer, with 1 and with 16 callers at a time.
//!
//! *Bare* is what the same use case did to the database, and nothing else. Every call of the service to its store is
//! recorded once, and each is then one or several prepared SQL statements with the recorded values, see [`bare`]. They
//! run one after the other over one connection of the same driver with the same pragmas (write-ahead log,
//! `synchronous=FULL`, foreign keys), on a copy of the same file, one transaction for each change. Nothing is derived,
//! decided, checked or made into JSON there, and nobody else is served. The connection is never idle, so there is no
//! such thing as 16 in flight for it: the yardstick is the same for both.
//!
//! A *begin* here opens the first session of an onboarding. A *complete* ends one with a confirmed profile, a password
//! and a device that is staged in one location with an IPv4 and an IPv6 address.

#![allow(clippy::disallowed_methods, reason = "a bench of tasks takes the time itself")]

mod bare;
#[path = "../support/people.rs"]
mod people;
mod recorder;
mod scene;
#[path = "../support/mod.rs"]
mod support;

use std::future::Future;
use std::time::{Duration, Instant};

use criterion::{Criterion, SamplingMode};
use scene::{ITEMS, Operation, SPARE, Scene, each};
use sqlx::Connection;
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

/// Time for the statements of `count` uses.
async fn bare(scene: &Scene, recorded: &[Vec<bare::Statement>], count: usize) -> Duration {
    let folder = scene.copy();
    let mut connection = bare::connect(&folder.path().join(scene::FILE)).await;
    for statement in recorded[..SPARE].iter().flatten() {
        statement.run(&mut connection).await;
    }
    let begin = Instant::now();
    for statement in recorded[SPARE..SPARE + count].iter().flatten() {
        statement.run(&mut connection).await;
    }
    let elapsed = begin.elapsed();
    connection.close().await.expect("closed");
    elapsed
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

fn against_bare(criterion: &mut Criterion, runtime: &Runtime, name: &str, operation: Operation) {
    let scene = runtime.block_on(Scene::prepare(operation));
    let recorded = runtime.block_on(scene.record());
    for callers in [1, 16] {
        let mut group = criterion.benchmark_group(format!("{name}_{callers}"));
        group.sampling_mode(SamplingMode::Flat).sample_size(15).measurement_time(Duration::from_secs(2));
        support::pair(
            group,
            |b| b.iter_custom(|batches| rounds(runtime, batches, |count| ours(&scene, callers, count))),
            |b| b.iter_custom(|batches| rounds(runtime, batches, |count| bare(&scene, &recorded, count))),
        );
    }
}

fn main() {
    let mut criterion = support::criterion();
    let runtime = Runtime::new().expect("a runtime");
    against_bare(&mut criterion, &runtime, "begin", Operation::Begin);
    against_bare(&mut criterion, &runtime, "complete", Operation::Complete);
    criterion.final_summary();
}
