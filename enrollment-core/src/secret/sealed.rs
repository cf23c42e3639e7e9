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
    /// When its key is missing or revoked, when it was altered, or when it was sealed for another place.
    pub fn open(&self, binding: &Binding<'_>, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let aad = binding.framed(&[sealed.key.as_bytes()]);
        self.cipher(&sealed.key)?
            .decrypt(&sealed.nonce.into(), Payload { msg: &sealed.ciphertext, aad: &aad })
            .map(Zeroizing::new)
            .map_err(|_| KeyError::Altered(sealed.key))
    }

    fn cipher(&self, key: &KeyId) -> Result<XChaCha20Poly1305, KeyError> {
        let subkey = self.subkey(key, Purpose::Seal)?;
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
