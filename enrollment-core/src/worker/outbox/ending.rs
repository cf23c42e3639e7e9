//! How a try ends: the mail's own record, and its entry in the outbox.

use futures_util::stream::{FuturesUnordered, StreamExt};

use crate::domain::event::Event;
use crate::domain::mail::{Mail, MailState};
use crate::port::{Leased, Receipt, Settlement};
use crate::record::Stored;
use crate::service::Failure;
use crate::service::turn::{Draft, TURNS, Written};
use crate::worker::{SYSTEM, backoff};

use super::{LEASE, OutboxWorker};

/// An end other than having been sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// It cannot be delivered.
    Dead,
    /// It is no longer wanted.
    Obsolete,
}

/// A mail that the relay has taken, which is not written down yet.
#[derive(Debug)]
pub(super) struct Taken<'a> {
    pub(super) leased: &'a Leased,
    pub(super) stored: Stored<Mail>,
    pub(super) receipt: Receipt,
}

/// The reason stands in the mail alone, from where it can be erased with the person.
pub(super) fn dead() -> Settlement {
    Settlement::Dead { why: "the mail says why".to_owned() }
}

pub(super) fn obsolete() -> Settlement {
    Settlement::Obsolete { why: "the mail says why".to_owned() }
}

impl OutboxWorker {
    /// Writes down that the relay has taken these mails and ends their entries, in one change; says how many it settled.
    ///
    /// When they cannot go together, each goes alone: one that another worker has taken over, that somebody wrote about
    /// meanwhile, or that the store refuses, spoils no other.
    pub(super) async fn record_all_sent(&self, taken: &[Taken<'_>]) -> Result<usize, Failure> {
        if taken.len() > 1 {
            let draft = Draft::new(self.service.now());
            let draft = taken.iter().fold(draft, |draft, taken| self.sent(draft, taken, &taken.stored));
            match self.service.write(draft).await {
                Ok(Written::Applied) => return Ok(taken.len()),
                Ok(Written::Stale | Written::Taken(_) | Written::LeaseLost) => {}
                Err(error) => {
                    tracing::warn!(%error, mails = taken.len(), "mails are written down one by one, not together");
                }
            }
        }
        let each: FuturesUnordered<_> = taken.iter().map(|taken| self.record_sent(taken)).collect();
        let outcomes: Vec<Result<bool, Failure>> = each.collect().await;
        outcomes.into_iter().try_fold(0, |settled, outcome| Ok(settled + usize::from(outcome?)))
    }

    /// The same for one mail. Whatever others wrote about it meanwhile, it is sent.
    async fn record_sent(&self, taken: &Taken<'_>) -> Result<bool, Failure> {
        let mut newer = None;
        for _ in 0..TURNS {
            let draft = Draft::new(self.service.now());
            let draft = self.sent(draft, taken, newer.as_ref().unwrap_or(&taken.stored));
            match self.service.write(draft).await? {
                Written::Applied => return Ok(true),
                Written::LeaseLost => return Ok(false),
                Written::Stale | Written::Taken(_) => {}
            }
            newer = self.service.read::<Mail>(taken.stored.record.id.uuid()).await?;
            if newer.is_none() {
                return self.service.settle(taken.leased, Settlement::Done).await;
            }
        }
        Err(Failure::Busy)
    }

    fn sent(&self, draft: Draft, taken: &Taken<'_>, stored: &Stored<Mail>) -> Draft {
        let mut draft = draft.settling(taken.leased.lease);
        let state = MailState::Sent { at: draft.now, receipt: taken.receipt.detail().to_owned() };
        self.put(&mut draft, stored, state, |letter| Event::MailSent { letter });
        draft
    }

    /// Ends a mail that was not sent: its record first, where people see it, then its entry. Whoever dies between the
    /// two leaves an entry that is ended by what the record says.
    pub(super) async fn end(
        &self,
        leased: &Leased,
        stored: &Stored<Mail>,
        ending: Ending,
        why: &str,
    ) -> Result<bool, Failure> {
        // The record is only for whoever holds the lease, and holds it until the entry has ended as well.
        let until = self.service.now().plus(LEASE);
        if !self.service.settle(leased, Settlement::Extend { until }).await? {
            return Ok(false);
        }
        let mut draft = Draft::new(self.service.now());
        let (at, why) = (draft.now, why.to_owned());
        match ending {
            Ending::Dead => {
                tracing::warn!(mail = %stored.record.id, letter = stored.record.letter.as_str(), "a mail cannot be delivered");
                self.put(&mut draft, stored, MailState::Dead { why, at }, |letter| Event::MailDied { letter });
            }
            Ending::Obsolete => {
                self.put(&mut draft, stored, MailState::Obsolete { why, at }, |letter| Event::MailObsolete { letter });
            }
        }
        match self.service.write(draft).await? {
            Written::Applied => {
                self.service.settle(leased, if ending == Ending::Dead { dead() } else { obsolete() }).await
            }
            // Somebody dropped it meanwhile. The next turn ends the entry by what the record says.
            Written::Stale | Written::Taken(_) | Written::LeaseLost => {
                self.service.settle(leased, Settlement::Release { at }).await
            }
        }
    }

    /// Has a mail wait for its next try. The entry first: only whoever holds the lease says what the record shows.
    pub(super) async fn retry(
        &self,
        leased: &Leased,
        stored: Option<&Stored<Mail>>,
        why: &str,
    ) -> Result<bool, Failure> {
        let at = self.service.now().plus(backoff::wait(leased.tries, self.service.entropy()));
        if !self.service.settle(leased, Settlement::Retry { at, why: "the mail says why".to_owned() }).await? {
            return Ok(false);
        }
        if let Some(stored) = stored {
            let mut draft = Draft::new(self.service.now());
            let state = MailState::Retrying { why: why.to_owned(), tries: leased.tries, at };
            draft.ops.push(stored.put(&Mail { state, ..stored.record.clone() }));
            // Stale: somebody dropped it, which counts for more.
            let _: Written = self.service.write(draft).await?;
        }
        Ok(true)
    }

    fn put(&self, draft: &mut Draft, stored: &Stored<Mail>, state: MailState, event: impl FnOnce(String) -> Event) {
        draft.ops.push(stored.put(&Mail { state, ..stored.record.clone() }));
        let event = event(stored.record.letter.as_str().to_owned());
        self.service.audit(draft, SYSTEM, stored.key(), stored.version, event);
    }
}
