//! Short codes that are sent to a person: derived when they are sent, kept nowhere.

use std::fmt::{self, Write as _};

use zeroize::Zeroizing;

use super::crockford::without_separators;
use super::keyring::{KeyError, KeyRing, Purpose, derive};
use super::opaque::MalformedSecret;
use super::token::TokenSeed;
use crate::id::EnrollmentId;

/// A code of 6 to 8 digits, as a person reads it in a message and types it. At rest there are its
/// [`KeyedDigest`](super::KeyedDigest), and the [`TokenSeed`] from which the ring derives it when the message is made.
pub struct ShortCode(Zeroizing<String>);

impl ShortCode {
    /// Reads what a person typed; spaces and dashes do not matter. Refuses more than 32 bytes before any work.
    ///
    /// # Errors
    /// When it is anything but 6 to 8 digits.
    pub fn parse(text: &str) -> Result<Self, MalformedSecret> {
        if text.len() > 32 {
            return Err(MalformedSecret);
        }
        let text = without_separators(text);
        if (6..=8).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit()) {
            Ok(Self(text))
        } else {
            Err(MalformedSecret)
        }
    }

    /// The digits.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ShortCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ShortCode(…)")
    }
}

impl KeyRing {
    /// The code of this seed, of so many `digits` (6 to 8): always the same for the same arguments, and unrelated as
    /// soon as one of them differs. `number` tells the codes of one enrollment apart.
    ///
    /// HKDF-SHA-256 (RFC 5869) of the key's subkey for messages, salted with the seed's nonce. Every code is as likely
    /// as every other but for one part in 2^100.
    ///
    /// # Errors
    /// When the seed's key is missing or revoked.
    pub fn short_code(
        &self,
        seed: &TokenSeed,
        purpose: &str,
        enrollment: EnrollmentId,
        number: u32,
        digits: u32,
    ) -> Result<ShortCode, KeyError> {
        let subkey = self.subkey(&seed.key, Purpose::Messages)?;
        let enrollment = enrollment.uuid();
        let (number, length) = (number.to_be_bytes(), digits.to_be_bytes());
        let fields: [&[u8]; 4] = [purpose.as_bytes(), enrollment.as_bytes(), &number, &length];
        let bytes: Zeroizing<[u8; 16]> = derive(subkey.as_slice(), &seed.nonce, &fields);
        let digits = digits.clamp(6, 8);
        let (value, width) = (u128::from_be_bytes(*bytes) % 10_u128.pow(digits), digits as usize);
        // Reserved at once: a text that grows leaves copies behind.
        let mut text = Zeroizing::new(String::with_capacity(width));
        let _never_fails = write!(text, "{value:0width$}");
        Ok(ShortCode(text))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use uuid::Uuid;

    use super::*;
    use crate::secret::fixture::{Repeatable, now, ring};

    const ENROLLMENT: EnrollmentId =
        EnrollmentId::from_uuid(Uuid::from_u128(0x0192_0000_0000_7000_8000_0000_0000_0001));

    fn seed(ring: &KeyRing) -> TokenSeed {
        TokenSeed { key: ring.active(), nonce: *b"0123456789abcdef" }
    }

    /// MFA-2
    #[test]
    fn a_code_is_the_same_only_for_the_same_arguments() {
        let ring = ring();
        let code = |seed: &TokenSeed, purpose, enrollment, number, digits| {
            ring.short_code(seed, purpose, enrollment, number, digits).expect("a key in force").expose().to_owned()
        };
        let seed = seed(&ring);
        let first = code(&seed, "email", ENROLLMENT, 1, 8);
        assert_eq!(code(&seed, "email", ENROLLMENT, 1, 8), first);
        let retired = ring.keys().next().expect("a key").0;
        let others = [
            code(&seed, "sms", ENROLLMENT, 1, 8),
            code(&seed, "email", EnrollmentId::from_uuid(Uuid::from_u128(7)), 1, 8),
            code(&seed, "email", ENROLLMENT, 2, 8),
            code(&TokenSeed { nonce: [0; 16], ..seed.clone() }, "email", ENROLLMENT, 1, 8),
            code(&TokenSeed { key: retired, ..seed.clone() }, "email", ENROLLMENT, 1, 8),
        ];
        for (at, other) in others.iter().enumerate() {
            assert_ne!(*other, first, "argument {at}");
        }
        assert!(!first.ends_with(&code(&seed, "email", ENROLLMENT, 1, 6)), "a shorter one is no part of it");
    }

    /// MFA-2: as many digits as asked for, zeros in front among them, and each digit at each place.
    #[test]
    fn a_code_has_its_digits() {
        let ring = ring();
        for digits in 6..=8 {
            let all: Vec<String> = (0..500)
                .map(|number| ring.short_code(&seed(&ring), "email", ENROLLMENT, number, digits).expect("a key"))
                .map(|code| ShortCode::parse(code.expose()).expect("a code").expose().to_owned())
                .collect();
            assert!(all.iter().all(|code| code.len() == digits as usize));
            let seen: BTreeSet<(usize, char)> = all.iter().flat_map(|code| code.char_indices()).collect();
            assert_eq!(seen.len(), 10 * digits as usize);
        }
    }

    #[test]
    fn codes_that_were_sent_stay_valid_in_later_versions() {
        let code = ring().short_code(&seed(&ring()), "email", ENROLLMENT, 1, 6).expect("an active key");
        assert_eq!(code.expose(), "304047");
    }

    #[test]
    fn a_revoked_or_missing_key_derives_nothing() {
        let entropy = Repeatable::new(1);
        let mut ring = KeyRing::generate(now(), &entropy);
        let seed = TokenSeed::new(&ring, &entropy);
        ring.rotate(now(), &entropy);
        assert!(ring.short_code(&seed, "email", ENROLLMENT, 1, 6).is_ok(), "retired");
        ring.revoke(&seed.key).expect("retired");
        let refused = ring.short_code(&seed, "email", ENROLLMENT, 1, 6).err();
        assert_eq!(refused, Some(KeyError::Revoked(seed.key)));
        let stranger = KeyRing::generate(now(), &entropy);
        let refused = stranger.short_code(&seed, "email", ENROLLMENT, 1, 6).err();
        assert_eq!(refused, Some(KeyError::Missing(seed.key)));
    }

    #[test]
    fn a_code_can_be_typed_with_spaces_and_dashes_and_nothing_else() {
        for typed in ["123456", "123 456", " 123-456\n", "12345678"] {
            let digits: String = typed.chars().filter(char::is_ascii_digit).collect();
            assert_eq!(ShortCode::parse(typed).expect("a code").expose(), digits, "{typed:?}");
        }
        for bad in ["", "12345", "123456789", "12345a", "１２３４５６", "+12345", "12.3456", &" ".repeat(33)] {
            assert_eq!(ShortCode::parse(bad).err(), Some(MalformedSecret), "{bad:?}");
        }
    }
}
