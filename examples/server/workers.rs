//! The workers of this process: peers, mail, audit seals, housekeeping. Any number of processes may run them.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use enrollment::core::port::{Notifier, PeerProvisioner};
use enrollment::core::service::{Failure, Service};
use enrollment::core::worker::{Eraser, OutboxWorker, PeerWorker, Pruner, Sealer, Sweeper};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use super::data::Bells;

/// Entries are sealed within a second (ADM-8).
const SEAL_EVERY: Duration = Duration::from_secs(1);
/// The bell makes peers fast; this makes them certain.
const PEERS_EVERY: Duration = Duration::from_secs(5);
/// Likewise for mail, whose retries are due at their own times.
const MAIL_EVERY: Duration = Duration::from_secs(5);
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
    pub(crate) fn start(
        service: &Service,
        bells: &Bells,
        provisioner: Arc<dyn PeerProvisioner>,
        notifier: Option<Arc<dyn Notifier>>,
    ) -> Self {
        let (stop, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();

        let peers = PeerWorker::new(service.clone(), provisioner);
        let bell = Arc::clone(&bells.peers);
        tasks.spawn(repeat("peers", PEERS_EVERY, Some(bell), stopped.clone(), move || {
            let peers = peers.clone();
            async move { drain(|| peers.run_once()).await }
        }));

        if let Some(notifier) = notifier {
            let outbox = OutboxWorker::new(service.clone(), notifier);
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
