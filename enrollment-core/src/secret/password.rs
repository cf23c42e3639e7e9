//! Passwords as people choose them, and the rules they must meet (NIST SP 800-63B-4, section 3.1.1.2).

use std::fmt;

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use super::blocklist::Blocklist;

/// More code points than this are never taken, whatever the rules say.
const MOST_CODE_POINTS: u32 = 256;
/// Longer input is refused before any work.
const LONGEST_INPUT: usize = 1024;

/// A password as it was typed, after NFKC (so that it is the same from every keyboard), nothing trimmed, at most 256
/// code points.
///
/// Control characters, NUL among them, are refused. NIST asks to accept printing characters and the space; a control
/// character cannot be typed into most forms, is dropped by some, and ends the text in others, so a password that held
/// one would lock its owner out of the next form.
pub struct Password(Zeroizing<String>);

impl Password {
    /// Takes what was typed; the given text is wiped.
    ///
    /// # Errors
    /// When it is too long or holds a control character.
    pub fn parse(text: String) -> Result<Self, PasswordRejection> {
        let text = Zeroizing::new(text);
        let too_long = PasswordRejection::TooLong { max: MOST_CODE_POINTS };
        if text.len() > LONGEST_INPUT {
            return Err(too_long);
        }
        // Reserved at once: a text that grows leaves copies behind.
        let mut normalized = Zeroizing::new(String::with_capacity(MOST_CODE_POINTS as usize * 4));
        for (count, c) in (1..).zip(text.nfkc()) {
            if count > MOST_CODE_POINTS {
                return Err(too_long);
            }
            if c.is_control() {
                return Err(PasswordRejection::ControlCharacter);
            }
            normalized.push(c);
        }
        Ok(Self(normalized))
    }

    /// The password, normalized.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The same password, for one more piece of work on the hashing threads.
    pub(crate) fn again(&self) -> Self {
        Self(self.0.clone())
    }

    fn code_points(&self) -> u32 {
        u32::try_from(self.0.chars().count()).unwrap_or(u32::MAX)
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// How long a password must and may be, in code points after NFKC. The defaults are NIST's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PasswordRules {
    /// The least beside a second factor; NIST allows no less than 8.
    pub min_with_mfa: u32,
    /// The least of a password that stands alone; NIST asks for 15.
    pub min_alone: u32,
    /// The most; 256 at most, and NIST asks for at least 64.
    pub max: u32,
}

impl Default for PasswordRules {
    fn default() -> Self {
        Self { min_with_mfa: 8, min_alone: 15, max: MOST_CODE_POINTS }
    }
}

/// What a password must not be.
#[derive(Debug, Clone, Copy)]
pub struct PasswordContext<'a> {
    /// Whose it is.
    pub username: &'a str,
    /// Their address.
    pub email: Option<&'a str>,
    /// What the users call this product.
    pub product: &'a str,
    /// Whose instance it is.
    pub organization: Option<&'a str>,
}

/// What stays known of an accepted password once it is hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Strength {
    /// At least [`PasswordRules::min_alone`] code points: it needs no second factor beside it.
    pub long_enough_alone: bool,
}

/// Why a password was refused; the text is for the person who chose it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PasswordRejection {
    /// Fewer code points than [`PasswordRules::min_with_mfa`].
    #[error("Please use at least {min} characters.")]
    TooShort {
        /// The least.
        min: u32,
    },
    /// More code points than the rules allow.
    #[error("Please use at most {max} characters.")]
    TooLong {
        /// The most.
        max: u32,
    },
    /// It holds a control character.
    #[error("This password contains a character that cannot be typed, such as a tab or a line break.")]
    ControlCharacter,
    /// It is on the blocklist.
    #[error("This password is one that many people use and is guessed first. Please choose another.")]
    Common,
    /// It is the username.
    #[error("The password must not be your username.")]
    IsUsername,
    /// It is the e-mail address.
    #[error("The password must not be your e-mail address.")]
    IsEmail,
    /// It is the product's name.
    #[error("The password must not be the name of this product.")]
    IsProductName,
    /// It is the organization's name.
    #[error("The password must not be the name of your organization.")]
    IsOrganizationName,
}

impl PasswordRejection {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooShort { .. } => "password_too_short",
            Self::TooLong { .. } => "password_too_long",
            Self::ControlCharacter => "password_control_character",
            Self::Common => "password_common",
            Self::IsUsername => "password_is_username",
            Self::IsEmail => "password_is_email",
            Self::IsProductName => "password_is_product_name",
            Self::IsOrganizationName => "password_is_organization_name",
        }
    }
}

/// Whether `password` may be used: long enough beside a second factor, and as a whole neither the user's name or
/// address, nor the product's or organization's name, nor on the blocklist. Comparisons ignore case. There are no
/// rules of composition.
///
/// # Errors
/// The first reason against it.
pub fn check(
    password: &Password,
    rules: &PasswordRules,
    context: &PasswordContext<'_>,
    blocklist: &dyn Blocklist,
) -> Result<Strength, PasswordRejection> {
    let count = password.code_points();
    if count < rules.min_with_mfa {
        return Err(PasswordRejection::TooShort { min: rules.min_with_mfa });
    }
    if count > rules.max {
        return Err(PasswordRejection::TooLong { max: rules.max });
    }
    let folded = folded(password.expose());
    let is = |name: &str| *folded == *self::folded(name);
    let names = [
        (Some(context.username), PasswordRejection::IsUsername),
        (context.email, PasswordRejection::IsEmail),
        (Some(context.product), PasswordRejection::IsProductName),
        (context.organization, PasswordRejection::IsOrganizationName),
    ];
    if let Some((_, reason)) = names.into_iter().find(|(name, _)| name.is_some_and(is)) {
        return Err(reason);
    }
    if blocklist.contains(password.expose()) {
        return Err(PasswordRejection::Common);
    }
    Ok(Strength { long_enough_alone: count >= rules.min_alone })
}

