//! A closed loop: so many clients, each of which begins with the next piece of work when the one before is done.

use std::collections::VecDeque;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use argon2::{Algorithm, Argon2, Block, Params, Version};
use tokio::time::Instant;

use super::Error;
use super::client::Client;
use super::server::Server;

/// The head of the table.
pub(crate) const HEAD: &str = "\
| what | in flight | a second | requests a second | p50 | p99 | CPU of the server per request | failures |
|---|--:|--:|--:|--:|--:|--:|--:|";

/// What came of a closed loop.
#[derive(Debug, Default)]
pub(crate) struct Measured {
    took: Vec<Duration>,
    elapsed: Duration,
    cpu: Duration,
    requests: usize,
    pub(crate) failures: usize,
}

/// A piece of work on one connection.
pub(crate) type Work<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

/// Does all the work with `in_flight` clients. Returns what was done; what failed is counted and said.
pub(crate) async fn closed_loop<W, T>(
    server: &Server,
    in_flight: usize,
    face: SocketAddr,
    work: Vec<W>,
    act: impl for<'a> Fn(&'a mut Client, W) -> Work<'a, T> + Send + Sync + 'static,
) -> Result<(Measured, Vec<T>), Error>
where
    W: Send + 'static,
    T: Send + 'static,
{
    let left = Arc::new(Mutex::new(VecDeque::from(work)));
    let act = Arc::new(act);
    let (cpu, started) = (server.cpu()?, Instant::now());
    let clients: Vec<_> = (0..in_flight)
        .map(|_| {
            let (left, act) = (Arc::clone(&left), Arc::clone(&act));
            tokio::spawn(async move {
                let mut client = Client::new(face);
                let (mut measured, mut done) = (Measured::default(), Vec::new());
                loop {
                    let next = left.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                    let Some(next) = next else { break };
                    let started = Instant::now();
                    match act(&mut client, next).await {
                        Ok(result) => {
                            measured.took.push(started.elapsed());
                            done.push(result);
                        }
                        Err(error) => {
                            measured.failures += 1;
                            eprint_once(&error, measured.failures);
                        }
                    }
                }
                measured.requests = client.requests();
                (measured, done)
            })
        })
        .collect();
    let (mut whole, mut all) = (Measured::default(), Vec::new());
    for client in clients {
        let (measured, done) = client.await?;
        whole.add(measured);
        all.extend(done);
    }
    whole.elapsed = started.elapsed();
    whole.cpu = server.cpu()?.saturating_sub(cpu);
    Ok((whole, all))
}

/// The first failure of a client; the others are counted.
#[allow(clippy::print_stderr, reason = "beside the table")]
fn eprint_once(error: &Error, failures: usize) {
    if failures == 1 {
        eprintln!("{error}");
    }
}

impl Measured {
    /// Both, one after the other.
    pub(crate) fn add(&mut self, other: Self) {
        let Self { took, elapsed, cpu, requests, failures } = other;
        self.took.extend(took);
        self.elapsed += elapsed;
        self.cpu += cpu;
        self.requests += requests;
        self.failures += failures;
    }

    /// A row of the table.
    pub(crate) fn row(mut self, what: &str, in_flight: usize) -> String {
        self.took.sort_unstable();
        let seconds = self.elapsed.as_secs_f64().max(f64::EPSILON);
        let rate = |count: usize| count as f64 / seconds;
        let at = |part: f64| {
            let index = ((self.took.len() as f64 * part).ceil() as usize).clamp(1, self.took.len().max(1)) - 1;
            self.took.get(index).copied().unwrap_or_default().as_secs_f64() * 1000.0
        };
        let cpu = self.cpu.as_secs_f64() * 1000.0 / self.requests.max(1) as f64;
        format!(
            "| {what} | {in_flight} | {:.0} | {:.0} | {:.1} ms | {:.1} ms | {cpu:.2} ms | {} |",
            rate(self.took.len()),
            rate(self.requests),
            at(0.5),
            at(0.99),
            self.failures
        )
    }
}

/// What no server can be faster than: Argon2id at the usual cost on as many threads as there are cores.
pub(crate) fn bare_argon2(count: usize) -> Result<String, Error> {
    let params = Params::new(19_456, 2, 1, Some(32)).map_err(|error| error.to_string())?;
    let threads = std::thread::available_parallelism()?.get();
    let each = count.div_ceil(threads);
    let started = Instant::now();
    let workers: Vec<_> = (0..threads)
        .map(|_| {
            let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
            std::thread::spawn(move || {
                let mut memory = vec![Block::default(); argon2.params().block_count()];
                let mut out = [0; 32];
                (0..each).try_for_each(|_| {
                    argon2.hash_password_into_with_memory(b"seven green umbrellas", &[7; 16], &mut out, &mut memory)
                })
            })
        })
        .collect();
    for worker in workers {
        worker.join().map_err(|_| "a thread panicked")?.map_err(|error| error.to_string())?;
    }
    let (count, took) = (each * threads, started.elapsed().as_secs_f64());
    let one = took * 1000.0 * threads as f64 / count as f64;
    Ok(format!("| bare Argon2id, m = 19 MiB, t = 2 | {threads} | {:.0} | | {one:.1} ms | | | 0 |", count as f64 / took))
}
