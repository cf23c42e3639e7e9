//! Making intended peers real.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::attachment::{Attachment, PeerState};
use crate::id::{AttachmentId, LocationId};
use crate::port::{Channel, LeaseRequest, Leased, PeerChange, PeerProvisioner, PeerSpec, ProvisionError, Settlement};
use crate::record::{Kind, RowKey, Stored};
use crate::service::circumstances::Rows;
use crate::service::turn::{Draft, TURNS, Written};
use crate::service::{Answer, Failure, Service, round};
use crate::worker::unless_broken;

mod ending;

use ending::Ended;

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
const BATCH: u32 = 128;
const LEASE: Duration = Duration::from_secs(60);

/// What is to be done for one entry, as its attachment said when it was read.
struct Work<'a> {
    leased: &'a Leased,
    attachment: Stored<Attachment>,
    change: PeerChange,
}

/// An entry that was looked at.
enum Looked<'a> {
    /// Something is to be done at the gateway.
    Act(Box<Work<'a>>),
    /// Nothing is; whether that was settled.
    Settled(bool),
}

impl PeerWorker {
    /// A worker for all locations of `provisioner`.
    #[must_use]
    pub const fn new(service: Service, provisioner: Arc<dyn PeerProvisioner>) -> Self {
        Self { service, provisioner }
    }

