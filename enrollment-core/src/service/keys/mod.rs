//! The ring in force, and what becomes of records when it changes (SYS-10).

mod uses;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError};

pub use uses::{KeyUse, KeyUses, survey};

use super::turn::{Doer, Draft, TURNS, Written};
use super::{Answer, Failure, Origin, Service};
use crate::domain::audit::Actor;
use crate::domain::enrollment::Enrollment;
use crate::domain::event::Event;
use crate::record::{KeyBook, Resealing, Stored, Version, new_row};
use crate::secret::{KeyError, KeyId, KeyRing, KeyStatus, RevokeError};

/// Whoever changes a ring has the machine it lies on.
const MACHINE: Doer = Doer { actor: Actor::CommandLine, origin: Origin { source: None } };

/// The ring does not serve this database.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnfitRing {
    /// Keys that records need are missing.
    #[error("the key ring lacks {}", missing(.0))]
    Missing(BTreeMap<KeyId, KeyUse>),
    /// It lacks the key that is in use by now: it is an old copy, or another instance's.
    #[error("the key ring lacks key {0}, which is in use: it is an old copy, or of another instance")]
    Behind(KeyId),
    /// Its active key is revoked in the database: it is an old copy.
    #[error("the key ring is an old copy: its active key {0} was revoked since")]
    ActiveRevoked(KeyId),
}

fn missing(keys: &BTreeMap<KeyId, KeyUse>) -> String {
    let each = keys.iter().map(|(key, lost)| format!("key {key}; lost without it: {lost}"));
    each.collect::<Vec<_>>().join("; and ")
}

/// A ring as it was brought, held against the book as it stood then.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Brought {
    keys: Vec<(KeyId, KeyStatus)>,
    used: BTreeSet<KeyId>,
    revoked: BTreeSet<KeyId>,
}

/// The last ring that was brought, and what came of it.
pub(super) type LastRing = Option<(Brought, Result<(), UnfitRing>)>;

impl Service {
    /// The key ring in force. What is begun with it is finished with it.
    #[must_use]
    pub fn ring(&self) -> Arc<KeyRing> {
        // A ring is replaced whole, so a poisoned lock still holds one.
        Arc::clone(&self.0.ring.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Holds a ring against the database, and from then on works with it in place of the present one. To be called
    /// before serving, when the ring has changed, and every now and then, so that a key revoked through another process
    /// is revoked here.
    ///
    /// Before anything is made with an active key that is new, the key is entered into the [`KeyBook`], and what is
    /// sealed under others is to be sealed again ([`Resealer`](crate::worker::Resealer)). A revocation is entered
    /// likewise, and holds for every process from its next call on. Both are audited, once.
    ///
    /// A ring that lacks a key which records need or the one in use, or is older than the revocation of its active key,
    /// is not taken up: the present one stays, and what was revoked is revoked here all the same.
    ///
    /// It costs one read. Only a database that has no book yet, and a ring that lacks a key of the book, are surveyed
    /// whole ([`survey`]); and that once, not with every call.
    ///
    /// # Errors
    /// When the store cannot be asked; then the present ring stays.
    pub fn adopt(&self, ring: KeyRing) -> Answer<'_, Result<(), UnfitRing>> {
        Box::pin(self.try_adopt(ring))
    }

    /// Reads which keys are revoked in the database, for who has no ring to bring: a revocation holds here whatever
    /// became of this process's copy.
    ///
    /// # Errors
    /// When the store cannot be asked.
    pub fn note_revocations(&self) -> Answer<'_, ()> {
        Box::pin(async move {
            if let Some(book) = self.read::<KeyBook>(KeyBook::KEY.id).await? {
                self.note_revoked(&book.record.revoked);
            }
            Ok(())
        })
    }

    async fn try_adopt(&self, mut ring: KeyRing) -> Result<Result<(), UnfitRing>, Failure> {
        let keys: Vec<_> = ring.keys().map(|(id, status, _)| (id, status)).collect();
        for _ in 0..TURNS {
            let stored = self.read::<KeyBook>(KeyBook::KEY.id).await?;
            let book = stored.as_ref().map(|stored| &stored.record);
            if let Some(book) = book {
                // Whatever becomes of the ring that was brought.
                self.note_revoked(&book.revoked);
            }
            let brought = Brought {
                keys: keys.clone(),
                used: book.map(|book| book.used.clone()).unwrap_or_default(),
                revoked: book.map(|book| book.revoked.clone()).unwrap_or_default(),
            };
            if let Some((last, outcome)) = &*self.last_ring()
                && *last == brought
            {
                return Ok(outcome.clone());
            }
            let uses = match self.fits(&mut ring, book).await? {
                Ok(uses) => uses,
                Err(unfit) => {
                    *self.last_ring() = Some((brought, Err(unfit.clone())));
                    return Ok(Err(unfit));
                }
            };
            if let Some(book) = self.enter(&ring, stored, &uses).await? {
                self.put_in_force(ring);
                let KeyBook { active: _, used, revoked, resealing: _ } = book;
                *self.last_ring() = Some((Brought { keys, used, revoked }, Ok(())));
                return Ok(Ok(()));
            }
        }
        Err(Failure::Busy)
    }

