//! The key with which a phone approves.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE64;
use ed25519_dalek::VerifyingKey;
use serde::{Deserialize, Serialize};

/// The public half of a phone's Ed25519 key (RFC 8032): 32 bytes that are a point of the curve and not one of low
/// order, under which a signature would fit every message.
///
/// Written as canonical standard Base64, 44 characters.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MobileKey([u8; 32]);

/// The text is not a usable Ed25519 public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMobileKey {
    /// Not 44 characters of canonical standard Base64.
    #[error("an Ed25519 public key is 44 characters of Base64 and ends in \"=\"")]
    Malformed,
    /// Not a point of the curve, or one of low order.
    #[error("this is no Ed25519 public key that can be used; make a new key pair")]
    Unusable,
}

impl FromStr for MobileKey {
    type Err = InvalidMobileKey;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() != 44 {
            return Err(InvalidMobileKey::Malformed);
        }
        let bytes = BASE64.decode(text.as_bytes()).map_err(|_| InvalidMobileKey::Malformed)?;
        let bytes: [u8; 32] = bytes.try_into().map_err(|_| InvalidMobileKey::Malformed)?;
        match VerifyingKey::from_bytes(&bytes) {
            Ok(key) if !key.is_weak() => Ok(Self(bytes)),
            Ok(_) | Err(_) => Err(InvalidMobileKey::Unusable),
        }
    }
}

impl TryFrom<String> for MobileKey {
    type Error = InvalidMobileKey;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<MobileKey> for String {
    fn from(key: MobileKey) -> Self {
        key.to_string()
    }
}

impl fmt::Display for MobileKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64.encode(&self.0))
    }
}

impl fmt::Debug for MobileKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MobileKey({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_points_of_full_order_are_keys() {
        // RFC 8032, section 7.1, test 1.
        let good = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
        assert_eq!(good.parse::<MobileKey>().map(|key| key.to_string()).as_deref(), Ok(good));
        let of = |first: u8, rest: u8| {
            let mut bytes = [rest; 32];
            bytes[0] = first;
            BASE64.encode(&bytes)
        };
        // Zero, the neutral element, and a number that is no coordinate of a point.
        for bad in [of(0, 0), of(1, 0), of(2, 0)] {
            assert_eq!(bad.parse::<MobileKey>(), Err(InvalidMobileKey::Unusable), "{bad}");
        }
        for bad in ["", "\0", &good[..43], &good.replace('/', "_"), &format!("{good}\n")] {
            assert_eq!(bad.parse::<MobileKey>(), Err(InvalidMobileKey::Malformed), "{bad:?}");
        }
    }
}
