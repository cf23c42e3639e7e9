//! Mails from the queue to settled, by one worker and by several in one process, and a notifier that takes everything and
//! does nothing. So this is what the library and the database cost; the relay comes on top.
//!
//! `cargo bench --bench outbox -- PostgreSQL` leaves out the other database.

#![allow(clippy::disallowed_methods, clippy::print_stdout, reason = "a bench takes the time itself and prints it")]

#[path = "support/database.rs"]
mod database;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use database::Database;
use enrollment::core::domain::enrollment::Purpose;
use enrollment::core::port::{
    Channel, Clock as _, DeliveryError, Message, Notifier, Receipt, Store, SystemClock, SystemEntropy,
};
use enrollment::core::secret::KeyRing;
use enrollment::core::service::administrator::{Delivery, NewUser, StartEnrollment};
use enrollment::core::service::{Instance, Principal, Service, ServiceBuilder};
use enrollment::core::worker::OutboxWorker;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

const MAILS: usize = 2_000;
const ROUNDS: usize = 5;
const WORKERS: [usize; 3] = [1, 2, 4];

fn main() {
    let runtime = Runtime::new().expect("a runtime");
    let only = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let wanted = |name: &str| only.as_ref().is_none_or(|only| only == name);
    runtime.block_on(async {
        if wanted("SQLite") {
            measure("SQLite", Database::file()).await;
        }
        if let Ok(cluster) = std::env::var("ENROLLMENT_TEST_POSTGRES")
            && wanted("PostgreSQL")
        {
            measure("PostgreSQL", Database::on(&cluster).await).await;
        }
    });
}

/// Queues mails once, and has copies of that database worked off.
async fn measure(name: &str, queued: Database) {
    let ring = Arc::new(KeyRing::generate(SystemClock.now(), &SystemEntropy));
    let store = Arc::new(queued.open().await);
    queue(&service(store.clone(), &ring)).await;
    store.close().await;

    for workers in WORKERS {
        let mut rounds = Vec::new();
        for _ in 0..ROUNDS {
            let copy = queued.copy().await;
            let store = Arc::new(copy.open().await);
            let worker = OutboxWorker::new(service(store.clone(), &ring), Arc::new(Nowhere));
            rounds.push(drain(&worker, workers).await);
            store.close().await;
            copy.remove().await;
        }
        rounds.sort_by_key(|round| round.elapsed);
        let rate = |round: &Round| MAILS as f64 / round.elapsed.as_secs_f64();
        let [most, median, least] = [0, ROUNDS / 2, ROUNDS - 1].map(|nth| rate(&rounds[nth]));
        let cpu = rounds.iter().map(|round| round.cpu).sum::<Duration>().as_secs_f64() * 1e6 / (MAILS * ROUNDS) as f64;
        println!(
            "{name}, {workers} at a time: {median:.0} mails/s, median of {ROUNDS} rounds ({least:.0} to {most:.0}), \
             {cpu:.0} µs of CPU for each in this process"
        );
    }
    queued.remove().await;
}

/// What working off the queue once took.
struct Round {
    elapsed: Duration,
    cpu: Duration,
}

async fn drain(worker: &OutboxWorker, workers: usize) -> Round {
    let (begin, cpu) = (Instant::now(), cpu());
    let mut tasks = JoinSet::new();
    for _ in 0..workers {
        let worker = worker.clone();
        tasks.spawn(async move {
            let mut settled = 0;
            loop {
                match worker.run_once().await.expect("the store answers") {
                    0 => return settled,
                    some => settled += some,
                }
            }
        });
    }
    let settled: usize = tasks.join_all().await.into_iter().sum();
    let round = Round { elapsed: begin.elapsed(), cpu: self::cpu().saturating_sub(cpu) };
    assert_eq!(settled, MAILS, "every mail was settled");
    round
}

/// What this process has used so far, of any core; in hundredths of a second, as Linux tells it.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let (_, after_the_name) = stat.rsplit_once(')').expect("a name in parentheses");
    let ticks: u64 = after_the_name.split(' ').skip(12).take(2).map(|ticks| ticks.parse::<u64>().expect("ticks")).sum();
    Duration::from_millis(ticks * 10)
}

/// Takes every mail and drops it.
#[derive(Debug)]
struct Nowhere;

#[async_trait]
impl Notifier for Nowhere {
    fn channels(&self) -> &[Channel] {
        &[Channel::Email]
    }

    async fn deliver(&self, _message: &Message) -> Result<Receipt, DeliveryError> {
        Ok(Receipt::new("dropped"))
    }
}

fn service(store: Arc<dyn Store>, ring: &Arc<KeyRing>) -> Service {
    let instance = Instance { url: "https://vpn.example.com".to_owned(), version: "0.1.0".to_owned() };
    ServiceBuilder::new(store, Arc::new(SystemClock), Arc::new(SystemEntropy), Arc::clone(ring), instance)
        .channels(Nowhere.channels())
        .build()
        .expect("parts that fit together")
}

/// An invitation by mail for each of some people.
async fn queue(service: &Service) {
    let mut tasks = JoinSet::new();
    for nth in 0..MAILS {
        if tasks.len() == 16 {
            tasks.join_next().await.expect("a task").expect("an invitation");
        }
        let service = service.clone();
        tasks.spawn(async move {
            let start = StartEnrollment {
                purpose: Purpose::Onboarding,
                delivery: Delivery::Email,
                email: None,
                validity: None,
                wording: None,
            };
            let user = NewUser {
                username: format!("user{nth}").parse().expect("a username"),
                first_name: "Anna".parse().expect("a name"),
                last_name: "Berg".parse().expect("a name"),
                email: Some(format!("user{nth}@example.com").parse().expect("an address")),
                phone: None,
                groups: BTreeSet::new(),
                role: None,
                enrollment: Some(start),
            };
            service.administrator().create_user(&Principal::command_line(), user).await.expect("a user");
        });
    }
    tasks.join_all().await;
}
