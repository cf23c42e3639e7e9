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
