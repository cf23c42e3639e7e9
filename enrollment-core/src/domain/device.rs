//! Devices: one WireGuard public key of one owner.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};

use super::mobile_key::MobileKey;
use super::owner::Owner;
use super::text::DeviceName;
use crate::id::{DeviceId, EnrollmentId, Number};
use crate::secret::Digest;
use crate::time::Timestamp;

/// A device: one public key of one owner, with an attachment per location.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Which one.
    pub id: DeviceId,
    /// The same for protocols that speak int64.
    pub number: Number,
    /// Whose it is.
    pub owner: Owner,
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
    /// The digest of the token with which it asks for its configuration again. Worth nothing while the device is
    /// staged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub polling: Option<Digest>,
    /// The key with which this device, a phone, approves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mobile_key: Option<MobileKey>,
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

/// The points of order 1, 2, 4 and 8 on curve and twist, in every spelling that fits 255 bits: 0, 1, the two of order 8,
/// p − 1, and the first two once more as p and p + 1. A list, because the multiplication that would find them out takes
/// longer than reading the rest of a device.
const LOW_ORDER: [[u8; 32]; 7] = [
    [0; 32],
    first(0x01, 0x00, 0x00),
    [
        0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a, 0xda, 0x09,
        0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00,
    ],
    [
        0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef, 0x5b, 0x04, 0x44,
        0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57,
    ],
    first(0xec, 0xff, 0x7f),
    first(0xed, 0xff, 0x7f),
    first(0xee, 0xff, 0x7f),
];

/// A number as X25519 writes it, little-endian: its first byte, those between, its last.
const fn first(first: u8, between: u8, last: u8) -> [u8; 32] {
    let mut bytes = [between; 32];
    bytes[0] = first;
    bytes[31] = last;
    bytes
}

impl PublicKey {
    /// The key with these bytes.
    ///
    /// # Errors
    /// When it is a point of low order.
    pub fn from_bytes(bytes: [u8; 32]) -> Result<Self, InvalidPublicKey> {
        // The most significant bit is not part of the point (RFC 7748, section 5).
        let mut point = bytes;
        point[31] &= 0x7f;
        if LOW_ORDER.contains(&point) { Err(InvalidPublicKey::LowOrder) } else { Ok(Self(bytes)) }
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

    /// Whether a secret shared with this point is known to everyone. Any clamped scalar is a multiple of the cofactor,
    /// so exactly the points of low order give zero, and one scalar settles it for all.
    fn gives_nothing(bytes: [u8; 32]) -> bool {
        !x25519_dalek::StaticSecret::from([1; 32]).diffie_hellman(&bytes.into()).was_contributory()
    }

    /// DEV-1: the points of order 1, 2, 4 and 8 and their non-canonical spellings (RFC 7748, curve25519).
    #[test]
    fn zero_and_low_order_points_are_refused() {
        // Written out once more: a test that read the list it tests would not miss what the list misses.
        const POINTS: [&str; 7] = [
            "0000000000000000000000000000000000000000000000000000000000000000",
            "0100000000000000000000000000000000000000000000000000000000000000",
            "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
            "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        ];
        for hex in POINTS {
            let mut bytes: [u8; 32] =
                data_encoding::HEXLOWER.decode(hex.as_bytes()).expect("hex").try_into().expect("32 bytes");
            for high_bit in [0, 0x80] {
                bytes[31] |= high_bit;
                assert!(gives_nothing(bytes), "{hex} is harmless");
                assert_eq!(PublicKey::from_bytes(bytes), Err(InvalidPublicKey::LowOrder), "{hex}");
            }
        }
    }

    /// DEV-1: the list has all of them that are near the ends of the range, where the non-canonical spellings are.
    #[test]
    fn no_other_number_near_the_ends_is_of_low_order() {
        for n in 0..=u8::MAX {
            for bytes in [first(n, 0x00, 0x00), first(n, 0xff, 0x7f), first(n, 0x00, 0x80), first(n, 0xff, 0xff)] {
                assert_eq!(PublicKey::from_bytes(bytes).is_err(), gives_nothing(bytes), "{bytes:02x?}");
            }
        }
    }
}
