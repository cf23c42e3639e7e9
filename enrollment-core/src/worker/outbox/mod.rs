//! Sending mail.

mod ending;
mod pause;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use serde::{Deserialize, Serialize};

use crate::domain::mail::{Mail, MailState, Pause};
use crate::id::OutboxId;
use crate::port::{Channel, DeliveryErrorKind, LeaseRequest, Leased, Message, Notifier, Settlement};
use crate::record::Stored;
use crate::service::mail::Prepared;
use crate::service::{Answer, Failure, Service};
use crate::time::Timestamp;

use ending::Ending;

/// What an outbox entry for mail says: look at this mail. What it tells, and where it goes, is read when it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailIntent {
    /// Which mail.
    pub mail: OutboxId,
}

/// Sends queued mails, each at least once (MSG-8). Any number of workers may run, in one process or in many.
#[derive(Debug, Clone)]
pub struct OutboxWorker {
    service: Service,
    notifier: Arc<dyn Notifier>,
    /// Nothing more is begun.
    stopping: Arc<AtomicBool>,
}

/// Mails leased at once, and how many of them are on their way to the relay together.
const BATCH: u32 = 16;
const AT_ONCE: u32 = 8;
/// How long a notifier may take for one message before it has failed by its own timeout.
const DELIVERY: Duration = Duration::from_secs(60);
/// A batch is done in a quarter of its lease, so that no second worker takes what the first is still sending.
const LEASE: Duration = Duration::from_secs(480);
const _: () = assert!(BATCH.div_ceil(AT_ONCE) as u64 * DELIVERY.as_secs() * 4 <= LEASE.as_secs());
/// Tries after which a relay that cannot take a mail for now is taken to mean it: some five days at the longest waits
/// (RFC 5321, section 4.5.4.1).
const MOST_TRIES: u32 = 500;

/// One turn of a worker.
struct Turn {
    /// The end of its leases, exclusive.
    until: Timestamp,
    /// The channel is paused, and this turn finds out whether it still refuses us.
    probe: Option<Stored<Pause>>,
    /// It refused us: what has not begun yet is given back.
    refused: AtomicBool,
}

impl OutboxWorker {
    /// A worker that sends by `notifier`, which fails by a timeout of its own within a minute. The service must know
    /// of its channels ([`ServiceBuilder::channels`](crate::service::ServiceBuilder::channels)), or nothing is ever
    /// queued.
    #[must_use]
    pub fn new(service: Service, notifier: Arc<dyn Notifier>) -> Self {
        Self { service, notifier, stopping: Arc::default() }
    }

