//! Devices: one WireGuard public key of one owner.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};

/// A WireGuard public key: 32 bytes that are neither zero nor a point of low order (RFC 7748, section 6.1), so that
/// no peer can be made whose shared secret is known to everyone.
///
/// Written as canonical standard Base64, 44 characters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PublicKey([u8; 32]);

/// The text is not a usable WireGuard public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPublicKey {
    /// Not 44 characters of canonical standard Base64.
    #[error("a WireGuard public key is 44 characters of Base64 and ends in \"=\"")]
    Malformed,
    /// Zero or a point of low order.
    #[error("this key is not safe to use; make a new key pair")]
    LowOrder,
}

impl PublicKey {
    /// The key with these bytes.
    ///
    /// # Errors
    /// When it is a point of low order.
    pub fn from_bytes(bytes: [u8; 32]) -> Result<Self, InvalidPublicKey> {
        // Any clamped scalar is a multiple of the cofactor, so exactly the points of low order give zero. One scalar
        // settles it for all.
        let shared = x25519_dalek::StaticSecret::from([1; 32]).diffie_hellman(&bytes.into());
        if shared.was_contributory() { Ok(Self(bytes)) } else { Err(InvalidPublicKey::LowOrder) }
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl FromStr for PublicKey {
    type Err = InvalidPublicKey;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() != 44 {
            return Err(InvalidPublicKey::Malformed);
        }
        let bytes = BASE64.decode(text.as_bytes()).map_err(|_| InvalidPublicKey::Malformed)?;
        Self::from_bytes(bytes.try_into().map_err(|_| InvalidPublicKey::Malformed)?)
    }
}

impl TryFrom<String> for PublicKey {
    type Error = InvalidPublicKey;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<PublicKey> for String {
    fn from(key: PublicKey) -> Self {
        key.to_string()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64.encode(&self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}
