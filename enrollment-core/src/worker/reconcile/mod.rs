//! Comparing what gateways have in force with what is intended.

mod strays;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use crate::domain::attachment::{Attachment, PeerState};
use crate::domain::device::PublicKey;
use crate::domain::event::Event;
use crate::domain::location::Location;
use crate::domain::upkeep::Watch;
use crate::id::{AttachmentId, LocationId};
use crate::port::{Observation, PeerProvisioner, PeerSpec, Scan};
use crate::record::{IndexName, Kind, RowKey, Stored, Version, new_row};
use crate::service::turn::{Draft, TURNS, Written};
use crate::service::{Answer, Failure, Service, round};
use crate::time::Span;
use crate::worker::SYSTEM;

/// Has the peers in force converge to the peers intended, whatever became of a gateway (DEV-4). A host runs it at
/// start-up and every few seconds; each gateway is looked at when its time has come.
///
/// It decides, and [`PeerWorker`](super::PeerWorker) acts: where a gateway differs from a record that has been settled,
/// the intention is committed again. What is still on its way has an entry of its own and is left alone.
///
/// | found | what follows |
/// |---|---|
/// | a peer of ours missing, or with other addresses | intended again |
/// | a peer of ours that was taken out | to be removed again |
/// | one that was ours, of a device that is gone | taken out |
/// | a key that is none of ours | reported once; at a location that is ours alone, taken out after that |
///
/// # Why an old observation does no harm
/// A record is read *before* the gateway is looked at, and the intention is committed only if it still stands at that
/// version: nobody intended anything else from before the look until after the commit. So nothing that was revoked
/// meanwhile is put back, and nothing that was put in force meanwhile is taken out.
#[derive(Debug, Clone)]
pub struct Reconciler {
    service: Service,
    provisioner: Arc<dyn PeerProvisioner>,
    /// Locations that this reconciler has looked at.
    met: Arc<Mutex<BTreeSet<LocationId>>>,
}

/// How often each gateway is looked at, however many processes run.
const EVERY: Span = Span::seconds(60);
/// Rows read at once.
const PAGE: u32 = 1_000;
/// Intentions committed at once.
const AT_ONCE: usize = 100;

/// The peers at a gateway by key, their addresses in order.
type Found = HashMap<PublicKey, Vec<IpAddr>>;

/// An attachment that does not fit what was found, as it was read before.
type Suspect = (AttachmentId, Version);

impl Reconciler {
    /// A reconciler of all locations of `provisioner`.
    #[must_use]
    pub fn new(service: Service, provisioner: Arc<dyn PeerProvisioner>) -> Self {
        Self { service, provisioner, met: Arc::default() }
    }

