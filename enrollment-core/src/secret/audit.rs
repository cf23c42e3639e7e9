//! Signatures of audit batches.

use std::fmt;

use data_encoding::BASE64;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

use super::key_id::KeyId;
use super::keyring::{KeyError, KeyRing, Purpose};

/// An Ed25519 signature (RFC 8032) over a batch of the audit log, and the key that made it.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditSignature {
    /// The key.
    pub key: KeyId,
    /// The 64 bytes of the signature; Base64 in text.
    #[serde(serialize_with = "to_base64", deserialize_with = "from_base64")]
    pub signature: [u8; 64],
}

impl KeyRing {
    /// Signs `bytes` with the active key.
    #[must_use]
    pub fn sign_audit(&self, bytes: &[u8]) -> AuditSignature {
        let key = self.active();
        let signer = self.audit_signer(&key).expect("the active key is in the ring");
        AuditSignature { key, signature: signer.sign(bytes).to_bytes() }
    }

    /// Verifies a signature of any key of the ring, also of a retired or revoked one: revoking a key must not make
    /// the log of the past unreadable. What a thief could sign with a stolen key does not pass for the past, because
    /// later batches, signed by its successor, carry the hash of the genuine ones.
    ///
    /// # Errors
    /// When the key is missing, or the signature is not of these bytes.
    pub fn verify_audit(&self, bytes: &[u8], signature: &AuditSignature) -> Result<(), KeyError> {
        verify_audit_with(&self.audit_public_key(&signature.key)?, bytes, signature)
    }

    /// The public key with which an exported log can be verified without the ring.
    ///
    /// # Errors
    /// When the key is missing.
    pub fn audit_public_key(&self, key: &KeyId) -> Result<[u8; 32], KeyError> {
        Ok(self.audit_signer(key)?.verifying_key().to_bytes())
    }

    fn audit_signer(&self, key: &KeyId) -> Result<SigningKey, KeyError> {
        let seed: Zeroizing<[u8; 32]> = self.subkey_even_revoked(key, Purpose::Audit)?;
        Ok(SigningKey::from_bytes(&seed))
    }
}

/// Verifies a signature with an exported public key, without the ring.
///
/// # Errors
/// When the public key is none, or the signature is not of these bytes.
pub fn verify_audit_with(public_key: &[u8; 32], bytes: &[u8], signature: &AuditSignature) -> Result<(), KeyError> {
    VerifyingKey::from_bytes(public_key)
        .and_then(|key| key.verify_strict(bytes, &Signature::from_bytes(&signature.signature)))
        .map_err(|_| KeyError::Altered(signature.key))
}

impl fmt::Debug for AuditSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditSignature").field("key", &self.key).finish_non_exhaustive()
    }
}

fn to_base64<S: Serializer>(signature: &[u8; 64], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&BASE64.encode(signature))
}

fn from_base64<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 64], D::Error> {
    let text = std::borrow::Cow::<'_, str>::deserialize(deserializer)?;
    let bytes = BASE64.decode(text.as_bytes()).map_err(serde::de::Error::custom)?;
    bytes.try_into().map_err(|_| serde::de::Error::custom("an Ed25519 signature has 64 bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::fixture::{Repeatable, now};

    #[test]
    fn a_signature_holds_for_its_bytes_only() {
        let entropy = Repeatable::new(1);
        let ring = KeyRing::generate(now(), &entropy);
        let signature = ring.sign_audit(b"batch 1");
        assert_eq!(ring.verify_audit(b"batch 1", &signature), Ok(()));
        assert_eq!(ring.verify_audit(b"batch 2", &signature), Err(KeyError::Altered(signature.key)));
        let mut altered = signature;
        altered.signature[0] ^= 1;
        assert_eq!(ring.verify_audit(b"batch 1", &altered), Err(KeyError::Altered(signature.key)));
        let stranger = KeyRing::generate(now(), &entropy);
        assert_eq!(stranger.verify_audit(b"batch 1", &signature), Err(KeyError::Missing(signature.key)));
    }

    #[test]
    fn the_past_stays_verifiable_after_a_key_is_revoked() {
        let entropy = Repeatable::new(2);
        let mut ring = KeyRing::generate(now(), &entropy);
        let signature = ring.sign_audit(b"batch 1");
        let second = ring.rotate(now(), &entropy);
        ring.revoke(&signature.key).expect("retired");
        assert_eq!(ring.verify_audit(b"batch 1", &signature), Ok(()));
        assert_eq!(ring.sign_audit(b"batch 2").key, second);
    }

    #[test]
    fn an_exported_signature_is_verified_without_the_ring() {
        let ring = KeyRing::generate(now(), &Repeatable::new(3));
        let json = serde_json::to_string(&ring.sign_audit(b"batch 1")).expect("JSON");
        let public_key = ring.audit_public_key(&ring.active()).expect("an active key");
        let signature: AuditSignature = serde_json::from_str(&json).expect("a signature");
        assert_eq!(verify_audit_with(&public_key, b"batch 1", &signature), Ok(()));
        assert!(verify_audit_with(&[2; 32], b"batch 1", &signature).is_err());
    }
}
