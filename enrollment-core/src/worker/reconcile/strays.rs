//! Peers in force that nobody intends.

use std::net::IpAddr;

use super::{AT_ONCE, Found, Reconciler, SYSTEM};
use crate::domain::address::{Assignment, Standing};
use crate::domain::attachment::{Attachment, PeerState};
use crate::domain::device::{Device, PublicKey};
use crate::domain::event::Event;
use crate::domain::location::{Location, Ownership};
use crate::domain::upkeep::{Stray, Watch};
use crate::id::LocationId;
use crate::port::PeerChange;
use crate::record::{Kind, RowKey, Stored, UniqueKey, UniqueName};
use crate::secret::Digest;
use crate::service::Failure;
use crate::service::turn::{Draft, Written};

/// Whose a peer is that no settled record speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    /// A device's that came or goes meanwhile: its own entry sees to it.
    Known,
    /// It was a device's that is gone.
    WasOurs,
    /// Somebody else's.
    Strangers,
}

impl Reconciler {
    /// Reports peers that nobody intends, each once, then takes out those that were ours, and at a location that is ours
    /// alone the others too. Says how many it took out.
    pub(super) async fn see_to_strays(
        &self,
        location: &Stored<Location>,
        watch: &Stored<Watch>,
        mut candidates: Found,
    ) -> Result<usize, Failure> {
        let mut keys: Vec<PublicKey> = candidates.keys().copied().collect();
        // Those that were reported stay listed.
        keys.sort_unstable_by_key(|key| (watch.record.stray(key).is_none(), *key));
        let more = keys.split_off(keys.len().min(Watch::MOST_STRAYS)).len() as u64;
        let now = self.service.now();
        let mut strays = Vec::new();
        for public_key in keys {
            let mut addresses = candidates.remove(&public_key).unwrap_or_default();
            addresses.truncate(Stray::MOST_ADDRESSES);
            let whose = self.whose(location.record.id, &public_key, &addresses).await?;
            if whose == Whose::Known {
                continue;
            }
            let (since, failure) = match watch.record.stray(&public_key) {
                Some(before) => (before.since, before.failure.clone()),
                None => (now, None),
            };
            strays.push(Stray { public_key, addresses, ours: whose == Whose::WasOurs, since, failure });
        }
        if strays.iter().any(|stray| watch.record.stray(&stray.public_key).is_none()) {
            // One that was going while it was judged has gone by now. What is left is in force, and nobody's.
            let Some(there) = self.look_again(location.record.id).await else { return Ok(0) };
            strays.retain(|stray| there.contains_key(&stray.public_key));
        }
        let next = Watch { trouble: None, strays, more, ..watch.record.clone() };
        let Some(watch) = self.report(location, watch.clone(), next).await? else { return Ok(0) };
        self.take_out(location, watch).await
    }

    async fn whose(&self, at: LocationId, key: &PublicKey, addresses: &[IpAddr]) -> Result<Whose, Failure> {
        let not_staged = |attachment: &Attachment| attachment.location == at && attachment.state != PeerState::Staged;
        let device = UniqueKey::new(UniqueName::PublicKey, key.to_string());
        if let Some(device) = self.service.find::<Device>(&device).await? {
            let attachments = self.service.attachments(device.record.id).await?;
            if attachments.iter().any(|attachment| not_staged(&attachment.record)) {
                return Ok(Whose::Known);
            }
        }
        // A device that is gone leaves its addresses behind, which say whose they were.
        let row = |address: &_| RowKey::new(Kind::Address, Assignment::row_id(at, *address));
        let rows = self.service.store().get(&addresses.iter().map(row).collect::<Vec<_>>()).await?;
        for row in rows.iter().flatten() {
            let assignment = Stored::<Assignment>::read(row)?.record;
            if let Standing::Held(by) = assignment.standing {
                let holder = self.service.read::<Attachment>(by.uuid()).await?.map(|stored| stored.record);
                if holder.is_some_and(|holder| holder.public_key == *key && not_staged(&holder)) {
                    return Ok(Whose::Known);
                }
            }
            if assignment.last_key == Some(Digest::of(key.as_bytes())) {
                return Ok(Whose::WasOurs);
            }
        }
        Ok(Whose::Strangers)
    }

    /// Writes down which strays there are, with an audit entry for each that came or went. `None` when somebody else has
    /// looked since.
    async fn report(
        &self,
        location: &Stored<Location>,
        watch: Stored<Watch>,
        next: Watch,
    ) -> Result<Option<Stored<Watch>>, Failure> {
        if next == watch.record {
            return Ok(Some(watch));
        }
        let mut draft = Draft::new(self.service.now());
        draft.ops.push(watch.put(&next));
        let mut tell = |event| self.service.audit(&mut draft, SYSTEM, location.key(), location.version, event);
        for stray in next.strays.iter().filter(|stray| watch.record.stray(&stray.public_key).is_none()) {
            let Stray { public_key, ours, .. } = stray;
            tracing::warn!(%public_key, ours, location = %next.location, "a gateway has a peer that nobody intends");
            tell(Event::StrayPeerFound { key_digest: Digest::of(public_key.as_bytes()), ours: *ours });
        }
        for stray in watch.record.strays.iter().filter(|stray| next.stray(&stray.public_key).is_none()) {
            tell(Event::StrayPeerGone { key_digest: Digest::of(stray.public_key.as_bytes()) });
        }
        match self.service.write(draft).await? {
            Written::Applied => Ok(Some(Stored { record: next, version: watch.version.next() })),
            Written::Stale | Written::Taken(_) | Written::LeaseLost => Ok(None),
        }
    }

    /// Takes out the strays that have been reported, and are ours to take out.
    async fn take_out(&self, location: &Stored<Location>, watch: Stored<Watch>) -> Result<usize, Failure> {
        let at = location.record.id;
        let mut next = watch.record.clone();
        let mut taken = Vec::new();
        for chunk in watch.record.strays.chunks(AT_ONCE) {
            // As it is now: who said meanwhile that the gateway is shared is heard, and a device that came is known.
            let ownership = self.service.read::<Location>(at.uuid()).await?.map(|stored| stored.record.ownership);
            let mut keys = Vec::new();
            for stray in chunk {
                let whose = self.whose(at, &stray.public_key, &stray.addresses).await?;
                let goes = match whose {
                    Whose::Known => false,
                    Whose::WasOurs => true,
                    Whose::Strangers => ownership == Some(Ownership::Exclusive),
                };
                if goes {
                    keys.push(stray.public_key);
                }
            }
            if keys.is_empty() {
                continue;
            }
            let changes: Vec<PeerChange> = keys.iter().copied().map(PeerChange::Remove).collect();
            let mut outcomes = self.provisioner.apply(at, &changes).await.into_iter();
            for key in keys {
                match outcomes.next() {
                    Some(Ok(())) => {
                        next.strays.retain(|stray| stray.public_key != key);
                        taken.push(key);
                    }
                    Some(Err(error)) => {
                        let stray = next.strays.iter_mut().find(|stray| stray.public_key == key);
                        stray.into_iter().for_each(|stray| stray.failure = Some(error.to_string()));
                    }
                    None => {}
                }
            }
        }
        for key in &taken {
            // Should a device with this key have become a peer in that instant, it is put in force again.
            self.service.intend_again(at, key).await?;
        }
        let _listed: Option<Stored<Watch>> = self.report(location, watch, next).await?;
        Ok(taken.len())
    }
}