    /// Looks at every gateway whose time has come, and at those that this reconciler has not met yet; says how many
    /// peers were not as intended.
    ///
    /// A gateway that cannot list its peers is told of all of them when a reconciler first meets it, and by the
    /// changes from then on. One that does not answer is reported, holds up no other, and is looked at again.
    ///
    /// # Errors
    /// When the store cannot be asked.
    pub fn run_once(&self) -> Answer<'_, usize> {
        round("reconciler", self.try_run_once())
    }

    async fn try_run_once(&self) -> Result<usize, Failure> {
        let mut corrected = 0;
        for location in self.service.all::<Location>(IndexName::LocationsByName, "").await? {
            match self.look_at(&location).await {
                Ok(count) => corrected += count,
                // What cannot be read holds up nothing else.
                Err(Failure::Broken(error)) => {
                    tracing::error!(%error, location = %location.record.id, "a gateway cannot be compared");
                }
                Err(failure) => return Err(failure),
            }
        }
        Ok(corrected)
    }

    async fn look_at(&self, location: &Stored<Location>) -> Result<usize, Failure> {
        let id = location.record.id;
        let first = !self.met.lock().unwrap_or_else(PoisonError::into_inner).contains(&id);
        let Some(watch) = self.claim(id, first).await? else { return Ok(0) };
        let corrected = match self.provisioner.observe(id).await {
            Ok(Observation::Peers(peers)) => self.compare(location, &watch, peers).await?,
            Ok(Observation::NotEnumerable) => {
                let told = if first { self.tell_again(id).await? } else { 0 };
                self.note(&watch, Some("this gateway cannot list its peers".to_owned())).await?;
                told
            }
            Err(error) => {
                tracing::warn!(%error, location = %id, "a gateway cannot be looked at");
                self.note(&watch, Some(error.to_string())).await?;
                0
            }
        };
        self.met.lock().unwrap_or_else(PoisonError::into_inner).insert(id);
        Ok(corrected)
    }

    /// Takes this look for this reconciler alone, unless another had it within the interval.
    async fn claim(&self, location: LocationId, first: bool) -> Result<Option<Stored<Watch>>, Failure> {
        for _ in 0..TURNS {
            let stored = self.service.read::<Watch>(Watch::key(location).id).await?;
            let now = self.service.now();
            let is_due = |watch: &Stored<Watch>| watch.record.looked.plus(EVERY.duration()) <= now;
            if !first && !stored.as_ref().is_none_or(is_due) {
                return Ok(None);
            }
            let (op, next) = match stored {
                Some(stored) => {
                    let record = Watch { looked: now, ..stored.record.clone() };
                    (stored.put(&record), Stored { record, version: stored.version.next() })
                }
                None => {
                    let record = Watch { location, looked: now, trouble: None, strays: Vec::new(), more: 0 };
                    (new_row(&record), Stored { record, version: Version::FIRST })
                }
            };
            let mut draft = Draft::new(now);
            draft.ops.push(op);
            if let Written::Applied = self.service.write(draft).await? {
                return Ok(Some(next));
            }
        }
        Ok(None)
    }

    /// Keeps why peers could not be compared, or that they could.
    async fn note(&self, watch: &Stored<Watch>, trouble: Option<String>) -> Result<(), Failure> {
        if watch.record.trouble != trouble {
            let mut draft = Draft::new(self.service.now());
            draft.ops.push(watch.put(&Watch { trouble, ..watch.record.clone() }));
            // Stale: somebody has looked since, and knows better.
            let _: Written = self.service.write(draft).await?;
        }
        Ok(())
    }

    async fn compare(
        &self,
        location: &Stored<Location>,
        watch: &Stored<Watch>,
        peers: Vec<PeerSpec>,
    ) -> Result<usize, Failure> {
        let id = location.record.id;
        let found = by_key(peers);
        let mut known = HashSet::new();
        let (suspects, unreadable) = self
            .suspects(id, |attachment| {
                if attachment.state != PeerState::Staged {
                    known.insert(attachment.public_key);
                }
                correction(attachment, &found).is_some()
            })
            .await?;
        let mut corrected = 0;
        if !suspects.is_empty()
            && let Some(found) = self.look_again(id).await
        {
            corrected = self.correct(&suspects, Some(&found)).await?;
        }
        if unreadable > 0 {
            // A peer whose record cannot be read would look like a stranger's.
            self.note(watch, Some(format!("{unreadable} records of its peers cannot be read"))).await?;
            return Ok(corrected);
        }
        let strays = found.into_iter().filter(|(key, _)| !known.contains(key)).collect();
        Ok(corrected + self.see_to_strays(location, watch, strays).await?)
    }

    /// What is in force now; `None` when that cannot be seen, which the next look reports.
    async fn look_again(&self, at: LocationId) -> Option<Found> {
        match self.provisioner.observe(at).await {
            Ok(Observation::Peers(peers)) => Some(by_key(peers)),
            Ok(Observation::NotEnumerable) | Err(_) => None,
        }
    }

    /// Reads a location's attachments page by page; those that `is_suspect` names, and how many cannot be read.
    async fn suspects(
        &self,
        location: LocationId,
        mut is_suspect: impl FnMut(&Attachment) -> bool + Send,
    ) -> Result<(Vec<Suspect>, usize), Failure> {
        let mut scan = Scan::all(IndexName::AttachmentsByLocation, location.to_string(), PAGE);
        let (mut suspects, mut unreadable) = (Vec::new(), 0);
        loop {
            let page = self.service.store().scan(&scan).await?;
            for row in &page.rows {
                match Stored::<Attachment>::read(row) {
                    Ok(stored) if is_suspect(&stored.record) => suspects.push((stored.record.id, stored.version)),
                    Ok(_) => {}
                    Err(error) => {
                        tracing::error!(%error, "a peer cannot be compared");
                        unreadable += 1;
                    }
                }
            }
            match page.next {
                Some(next) => scan.after = Some(next),
                None => return Ok((suspects, unreadable)),
            }
        }
    }

    /// Tells a gateway that cannot list its peers of all that has been settled.
    async fn tell_again(&self, location: LocationId) -> Result<usize, Failure> {
        let settled = |attachment: &Attachment| matches!(attachment.state, PeerState::Applied | PeerState::Gone);
        let (suspects, _unreadable) = self.suspects(location, settled).await?;
        self.correct(&suspects, None).await
    }

    /// Commits again what is intended of each suspect that still stands as it was read, and that `found` still
    /// contradicts (`None`: nobody knows).
    async fn correct(&self, suspects: &[Suspect], found: Option<&Found>) -> Result<usize, Failure> {
        let mut corrected = 0;
        for chunk in suspects.chunks(AT_ONCE) {
            let keys: Vec<RowKey> = chunk.iter().map(|(id, _)| RowKey::new(Kind::Attachment, id.uuid())).collect();
            for _ in 0..TURNS {
                let rows = self.service.store().get(&keys).await?;
                let mut draft = Draft::new(self.service.now());
                let mut again = 0;
                for (row, (_, version)) in rows.iter().zip(chunk) {
                    let Some(row) = row.as_ref().filter(|row| row.version == *version) else { continue };
                    let stored = Stored::<Attachment>::read(row)?;
                    let Some((state, event)) = (match found {
                        Some(found) => correction(&stored.record, found),
                        None => reverse(stored.record.state),
                    }) else {
                        continue;
                    };
                    self.service.intend(&mut draft, &stored, state)?;
                    self.service.audit(&mut draft, SYSTEM, stored.key(), stored.version, event);
                    again += 1;
                }
                if again == 0 {
                    break;
                }
                // Stale: those that moved meanwhile fall out of the next turn.
                if let Written::Applied = self.service.write(draft).await? {
                    corrected += again;
                    break;
                }
            }
        }
        Ok(corrected)
    }
}

