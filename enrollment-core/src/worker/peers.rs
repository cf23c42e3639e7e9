//! Making intended peers real.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::attachment::{Attachment, PeerState};
use crate::domain::audit::Actor;
use crate::domain::device::Device;
use crate::domain::event::Event;
use crate::id::{AttachmentId, LocationId};
use crate::port::{
    Channel, LeaseRequest, Leased, PeerChange, PeerProvisioner, PeerSpec, ProvisionError, SettleOutcome, Settlement,
};
use crate::record::{Stored, UniqueKey, UniqueName};
use crate::service::turn::{Doer, Draft, Written};
use crate::service::{Answer, Failure, Origin, Service};

/// What an outbox entry for peers says: look at this attachment. What shall be is read from the attachment itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerIntent {
    /// Which attachment.
    pub attachment: AttachmentId,
    /// Where it is.
    pub location: LocationId,
}

/// Puts intended peers in force, and takes out those that shall not be (DEV-4).
#[derive(Debug, Clone)]
pub struct PeerWorker {
    service: Service,
    provisioner: Arc<dyn PeerProvisioner>,
}

/// Entries leased at once, and for how long: a batch is done in a fraction of its lease.
const BATCH: u32 = 32;
const LEASE: Duration = Duration::from_secs(60);
/// Waiting after the first failure, doubled with each further one up to the longest.
const FIRST_WAIT: Duration = Duration::from_secs(5);
const LONGEST_WAIT: Duration = Duration::from_secs(30 * 60);

impl PeerWorker {
    /// A worker for all locations of `provisioner`.
    #[must_use]
    pub const fn new(service: Service, provisioner: Arc<dyn PeerProvisioner>) -> Self {
        Self { service, provisioner }
    }

