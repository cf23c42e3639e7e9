//! The common form of secrets that travel as text: prefix, 160 random bits, checksum.

use std::fmt;

use zeroize::Zeroizing;

use super::crockford::{CROCKFORD, without_separators};
use crate::port::Entropy;

/// The text is not a secret of the expected kind, or was mistyped. Says nothing else on purpose.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this is not complete or was mistyped; copy it again from where you received it")]
pub struct MalformedSecret;

/// Longer input is refused before any work. The canonical text has 41 bytes, so this leaves room for separators.
const LONGEST_INPUT: usize = 256;
const PAYLOAD: usize = 20;
const CHECKSUM: usize = 3;

/// Canonical text: the prefix, then 37 characters of Crockford Base32 (160 bits of payload, 24 of checksum, a zero).
///
/// The checksum is the CRC-24 of OpenPGP (RFC 9580, section 6.1) over prefix and payload. One or two wrong characters
/// anywhere, two neighbors swapped, any damage within four neighboring characters, and a missing or surplus character
/// are found with certainty; any other text passes with a probability of 2^-24.
pub(super) struct Opaque(Zeroizing<String>);

impl Opaque {
    pub(super) fn random(prefix: &str, entropy: &dyn Entropy) -> Self {
        let mut payload = Zeroizing::new([0; PAYLOAD]);
        entropy.fill(payload.as_mut_slice());
        Self::new(prefix, &payload)
    }

    pub(super) fn new(prefix: &str, payload: &[u8; PAYLOAD]) -> Self {
        let mut bytes = Zeroizing::new([0; PAYLOAD + CHECKSUM]);
        bytes[..PAYLOAD].copy_from_slice(payload);
        bytes[PAYLOAD..].copy_from_slice(&crc24(prefix.as_bytes(), payload));
        // Reserved at once: a text that grows leaves copies behind.
        let mut text = Zeroizing::new(String::with_capacity(prefix.len() + CROCKFORD.encode_len(bytes.len())));
        text.push_str(prefix);
        CROCKFORD.encode_append(bytes.as_slice(), &mut text);
        Self(text)
    }

    pub(super) fn parse(prefix: &str, text: &str) -> Result<Self, MalformedSecret> {
        if text.len() > LONGEST_INPUT {
            return Err(MalformedSecret);
        }
        let text = without_separators(text);
        let (start, rest) = text.split_at_checked(prefix.len()).ok_or(MalformedSecret)?;
        if !start.eq_ignore_ascii_case(prefix) {
            return Err(MalformedSecret);
        }
        let bytes = Zeroizing::new(CROCKFORD.decode(rest.as_bytes()).map_err(|_| MalformedSecret)?);
        let (payload, checksum) = bytes.split_first_chunk::<PAYLOAD>().ok_or(MalformedSecret)?;
        if checksum != crc24(prefix.as_bytes(), payload) {
            return Err(MalformedSecret);
        }
        Ok(Self::new(prefix, payload))
    }

    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Opaque {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// CRC-24 of OpenPGP, most significant bit first.
fn crc24(prefix: &[u8], payload: &[u8]) -> [u8; CHECKSUM] {
    let mut crc: u32 = 0x00B7_04CE;
    for byte in prefix.iter().chain(payload) {
        crc ^= u32::from(*byte) << 16;
        for _ in 0..8 {
            crc <<= 1;
            if crc & 0x0100_0000 != 0 {
                crc ^= 0x0186_4CFB;
            }
        }
    }
    let [_, checksum @ ..] = crc.to_be_bytes();
    checksum
}

/// A kind of secret text: `parse`, `expose`, `digest` and a `Debug` that shows nothing.
macro_rules! secret_text {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name($crate::secret::opaque::Opaque);

        impl $name {
            /// How every text of this kind begins, so that scanners for leaked secrets find it.
            pub const PREFIX: &'static str = $prefix;

            /// Reads what a person typed or pasted: case, spaces, dashes and line breaks do not matter, `O` is read
            /// as `0`, `I` and `L` as `1`. Refuses more than 256 bytes before any work, and needs nothing but the
            /// text: no look-up follows a mistyped one.
            ///
            /// # Errors
            /// When it is of another kind, or its checksum is wrong.
            pub fn parse(text: &str) -> Result<Self, $crate::secret::MalformedSecret> {
                $crate::secret::opaque::Opaque::parse(Self::PREFIX, text).map(Self)
            }

            /// The secret, in its canonical text.
            #[must_use]
            pub fn expose(&self) -> &str {
                self.0.expose()
            }

            /// What is stored instead of the secret: the digest of its canonical text.
            #[must_use]
            pub fn digest(&self) -> $crate::secret::Digest {
                $crate::secret::Digest::of(self.0.expose().as_bytes())
            }
        }
    };
}
pub(super) use secret_text;
