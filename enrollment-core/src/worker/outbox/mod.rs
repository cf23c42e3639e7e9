//! Sending mail.

mod ending;
mod look;
mod pause;
mod round;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::mail::{Mail, Pause};
use crate::id::OutboxId;
use crate::port::{Channel, DeliveryErrorKind, LeaseRequest, Leased, Message, Notifier, Settlement};
use crate::record::Stored;
use crate::service::{Answer, Failure, Service, round};
use crate::time::Timestamp;

use ending::{Ending, Taken};
use look::Step;
use round::Round;

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

/// Mails leased at once, and how many of them are under way together: being made, with the relay, or taken by it and not
/// settled yet. So this is also how many mails may be sent twice when the process dies.
const BATCH: u32 = 16;
const AT_ONCE: usize = 8;
/// How long a notifier may take for one message before it has failed by its own timeout.
const DELIVERY: Duration = Duration::from_secs(60);
/// A batch is done in a quarter of its lease, so that no second worker takes what the first is still sending.
const LEASE: Duration = Duration::from_secs(480);
const _: () = assert!(BATCH.div_ceil(AT_ONCE as u32) as u64 * DELIVERY.as_secs() * 4 <= LEASE.as_secs());
/// Tries after which a relay that cannot take a mail for now is taken to mean it: some five days at the longest waits
/// (RFC 5321, section 4.5.4.1).
const MOST_TRIES: u32 = 500;

/// One turn of a worker.
#[derive(Debug)]
struct Turn {
    /// The end of its leases, exclusive.
    until: Timestamp,
    /// The channel is paused, and this turn finds out whether it still refuses us.
    probe: Option<Stored<Pause>>,
    /// It refused us: what has not begun yet is given back.
    refused: AtomicBool,
}

/// What came of what was done about an entry.
enum Acted<'a> {
    /// The relay has taken its mail, which is to be written down.
    Taken(Taken<'a>),
    /// It is behind this worker; whether it was settled.
    Ended(bool),
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
    /// Killed at any instant it loses no mail: what was leased is free again after eight minutes. Only mails that the
    /// relay had taken, and that were not written down yet, are sent twice, at most eight and then under the same ids. While
    /// the channel is paused, one mail at a time finds out whether it takes messages again.
    ///
    /// # Errors
    /// When the store cannot be asked; what was not begun is given back, if that can be written down. A mail that cannot be
    /// made is no error: it waits, and the others go on.
    pub fn run_once(&self) -> Answer<'_, usize> {
        round("outbox_worker", self.try_run_once())
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
        Round::new(self, &turn, &leased).run().await
    }

    /// Nothing more is begun: the relay refuses us, or the worker is told to stop.
    fn is_halted(&self, turn: &Turn) -> bool {
        turn.refused.load(Ordering::Relaxed) || self.stopping.load(Ordering::Relaxed)
    }

    /// Does what is to be done about an entry that was looked at.
    async fn act<'a>(&self, turn: &Turn, leased: &'a Leased, step: Step) -> Result<Acted<'a>, Failure> {
        let settled = match step {
            Step::Deliver(stored, message) => return self.deliver(turn, leased, stored, &message).await,
            Step::End(stored, ending, why) => self.end(leased, &stored, ending, why).await?,
            Step::Settle(how) => self.service.settle(leased, how).await?,
            Step::Retry(stored, why) => self.retry(leased, stored.as_ref(), &why).await?,
            Step::Release => self.release(leased).await?,
            Step::Fail(failure) => {
                // Whether or not it can be given back: why it could not be told is what counts.
                let _given_back = self.release(leased).await;
                return Err(failure);
            }
        };
        Ok(Acted::Ended(settled))
    }

    /// Outside any transaction: nothing is held in the store while the relay thinks.
    async fn deliver<'a>(
        &self,
        turn: &Turn,
        leased: &'a Leased,
        stored: Stored<Mail>,
        message: &Message,
    ) -> Result<Acted<'a>, Failure> {
        // Whoever woke up late leaves it to the worker who has it now.
        if self.service.now() >= turn.until {
            return Ok(Acted::Ended(false));
        }
        if self.is_halted(turn) {
            return Ok(Acted::Ended(self.release(leased).await?));
        }
        // Claimed here and no earlier: a mail that is past its use asks nothing of the relay, and is no probe.
        if let Some(pause) = &turn.probe
            && !self.claim_probe(pause).await?
        {
            return Ok(Acted::Ended(self.release(leased).await?));
        }
        let error = match self.notifier.deliver(message).await {
            Ok(receipt) => return Ok(Acted::Taken(Taken { leased, stored, receipt })),
            Err(error) => error,
        };
        let why = error.why();
        let settled = match error.kind() {
            DeliveryErrorKind::Transient if leased.tries < MOST_TRIES => self.retry(leased, Some(&stored), why).await?,
            DeliveryErrorKind::Transient => self.end(leased, &stored, Ending::Dead, why).await?,
            DeliveryErrorKind::Rejected => {
                let settled = self.end(leased, &stored, Ending::Dead, why).await?;
                // It was this mail that was not wanted, so the relay talks to us.
                self.resume(turn).await?;
                settled
            }
            DeliveryErrorKind::Refused => {
                turn.refused.store(true, Ordering::Relaxed);
                self.pause_channel(why).await?;
                self.release(leased).await?
            }
        };
        Ok(Acted::Ended(settled))
    }

    /// Gives an entry back untried.
    async fn release(&self, leased: &Leased) -> Result<bool, Failure> {
        let _lost_or_not = self.service.settle(leased, Settlement::Release { at: self.service.now() }).await?;
        // It is as it was: nothing was done that calls for another turn.
        Ok(false)
    }
}
