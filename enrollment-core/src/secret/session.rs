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
        Ok(SessionSecret(Opaque::new(SessionSecret::PREFIX, &derive(subkey.as_slice(), &seed.nonce, &fields))))
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::secret::fixture::{Repeatable, now, ring};

    const ENROLLMENT: EnrollmentId =
        EnrollmentId::from_uuid(Uuid::from_u128(0x0192_0000_0000_7000_8000_0000_0000_0001));

    fn nonce(text: &str) -> SessionNonce {
        SessionNonce::parse(text).expect("a nonce")
    }

    #[test]
    fn sessions_stay_valid_in_later_versions() {
        let seed = TokenSeed { key: ring().active(), nonce: *b"0123456789abcdef" };
        let secret = ring().session(&seed, ENROLLMENT, 1, &nonce("a-click-and-its-double")).expect("an active key");
        assert_eq!(secret.expose(), "ens_X65XNE0C5X2N7YAKGD6KDK08AS6TYAGKPP1SY");
    }

    #[test]
    fn a_session_is_the_same_only_for_the_same_arguments() {
        let ring = ring();
        let seed = TokenSeed::new(&ring, &Repeatable::new(1));
        let other_seed = TokenSeed::new(&ring, &Repeatable::new(2));
        let session = |seed: &TokenSeed, enrollment, number, text: &str| {
            ring.session(seed, enrollment, number, &nonce(text)).expect("an active key").expose().to_owned()
        };
        let first = session(&seed, ENROLLMENT, 1, "a-click-and-its-double");
        assert_eq!(session(&seed, ENROLLMENT, 1, "a-click-and-its-double"), first);
        let others = [
            session(&other_seed, ENROLLMENT, 1, "a-click-and-its-double"),
            session(&seed, EnrollmentId::from_uuid(Uuid::from_u128(7)), 1, "a-click-and-its-double"),
            session(&seed, ENROLLMENT, 2, "a-click-and-its-double"),
            session(&seed, ENROLLMENT, 1, "another-click-elsewhere"),
        ];
        for (at, other) in others.iter().enumerate() {
            assert_ne!(*other, first, "argument {at}");
        }
    }

    #[test]
    fn a_revoked_key_opens_no_session() {
        let entropy = Repeatable::new(3);
        let mut ring = KeyRing::generate(now(), &entropy);
        let seed = TokenSeed::new(&ring, &entropy);
        ring.rotate(now(), &entropy);
        ring.revoke(&seed.key).expect("retired");
        let refused = ring.session(&seed, ENROLLMENT, 1, &nonce("a-click-and-its-double"));
        assert_eq!(refused.err(), Some(KeyError::Revoked(seed.key)));
    }

    #[test]
    fn a_nonce_has_22_to_128_visible_ascii_characters() {
        for good in ["x".repeat(22), "~".repeat(128)] {
            assert!(SessionNonce::parse(&good).is_ok());
        }
        for bad in ["x".repeat(21), "x".repeat(129), " ".repeat(22), "é".repeat(22), "\x7f".repeat(22), String::new()]
        {
            assert_eq!(SessionNonce::parse(&bad).err(), Some(InvalidNonce), "{bad:?}");
        }
    }
}
