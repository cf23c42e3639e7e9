//! Short texts that people type: bounded, of one line, without control characters.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// One line of `MIN` to `MAX` characters, white space at both ends removed, no control characters, no line or
/// paragraph separators and no marks that reorder text (Unicode Bidi_Control), so that it can stand in a list, a
/// header or a mail without changing anything around it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Line<const MIN: usize, const MAX: usize>(String);

/// A first or last name; may be empty.
pub type PersonName = Line<0, 100>;
/// A device's name, for its owner.
pub type DeviceName = Line<1, 64>;
/// A location's name.
pub type LocationName = Line<1, 64>;
/// A name or a contact shown to enrollees; may be empty.
pub type Label = Line<0, 200>;

/// The text does not fit the field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidText {
    /// Too short or too long.
    #[error("must have {min} to {max} characters")]
    Length {
        /// The fewest characters allowed.
        min: usize,
        /// The most characters allowed.
        max: usize,
    },
    /// A character that is not part of a line of text.
    #[error("must be one line of plain text without control characters")]
    Control,
}

impl<const MIN: usize, const MAX: usize> Line<MIN, MAX> {
    /// What a text that is too short or too long hears.
    pub(crate) const LENGTH: InvalidText = InvalidText::Length { min: MIN, max: MAX };

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn breaks_the_line(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{061c}' | '\u{200e}' | '\u{200f}')
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

impl<const MIN: usize, const MAX: usize> FromStr for Line<MIN, MAX> {
    type Err = InvalidText;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        // Four bytes per character at most: a huge text is refused by its length alone.
        if text.len() > MAX * 4 || !(MIN..=MAX).contains(&text.chars().count()) {
            return Err(Self::LENGTH);
        }
        if text.chars().any(breaks_the_line) {
            return Err(InvalidText::Control);
        }
        Ok(Self(text.to_owned()))
    }
}

impl<const MIN: usize, const MAX: usize> TryFrom<String> for Line<MIN, MAX> {
    type Error = InvalidText;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl<const MIN: usize, const MAX: usize> From<Line<MIN, MAX>> for String {
    fn from(line: Line<MIN, MAX>) -> Self {
        line.0
    }
}

impl<const MIN: usize, const MAX: usize> fmt::Display for Line<MIN, MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_trimmed_bounded_and_without_control_characters() {
        assert_eq!("  Zoë  ".parse::<PersonName>().map(String::from), Ok("Zoë".to_owned()));
        assert_eq!("".parse::<DeviceName>(), Err(DeviceName::LENGTH));
        assert_eq!(DeviceName::LENGTH.to_string(), "must have 1 to 64 characters");
        assert!("x".repeat(65).parse::<DeviceName>().is_err());
        for bad in ["a\0b", "a\nb", "a\u{2028}b", "a\u{202e}b"] {
            assert_eq!(bad.parse::<PersonName>(), Err(InvalidText::Control), "{bad:?}");
        }
    }
}
