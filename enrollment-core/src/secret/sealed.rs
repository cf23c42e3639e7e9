//! Secrets that must be read again: encrypted, and bound to their place.

use std::fmt;

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305};
use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::binding::Binding;
use super::key_id::KeyId;
use super::keyring::{KeyError, KeyRing, Purpose};
use crate::port::Entropy;

/// A secret at rest, readable only with the ring and only in its place: XChaCha20-Poly1305
/// (draft-irtf-cfrg-xchacha), whose associated data are table, row, column and the name of the key.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "SealedText", into = "SealedText")]
pub struct Sealed {
    key: KeyId,
    nonce: [u8; 24],
    ciphertext: Vec<u8>,
}

/// How it is written: nonce and ciphertext as one Base64 text.
#[derive(Serialize, Deserialize)]
struct SealedText {
    key: KeyId,
    sealed: String,
}

/// The text is not Base64 of a nonce and a ciphertext.
#[derive(Debug, thiserror::Error)]
#[error("not a sealed secret")]
struct InvalidSealed;

impl Sealed {
    /// The key that seals it; one that is not active calls for sealing it again.
    #[must_use]
    pub const fn key(&self) -> KeyId {
        self.key
    }
}

impl KeyRing {
    /// Seals `plain` for this place under the active key.
    ///
    /// # Errors
    /// None today: the active key is never missing or revoked.
    pub fn seal(&self, binding: &Binding<'_>, plain: &[u8], entropy: &dyn Entropy) -> Result<Sealed, KeyError> {
        let key = self.active();
        let mut nonce = [0; 24];
        entropy.fill(&mut nonce);
        let ciphertext = self
            .cipher(&key)?
            .encrypt(&nonce.into(), Payload { msg: plain, aad: &binding.framed(&[key.as_bytes()]) })
            .expect("the cipher refuses only more than 256 GiB");
        Ok(Sealed { key, nonce, ciphertext })
    }

    /// What was sealed.
    ///
    /// # Errors
    /// When its key is missing, when it was altered, or when it was sealed for another place. A revoked key still opens:
    /// whoever stole it can read what it sealed anyway, and nobody else is to be locked out.
    pub fn open(&self, binding: &Binding<'_>, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let aad = binding.framed(&[sealed.key.as_bytes()]);
        self.cipher(&sealed.key)?
            .decrypt(&sealed.nonce.into(), Payload { msg: &sealed.ciphertext, aad: &aad })
            .map(Zeroizing::new)
            .map_err(|_| KeyError::Altered(sealed.key))
    }

    fn cipher(&self, key: &KeyId) -> Result<XChaCha20Poly1305, KeyError> {
        let subkey = self.subkey_even_revoked(key, Purpose::Seal)?;
        Ok(XChaCha20Poly1305::new((&*subkey).into()))
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealed").field("key", &self.key).finish_non_exhaustive()
    }
}

impl From<Sealed> for SealedText {
    fn from(sealed: Sealed) -> Self {
        let bytes = [&sealed.nonce[..], &sealed.ciphertext[..]].concat();
        Self { key: sealed.key, sealed: BASE64.encode(&bytes) }
    }
}

impl TryFrom<SealedText> for Sealed {
    type Error = InvalidSealed;

    fn try_from(text: SealedText) -> Result<Self, Self::Error> {
        let bytes = BASE64.decode(text.sealed.as_bytes()).map_err(|_| InvalidSealed)?;
        let (nonce, ciphertext) = bytes.split_first_chunk().ok_or(InvalidSealed)?;
        Ok(Self { key: text.key, nonce: *nonce, ciphertext: ciphertext.to_vec() })
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::secret::fixture::{Repeatable, now, ring};

    const PLACE: Binding<'_> = Binding { table: "users", row: Uuid::from_u128(1), column: "totp" };

    #[test]
    fn what_was_sealed_can_be_opened_in_its_place_only() {
        let ring = ring();
        let sealed = ring.seal(&PLACE, b"secret", &Repeatable::new(1)).expect("an active key");
        assert_eq!(ring.open(&PLACE, &sealed).expect("its place").as_slice(), b"secret");
        let elsewhere = [
            Binding { row: Uuid::from_u128(2), ..PLACE },
            Binding { table: "enrollments", ..PLACE },
            Binding { column: "backup", ..PLACE },
            Binding { table: "userst", column: "otp", ..PLACE },
        ];
        for place in elsewhere {
            assert_eq!(ring.open(&place, &sealed).err(), Some(KeyError::Altered(sealed.key)), "{place:?}");
        }
    }

    #[test]
    fn an_altered_secret_is_refused() {
        let ring = ring();
        let sealed = ring.seal(&PLACE, b"secret", &Repeatable::new(1)).expect("an active key");
        for at in 0..sealed.ciphertext.len() {
            let mut altered = sealed.clone();
            altered.ciphertext[at] ^= 1;
            assert_eq!(ring.open(&PLACE, &altered).err(), Some(KeyError::Altered(sealed.key)));
        }
        let retired = ring.keys().next().expect("a key").0;
        assert!(ring.open(&PLACE, &Sealed { key: retired, ..sealed.clone() }).is_err());
        assert!(ring.open(&PLACE, &Sealed { nonce: [0; 24], ..sealed.clone() }).is_err());
        assert!(ring.open(&PLACE, &Sealed { ciphertext: Vec::new(), ..sealed }).is_err());
    }

    #[test]
    fn a_retired_key_opens_and_so_does_a_revoked_one() {
        let entropy = Repeatable::new(2);
        let mut ring = KeyRing::generate(now(), &entropy);
        let sealed = ring.seal(&PLACE, b"secret", &entropy).expect("an active key");
        let second = ring.rotate(now(), &entropy);
        assert!(ring.open(&PLACE, &sealed).is_ok());
        assert_eq!(ring.seal(&PLACE, b"secret", &entropy).map(|sealed| sealed.key()), Ok(second));
        ring.revoke(&sealed.key()).expect("retired");
        assert!(ring.open(&PLACE, &sealed).is_ok(), "nobody is locked out");
        let stranger = KeyRing::generate(now(), &entropy);
        assert_eq!(stranger.open(&PLACE, &sealed).err(), Some(KeyError::Missing(sealed.key)));
    }

    #[test]
    fn what_was_sealed_stays_readable_in_later_versions() {
        let json = r#"{"key":"x1w1mcxs","sealed":"5QULEB0WklbBXAKJ7C0KkWfsjmWhjeu+7clWxlNW7WLmBmZvr/MS5GmvwZkNQQ=="}"#;
        let sealed = ring().seal(&PLACE, b"secret", &Repeatable::new(1)).expect("an active key");
        assert_eq!(serde_json::to_string(&sealed).expect("JSON"), json);
        let sealed: Sealed = serde_json::from_str(json).expect("a sealed secret");
        assert_eq!(ring().open(&PLACE, &sealed).expect("its place").as_slice(), b"secret");
        assert!(serde_json::from_str::<Sealed>(r#"{"key":"x1w1mcxs","sealed":"c2hvcnQ="}"#).is_err());
    }
}
