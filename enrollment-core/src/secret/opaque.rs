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

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;
    use crate::secret::fixture::Repeatable;
    use crate::secret::{ApiKeySecret, SessionSecret, Token};

    const PREFIX: &str = "enr_";
    const SYMBOLS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

    fn text(seed: u64) -> String {
        Opaque::random(PREFIX, &Repeatable::new(seed)).expose().to_owned()
    }

    fn parses(text: &str) -> bool {
        Opaque::parse(PREFIX, text).is_ok()
    }

    #[test]
    fn the_checksum_is_openpgps() {
        assert_eq!(crc24(b"1234", b"56789"), [0x21, 0xCF, 0x02], "the published check value of CRC-24/OPENPGP");
    }

    #[test]
    fn one_or_two_wrong_characters_are_always_refused() {
        // The checksum is linear, so it is enough to look at what each single error does to it: the difference
        // between the checksum that a text has and the one that it should have. An error that changes nothing would
        // pass; two errors pass together when they change the same.
        let length = 37;
        let mut seen = HashSet::from([0]);
        for position in 0..length {
            for delta in 1..32_u8 {
                let mut error = [0; 24];
                for bit in (0..5).filter(|bit| delta & (16 >> bit) != 0) {
                    let at = position * 5 + bit;
                    error[at / 8] |= 128 >> (at % 8);
                }
                let (payload, rest) = error.split_first_chunk::<PAYLOAD>().expect("24 bytes");
                let mut effect = [0; 4];
                effect[1..].copy_from_slice(&crc24(b"", payload));
                let [a, b, c] = crc24(b"", &[0; PAYLOAD]);
                // The bit after the checksum must be zero; it counts as one more bit of it.
                let effect = (u32::from_be_bytes(effect) ^ u32::from_be_bytes([0, a, b, c])) << 8;
                let effect = effect ^ u32::from_be_bytes([rest[0], rest[1], rest[2], rest[3]]);
                assert!(seen.insert(effect), "character {position}, change {delta}");
            }
        }
        assert_eq!(seen.len(), 1 + length * 31);
    }

    #[test]
    fn every_single_change_of_a_text_is_refused() {
        let text = text(1);
        for at in 0..text.len() {
            for other in SYMBOLS.iter().filter(|symbol| **symbol != text.as_bytes()[at].to_ascii_uppercase()) {
                let mut changed = text.clone().into_bytes();
                changed[at] = *other;
                let changed = String::from_utf8(changed).expect("ASCII");
                assert!(!parses(&changed), "{changed}");
            }
        }
    }

    #[test]
    fn a_secret_of_another_kind_is_refused() {
        let entropy = Repeatable::new(2);
        let session = SessionSecret::random(&entropy);
        let relabelled = session.expose().replace("ens_", "enr_");
        assert!(Token::parse(session.expose()).is_err());
        assert!(Token::parse(&relabelled).is_err(), "the checksum covers the prefix");
        assert!(ApiKeySecret::parse(&relabelled.replace("enr_", "enk_")).is_err());
        assert!(Token::parse(&session.expose()[4..]).is_err());
    }

    #[test]
    fn input_that_is_no_secret_is_refused() {
        let text = text(3);
        let padded = format!("{text}{}", " ".repeat(256 - text.len()));
        assert!(parses(&padded), "256 bytes are read");
        assert!(!parses(&format!("{padded} ")), "257 are not");
        for bad in ["", "enr", "enr_", "é", "enrä", "enr_é", "\0", &text[..40], &format!("{text}0"), &"0".repeat(41)]
        {
            assert!(!parses(bad), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn case_spaces_dashes_and_mistakable_characters_are_tolerated(
            seed: u64,
            extra in proptest::collection::vec((0..41_usize, "[ \t\r\n\u{2011}\u{2013}\u{A0}\u{200B}-]"), 0..30),
            lower in proptest::collection::vec(any::<bool>(), 41),
        ) {
            let text = text(seed);
            let mut typed = String::new();
            for (at, c) in text.chars().enumerate() {
                extra.iter().filter(|(before, _)| *before == at).for_each(|(_, extra)| typed.push_str(extra));
                let c = match c {
                    '0' if at % 3 == 0 => 'O',
                    '1' if at % 3 == 0 => 'I',
                    '1' if at % 3 == 1 => 'l',
                    other => other,
                };
                typed.push(if lower[at] { c.to_ascii_lowercase() } else { c.to_ascii_uppercase() });
            }
            let parsed = Opaque::parse(PREFIX, &typed);
            prop_assert_eq!(parsed.map(|secret| secret.expose().to_owned()), Ok(text));
        }

        #[test]
        fn neighbors_swapped_are_refused(seed: u64, at in 0..40_usize) {
            let text = text(seed);
            let mut swapped = text.clone().into_bytes();
            swapped.swap(at, at + 1);
            let swapped = String::from_utf8(swapped).expect("ASCII");
            prop_assert_eq!(parses(&swapped), swapped == text);
        }

        #[test]
        fn damage_within_four_neighbors_is_refused(seed: u64, at in 4..38_usize, other in "[0-9A-HJKMNP-TV-Z]{4}") {
            let text = text(seed);
            let damaged = format!("{}{other}{}", &text[..at], &text[at + 4..]);
            prop_assert_eq!(parses(&damaged), damaged == text);
        }

        #[test]
        fn a_missing_or_surplus_character_is_refused(seed: u64, at in 0..41_usize, c in "[0-9A-HJKMNP-TV-Z]") {
            let text = text(seed);
            let missing = format!("{}{}", &text[..at], &text[at + 1..]);
            let surplus = format!("{}{c}{}", &text[..at], &text[at..]);
            prop_assert!(!parses(&missing));
            prop_assert!(!parses(&surplus));
        }

        #[test]
        fn nothing_makes_it_fail(text: String) {
            prop_assert!(!parses(&text));
        }
    }
}
