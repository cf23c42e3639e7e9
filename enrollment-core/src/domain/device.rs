//! Devices: one WireGuard public key of one owner.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};

use super::text::DeviceName;
use crate::id::{DeviceId, EnrollmentId, Number, UserId};
use crate::time::Timestamp;

/// A device: one public key of one owner, with an attachment per location.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Which one.
    pub id: DeviceId,
    /// The same for protocols that speak int64.
    pub number: Number,
    /// Whose it is.
    pub owner: UserId,
    /// Its name; unique among its owner's without regard to case.
    pub name: DeviceName,
    /// Its key.
    pub public_key: PublicKey,
    /// The enrollment it came by. While that is not completed, the device is staged and no peer.
    pub enrollment: Option<EnrollmentId>,
    /// Whether the enrollment it came by has been completed.
    pub staged: bool,
    /// When it was made.
    pub created: Timestamp,
}

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

#[cfg(test)]
mod tests {
    use super::*;

    /// DEV-1
    #[test]
    fn only_canonical_base64_of_32_bytes_is_a_key() {
        let good = "jNQKmw+IF9llxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxw=";
        assert_eq!(good.parse::<PublicKey>().map(|key| key.to_string()).as_deref(), Ok(good));
        for bad in [
            "",
            "jNQKmw+IF9llxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxw",
            "jNQKmw+IF9llxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx=",
            "jNQKmw-IF9llxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxw=",
            "jNQKmw+IF9llxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxw=\n",
            "jNQKmw+IF9llxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        ] {
            assert_eq!(bad.parse::<PublicKey>(), Err(InvalidPublicKey::Malformed), "{bad}");
        }
    }

    /// DEV-1: the points of order 1, 2, 4 and 8 and their non-canonical spellings (RFC 7748, curve25519).
    #[test]
    fn zero_and_low_order_points_are_refused() {
        const LOW_ORDER: [&str; 7] = [
            "0000000000000000000000000000000000000000000000000000000000000000",
            "0100000000000000000000000000000000000000000000000000000000000000",
            "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
            "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        ];
        for hex in LOW_ORDER {
            let mut bytes: [u8; 32] =
                data_encoding::HEXLOWER.decode(hex.as_bytes()).expect("hex").try_into().expect("32 bytes");
            assert_eq!(PublicKey::from_bytes(bytes), Err(InvalidPublicKey::LowOrder), "{hex}");
            bytes[31] |= 0x80;
            assert_eq!(PublicKey::from_bytes(bytes), Err(InvalidPublicKey::LowOrder), "{hex} with the high bit");
        }
    }
}