/// `text` as it is compared: NFKC and lower case.
pub(super) fn folded(text: &str) -> Zeroizing<String> {
    // Reserved for the usual case; a rare letter grows when it is lowered.
    let mut folded = Zeroizing::new(String::with_capacity(text.len() * 2));
    folded.extend(text.nfkc().flat_map(char::to_lowercase).nfkc());
    folded
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::BundledBlocklist;

    const CONTEXT: PasswordContext<'_> = PasswordContext {
        username: "alice.example",
        email: Some("Alice@Example.test"),
        product: "Great Tunnels",
        organization: Some("Straße & Söhne"),
    };

    fn password(text: &str) -> Password {
        Password::parse(text.to_owned()).expect("a password")
    }

    fn checked(text: &str) -> Result<Strength, PasswordRejection> {
        check(&password(text), &PasswordRules::default(), &CONTEXT, &BundledBlocklist)
    }

    #[test]
    fn a_password_is_normalized_and_never_trimmed() {
        assert_eq!(password("  two  spaces  ").expose(), "  two  spaces  ");
        assert_eq!(password("Cafe\u{301} ﬁve").expose(), "Café five");
        assert_eq!(password("ｆｕｌｌ").expose(), "full");
    }

    #[test]
    fn length_is_counted_in_code_points_after_normalization() {
        let too_long = Some(PasswordRejection::TooLong { max: 256 });
        assert_eq!(password(&"𝄢".repeat(256)).code_points(), 256, "1,024 bytes");
        assert_eq!(Password::parse("x".repeat(257)).err(), too_long);
        assert_eq!(Password::parse("x".repeat(1025)).err(), too_long);
        assert_eq!(password(&"e\u{301}".repeat(256)).code_points(), 256, "512 typed, 256 composed");
        assert_eq!(Password::parse("\u{FDFA}".repeat(15)).err(), too_long, "each becomes 18");
        assert_eq!(checked("e\u{301}1234567").err(), None);
        assert_eq!(checked("e\u{301}123456").err(), Some(PasswordRejection::TooShort { min: 8 }));
    }

    #[test]
    fn the_longest_normalized_password_is_never_moved_in_memory() {
        let longest = password(&"𝄢".repeat(256));
        assert_eq!(longest.0.capacity(), MOST_CODE_POINTS as usize * 4);
    }

    #[test]
    fn a_control_character_is_refused() {
        for text in ["tab\there and there", "line\nbreak and more", "nul\0 and more", "del\u{7F} and more"] {
            assert_eq!(Password::parse(text.to_owned()).err(), Some(PasswordRejection::ControlCharacter));
        }
    }

    #[test]
    fn the_bit_says_long_enough_alone() {
        for (length, alone) in [(8, false), (14, false), (15, true), (256, true)] {
            let text = "abcdéfgh".chars().cycle().take(length).collect::<String>();
            assert_eq!(checked(&text), Ok(Strength { long_enough_alone: alone }), "{length}");
        }
        assert_eq!(checked("zq8%fGh"), Err(PasswordRejection::TooShort { min: 8 }));
    }

    #[test]
    fn the_rules_are_settable() {
        let rules = PasswordRules { min_with_mfa: 10, min_alone: 20, max: 64 };
        let check = |text: &str| check(&password(text), &rules, &CONTEXT, &BundledBlocklist);
        assert_eq!(check(&"zq8%".repeat(2)), Err(PasswordRejection::TooShort { min: 10 }));
        assert_eq!(check(&"zq8%".repeat(4)), Ok(Strength { long_enough_alone: false }));
        assert_eq!(check(&"zq8%".repeat(5)), Ok(Strength { long_enough_alone: true }));
        assert_eq!(check(&"zq8%".repeat(17)), Err(PasswordRejection::TooLong { max: 64 }));
        assert!(serde_json::from_str::<PasswordRules>(r#"{"min_alone": 20}"#).is_ok_and(|rules| rules.min_alone == 20));
    }

    #[test]
    fn names_and_common_passwords_are_refused_in_any_case() {
        let cases = [
            ("Alice.Example", PasswordRejection::IsUsername),
            ("alice@example.TEST", PasswordRejection::IsEmail),
            ("great tunnels", PasswordRejection::IsProductName),
            ("STRAßE & SO\u{308}HNE", PasswordRejection::IsOrganizationName),
            ("Password123", PasswordRejection::Common),
            ("ＱＷＥＲＴＹＵＩＯＰ", PasswordRejection::Common),
        ];
        for (text, reason) in cases {
            assert_eq!(checked(text), Err(reason), "{text}");
        }
    }

    #[test]
    fn only_the_whole_password_counts() {
        for text in ["alice.example1", "my Password123!", "great tunnels everywhere", "alice@example"] {
            assert!(checked(text).is_ok(), "{text}");
        }
        let nameless = PasswordContext { username: "", email: None, product: "", organization: None };
        assert!(check(&password("zq8%fGhx"), &PasswordRules::default(), &nameless, &BundledBlocklist).is_ok());
    }

    #[test]
    fn a_reason_names_its_bound() {
        assert_eq!(PasswordRejection::TooShort { min: 8 }.to_string(), "Please use at least 8 characters.");
        assert_eq!(PasswordRejection::TooLong { max: 256 }.to_string(), "Please use at most 256 characters.");
        assert_eq!(PasswordRejection::TooShort { min: 8 }.code(), "password_too_short");
    }
}
