//! The ring of keys from which everything else is derived.

use std::fmt;

use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::binding::framed;
use super::key_id::KeyId;
use crate::port::Entropy;
use crate::time::Timestamp;

/// Keys of 256 bits, exactly one of them active. Whoever has the ring and the database can do what the instance can;
/// with only one of the two they open nothing.
///
/// It lives outside the database (see [`KeyRing::to_text`]), in memory once, and is wiped when dropped.
pub struct KeyRing {
    /// In order of making; exactly one is active.
    keys: Vec<Key>,
}

/// What a key may still do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyStatus {
    /// Made for the next rotation: makes nothing yet, and opens what processes make that have rotated already. At most
    /// one key.
    Next,
    /// Derives, seals, signs, opens and verifies. Exactly one key.
    Active,
    /// Derives and opens what was made with it; makes nothing new.
    Retired,
    /// Was or may have been stolen: no token or session derives from it and no short code is right by it. So that nobody
    /// is locked out, it still opens what it sealed, until that is sealed again, and verifies recovery codes, which
    /// are too long to be found by trying, and what it signed.
    Revoked,
}

impl KeyStatus {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Next, Self::Active, Self::Retired, Self::Revoked];

    /// The stable text: `next`, `active`, `retired` or `revoked`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Next => "next",
            Self::Active => "active",
            Self::Retired => "retired",
            Self::Revoked => "revoked",
        }
    }
}

/// The ring cannot do this.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The ring has no key of this name.
    #[error("key {0} is missing from the key ring")]
    Missing(KeyId),
    /// The key is revoked.
    #[error("key {0} is revoked")]
    Revoked(KeyId),
    /// The sealed secret was altered or belongs elsewhere, or the signature is not of these bytes.
    #[error("altered, or in a place it does not belong to (key {0})")]
    Altered(KeyId),
}

/// The key cannot be revoked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RevokeError {
    /// The ring has no key of this name.
    #[error("key {0} is missing from the key ring")]
    Missing(KeyId),
    /// It is the active key.
    #[error("key {0} is in use: rotate first, then revoke it")]
    Active(KeyId),
}

pub(super) struct Key {
    pub(super) id: KeyId,
    pub(super) status: KeyStatus,
    pub(super) created: Timestamp,
    pub(super) material: Material,
}

/// Boxed, so that a growing ring leaves no copy behind.
pub(super) type Material = Box<Zeroizing<[u8; 32]>>;

/// What a subkey is for. No two purposes share one.
#[derive(Clone, Copy)]
pub(super) enum Purpose {
    KeyName,
    Tokens,
    Sessions,
    Codes,
    Messages,
    Seal,
    Audit,
    Devices,
    Polling,
}

impl KeyRing {
    /// A new ring with one key.
    #[must_use]
    pub fn generate(now: Timestamp, entropy: &dyn Entropy) -> Self {
        let mut ring = Self { keys: Vec::new() };
        ring.rotate(now, entropy);
        ring
    }

    /// Retires the active key and puts the next one in its place, a new one where none was prepared. What the old key
    /// made stays valid.
    pub fn rotate(&mut self, now: Timestamp, entropy: &dyn Entropy) -> KeyId {
        let next = self.prepare(now, entropy);
        for key in &mut self.keys {
            key.status = match key.status {
                KeyStatus::Active => KeyStatus::Retired,
                KeyStatus::Next => KeyStatus::Active,
                other => other,
            };
        }
        next
    }

    /// Makes the key that the next rotation puts in use, so that every process can have it before one uses it. Where
    /// there is one already, that one.
    pub fn prepare(&mut self, now: Timestamp, entropy: &dyn Entropy) -> KeyId {
        if let Some(key) = self.keys.iter().find(|key| key.status == KeyStatus::Next) {
            return key.id;
        }
        let (id, material) = loop {
            let mut material = Box::new(Zeroizing::new([0; 32]));
            entropy.fill(material.as_mut_slice());
            let id = name_of(&material);
            // Names have 40 bits: a repetition is not to be expected, and would make a key unreachable.
            if self.key(&id).is_err() {
                break (id, material);
            }
        };
        self.keys.push(Key { id, status: KeyStatus::Next, created: now, material });
        id
    }

