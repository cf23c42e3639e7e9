//! Hashing passwords on all cores, against bare Argon2id on as many threads, each with its memory made beforehand.
//!
//! The time is that of one hash with all threads at work: the wall time divided by the number of hashes. The library's
//! callers are twice as many as its threads, so that no thread waits for one; cost and output are the default's.

#![allow(clippy::disallowed_methods, reason = "a bench of threads takes the time itself")]

mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use argon2::{Algorithm, Argon2, Block, Params, Version};
use criterion::SamplingMode;
use enrollment::core::secret::{HashingOptions, HashingPool, Password};

const PASSWORD: &str = "correct horse battery staple";

/// Twice as many callers as threads, each with `each` hashes one after the other.
async fn ours(pool: &Arc<HashingPool>, callers: u32, each: u64) -> Duration {
    let begin = Instant::now();
    let running: Vec<_> = (0..callers)
        .map(|_| {
            let pool = Arc::clone(pool);
            tokio::spawn(async move {
                for _ in 0..each {
                    let password = Password::parse(PASSWORD.to_owned()).expect("a password");
                    pool.hash(password, [7; 16]).await.expect("room in the queue");
                }
            })
        })
        .collect();
    for caller in running {
        caller.await.expect("no panic");
    }
    begin.elapsed()
}

fn bare(memories: &mut [Vec<Block>], params: &Params, each: u64) -> Duration {
    let begin = Instant::now();
    std::thread::scope(|scope| {
        for memory in memories {
            scope.spawn(move || {
                for _ in 0..each {
                    let mut output = [0; 32];
                    Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone())
                        .hash_password_into_with_memory(PASSWORD.as_bytes(), &[7; 16], &mut output, &mut *memory)
                        .expect("enough memory");
                    std::hint::black_box(output);
                }
            });
        }
    });
    begin.elapsed()
}

fn main() {
    let mut criterion = support::criterion();
    let threads = std::thread::available_parallelism().expect("a number of cores").get();
    let options = HashingOptions { threads, queue: 2 * threads, ..HashingOptions::default() };
    let cost = options.params;
    let params = Params::new(cost.m_kib, cost.t, cost.p, Some(32)).expect("the default cost");
    let mut memories = vec![vec![Block::new(); params.block_count()]; threads];
    let pool = Arc::new(HashingPool::start(options).expect("threads and memory"));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let callers = u32::try_from(2 * threads).expect("a few threads");

    let mut group = criterion.benchmark_group("password_hash");
    group.sampling_mode(SamplingMode::Flat).sample_size(20);
    support::pair(
        group,
        |b| b.iter_custom(|each| runtime.block_on(ours(&pool, callers, each)) / callers),
        |b| b.iter_custom(|each| bare(&mut memories, &params, 2 * each) / callers),
    );
    criterion.final_summary();
}