/// What is intended again where a settled attachment contradicts what was found.
fn correction(attachment: &Attachment, found: &Found) -> Option<(PeerState, Event)> {
    let in_force = found.get(&attachment.public_key);
    let fits = match attachment.state {
        PeerState::Applied => in_force.is_some_and(|addresses| *addresses == sorted(&attachment.addresses)),
        PeerState::Gone => in_force.is_none(),
        PeerState::Staged | PeerState::Intended | PeerState::Removing => true,
    };
    if fits { None } else { reverse(attachment.state) }
}

/// The intention behind a settled state, and what is written down when it has to be carried out once more.
const fn reverse(settled: PeerState) -> Option<(PeerState, Event)> {
    match settled {
        PeerState::Applied => Some((PeerState::Intended, Event::PeerLost)),
        PeerState::Gone => Some((PeerState::Removing, Event::PeerReturned)),
        PeerState::Staged | PeerState::Intended | PeerState::Removing => None,
    }
}

fn by_key(peers: Vec<PeerSpec>) -> Found {
    peers.into_iter().map(|peer| (peer.public_key, sorted(&peer.addresses))).collect()
}

fn sorted(addresses: &[IpAddr]) -> Vec<IpAddr> {
    let mut addresses = addresses.to_vec();
    addresses.sort_unstable();
    addresses.dedup();
    addresses
}
