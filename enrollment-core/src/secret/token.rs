//! The secret of an invitation, and how it can be sent again without being stored.

use std::fmt;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::key_id::KeyId;
use super::keyring::{KeyError, KeyRing, Purpose, derive};
use super::opaque::{Opaque, secret_text};
use crate::id::EnrollmentId;
use crate::port::Entropy;

secret_text! {
    /// The secret of an invitation: 160 bits derived from the ring. At rest there are only its digest and the
    /// [`TokenSeed`] from which the ring derives it again.
    Token, "enr_"
}

/// What is stored so that the ring, and nobody else, can derive a token or a short code again: the name of a key and 128
/// random bits.
/// Once a record has dropped its seed, nobody can.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenSeed {
    /// The key.
    pub key: KeyId,
    /// Random, new with each generation of a token and each code; hex in text.
    #[serde(serialize_with = "to_hex", deserialize_with = "from_hex")]
    pub nonce: [u8; 16],
}

impl TokenSeed {
    /// A new seed under the ring's active key.
    #[must_use]
    pub fn new(ring: &KeyRing, entropy: &dyn Entropy) -> Self {
        let mut nonce = [0; 16];
        entropy.fill(&mut nonce);
        Self { key: ring.active(), nonce }
    }
}

impl fmt::Debug for TokenSeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenSeed").field("key", &self.key).finish_non_exhaustive()
    }
}

impl KeyRing {
    /// The token of this seed: always the same for the same arguments, and unrelated as soon as one of them differs.
    ///
    /// HKDF-SHA-256 (RFC 5869) of the key's subkey for tokens, salted with the seed's nonce.
    ///
    /// # Errors
    /// When the seed's key is missing or revoked.
    pub fn token(
        &self,
        seed: &TokenSeed,
        purpose: &str,
        enrollment: EnrollmentId,
        generation: u32,
    ) -> Result<Token, KeyError> {
        let subkey = self.subkey(&seed.key, Purpose::Tokens)?;
        let enrollment = enrollment.uuid();
        let fields: [&[u8]; 3] = [purpose.as_bytes(), enrollment.as_bytes(), &generation.to_be_bytes()];
        Ok(Token(Opaque::new(Token::PREFIX, &derive(subkey.as_slice(), &seed.nonce, &fields))))
    }
}

fn to_hex<S: Serializer>(nonce: &[u8; 16], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&HEXLOWER.encode(nonce))
}

fn from_hex<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 16], D::Error> {
    let text = std::borrow::Cow::<'_, str>::deserialize(deserializer)?;
    let bytes = HEXLOWER.decode(text.as_bytes()).map_err(serde::de::Error::custom)?;
    bytes.try_into().map_err(|_| serde::de::Error::custom("a nonce has 16 bytes"))
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::secret::fixture::{Repeatable, now, ring};

    fn seed(ring: &KeyRing) -> TokenSeed {
        TokenSeed { key: ring.active(), nonce: *b"0123456789abcdef" }
    }

    const ENROLLMENT: EnrollmentId =
        EnrollmentId::from_uuid(Uuid::from_u128(0x0192_0000_0000_7000_8000_0000_0000_0001));

    #[test]
    fn links_that_were_sent_stay_valid_in_later_versions() {
        // Another value here means that every invitation on its way is dead.
        let token = ring().token(&seed(&ring()), "onboarding", ENROLLMENT, 1).expect("an active key");
        assert_eq!(token.expose(), "enr_CNSY7HKKFRCVFDKJ7BS73K9QJYR1SNE1QDTC6");
        assert_eq!(token.digest().to_string(), "ea55d6bc6e1fb406bc56f185f77873e4880dc7f6e0cb959ae995a75b3e38e858");
    }

    #[test]
    fn a_token_is_the_same_only_for_the_same_arguments() {
        let ring = ring();
        let token = |seed: &TokenSeed, purpose, enrollment, generation| {
            ring.token(seed, purpose, enrollment, generation).expect("a key in force").expose().to_owned()
        };
        let seed = seed(&ring);
        let first = token(&seed, "onboarding", ENROLLMENT, 1);
        assert_eq!(token(&seed, "onboarding", ENROLLMENT, 1), first);
        let retired = ring.keys().next().expect("a key").0;
        let others = [
            token(&seed, "device", ENROLLMENT, 1),
            token(&seed, "onboarding", EnrollmentId::from_uuid(Uuid::from_u128(7)), 1),
            token(&seed, "onboarding", ENROLLMENT, 2),
            token(&TokenSeed { nonce: [0; 16], ..seed.clone() }, "onboarding", ENROLLMENT, 1),
            token(&TokenSeed { key: retired, ..seed.clone() }, "onboarding", ENROLLMENT, 1),
        ];
        for (at, other) in others.iter().enumerate() {
            assert_ne!(*other, first, "argument {at}");
        }
        assert!(Token::parse(&first).is_ok());
    }

    #[test]
    fn a_revoked_or_missing_key_derives_nothing() {
        let entropy = Repeatable::new(1);
        let mut ring = KeyRing::generate(now(), &entropy);
        let seed = TokenSeed::new(&ring, &entropy);
        ring.rotate(now(), &entropy);
        assert!(ring.token(&seed, "onboarding", ENROLLMENT, 1).is_ok(), "retired");
        ring.revoke(&seed.key).expect("retired");
        assert_eq!(ring.token(&seed, "onboarding", ENROLLMENT, 1).err(), Some(KeyError::Revoked(seed.key)));
        let stranger = KeyRing::generate(now(), &entropy);
        assert_eq!(stranger.token(&seed, "onboarding", ENROLLMENT, 1).err(), Some(KeyError::Missing(seed.key)));
    }

    #[test]
    fn a_seed_reads_back_what_it_wrote() {
        let seed = seed(&ring());
        let json = serde_json::to_string(&seed).expect("JSON");
        assert_eq!(json, format!(r#"{{"key":"{}","nonce":"30313233343536373839616263646566"}}"#, seed.key));
        assert_eq!(serde_json::from_str::<TokenSeed>(&json).ok(), Some(seed));
        assert!(serde_json::from_str::<TokenSeed>(&json.replace("3031", "30")).is_err());
    }
}
