//! Private keys of WireGuard.

use std::fmt;

use data_encoding::BASE64;
use zeroize::Zeroizing;

use super::keyring::derive;
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

    /// The pair of a device that is made for the holder of a session: always the same for the same session, enrollment
    /// and name, so that an answer that was lost can be given again although the key is kept nowhere. Only the secret of
    /// the session gives it, which is not kept either.
    ///
    /// HKDF-SHA-256 (RFC 5869) of the session's secret.
    ///
    /// # Errors
    /// As [`PrivateKey::pair`].
    pub fn of_session(
        session: &SessionSecret,
        enrollment: EnrollmentId,
        device: &DeviceName,
    ) -> Result<(Self, PublicKey), InvalidPublicKey> {
        let enrollment = enrollment.uuid();
        let fields: [&[u8]; 2] = [enrollment.as_bytes(), device.as_str().as_bytes()];
        Self::with_public(derive(session.expose().as_bytes(), b"enrollment device key 1", &fields))
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

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey(…)")
    }
}
