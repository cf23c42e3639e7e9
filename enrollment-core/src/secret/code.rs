//! Secrets of fewer than 128 bits: short codes and recovery codes, at rest only as keyed digests.

use std::fmt;

use data_encoding::BASE64;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::binding::Binding;
use super::crockford::{CROCKFORD, without_separators};
use super::key_id::KeyId;
use super::keyring::{KeyError, KeyRing, Purpose};
use super::opaque::MalformedSecret;
use crate::port::Entropy;

/// What is stored of a short code: HMAC-SHA-256 (RFC 2104) under the ring, bound to its place. With the database but
/// without the ring not even a code of six digits can be found by trying all.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyedDigest {
    /// The key.
    pub key: KeyId,
    /// The digest; Base64 in text.
    #[serde(serialize_with = "to_base64", deserialize_with = "from_base64")]
    mac: [u8; 32],
}

impl KeyRing {
    /// The keyed digest of `code` in this place, under the active key. The caller passes the canonical text.
    #[must_use]
    pub fn keyed_digest(&self, binding: &Binding<'_>, code: &str) -> KeyedDigest {
        let key = self.active();
        let subkey = self.subkey(&key, Purpose::Codes).expect("the active key is in the ring");
        KeyedDigest { key, mac: mac(&subkey, binding, code).finalize().into_bytes().into() }
    }

    /// Whether `digest` is of this code in this place; compared in constant time. No for a revoked key: whoever stole it
    /// finds a short code by trying all.
    ///
    /// # Errors
    /// When the key is missing, so that nobody can say: the code is not wrong for that, and is not counted as wrong.
    pub fn verify_code(&self, binding: &Binding<'_>, digest: &KeyedDigest, code: &str) -> Result<bool, KeyError> {
        match self.subkey(&digest.key, Purpose::Codes) {
            Ok(subkey) => Ok(mac(&subkey, binding, code).verify_slice(&digest.mac).is_ok()),
            Err(KeyError::Revoked(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The same for a recovery code, also one of a revoked key: with the stolen key and the database it still takes 2⁸⁰
    /// tries to find one.
    ///
    /// # Errors
    /// When the key is missing.
    pub fn verify_recovery_code(
        &self,
        binding: &Binding<'_>,
        digest: &KeyedDigest,
        code: &RecoveryCode,
    ) -> Result<bool, KeyError> {
        let subkey = self.subkey_even_revoked(&digest.key, Purpose::Codes)?;
        Ok(mac(&subkey, binding, code.expose()).verify_slice(&digest.mac).is_ok())
    }
}

fn mac(subkey: &[u8; 32], binding: &Binding<'_>, code: &str) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(subkey).expect("HMAC takes keys of every length");
    mac.update(&binding.framed(&[code.as_bytes()]));
    mac
}

impl fmt::Debug for KeyedDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyedDigest").field("key", &self.key).finish_non_exhaustive()
    }
}

fn to_base64<S: Serializer>(mac: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&BASE64.encode(mac))
}

fn from_base64<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 32], D::Error> {
    let text = std::borrow::Cow::<'_, str>::deserialize(deserializer)?;
    let bytes = BASE64.decode(text.as_bytes()).map_err(serde::de::Error::custom)?;
    bytes.try_into().map_err(|_| serde::de::Error::custom("a keyed digest has 32 bytes"))
}

/// A code for the day the phone is lost: 80 random bits, shown once as `XXXX-XXXX-XXXX-XXXX`, used once
/// (NIST SP 800-63B-4 asks for 64 bits of a look-up secret). At rest there is only its keyed digest.
pub struct RecoveryCode(Zeroizing<String>);

impl RecoveryCode {
    /// A new code.
    #[must_use]
    pub fn random(entropy: &dyn Entropy) -> Self {
        let mut bytes = Zeroizing::new([0; 10]);
        entropy.fill(bytes.as_mut_slice());
        Self::new(&bytes)
    }

    /// Reads what a person typed: case, spaces and dashes do not matter, `O` is read as `0`, `I` and `L` as `1`.
    /// Refuses more than 64 bytes before any work.
    ///
    /// # Errors
    /// When it is not 16 characters of that alphabet.
    pub fn parse(text: &str) -> Result<Self, MalformedSecret> {
        if text.len() > 64 {
            return Err(MalformedSecret);
        }
        let text = without_separators(text);
        let bytes = Zeroizing::new(CROCKFORD.decode(text.as_bytes()).map_err(|_| MalformedSecret)?);
        Ok(Self::new(bytes.as_slice().try_into().map_err(|_| MalformedSecret)?))
    }

