//! The workers of this process: peers, backfill, comparing gateways, mail, audit seals, housekeeping. Any number of
//! processes may run them.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use enrollment::core::port::PeerProvisioner;
use enrollment::core::service::Failure;
use enrollment::core::worker::{
    Backfiller, Eraser, OutboxWorker, PeerWorker, Pruner, Reconciler, Resealer, Sealer, Sweeper,
};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use super::data::Opened;
use super::keys::KeyWatch;

/// Entries are sealed within a second (ADM-8).
const SEAL_EVERY: Duration = Duration::from_secs(1);
/// The bell makes peers fast; this makes them certain.
const PEERS_EVERY: Duration = Duration::from_secs(5);
/// How often there is a look whether a gateway's time to be compared has come, and whether devices lack addresses.
const RECONCILE_EVERY: Duration = Duration::from_secs(15);
const BACKFILL_EVERY: Duration = Duration::from_secs(5);
/// Likewise for mail, whose retries are due at their own times.
const MAIL_EVERY: Duration = Duration::from_secs(5);
/// A key ring that was changed is taken up within this time; at once, when a record names a key that is not known.
const KEYS_EVERY: Duration = Duration::from_secs(5);
/// One batch each, so that sealing a large directory again disturbs nobody.
const RESEAL_EVERY: Duration = Duration::from_secs(1);
const HOUSEKEEPING_EVERY: Duration = Duration::from_secs(60);
/// What is kept is kept for days; pruning looks at much that stays.
const PRUNE_EVERY: Duration = Duration::from_secs(3600);

/// Running workers.
pub(crate) struct Workers {
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Workers {
    /// Starts all of them.
    pub(crate) fn start(opened: &Opened, provisioner: Arc<dyn PeerProvisioner>) -> Self {
        let Opened { service, bells, notifier, keys, store: _ } = opened;
        let (stop, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();

        let reconciler = Reconciler::new(service.clone(), Arc::clone(&provisioner));
        tasks.spawn(repeat("reconciler", RECONCILE_EVERY, None, stopped.clone(), move || {
            let reconciler = reconciler.clone();
            async move { reconciler.run_once().await.map(|_corrected| ()) }
        }));

        let backfiller = Backfiller::new(service.clone());
        let stopping = stopped.clone();
        tasks.spawn(repeat("backfill", BACKFILL_EVERY, None, stopped.clone(), move || {
            let (backfiller, stopping) = (backfiller.clone(), stopping.clone());
            async move { drain_until(&stopping, || backfiller.run_once()).await }
        }));

        let peers = PeerWorker::new(service.clone(), provisioner);
        let bell = Arc::clone(&bells.peers);
        let stopping = stopped.clone();
        tasks.spawn(repeat("peers", PEERS_EVERY, Some(bell), stopped.clone(), move || {
            let (peers, stopping) = (peers.clone(), stopping.clone());
            async move { drain_until(&stopping, || peers.run_once()).await }
        }));

        if let Some(notifier) = notifier {
            let outbox = OutboxWorker::new(service.clone(), Arc::clone(notifier));
            let bell = Arc::clone(&bells.mail);
            tasks.spawn(repeat("mail", MAIL_EVERY, Some(bell), stopped.clone(), move || {
                let outbox = outbox.clone();
                async move { drain(|| outbox.run_once()).await }
            }));
        }

        let sealer = Sealer::new(service.clone());
        tasks.spawn(repeat("sealer", SEAL_EVERY, None, stopped.clone(), move || {
            let sealer = sealer.clone();
            async move { drain(|| sealer.run_once()).await }
        }));

        let watch = Arc::new(KeyWatch::new(service.clone(), keys.clone()));
        let bell = Arc::clone(&bells.keys);
        tasks.spawn(repeat("keys", KEYS_EVERY, Some(bell), stopped.clone(), move || {
            let watch = Arc::clone(&watch);
            async move { watch.run_once().await }
        }));

        let resealer = Resealer::new(service.clone());
        tasks.spawn(repeat("resealer", RESEAL_EVERY, None, stopped.clone(), move || {
            let resealer = resealer.clone();
            async move { resealer.run_once().await.map(drop) }
        }));

        let (sweeper, eraser) = (Sweeper::new(service.clone()), Eraser::new(service.clone()));
        tasks.spawn(repeat("housekeeping", HOUSEKEEPING_EVERY, None, stopped.clone(), move || {
            let (sweeper, eraser) = (sweeper.clone(), eraser.clone());
            async move {
                // What stands in the sweeper's way must not keep alive what is to be forgotten.
                let swept = drain(|| sweeper.run_once()).await;
                drain(|| eraser.run_once()).await?;
                swept
            }
        }));

        let pruner = Pruner::new(service.clone());
        tasks.spawn(repeat("retention", PRUNE_EVERY, None, stopped, move || {
            let pruner = pruner.clone();
            async move { drain(|| pruner.run_once()).await }
        }));
        Self { stop, tasks }
    }

    /// Lets every worker finish what it is doing.
    pub(crate) async fn stop(mut self) {
        // The receivers live in the tasks; where none is left there is nothing to stop.
        let _ = self.stop.send(true);
        while let Some(ended) = self.tasks.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a worker ended badly");
            }
        }
    }
}

/// Calls `work` at its interval, and when the bell rings, until stopped. A failure is reported and tried again.
async fn repeat<F>(
    name: &'static str,
    every: Duration,
    bell: Option<Arc<Notify>>,
    mut stopped: watch::Receiver<bool>,
    mut work: impl FnMut() -> F + Send,
) where
    F: Future<Output = Result<(), Failure>> + Send,
{
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
        if let Err(error) = work().await {
            tracing::warn!(worker = name, error = &error as &dyn std::error::Error, "will be tried again");
        }
    }
}

async fn drain<F: Future<Output = Result<usize, Failure>>>(mut batch: impl FnMut() -> F) -> Result<(), Failure> {
    while batch().await? > 0 {}
    Ok(())
}

/// The same for work that may be long: it goes on, batch by batch, after the next start.
async fn drain_until<F: Future<Output = Result<usize, Failure>>>(
    stopping: &watch::Receiver<bool>,
    mut batch: impl FnMut() -> F,
) -> Result<(), Failure> {
    while !*stopping.borrow() && batch().await? > 0 {}
    Ok(())
}
