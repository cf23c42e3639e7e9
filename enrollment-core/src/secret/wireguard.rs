//! Private keys of WireGuard.

use std::fmt;

use data_encoding::BASE64;
use zeroize::Zeroizing;

use super::keyring::{KeyRing, Purpose, derive};
use super::session::SessionSecret;
use crate::domain::device::{InvalidPublicKey, PublicKey};
use crate::domain::text::DeviceName;
use crate::id::EnrollmentId;
use crate::port::Entropy;

/// A private key for Curve25519 (RFC 7748).
pub struct PrivateKey(Zeroizing<[u8; 32]>);

impl PrivateKey {
    /// A new pair.
    ///
    /// # Errors
    /// None that can happen: no private key has a public half of low order.
    pub fn pair(entropy: &dyn Entropy) -> Result<(Self, PublicKey), InvalidPublicKey> {
        let mut bytes = Zeroizing::new([0; 32]);
        entropy.fill(bytes.as_mut_slice());
        Self::with_public(bytes)
    }

    fn with_public(bytes: Zeroizing<[u8; 32]>) -> Result<(Self, PublicKey), InvalidPublicKey> {
        let public = x25519_dalek::PublicKey::from(&x25519_dalek::StaticSecret::from(*bytes));
        Ok((Self(bytes), PublicKey::from_bytes(*public.as_bytes())?))
    }

    /// The key with these bytes, read from where it was sealed.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The key, to be sealed.
    #[must_use]
    pub fn expose_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The key as WireGuard writes it: 44 characters of standard Base64.
    #[must_use]
    pub fn expose_base64(&self) -> Zeroizing<String> {
        // Reserved at once: a text that grows leaves copies behind.
        let mut text = Zeroizing::new(String::with_capacity(BASE64.encode_len(self.0.len())));
        BASE64.encode_append(self.0.as_slice(), &mut text);
        text
    }
}

impl KeyRing {
    /// The pairs of a device that is made for the holder of a session: the active key's first, then those of the keys it
    /// replaced. Each is the same for the same session, enrollment and name, so that an answer that was lost can be
    /// given again, also after a rotation, although the private key is kept nowhere. It takes ring and session secret
    /// together, and of the latter only its digest is kept.
    ///
    /// HKDF-SHA-256 (RFC 5869) of the key's subkey for devices, salted with the session's secret.
    ///
    /// # Errors
    /// As [`PrivateKey::pair`].
    pub fn device_pairs(
        &self,
        session: &SessionSecret,
        enrollment: EnrollmentId,
        device: &DeviceName,
    ) -> impl Iterator<Item = Result<(PrivateKey, PublicKey), InvalidPublicKey>> {
        let enrollment = enrollment.uuid();
        self.subkeys(Purpose::Devices).map(move |subkey| {
            let fields: [&[u8]; 2] = [enrollment.as_bytes(), device.as_str().as_bytes()];
            PrivateKey::with_public(derive(subkey.as_slice(), session.expose().as_bytes(), &fields))
        })
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey(…)")
    }
}
