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

/// What is stored so that the ring, and nobody else, can derive a token again: the name of a key and 128 random bits.
/// Once a record has dropped its seed, nobody can.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenSeed {
    /// The key.
    pub key: KeyId,
    /// Random, new with each generation of a token; hex in text.
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
        Ok(Token(Opaque::new(Token::PREFIX, &derive(&subkey, &seed.nonce, &fields))))
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