    /// Works off one batch of what is due, and says how many entries it settled. Call again until it says 0.
    ///
    /// Killed at any instant, it has either recorded what it did or leaves an entry that is done again: applying is
    /// idempotent.
    ///
    /// # Errors
    /// When the store cannot be asked; what was leased is free again after a minute. A record that cannot be read is no
    /// error: its entry waits like one whose gateway fails, and the others go on.
    pub fn run_once<'a>(&'a self) -> Answer<'a, usize> {
        Box::pin(self.try_run_once())
    }

    async fn try_run_once(&self) -> Result<usize, Failure> {
        let now = self.service.now();
        let request = LeaseRequest { channels: vec![Channel::Peer], now, until: now.plus(LEASE), limit: BATCH };
        let leased = self.service.store().lease(&request).await?;
        let mut settled = 0;
        for entry in &leased {
            let done = match self.work(entry).await {
                // What cannot be read holds up nothing else.
                Err(Failure::Broken(error)) => self.set_aside(entry, &*error).await?,
                other => other?,
            };
            if done {
                settled += 1;
            }
        }
        Ok(settled)
    }

    /// One entry. The attachment is read again: what is to be done is what it says now, not what was queued.
    async fn work(&self, leased: &Leased) -> Result<bool, Failure> {
        let intent: PeerIntent = match serde_json::from_str(&leased.entry.body.json) {
            Ok(intent) => intent,
            Err(error) => {
                return self
                    .settle(leased, Settlement::Dead { why: format!("not an intent for a peer: {error}") })
                    .await;
            }
        };
        let Some(attachment) = self.service.read::<Attachment>(intent.attachment.uuid()).await? else {
            return self.settle(leased, Settlement::Obsolete { why: "the attachment is gone".to_owned() }).await;
        };
        let record = &attachment.record;
        let change = match record.state {
            PeerState::Intended => {
                PeerChange::Ensure(PeerSpec { public_key: record.public_key, addresses: record.addresses.clone() })
            }
            PeerState::Removing => PeerChange::Remove(record.public_key),
            PeerState::Staged | PeerState::Applied | PeerState::Gone => {
                return self.settle(leased, Settlement::Obsolete { why: "nothing is left to do".to_owned() }).await;
            }
        };
        if matches!(change, PeerChange::Remove(_)) && self.belongs_to_another(record).await? {
            return self.record_success(leased, &attachment).await;
        }
        let mut results = self.provisioner.apply(record.location, &[change]).await;
        match results.pop() {
            Some(Ok(())) => self.record_success(leased, &attachment).await,
            Some(Err(error)) => self.record_failure(leased, &attachment, &error).await,
            None => {
                let error = ProvisionError::transient("the provisioner gave no answer");
                self.record_failure(leased, &attachment, &error).await
            }
        }
    }

    /// Whether the key of a removed device has become another device's, which has its own peer at this location.
    async fn belongs_to_another(&self, attachment: &Attachment) -> Result<bool, Failure> {
        let key = UniqueKey::new(UniqueName::PublicKey, attachment.public_key.to_string());
        let Some(device) = self.service.find::<Device>(&key).await? else { return Ok(false) };
        if device.record.id == attachment.device {
            return Ok(false);
        }
        let others = self.service.attachments(device.record.id).await?;
        Ok(others
            .iter()
            .map(|other| &other.record)
            .any(|other| other.location == attachment.location && other.state.intended() == Some(true)))
    }

    async fn record_success(&self, leased: &Leased, attachment: &Stored<Attachment>) -> Result<bool, Failure> {
        let now = self.service.now();
        let mut draft = Draft::new(now).settling(leased.lease);
        let record = &attachment.record;
        let event = if record.state == PeerState::Removing {
            if self.service.read::<Device>(record.device.uuid()).await?.is_some() {
                draft.ops.push(attachment.put(&Attachment { state: PeerState::Gone, failure: None, ..record.clone() }));
            } else {
                // The device was removed: its addresses rest, and with its last peer its last trace goes.
                self.service.let_addresses_rest(&mut draft, record).await?;
                draft.ops.push(attachment.delete());
            }
            Event::PeerRemoved
        } else {
            draft.ops.push(attachment.put(&Attachment { state: PeerState::Applied, failure: None, ..record.clone() }));
            Event::PeerApplied
        };
        self.service.audit(&mut draft, SYSTEM, attachment.key(), attachment.version, event);
        // Stale: the intention changed while it was carried out. Its own entry follows in the same stream; this one
        // is given back and then finds what holds by then.
        match self.service.write(draft).await? {
            Written::Applied => Ok(true),
            Written::LeaseLost => Ok(false),
            Written::Stale | Written::Taken(_) => self.settle(leased, Settlement::Release { at: now }).await,
        }
    }

    /// The reason is kept where administrators see it, and the entry waits; nothing gives up on a peer.
    async fn record_failure(
        &self,
        leased: &Leased,
        attachment: &Stored<Attachment>,
        error: &ProvisionError,
    ) -> Result<bool, Failure> {
        let why = error.to_string();
        tracing::warn!(%error, location = %attachment.record.location, "a peer change failed and will be tried again");
        if attachment.record.failure.as_deref() != Some(why.as_str()) {
            let mut draft = Draft::new(self.service.now());
            draft.ops.push(attachment.put(&Attachment { failure: Some(why.clone()), ..attachment.record.clone() }));
            // Stale means that the intention changed: the new one is tried next, with its own outcome.
            let _outcome = self.service.write(draft).await?;
        }
        self.retry(leased, why).await
    }

    /// Has an entry wait whose records cannot be read, until somebody has repaired them. The reason names the row and
    /// never its content: what the error came from stays out.
    async fn set_aside(&self, leased: &Leased, error: &(dyn std::error::Error + Send + Sync)) -> Result<bool, Failure> {
        tracing::error!(%error, entry = %leased.entry.id, "a peer change cannot be worked on and will be tried again");
        self.retry(leased, error.to_string()).await
    }

    async fn retry(&self, leased: &Leased, why: String) -> Result<bool, Failure> {
        let doublings = leased.tries.saturating_sub(1).min(16);
        let wait = FIRST_WAIT.saturating_mul(1 << doublings).min(LONGEST_WAIT);
        self.settle(leased, Settlement::Retry { at: self.service.now().plus(wait), why }).await
    }

    async fn settle(&self, leased: &Leased, how: Settlement) -> Result<bool, Failure> {
        let outcome = self.service.store().settle(&leased.lease, &how, self.service.now()).await?;
        Ok(outcome == SettleOutcome::Settled)
    }
}

const SYSTEM: Doer = Doer { actor: Actor::System, origin: Origin { source: None } };