    /// Revokes a key that is not active; [`KeyStatus::Revoked`] says what it still does. Revoking again changes nothing.
    ///
    /// # Errors
    /// When the ring has no such key, or it is the active one.
    pub fn revoke(&mut self, id: &KeyId) -> Result<(), RevokeError> {
        let key = self.keys.iter_mut().find(|key| key.id == *id).ok_or(RevokeError::Missing(*id))?;
        if key.status == KeyStatus::Active {
            return Err(RevokeError::Active(*id));
        }
        key.status = KeyStatus::Revoked;
        Ok(())
    }

    /// The key that makes everything new.
    #[must_use]
    pub fn active(&self) -> KeyId {
        self.active_key().id
    }

    /// The first key that was made and is not revoked: the one that rotating leaves as it is.
    pub(super) fn oldest(&self) -> KeyId {
        let oldest = self.keys.iter().find(|key| key.status != KeyStatus::Revoked);
        oldest.map_or_else(|| self.active(), |key| key.id)
    }

    fn active_key(&self) -> &Key {
        let active = self.keys.iter().find(|key| key.status == KeyStatus::Active);
        active.expect("every constructor leaves exactly one key active")
    }

    /// The subkeys for `purpose` of all keys that are not revoked: the active one's first, then from the latest on.
    pub(super) fn subkeys(&self, purpose: Purpose) -> impl Iterator<Item = Zeroizing<[u8; 32]>> {
        let others = self.keys.iter().rev().filter(|key| matches!(key.status, KeyStatus::Next | KeyStatus::Retired));
        std::iter::once(self.active_key()).chain(others).map(move |key| subkey(&key.material, purpose))
    }

    /// What the key may do; `None` when the ring does not have it.
    #[must_use]
    pub fn status(&self, id: &KeyId) -> Option<KeyStatus> {
        self.key(id).ok().map(|key| key.status)
    }

    /// Every key: its name, what it may do and when it was made; in order of making.
    pub fn keys(&self) -> impl Iterator<Item = (KeyId, KeyStatus, Timestamp)> {
        self.keys.iter().map(|key| (key.id, key.status, key.created))
    }

    /// A ring of keys read from text, exactly one of them active.
    pub(super) const fn from_keys(keys: Vec<Key>) -> Self {
        Self { keys }
    }

    pub(super) fn whole_keys(&self) -> &[Key] {
        &self.keys
    }

    /// The subkey for `purpose` of a key that is not revoked.
    pub(super) fn subkey(&self, id: &KeyId, purpose: Purpose) -> Result<Zeroizing<[u8; 32]>, KeyError> {
        let key = self.key(id)?;
        match key.status {
            KeyStatus::Revoked => Err(KeyError::Revoked(*id)),
            KeyStatus::Next | KeyStatus::Active | KeyStatus::Retired => Ok(subkey(&key.material, purpose)),
        }
    }

    /// The subkey for `purpose` of any key, revoked or not.
    pub(super) fn subkey_even_revoked(&self, id: &KeyId, purpose: Purpose) -> Result<Zeroizing<[u8; 32]>, KeyError> {
        Ok(subkey(&self.key(id)?.material, purpose))
    }

    fn key(&self, id: &KeyId) -> Result<&Key, KeyError> {
        self.keys.iter().find(|key| key.id == *id).ok_or(KeyError::Missing(*id))
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.keys().map(|(id, status, _)| (id, status))).finish()
    }
}

/// The name of a key follows from the key, so that a ring whose file was damaged is noticed when it is read.
pub(super) fn name_of(material: &Material) -> KeyId {
    let digest = subkey(material, Purpose::KeyName);
    let [a, b, c, d, e, ..] = *digest;
    KeyId::from_bytes([a, b, c, d, e])
}

