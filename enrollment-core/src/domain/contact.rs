//! How a person is reached.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An e-mail address (RFC 5321 mailbox without a display name), at most 254 bytes, kept as typed.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Email(String);

/// A phone number: 3 to 20 digits, with an optional leading `+` and the separators space, `-`, `.`, `/`, `(`, `)`;
/// kept as typed.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Phone(String);

/// The text is not an e-mail address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an e-mail address such as alex@example.com")]
pub struct InvalidEmail;

/// The text is not a phone number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a phone number such as +49 30 123456")]
pub struct InvalidPhone;

impl FromStr for Email {
    type Err = InvalidEmail;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let options = email_address::Options::default().without_display_text().without_domain_literal();
        let fits = text.len() <= 254
            && !text.chars().any(char::is_control)
            && email_address::EmailAddress::parse_with_options(text, options).is_ok();
        if fits { Ok(Self(text.to_owned())) } else { Err(InvalidEmail) }
    }
}

impl FromStr for Phone {
    type Err = InvalidPhone;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if text.len() > 40 {
            return Err(InvalidPhone);
        }
        let number = text.strip_prefix('+').unwrap_or(text);
        let digits = number.chars().filter(char::is_ascii_digit).count();
        let fits = (3..=20).contains(&digits) && number.chars().all(|c| c.is_ascii_digit() || " -./()".contains(c));
        if fits { Ok(Self(text.to_owned())) } else { Err(InvalidPhone) }
    }
}

macro_rules! contact {
    ($name:ident, $error:ident) => {
        impl $name {
            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = $error;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        // Personal data does not belong in logs, where `Debug` ends up.
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(…)"))
            }
        }
    };
}

contact!(Email, InvalidEmail);
contact!(Phone, InvalidPhone);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_numbers_that_are_none_are_refused() {
        for good in ["alex@example.com", "a.b+c@sub.example.org", " alex@example.com "] {
            assert!(good.parse::<Email>().is_ok(), "{good}");
        }
        let long = format!("{}@example.com", "x".repeat(300));
        for bad in ["", "alex", "alex@", "Alex <alex@example.com>", "a@b\r\nBcc: c@d", "a@[127.0.0.1]", &long] {
            assert!(bad.parse::<Email>().is_err(), "{bad}");
        }
        for good in ["+49 30 123456", "030/123456", "(555) 010-9999"] {
            assert!(good.parse::<Phone>().is_ok(), "{good}");
        }
        for bad in ["", "12", "call me", "+1234567890123456789012", "12+34"] {
            assert!(bad.parse::<Phone>().is_err(), "{bad}");
        }
    }
}
