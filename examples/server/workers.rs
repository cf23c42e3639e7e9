//! The workers of this process: peers, backfill, comparing gateways, mail, audit seals, housekeeping. Any number of
//! processes may run them.

use std::sync::Arc;
use std::time::Duration;

use enrollment::core::port::PeerProvisioner;
use enrollment::core::service::Answer;
use enrollment::core::worker::{
    Backfiller, Eraser, OutboxWorker, PeerWorker, Pruner, Reconciler, Resealer, Sealer, Sweeper,
};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::data::Opened;
use super::keys::KeyWatch;

/// Entries are sealed within a second (ADM-8).
const SEAL_EVERY: Duration = Duration::from_secs(1);
/// The bell makes peers fast; this makes them certain.
const PEERS_EVERY: Duration = Duration::from_secs(5);
/// A rest takes as long as the batch before it, and at most this.
const LONGEST_REST: Duration = Duration::from_secs(1);
/// How often there is a look whether a gateway's time to be compared has come, and whether devices lack addresses.
const RECONCILE_EVERY: Duration = Duration::from_secs(15);
const BACKFILL_EVERY: Duration = Duration::from_secs(5);
/// Likewise for mail, whose retries are due at their own times.
const MAIL_EVERY: Duration = Duration::from_secs(5);
/// A key ring that was changed is taken up within this time; at once, when a record names a key that is not known.
const KEYS_EVERY: Duration = Duration::from_secs(5);
const RESEAL_EVERY: Duration = Duration::from_secs(1);
const HOUSEKEEPING_EVERY: Duration = Duration::from_secs(60);
/// What is kept is kept for days; pruning looks at much that stays.
const PRUNE_EVERY: Duration = Duration::from_secs(3600);

/// Running workers.
pub(crate) struct Workers {
    stop: watch::Sender<bool>,
    mail: Option<OutboxWorker>,
    tasks: JoinSet<()>,
}

impl Workers {
    /// Starts all of them.
    pub(crate) fn start(opened: &Opened, provisioner: Arc<dyn PeerProvisioner>) -> Self {
        let Opened { service, bells, notifier, keys, .. } = opened;
        let (stop, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();

        let reconciler = Reconciler::new(service.clone(), Arc::clone(&provisioner));
        tasks.spawn(repeat("reconciler", RECONCILE_EVERY, None, stopped.clone(), reconciler, Reconciler::run_once));
        let backfiller = Backfiller::new(service.clone());
        tasks.spawn(repeat("backfill", BACKFILL_EVERY, None, stopped.clone(), backfiller, Backfiller::run_once));
        let (peers, bell) = (PeerWorker::new(service.clone(), provisioner), Arc::clone(&bells.peers));
        tasks.spawn(repeat("peers", PEERS_EVERY, Some(bell), stopped.clone(), peers, one_batch_and_rest));
        let mail = notifier.as_ref().map(|notifier| OutboxWorker::new(service.clone(), Arc::clone(notifier)));
        if let Some(mail) = &mail {
            let (mail, bell) = (mail.clone(), Arc::clone(&bells.mail));
            tasks.spawn(repeat("mail", MAIL_EVERY, Some(bell), stopped.clone(), mail, OutboxWorker::run_once));
        }
        let sealer = Sealer::new(service.clone());
        tasks.spawn(repeat("sealer", SEAL_EVERY, None, stopped.clone(), sealer, Sealer::run_once));
        let (keys, bell) = (KeyWatch::new(service.clone(), keys.clone()), Arc::clone(&bells.keys));
        tasks.spawn(repeat("keys", KEYS_EVERY, Some(bell), stopped.clone(), keys, KeyWatch::run_once));
        let resealer = Resealer::new(service.clone());
        tasks.spawn(repeat("resealer", RESEAL_EVERY, None, stopped.clone(), resealer, one_batch));
        let sweeper = Sweeper::new(service.clone());
        tasks.spawn(repeat("sweeper", HOUSEKEEPING_EVERY, None, stopped.clone(), sweeper, Sweeper::run_once));
        let eraser = Eraser::new(service.clone());
        tasks.spawn(repeat("eraser", HOUSEKEEPING_EVERY, None, stopped.clone(), eraser, Eraser::run_once));
        let pruner = Pruner::new(service.clone());
        tasks.spawn(repeat("retention", PRUNE_EVERY, None, stopped, pruner, Pruner::run_once));
        Self { stop, mail, tasks }
    }

    /// Lets every worker finish what it has begun and give back the rest (SYS-7).
    pub(crate) async fn stop(mut self) {
        if let Some(mail) = &self.mail {
            mail.stop();
        }
        // The receivers live in the tasks; where none is left there is nothing to stop.
        let _ = self.stop.send(true);
        while let Some(ended) = self.tasks.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a worker ended badly");
            }
        }
    }
}

/// Calls a worker at its interval and when the bell rings, and again as long as it did something, until stopped. A
/// failure is reported and tried again.
async fn repeat<W>(
    name: &'static str,
    every: Duration,
    bell: Option<Arc<Notify>>,
    mut stopped: watch::Receiver<bool>,
    worker: W,
    run_once: for<'w> fn(&'w W) -> Answer<'w, usize>,
) {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let rung = async {
            match &bell {
                Some(bell) => bell.notified().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = stopped.changed() => return,
            _ = ticks.tick() => {}
            () = rung => {}
        }
        while !*stopped.borrow() {
            match run_once(&worker).await {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(worker = name, error, "will be tried again");
                    break;
                }
            }
        }
    }
}

/// What comes meanwhile goes together: a gateway's file is written whole for every batch, and one with many peers would
/// otherwise be written as fast as the disk can.
fn one_batch_and_rest(peers: &PeerWorker) -> Answer<'_, usize> {
    Box::pin(async move {
        let begun = Instant::now();
        let done = peers.run_once().await?;
        if done > 0 {
            sleep(begun.elapsed().min(LONGEST_REST)).await;
        }
        Ok(done)
    })
}

/// So that sealing a large directory again disturbs nobody.
fn one_batch(resealer: &Resealer) -> Answer<'_, usize> {
    Box::pin(async move { resealer.run_once().await.map(|_more| 0) })
}
