//! Mails from the queue to settled: one worker, and a notifier that takes everything and does nothing. So this is what
//! the library and the database cost; the relay comes on top.

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

fn main() {
    let runtime = Runtime::new().expect("a runtime");
    runtime.block_on(async {
        measure("SQLite", Database::file()).await;
        if let Ok(cluster) = std::env::var("ENROLLMENT_TEST_POSTGRES") {
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

    let mut rates = Vec::new();
    for _ in 0..ROUNDS {
        let copy = queued.copy().await;
        let store = Arc::new(copy.open().await);
        let worker = OutboxWorker::new(service(store.clone(), &ring), Arc::new(Nowhere));
        let elapsed = drain(&worker).await;
        rates.push(MAILS as f64 / elapsed.as_secs_f64());
        store.close().await;
        copy.remove().await;
    }
    queued.remove().await;
    rates.sort_by(f64::total_cmp);
    let (least, median, most) = (rates[0], rates[ROUNDS / 2], rates[ROUNDS - 1]);
    println!("{name}: {median:.0} mails/s, one worker, median of {ROUNDS} rounds ({least:.0} to {most:.0})");
}

async fn drain(worker: &OutboxWorker) -> Duration {
    let begin = Instant::now();
    let mut settled = 0;
    loop {
        match worker.run_once().await.expect("the store answers") {
            0 => break,
            some => settled += some,
        }
    }
    assert_eq!(settled, MAILS, "every mail was settled");
    begin.elapsed()
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