fn subkey(material: &Material, purpose: Purpose) -> Zeroizing<[u8; 32]> {
    let purpose: &[u8] = match purpose {
        Purpose::KeyName => b"key name",
        Purpose::Tokens => b"tokens",
        Purpose::Sessions => b"sessions",
        Purpose::Codes => b"codes",
        Purpose::Messages => b"messages",
        Purpose::Seal => b"seal",
        Purpose::Audit => b"audit",
        Purpose::Devices => b"devices",
        Purpose::Polling => b"polling",
    };
    derive(material.as_slice(), b"enrollment key ring 1", &[purpose])
}

/// `N` bytes by HKDF-SHA-256 (RFC 5869) from key, salt and fields.
pub(super) fn derive<const N: usize>(key: &[u8], salt: &[u8], fields: &[&[u8]]) -> Zeroizing<[u8; N]> {
    const { assert!(N <= 255 * 32, "the most that HKDF-SHA-256 gives") };
    let mut bytes = Zeroizing::new([0; N]);
    Hkdf::<Sha256>::new(Some(salt), key)
        .expand(&framed(fields), bytes.as_mut_slice())
        .expect("short enough for HKDF, as asserted above");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::fixture::{Repeatable, now};

    #[test]
    fn rotating_leaves_exactly_one_key_active() {
        let entropy = Repeatable::new(1);
        let mut ring = KeyRing::generate(now(), &entropy);
        let first = ring.active();
        let second = ring.rotate(now(), &entropy);
        assert_eq!(ring.active(), second);
        let statuses: Vec<_> = ring.keys().map(|(id, status, _)| (id, status)).collect();
        assert_eq!(statuses, [(first, KeyStatus::Retired), (second, KeyStatus::Active)]);
    }

    #[test]
    fn a_prepared_key_is_the_one_the_next_rotation_puts_in_use() {
        let entropy = Repeatable::new(4);
        let mut ring = KeyRing::generate(now(), &entropy);
        let first = ring.active();
        let next = ring.prepare(now(), &entropy);
        assert_eq!(ring.prepare(now(), &entropy), next, "again");
        assert_eq!((ring.active(), ring.status(&next)), (first, Some(KeyStatus::Next)));
        assert!(ring.subkey(&next, Purpose::Tokens).is_ok(), "it opens what others make with it");
        assert_eq!(ring.rotate(now(), &entropy), next);
        assert_eq!((ring.active(), ring.status(&first)), (next, Some(KeyStatus::Retired)));
        assert_eq!(ring.keys().count(), 2);
    }

    #[test]
    fn only_a_key_out_of_use_can_be_revoked() {
        let entropy = Repeatable::new(2);
        let mut ring = KeyRing::generate(now(), &entropy);
        let first = ring.active();
        assert_eq!(ring.revoke(&first), Err(RevokeError::Active(first)));
        ring.rotate(now(), &entropy);
        assert_eq!(ring.revoke(&first), Ok(()));
        assert_eq!(ring.revoke(&first), Ok(()), "again");
        assert_eq!(ring.status(&first), Some(KeyStatus::Revoked));
        let stranger = KeyId::from_bytes([0; 5]);
        assert_eq!(ring.revoke(&stranger), Err(RevokeError::Missing(stranger)));
        assert_eq!(ring.status(&stranger), None);
    }

    #[test]
    fn each_purpose_has_its_own_subkey() {
        let ring = KeyRing::generate(now(), &Repeatable::new(3));
        let purposes = [
            Purpose::KeyName,
            Purpose::Tokens,
            Purpose::Sessions,
            Purpose::Codes,
            Purpose::Messages,
            Purpose::Seal,
            Purpose::Audit,
        ];
        let subkeys: std::collections::BTreeSet<[u8; 32]> =
            purposes.iter().map(|purpose| *ring.subkey(&ring.active(), *purpose).expect("active")).collect();
        assert_eq!(subkeys.len(), purposes.len());
    }

    #[test]
    fn fields_of_other_lengths_derive_something_else() {
        let one: Zeroizing<[u8; 32]> = derive(&[7; 32], b"salt", &[b"ab", b"c"]);
        let other: Zeroizing<[u8; 32]> = derive(&[7; 32], b"salt", &[b"a", b"bc"]);
        assert_ne!(*one, *other);
    }
}
