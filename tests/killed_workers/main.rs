//! Four mail workers, each a process, on one queue of 10,000 mails, killed at random: no mail is lost, and one that comes
//! twice was taken by the relay in the instant before its worker was killed, and comes under the same id (MSG-8, SYS-4).
//!
//! The relay is the parent process: a mail is taken when its line is in the pipe.

#![allow(clippy::panic, clippy::print_stdout, reason = "a test, whose child processes answer on standard output")]

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/folder.rs"]
mod folder;
#[path = "../common/later.rs"]
mod later;
mod relay;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use enrollment::core::domain::enrollment::Purpose;
use enrollment::core::domain::mail::MailStanding;
use enrollment::core::port::{
    Channel, DeliveryError, Entropy as _, Message, Notifier, Receipt, Recipient, SystemEntropy,
};
use enrollment::core::service::administrator::{Delivery, NewUser, PageRequest, StartEnrollment};
use enrollment::core::service::{Principal, Service};
use enrollment::core::worker::OutboxWorker;
use later::Later;
use relay::{Relay, Worker};
use tokio::task::JoinSet;

const MAILS: usize = 10_000;
const WORKERS: usize = 4;
/// So many mails are taken between two kills, at most.
const CALM: u64 = 400;
/// What a worker has under way at once: so many mails may have been taken and not settled when it is killed.
const UNDER_WAY: usize = 16;
const BY: Principal = Principal::command_line();

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn workers_killed_at_random_lose_no_mail() {
    kill_workers(false, "workers_killed_at_random_lose_no_mail").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn workers_on_postgresql_killed_at_random_lose_no_mail() {
    kill_workers(true, "workers_on_postgresql_killed_at_random_lose_no_mail").await;
}

async fn kill_workers(on_a_server: bool, test: &str) {
    if let Some(child) = relay::child() {
        return work(&child.folder, child.later).await;
    }
    let folder = folder::folder(on_a_server);
    let service = service(folder.path(), 0).await;
    queue(&service).await;

    let mut taken = Vec::new();
    let mut later = 0;
    while queued(&service).await > 0 {
        taken.extend(one_round(folder.path(), test, later));
        // What the killed had leased is free again.
        later += 10;
    }

    assert_eq!(standing(&service, MailStanding::Sent).await, MAILS);
    for nothing in [MailStanding::Dead, MailStanding::Obsolete] {
        assert_eq!(standing(&service, nothing).await, 0);
    }
    assert_everything_was_taken(&taken);
}

/// Four workers until the queue has nothing more for them; whoever is killed is replaced. Returns the workers with what
/// the relay took from each.
fn one_round(folder: &Path, test: &str, later: u64) -> Vec<Worker> {
    let mut relay = Relay::default();
    (0..WORKERS).for_each(|_| relay.employ(folder, test, later));
    let mut calm = random(CALM);
    while relay.take_one() {
        let at_work = relay.at_work();
        if calm == 0 && !at_work.is_empty() {
            relay.kill(at_work[usize::try_from(random(at_work.len() as u64)).expect("an index")]);
            relay.employ(folder, test, later);
            calm = random(CALM);
        }
        calm = calm.saturating_sub(1);
    }
    relay.into_workers()
}

fn assert_everything_was_taken(workers: &[Worker]) {
    let mut recipients: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (id, recipient) in workers.iter().flat_map(|worker| &worker.taken) {
        recipients.entry(recipient).or_default().insert(id);
    }
    assert_eq!(recipients.len(), MAILS, "no mail is lost");
    assert!(recipients.values().all(|ids| ids.len() == 1), "one id on every try");

    let killed = workers.iter().filter(|worker| worker.killed);
    assert!(killed.clone().count() >= MAILS / usize::try_from(CALM).expect("small"), "many were killed");
    let mut unsettled: BTreeMap<&str, usize> = BTreeMap::new();
    for (id, _) in killed.flat_map(|worker| &worker.taken[worker.taken.len().saturating_sub(UNDER_WAY)..]) {
        *unsettled.entry(id).or_default() += 1;
    }
    let mut times: BTreeMap<&str, usize> = BTreeMap::new();
    for (id, _) in workers.iter().flat_map(|worker| &worker.taken) {
        *times.entry(id).or_default() += 1;
    }
    for (id, times) in times {
        let excused = unsettled.get(id).copied().unwrap_or_default();
        assert!(times <= 1 + excused, "{id} was taken {times} times, and {excused} workers were killed over it");
    }
}

/// What a child does: sends what there is to send, and ends.
async fn work(folder: &Path, later: u64) {
    let worker = OutboxWorker::new(service(folder, later).await, Arc::new(ToParent));
    while worker.run_once().await.expect("the store answers") > 0 {}
}

/// Takes a mail by writing its line into the pipe, in one piece: there it survives this process.
#[derive(Debug)]
struct ToParent;

#[async_trait]
impl Notifier for ToParent {
    fn channels(&self) -> &[Channel] {
        &[Channel::Email]
    }

    async fn deliver(&self, message: &Message) -> Result<Receipt, DeliveryError> {
        let Recipient::Email(to) = &message.to else { panic!("a mail for a phone") };
        println!("{}{} {to}", relay::TOOK, message.id);
        Ok(Receipt::new("taken"))
    }
}

async fn service(folder: &Path, later: u64) -> Service {
    let (store, key_file) = (folder::store(folder).await, folder.join(folder::KEY_FILE));
    let service = common::service(store, &key_file, Arc::new(Later(later)));
    service.channels(ToParent.channels()).build().expect("the parts fit")
}

async fn queue(service: &Service) {
    let mut tasks = JoinSet::new();
    for nth in 0..MAILS {
        if tasks.len() == 16 {
            tasks.join_next().await.expect("a task").expect("an invitation");
        }
        let service = service.clone();
        tasks.spawn(async move { invite(&service, nth).await });
    }
    tasks.join_all().await;
}

async fn invite(service: &Service, nth: usize) {
    let start = StartEnrollment {
        purpose: Purpose::Onboarding,
        delivery: Delivery::Email,
        email: None,
        validity: None,
        wording: None,
    };
    let user = NewUser {
        username: format!("user{nth}").parse().expect("a username"),
        first_name: "A".parse().expect("a name"),
        last_name: "B".parse().expect("a name"),
        email: Some(format!("user{nth}@example.test").parse().expect("an address")),
        phone: None,
        groups: BTreeSet::new(),
        role: None,
        enrollment: Some(start),
    };
    service.administrator().create_user(&BY, user).await.expect("a user");
}

async fn queued(service: &Service) -> usize {
    standing(service, MailStanding::Queue).await
}

async fn standing(service: &Service, standing: MailStanding) -> usize {
    let mut page = PageRequest { cursor: None, limit: Some(500) };
    let mut count = 0;
    loop {
        let listing = service.administrator().mails(&BY, standing, &page).await.expect("a list");
        count += listing.items.len();
        match listing.next {
            Some(next) => page.cursor = Some(next),
            None => return count,
        }
    }
}

fn random(below: u64) -> u64 {
    let mut bytes = [0; 8];
    SystemEntropy.fill(&mut bytes);
    u64::from_le_bytes(bytes) % below
}