    /// The code in its canonical text: what is shown, and what [`KeyRing::keyed_digest`] takes.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    fn new(bytes: &[u8; 10]) -> Self {
        let encoded = Zeroizing::new(CROCKFORD.encode(bytes));
        let mut text = Zeroizing::new(String::with_capacity(encoded.len() + 3));
        for (at, c) in encoded.chars().enumerate() {
            if at > 0 && at % 4 == 0 {
                text.push('-');
            }
            text.push(c);
        }
        Self(text)
    }
}

impl fmt::Debug for RecoveryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryCode(…)")
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::secret::fixture::{Repeatable, now, ring};

    const PLACE: Binding<'_> = Binding { table: "enrollments", row: Uuid::from_u128(1), column: "email_code" };

    #[test]
    fn a_code_is_right_in_its_place_only() {
        let ring = ring();
        let digest = ring.keyed_digest(&PLACE, "123456");
        let right = |place: &Binding<'_>, code| ring.verify_code(place, &digest, code) == Ok(true);
        assert!(right(&PLACE, "123456"));
        assert!(!right(&PLACE, "123457"));
        assert!(!right(&PLACE, ""));
        for place in [
            Binding { row: Uuid::from_u128(2), ..PLACE },
            Binding { table: "users", ..PLACE },
            Binding { column: "sms_code", ..PLACE },
        ] {
            assert!(!right(&place, "123456"), "{place:?}");
        }
    }

    /// SYS-10: nobody hears "wrong" because a process has not got the key yet.
    #[test]
    fn without_the_key_no_code_is_right_and_none_is_wrong() {
        let entropy = Repeatable::new(1);
        let mut ring = KeyRing::generate(now(), &entropy);
        let digest = ring.keyed_digest(&PLACE, "123456");
        let another = KeyRing::generate(now(), &entropy).verify_code(&PLACE, &digest, "123456");
        assert_eq!(another, Err(KeyError::Missing(digest.key)));
        ring.rotate(now(), &entropy);
        assert_eq!(ring.verify_code(&PLACE, &digest, "123456"), Ok(true), "retired");
        let renamed = KeyedDigest { key: ring.active(), ..digest.clone() };
        assert_eq!(ring.verify_code(&PLACE, &renamed, "123456"), Ok(false), "another key");
        ring.revoke(&digest.key).expect("retired");
        assert_eq!(ring.verify_code(&PLACE, &digest, "123456"), Ok(false), "revoked");
    }

    /// SYS-10: revoking a key takes nobody's last way in.
    #[test]
    fn a_recovery_code_outlives_its_key() {
        let entropy = Repeatable::new(2);
        let mut ring = KeyRing::generate(now(), &entropy);
        let (code, other) = (RecoveryCode::random(&entropy), RecoveryCode::random(&entropy));
        let digest = ring.keyed_digest(&PLACE, code.expose());
        ring.rotate(now(), &entropy);
        ring.revoke(&digest.key).expect("retired");
        assert_eq!(ring.verify_recovery_code(&PLACE, &digest, &code), Ok(true));
        assert_eq!(ring.verify_recovery_code(&PLACE, &digest, &other), Ok(false));
        let stranger = KeyRing::generate(now(), &entropy);
        assert_eq!(stranger.verify_recovery_code(&PLACE, &digest, &code), Err(KeyError::Missing(digest.key)));
    }

    #[test]
    fn keyed_digests_stay_valid_in_later_versions() {
        let json = r#"{"key":"x1w1mcxs","mac":"LXmiSZpMBDkbGwjprhvuhiDzCPjA7jQMnFXIUHmAC00="}"#;
        assert_eq!(serde_json::to_string(&ring().keyed_digest(&PLACE, "123456")).expect("JSON"), json);
        let digest: KeyedDigest = serde_json::from_str(json).expect("a keyed digest");
        assert_eq!(ring().verify_code(&PLACE, &digest, "123456"), Ok(true));
        assert!(serde_json::from_str::<KeyedDigest>(r#"{"key":"x1w1mcxs","mac":"c2hvcnQ="}"#).is_err());
    }

    #[test]
    fn a_recovery_code_can_be_typed_carelessly() {
        let code = RecoveryCode::random(&Repeatable::new(7));
        let shown = code.expose();
        assert_eq!(shown.split('-').map(str::len).collect::<Vec<_>>(), [4, 4, 4, 4]);
        for typed in [
            shown.to_lowercase(),
            shown.replace('-', " "),
            shown.replace('-', ""),
            format!(" {shown}\n"),
            shown.replace('0', "o"),
        ] {
            assert_eq!(RecoveryCode::parse(&typed).expect("a code").expose(), shown, "{typed:?}");
        }
        for bad in ["", &shown[1..], &format!("{shown}0"), &shown.replace('-', "u"), &" ".repeat(65)] {
            assert_eq!(RecoveryCode::parse(bad).err(), Some(MalformedSecret), "{bad:?}");
        }
    }
}