    /// Works off one batch of what is due, with one call to each gateway, and says how many entries it settled. Call
    /// again until it says 0.
    ///
    /// Killed at any instant, it has either recorded what it did or leaves an entry that is done again: applying is
    /// idempotent. One that stalls beyond its lease makes good what it did too late.
    ///
    /// # Errors
    /// When the store cannot be asked; what was leased is free again after a minute. A record that cannot be read is no
    /// error: its entry waits like one whose gateway fails, and the others go on.
    pub fn run_once<'a>(&'a self) -> Answer<'a, usize> {
        round("peer_worker", self.try_run_once())
    }

    async fn try_run_once(&self) -> Result<usize, Failure> {
        let now = self.service.now();
        let until = now.plus(LEASE);
        let request = LeaseRequest { channels: vec![Channel::Peer], now, until, limit: BATCH };
        let leased = self.service.store().lease(&request).await?;
        let rows = unless_broken(self.service.rows(leased.iter().filter_map(attachment_of)).await)?;
        let mut settled = 0;
        let mut works: BTreeMap<LocationId, Vec<Work<'_>>> = BTreeMap::new();
        for entry in &leased {
            match self.look(entry, rows.as_ref()).await {
                Ok(Looked::Act(work)) => works.entry(work.attachment.record.location).or_default().push(*work),
                Ok(Looked::Settled(done)) => settled += usize::from(done),
                // What cannot be read holds up nothing else.
                Err(Failure::Broken(error)) => settled += usize::from(self.set_aside(entry, &*error).await?),
                Err(failure) => return Err(failure),
            }
        }
        for (location, works) in works {
            // Whoever woke up late leaves the rest to the worker who has it now.
            if self.service.now() >= until {
                break;
            }
            settled += self.act(location, &works).await?;
        }
        Ok(settled)
    }

    /// One entry. Its attachment was read again, with others if that could be done: what is to be done is what it says
    /// now, not what was queued.
    async fn look<'a>(&self, leased: &'a Leased, rows: Option<&Rows>) -> Result<Looked<'a>, Failure> {
        let settle = async |how| Ok(Looked::Settled(self.service.settle(leased, how).await?));
        let intent: PeerIntent = match serde_json::from_str(&leased.entry.body.json) {
            Ok(intent) => intent,
            Err(error) => return settle(Settlement::Dead { why: format!("not an intent for a peer: {error}") }).await,
        };
        let attachment = match rows {
            Some(rows) => rows.get(&key_of(&intent)).map(Stored::<Attachment>::read).transpose()?,
            None => self.service.read::<Attachment>(intent.attachment.uuid()).await?,
        };
        let Some(attachment) = attachment else {
            return settle(Settlement::Obsolete { why: "the attachment is gone".to_owned() }).await;
        };
        let record = &attachment.record;
        let change = match record.state {
            PeerState::Intended => {
                PeerChange::Ensure(PeerSpec { public_key: record.public_key, addresses: record.addresses.clone() })
            }
            PeerState::Removing => PeerChange::Remove(record.public_key),
            PeerState::Staged | PeerState::Applied | PeerState::Gone => {
                return settle(Settlement::Obsolete { why: "nothing is left to do".to_owned() }).await;
            }
        };
        if matches!(change, PeerChange::Remove(_)) {
            // The key of a removed device may have become another device's, which has its own peer here.
            let theirs = self.service.intends(record.location, &record.public_key).await?;
            if theirs.is_some_and(|theirs| theirs.record.device != record.device) {
                let ended = self.record_success(leased, &attachment).await?;
                return Ok(Looked::Settled(ended == Ended::Settled));
            }
        }
        Ok(Looked::Act(Box::new(Work { leased, attachment, change })))
    }

    /// Tells one gateway, and writes down what became of each change.
    async fn act(&self, location: LocationId, works: &[Work<'_>]) -> Result<usize, Failure> {
        let changes: Vec<PeerChange> = works.iter().map(|work| work.change.clone()).collect();
        let mut outcomes = self.provisioner.apply(location, &changes).await.into_iter();
        let (mut ensured, mut alone, mut failed) = (Vec::new(), Vec::new(), Vec::new());
        for work in works {
            match (outcomes.next(), &work.change) {
                (Some(Ok(())), PeerChange::Ensure(_)) => ensured.push(work),
                (Some(Ok(())), PeerChange::Remove(_)) => alone.push(work),
                (Some(Err(error)), _) => failed.push((work, error)),
                (None, _) => failed.push((work, ProvisionError::transient("the provisioner gave no answer"))),
            }
        }
        let mut settled = 0;
        if self.record_together(&ensured).await? {
            settled += ensured.len();
        } else {
            alone.extend(ensured);
        }
        for work in alone {
            settled += self.conclude(work, self.record_applied(work).await).await?;
        }
        for (work, error) in failed {
            settled += self.conclude(work, self.record_failure(work, &error).await).await?;
        }
        Ok(settled)
    }

    /// After the end of an entry was written down, or could not be: how many were settled.
    async fn conclude(&self, work: &Work<'_>, ended: Result<Ended, Failure>) -> Result<usize, Failure> {
        match ended {
            Ok(Ended::Settled) => Ok(1),
            Ok(Ended::LeaseLost) => self.make_good(work).await.map(|()| 0),
            Err(Failure::Broken(error)) => self.set_aside(work.leased, &*error).await.map(usize::from),
            Err(failure) => Err(failure),
        }
    }

    /// After a lease ran out while the gateway was asked: another worker may have carried out a newer intention *before*
    /// this older one took effect. So what is intended now is intended once more, and a peer of which nothing is left is
    /// taken out. Should this worker die here, [`Reconciler`](super::Reconciler) finds out.
    async fn make_good(&self, work: &Work<'_>) -> Result<(), Failure> {
        let (location, key) = (work.attachment.record.location, work.change.public_key());
        tracing::warn!(%location, "a gateway took longer than the lease of its change, which is looked at again");
        for _ in 0..TURNS {
            if self.service.intend_again(location, key).await? {
                return Ok(());
            }
            if matches!(work.change, PeerChange::Remove(_)) {
                return Ok(());
            }
            let Some(stored) = self.service.read::<Attachment>(work.attachment.record.id.uuid()).await? else {
                let removed = self.provisioner.apply(location, &[PeerChange::Remove(*key)]).await;
                for error in removed.into_iter().filter_map(Result::err) {
                    tracing::warn!(%error, %location, "a peer that came too late is not taken out yet");
                }
                // Unless somebody came to intend it in that instant, that was right.
                self.service.intend_again(location, key).await?;
                return Ok(());
            };
            let mut draft = Draft::new(self.service.now());
            self.service.intend(&mut draft, &stored, PeerState::Removing)?;
            if let Written::Applied = self.service.write(draft).await? {
                return Ok(());
            }
        }
        Err(Failure::Busy)
    }
}

fn attachment_of(leased: &Leased) -> Option<RowKey> {
    serde_json::from_str(&leased.entry.body.json).ok().as_ref().map(key_of)
}

const fn key_of(intent: &PeerIntent) -> RowKey {
    RowKey::new(Kind::Attachment, intent.attachment.uuid())
}