    /// Has this worker and its clones begin nothing more (SYS-7): what is with the relay is finished, and what else was
    /// leased is given back, so that another worker can take it at once.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Works off one batch of what is due, and says how many entries it settled. Call again until it says 0.
    ///
    /// Killed at any instant it loses no mail: what was leased is free again after eight minutes. Only a mail that the
    /// relay took in the instant before is sent twice, and then under the same id. While the channel is paused, one
    /// mail at a time finds out whether it takes messages again.
    ///
    /// # Errors
    /// When the store cannot be asked. A mail that cannot be made is no error: it waits, and the others go on.
    pub fn run_once(&self) -> Answer<'_, usize> {
        Box::pin(self.try_run_once())
    }

    async fn try_run_once(&self) -> Result<usize, Failure> {
        if self.stopping.load(Ordering::Relaxed) || !self.notifier.channels().contains(&Channel::Email) {
            return Ok(0);
        }
        let now = self.service.now();
        let pause = self.pause().await?;
        if pause.as_ref().is_some_and(|pause| now < pause.record.next_probe) {
            return Ok(0);
        }
        let limit = if pause.is_some() { 1 } else { BATCH };
        let until = now.plus(LEASE);
        let request = LeaseRequest { channels: vec![Channel::Email], now, until, limit };
        let leased = self.service.store().lease(&request).await?;
        let turn = Turn { until, probe: pause, refused: AtomicBool::new(false) };
        self.work_all(&turn, &leased).await
    }

    async fn work_all(&self, turn: &Turn, leased: &[Leased]) -> Result<usize, Failure> {
        let mut waiting = leased.iter();
        let mut running = FuturesUnordered::new();
        let (mut settled, mut failed) = (0, None);
        loop {
            let free = (AT_ONCE as usize).saturating_sub(running.len());
            running.extend(waiting.by_ref().take(free).map(|entry| self.work(turn, entry)));
            match running.next().await {
                None => break,
                Some(Ok(done)) => settled += usize::from(done),
                // The others are finished first: they may be with the relay already.
                Some(Err(failure)) => failed = Some(failure),
            }
        }
        failed.map_or(Ok(settled), Err)
    }

    /// One entry; says whether it settled it.
    async fn work(&self, turn: &Turn, leased: &Leased) -> Result<bool, Failure> {
        match self.try_work(turn, leased).await {
            // What cannot be read holds up nothing else. The reason names the row and never its content.
            Err(Failure::Broken(error)) => {
                tracing::error!(%error, entry = %leased.entry.id, "a mail cannot be read and will be tried again");
                self.retry(leased, None, &error.to_string()).await
            }
            other => other,
        }
    }

    async fn try_work(&self, turn: &Turn, leased: &Leased) -> Result<bool, Failure> {
        if turn.refused.load(Ordering::Relaxed) || self.stopping.load(Ordering::Relaxed) {
            return self.release(leased).await;
        }
        let intent: MailIntent = match serde_json::from_str(&leased.entry.body.json) {
            Ok(intent) => intent,
            Err(error) => {
                return self
                    .service
                    .settle(leased, Settlement::Dead { why: format!("not an intent for a mail: {error}") })
                    .await;
            }
        };
        let Some(stored) = self.service.read::<Mail>(intent.mail.uuid()).await? else {
            return self.service.settle(leased, Settlement::Obsolete { why: "the mail is gone".to_owned() }).await;
        };
        if stored.record.entry != leased.entry.id {
            return self
                .service
                .settle(leased, Settlement::Obsolete { why: "another entry delivers it".to_owned() })
                .await;
        }
        match &stored.record.state {
            MailState::Queued | MailState::Retrying { .. } => self.send(turn, leased, &stored).await,
            // An earlier worker wrote the end down and died before it settled, or somebody dropped the mail.
            MailState::Sent { .. } => self.service.settle(leased, Settlement::Done).await,
            MailState::Dead { .. } => self.service.settle(leased, ending::dead()).await,
            MailState::Obsolete { .. } => self.service.settle(leased, ending::obsolete()).await,
        }
    }

    async fn send(&self, turn: &Turn, leased: &Leased, stored: &Stored<Mail>) -> Result<bool, Failure> {
        let prepared = match self.service.prepare(&stored.record).await {
            // Shown beside the mail as well: a damaged record.
            Err(Failure::Broken(error)) => {
                tracing::error!(%error, mail = %stored.record.id, "a mail cannot be made and will be tried again");
                return self.retry(leased, Some(stored), &error.to_string()).await;
            }
            // Another process, or this one a little later, has the key.
            Err(Failure::UnknownKey(key)) => {
                let why = format!("the key {key} of its link is not known here yet");
                return self.retry(leased, Some(stored), &why).await;
            }
            prepared => prepared?,
        };
        match prepared {
            Prepared::Ready(message) => self.deliver(turn, leased, stored, &message).await,
            Prepared::Obsolete(why) => self.end(leased, stored, Ending::Obsolete, why).await,
            Prepared::Dead(why) => self.end(leased, stored, Ending::Dead, why).await,
        }
    }

    /// Outside any transaction: nothing is held in the store while the relay thinks.
    async fn deliver(
        &self,
        turn: &Turn,
        leased: &Leased,
        stored: &Stored<Mail>,
        message: &Message,
    ) -> Result<bool, Failure> {
        // Whoever woke up late leaves it to the worker who has it now.
        if self.service.now() >= turn.until {
            return Ok(false);
        }
        // Claimed here and no earlier: a mail that is past its use asks nothing of the relay, and is no probe.
        if let Some(pause) = &turn.probe
            && !self.claim_probe(pause).await?
        {
            return self.release(leased).await;
        }
        let error = match self.notifier.deliver(message).await {
            Ok(receipt) => {
                let settled = self.record_sent(leased, stored, receipt.detail()).await?;
                self.resume(turn).await?;
                return Ok(settled);
            }
            Err(error) => error,
        };
        let why = error.why();
        match error.kind() {
            DeliveryErrorKind::Transient if leased.tries < MOST_TRIES => self.retry(leased, Some(stored), why).await,
            DeliveryErrorKind::Transient => self.end(leased, stored, Ending::Dead, why).await,
            DeliveryErrorKind::Rejected => {
                let settled = self.end(leased, stored, Ending::Dead, why).await?;
                // It was this mail that was not wanted, so the relay talks to us.
                self.resume(turn).await?;
                Ok(settled)
            }
            DeliveryErrorKind::Refused => {
                turn.refused.store(true, Ordering::Relaxed);
                self.pause_channel(why).await?;
                self.release(leased).await
            }
        }
    }

    /// Gives an entry back untried.
    async fn release(&self, leased: &Leased) -> Result<bool, Failure> {
        let _lost_or_not = self.service.settle(leased, Settlement::Release { at: self.service.now() }).await?;
        // It is as it was: nothing was done that calls for another turn.
        Ok(false)
    }
}