    /// Whether the ring serves the records; if it had to be asked, what they need. What the book says is revoked is
    /// revoked in the ring.
    async fn fits(&self, ring: &mut KeyRing, book: Option<&KeyBook>) -> Result<Result<KeyUses, UnfitRing>, Failure> {
        let absent: Vec<KeyId> =
            book.iter().flat_map(|book| &book.used).filter(|key| ring.status(key).is_none()).copied().collect();
        let mut uses = KeyUses::default();
        if book.is_none() || !absent.is_empty() {
            uses = survey(&**self.store(), self.now()).await?;
            let lost: BTreeMap<_, _> = uses.0.iter().filter(|(key, _)| ring.status(key).is_none()).collect();
            if !lost.is_empty() {
                let lost = lost.into_iter().map(|(key, uses)| (*key, *uses)).collect();
                return Ok(Err(UnfitRing::Missing(lost)));
            }
        }
        for key in absent {
            tracing::warn!(%key, "the key ring lacks a key that was in use; no record needs it now");
        }
        for key in book.iter().flat_map(|book| &book.revoked) {
            if ring.revoke(key) == Err(RevokeError::Active(*key)) {
                return Ok(Err(UnfitRing::ActiveRevoked(*key)));
            }
        }
        if let Some(active) = book.and_then(|book| book.active).filter(|key| ring.status(key).is_none()) {
            return Ok(Err(UnfitRing::Behind(active)));
        }
        Ok(Ok(uses))
    }

    /// Enters what is new of a ring into the book, and returns the book as it is then; `None`: others were faster.
    async fn enter(
        &self,
        ring: &KeyRing,
        stored: Option<Stored<KeyBook>>,
        uses: &KeyUses,
    ) -> Result<Option<KeyBook>, Failure> {
        let mut draft = Draft::new(self.now());
        let mut next = stored.as_ref().map(|stored| stored.record.clone()).unwrap_or_default();
        let active = ring.active();
        let mut events = Vec::new();
        next.used.extend(uses.0.keys());
        if next.used.insert(active) {
            next.active = Some(active);
            events.push(Event::KeyActivated { key: active });
            next.resealing = Some(Resealing::beginning(active, draft.now));
        }
        for (key, status, _) in ring.keys() {
            if status == KeyStatus::Revoked && next.revoked.insert(key) {
                events.push(Event::KeyRevoked { key });
            }
        }
        match &stored {
            Some(stored) if stored.record == next => return Ok(Some(next)),
            Some(stored) => draft.ops.push(stored.put(&next)),
            None => {
                // A book made for a database in use: what older keys have sealed is not under the active one yet.
                let older = uses.0.iter().any(|(key, uses)| *key != active && uses.sealed() > 0);
                next.resealing = older.then(|| Resealing::beginning(active, draft.now));
                draft.ops.push(new_row(&next));
            }
        }
        for event in events {
            self.audit(&mut draft, MACHINE, KeyBook::KEY, Version::FIRST, event);
        }
        let written = self.write(draft).await?;
        Ok(matches!(written, Written::Applied).then_some(next))
    }

    fn put_in_force(&self, ring: KeyRing) {
        let keys = |ring: &KeyRing| ring.keys().map(|(id, status, _)| (id, status)).collect::<Vec<_>>();
        let present = self.ring();
        if keys(&present) != keys(&ring) {
            let revoked = ring.keys().filter(|(_, status, _)| *status == KeyStatus::Revoked).count();
            tracing::info!(active = %ring.active(), revoked, "another key ring is in force");
        }
        *self.0.ring.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(ring);
    }

    fn last_ring(&self) -> std::sync::MutexGuard<'_, LastRing> {
        self.0.last_ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the ring answered. That it does not have a key says nothing about what was asked: another process may have
    /// rotated a moment ago. Whoever brings rings is told.
    pub(crate) fn keyed<T>(&self, answer: Result<T, KeyError>) -> Result<T, Failure> {
        answer.map_err(|error| match error {
            KeyError::Missing(key) => {
                (self.0.unknown_key)(key);
                Failure::UnknownKey(key)
            }
            other => Failure::Broken(other.into()),
        })
    }

    /// Whether the token of an enrollment was made with a key that was revoked since: whoever stole that key could
    /// have made it, too.
    pub(crate) fn is_of_a_revoked_key(&self, enrollment: &Enrollment) -> bool {
        enrollment.seed.as_ref().is_some_and(|seed| self.is_revoked(&self.ring(), &seed.key))
    }

    /// The ring in force, to make something new with; not while its active key is revoked in the database, and the one
    /// after it has not come here yet.
    pub(crate) fn making_ring(&self) -> Result<Arc<KeyRing>, Failure> {
        let ring = self.ring();
        let active = ring.active();
        if self.is_revoked(&ring, &active) { self.keyed(Err(KeyError::Missing(active))) } else { Ok(ring) }
    }

    /// Whether this key is revoked, be it in this process's ring or in the database.
    #[must_use]
    pub fn is_revoked_key(&self, key: &KeyId) -> bool {
        self.is_revoked(&self.ring(), key)
    }

    fn is_revoked(&self, ring: &KeyRing, key: &KeyId) -> bool {
        let revoked = self.0.revoked.read().unwrap_or_else(PoisonError::into_inner);
        ring.status(key) == Some(KeyStatus::Revoked) || revoked.contains(key)
    }

    fn note_revoked(&self, keys: &BTreeSet<KeyId>) {
        self.0.revoked.write().unwrap_or_else(PoisonError::into_inner).extend(keys);
    }
}
