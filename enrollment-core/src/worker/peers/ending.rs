//! How a try ends: the attachment's own record, and its entry in the outbox.

use crate::domain::attachment::{Attachment, PeerState};
use crate::domain::device::Device;
use crate::domain::event::Event;
use crate::port::{Leased, PeerChange, ProvisionError, Settlement};
use crate::record::Stored;
use crate::service::Failure;
use crate::service::turn::{Draft, Written};
use crate::worker::{SYSTEM, backoff};

use super::{PeerWorker, Work};

/// How an entry ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// Its outcome is written down.
    Settled,
    /// Its lease ran out while the gateway was asked: others may have gone on meanwhile.
    LeaseLost,
}

impl PeerWorker {
    /// Writes down that these peers came into force and ends their entries, in one change. Says whether that was done:
    /// when one of them was taken over or changed meanwhile, or the store refuses, each has to be written down alone, so
    /// that none spoils another.
    ///
    /// # Errors
    /// When nobody can tell whether it was done. Each alone would find that its lease was ended, by this very change.
    pub(super) async fn record_together(&self, works: &[&Work<'_>]) -> Result<bool, Failure> {
        if works.len() < 2 {
            return Ok(false);
        }
        let mut draft = Draft::new(self.service.now());
        for work in works {
            draft = draft.settling(work.leased.lease);
            self.put_in_force(&mut draft, &work.attachment);
        }
        match self.service.write(draft).await {
            Ok(written) => Ok(matches!(written, Written::Applied)),
            Err(failure @ Failure::OutcomeUnknown(_)) => Err(failure),
            Err(error) => {
                tracing::warn!(%error, peers = works.len(), "peers are written down one by one, not together");
                Ok(false)
            }
        }
    }

    fn put_in_force(&self, draft: &mut Draft, attachment: &Stored<Attachment>) {
        let record = Attachment { state: PeerState::Applied, failure: None, ..attachment.record.clone() };
        draft.ops.push(attachment.put(&record));
        self.service.audit(draft, SYSTEM, attachment.key(), attachment.version, Event::PeerApplied);
    }

    /// After a removal, a device that came to use the key meanwhile is intended again: its peer may have gone with it.
    pub(super) async fn record_applied(&self, work: &Work<'_>) -> Result<Ended, Failure> {
        let ended = self.record_success(work.leased, &work.attachment).await?;
        if let (Ended::Settled, PeerChange::Remove(key)) = (ended, &work.change) {
            self.service.intend_again(work.attachment.record.location, key).await?;
        }
        Ok(ended)
    }

    pub(super) async fn record_success(
        &self,
        leased: &Leased,
        attachment: &Stored<Attachment>,
    ) -> Result<Ended, Failure> {
        let now = self.service.now();
        let mut draft = Draft::new(now).settling(leased.lease);
        if attachment.record.state == PeerState::Removing {
            self.take_out_of_force(&mut draft, attachment).await?;
        } else {
            self.put_in_force(&mut draft, attachment);
        }
        // Stale: the intention changed while it was carried out. Its own entry follows in the same stream; this one
        // is given back and then finds what holds by then.
        match self.service.write(draft).await? {
            Written::Applied => Ok(Ended::Settled),
            Written::LeaseLost => Ok(Ended::LeaseLost),
            Written::Stale | Written::Taken(_) => self.end(leased, Settlement::Release { at: now }).await,
        }
    }

    async fn take_out_of_force(&self, draft: &mut Draft, attachment: &Stored<Attachment>) -> Result<(), Failure> {
        let record = &attachment.record;
        if self.service.read::<Device>(record.device.uuid()).await?.is_some() {
            draft.ops.push(attachment.put(&Attachment { state: PeerState::Gone, failure: None, ..record.clone() }));
        } else {
            // The device was removed: its addresses rest, and with its last peer its last trace goes.
            self.service.let_addresses_rest(draft, record).await?;
            draft.ops.push(attachment.delete());
        }
        self.service.audit(draft, SYSTEM, attachment.key(), attachment.version, Event::PeerRemoved);
        Ok(())
    }

    /// The reason is kept where administrators see it, and the entry waits; nothing gives up on a peer.
    pub(super) async fn record_failure(&self, work: &Work<'_>, error: &ProvisionError) -> Result<Ended, Failure> {
        let Work { leased, attachment, .. } = work;
        let why = error.to_string();
        tracing::warn!(%error, location = %attachment.record.location, "a peer change failed and will be tried again");
        if attachment.record.failure.as_deref() != Some(why.as_str()) {
            let mut draft = Draft::new(self.service.now());
            draft.ops.push(attachment.put(&Attachment { failure: Some(why.clone()), ..attachment.record.clone() }));
            // Stale means that the intention changed: the new one is tried next, with its own outcome.
            let _outcome = self.service.write(draft).await?;
        }
        self.end(leased, self.later(leased, why)).await
    }

    /// Has an entry wait whose records cannot be read, until somebody has repaired them. The reason names the row and
    /// never its content: what the error came from stays out.
    pub(super) async fn set_aside(
        &self,
        leased: &Leased,
        error: &(dyn std::error::Error + Send + Sync),
    ) -> Result<bool, Failure> {
        tracing::error!(%error, entry = %leased.entry.id, "a peer change cannot be worked on and will be tried again");
        self.service.settle(leased, self.later(leased, error.to_string())).await
    }

    fn later(&self, leased: &Leased, why: String) -> Settlement {
        let wait = backoff::wait(leased.tries, self.service.entropy());
        Settlement::Retry { at: self.service.now().plus(wait), why }
    }

    async fn end(&self, leased: &Leased, how: Settlement) -> Result<Ended, Failure> {
        Ok(if self.service.settle(leased, how).await? { Ended::Settled } else { Ended::LeaseLost })
    }
}
