//! The secret of a session, and the nonce with which a client may ask for the same one again.

use std::fmt;

use zeroize::Zeroizing;

use super::keyring::{KeyError, KeyRing, Purpose, derive};
use super::opaque::{Opaque, secret_text};
use super::token::TokenSeed;
use crate::id::EnrollmentId;
use crate::port::Entropy;

secret_text! {
    /// What redeeming a token opens: 160 bits, random or derived from a client's nonce. At rest there is only its
    /// digest.
    SessionSecret, "ens_"
}

impl SessionSecret {
    /// A new secret.
    #[must_use]
    pub fn random(entropy: &dyn Entropy) -> Self {
        Self(Opaque::random(Self::PREFIX, entropy))
    }
}

/// A text a client chose at random: 22 to 128 visible ASCII characters. Beginning again with the same one gives the
/// same session, so a double click fences nobody. Whoever knows it and the token holds the session.
pub struct SessionNonce(Zeroizing<String>);

/// The text is not 22 to 128 visible ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a nonce has 22 to 128 visible ASCII characters")]
pub struct InvalidNonce;

impl SessionNonce {
    /// Reads a client's nonce. 22 characters is what 128 random bits have in Base64.
    ///
    /// # Errors
    /// When it is shorter or longer, or has a character that is not visible ASCII.
    pub fn parse(text: &str) -> Result<Self, InvalidNonce> {
        let fits = (22..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        if fits { Ok(Self(Zeroizing::new(text.to_owned()))) } else { Err(InvalidNonce) }
    }
}

impl fmt::Debug for SessionNonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionNonce(…)")
    }
}

impl KeyRing {
    /// The secret of the session with this number of this enrollment for this nonce: always the same for the same
    /// arguments, and unrelated as soon as one of them differs.
    ///
    /// HKDF-SHA-256 (RFC 5869) of the key's subkey for sessions, salted with the seed's nonce.
    ///
    /// # Errors
    /// When the seed's key is missing or revoked.
    pub fn session(
        &self,
        seed: &TokenSeed,
        enrollment: EnrollmentId,
        session: u32,
        nonce: &SessionNonce,
    ) -> Result<SessionSecret, KeyError> {
        let subkey = self.subkey(&seed.key, Purpose::Sessions)?;
        let enrollment = enrollment.uuid();
        let fields: [&[u8]; 3] = [enrollment.as_bytes(), &session.to_be_bytes(), nonce.0.as_bytes()];
        Ok(SessionSecret(Opaque::new(SessionSecret::PREFIX, &derive(&subkey, &seed.nonce, &fields))))
    }
}
