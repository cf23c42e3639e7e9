//! Usernames: one spelling for every way of typing them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

/// A username in its one spelling: compatibility-composed (NFKC) and in lower case under Unicode's rules, so that
/// `Alice`, `ALICE` and `ａｌｉｃｅ` are one (after RFC 8265, UsernameCaseMapped).
///
/// 1 to 100 characters: letters, digits, marks and `. _ - + @`; the first is a letter or a digit.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Username(String);

/// The text is not a username.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a username has 1 to 100 letters, digits or . _ - + @ and starts with a letter or a digit")]
pub struct InvalidUsername;

/// How an application's usernames are read (ADM-6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UsernameNormalization {
    /// As typed, in the one spelling.
    #[default]
    None,
    /// `DOMAIN\` before and `@domain` behind the name are dropped first.
    Simple,
}

impl UsernameNormalization {
    /// The username that `text` means to an application.
    ///
    /// # Errors
    /// When what remains is not a username.
    pub fn read(self, text: &str) -> Result<Username, InvalidUsername> {
        match self {
            Self::None => text.parse(),
            Self::Simple => {
                let name = text.rsplit_once('\\').map_or(text, |(_, name)| name);
                name.split_once('@').map_or(name, |(name, _)| name).parse()
            }
        }
    }
}

impl Username {
    /// The spelling.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn one_spelling(text: &str) -> String {
    // Character by character, not `str::to_lowercase`: that writes a final sigma differently from the same letter
    // elsewhere, and a username must not depend on what stands behind it.
    text.nfkc().flat_map(char::to_lowercase).map(|c| if c == 'ς' { 'σ' } else { c }).nfkc().collect()
}

impl FromStr for Username {
    type Err = InvalidUsername;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if text.len() > 400 {
            return Err(InvalidUsername);
        }
        let name = one_spelling(text);
        let fits = (1..=100).contains(&name.chars().count())
            && name.chars().next().is_some_and(char::is_alphanumeric)
            && name.chars().all(|c| {
                c.is_alphanumeric() || unicode_normalization::char::is_combining_mark(c) || "._-+@".contains(c)
            });
        if fits { Ok(Self(name)) } else { Err(InvalidUsername) }
    }
}

impl TryFrom<String> for Username {
    type Error = InvalidUsername;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Username> for String {
    fn from(name: Username) -> Self {
        name.0
    }
}

impl fmt::Display for Username {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Username {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Username({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// ADM-6
    #[test]
    fn usernames_have_one_spelling() {
        for text in ["Alice", "ALICE", " alice ", "ａｌｉｃｅ"] {
            assert_eq!(text.parse::<Username>().map(String::from), Ok("alice".to_owned()));
        }
        assert_eq!("ΣΑΣ".parse::<Username>(), "σας".parse());
        assert_eq!("É".parse::<Username>(), "e\u{301}".parse());
        for bad in ["", "a b", "-a", "a\0", "a/b", "a\\b", "a\u{202e}b"] {
            assert!(bad.parse::<Username>().is_err(), "{bad:?}");
        }
    }

    /// ADM-6
    #[test]
    fn simple_normalization_drops_the_domain() {
        for text in ["CORP\\Alice", "alice@corp.example", "CORP\\alice@corp.example", "Alice"] {
            assert_eq!(UsernameNormalization::Simple.read(text).map(String::from), Ok("alice".to_owned()));
        }
        assert!(UsernameNormalization::None.read("CORP\\alice").is_err());
        assert!(UsernameNormalization::Simple.read("@corp").is_err());
    }

    proptest! {
        #[test]
        fn the_one_spelling_is_stable(text in "\\PC{1,20}") {
            if let Ok(name) = text.parse::<Username>() {
                prop_assert_eq!(name.as_str().parse::<Username>(), Ok(name.clone()));
            }
        }
    }
}
