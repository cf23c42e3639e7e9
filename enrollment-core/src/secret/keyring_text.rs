//! The key ring as text, for a file readable only by its owner.

use data_encoding::HEXLOWER;
use zeroize::Zeroizing;

use super::keyring::{Key, KeyRing, KeyStatus, Material, name_of};

const HEADER: &str = "enrollment key ring 1";
/// Longer text is refused before any work; room for more than a thousand keys.
const LONGEST: usize = 128 * 1024;

/// The text is not a key ring. Lines are counted from 1; nothing of their content is repeated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyRingError {
    /// The first line is missing, or of a later version.
    #[error("not a key ring of this version: the first line must be \"{HEADER}\"")]
    Header,
    /// A line is not a name, a status, a time and a key.
    #[error("line {0} of the key ring is not a name, a status, a time and a key")]
    Line(usize),
    /// The name of a line is not the name of its key.
    #[error("line {0} of the key ring is damaged: the key does not belong to the name")]
    Damaged(usize),
    /// A key is there twice.
    #[error("line {0} of the key ring repeats a key")]
    Repeated(usize),
    /// Not exactly one key is active.
    #[error("the key ring must have exactly one active key; it has {0}")]
    Active(usize),
    /// More than one key is next.
    #[error("the key ring may have one key that is next; it has {0}")]
    Next(usize),
    /// Over 128 KiB.
    #[error("too long for a key ring")]
    TooLong,
}

impl KeyRing {
    /// Reads a ring; see [`KeyRing::to_text`] for how it is written.
    ///
    /// # Errors
    /// When the text is not a ring with exactly one active key and at most one next, each key whole and there once.
    pub fn from_text(text: &str) -> Result<Self, KeyRingError> {
        if text.len() > LONGEST {
            return Err(KeyRingError::TooLong);
        }
        let mut lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
        if lines.next().is_none_or(|(_, line)| line.trim() != HEADER) {
            return Err(KeyRingError::Header);
        }
        let mut keys: Vec<Key> = Vec::new();
        for (number, line) in lines {
            let key = parse_line(line).ok_or(KeyRingError::Line(number))?;
            if name_of(&key.material) != key.id {
                return Err(KeyRingError::Damaged(number));
            }
            if keys.iter().any(|earlier| earlier.id == key.id) {
                return Err(KeyRingError::Repeated(number));
            }
            keys.push(key);
        }
        let count = |status| keys.iter().filter(|key| key.status == status).count();
        match (count(KeyStatus::Active), count(KeyStatus::Next)) {
            (1, 0 | 1) => Ok(Self::from_keys(keys)),
            (1, next) => Err(KeyRingError::Next(next)),
            (active, _) => Err(KeyRingError::Active(active)),
        }
    }

    /// The ring as text, all its secrets included: for a file readable only by its owner, away from the database's
    /// backup.
    ///
    /// ```text
    /// enrollment key ring 1
    /// # name   status  made                 key
    /// n4x24j98 retired 2026-01-31T12:00:00Z (64 characters of hex)
    /// x1w1mcxs active 2026-07-31T12:00:00Z (64 characters of hex)
    /// ```
    ///
    /// The first line names the version of the format. Fields are separated by spaces; empty lines and lines that
    /// begin with `#` are ignored. The name of a key follows from the key, so a damaged line is noticed.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        let keys = self.whole_keys();
        // Reserved at once: a text that grows leaves copies behind. No line is longer than 128 bytes.
        let mut text = Zeroizing::new(String::with_capacity(128 * (keys.len() + 2)));
        text.push_str(HEADER);
        text.push_str("\n# name   status  made                 key\n");
        for key in keys {
            for field in [&key.id.to_string(), key.status.as_str(), &key.created.to_string()] {
                text.push_str(field);
                text.push(' ');
            }
            HEXLOWER.encode_append(key.material.as_slice(), &mut text);
            text.push('\n');
        }
        text
    }
}

fn parse_line(line: &str) -> Option<Key> {
    let mut fields = line.split_whitespace();
    let id = fields.next()?.parse().ok()?;
    let status = status_from(fields.next()?)?;
    let created = fields.next()?.parse().ok()?;
    let key = Zeroizing::new(HEXLOWER.decode(fields.next()?.as_bytes()).ok()?);
    if fields.next().is_some() || key.len() != 32 {
        return None;
    }
    let mut material: Material = Box::new(Zeroizing::new([0; 32]));
    material.copy_from_slice(&key);
    Some(Key { id, status, created, material })
}

fn status_from(text: &str) -> Option<KeyStatus> {
    KeyStatus::ALL.into_iter().find(|status| status.as_str() == text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::fixture::{RING, Repeatable, now, ring};

    #[test]
    fn a_ring_reads_back_what_it_wrote() {
        let entropy = Repeatable::new(1);
        let mut ring = KeyRing::generate(now(), &entropy);
        let first = ring.active();
        ring.rotate(now(), &entropy);
        ring.rotate(now(), &entropy);
        ring.revoke(&first).expect("retired");
        ring.prepare(now(), &entropy);
        let text = ring.to_text();
        let again = KeyRing::from_text(&text).expect("the ring just written");
        assert_eq!(*again.to_text(), *text);
        assert!(text.capacity() >= text.len() && text.lines().all(|line| line.len() < 128));
    }

    #[test]
    fn comments_and_empty_lines_are_ignored() {
        let text = format!("# mine\n\n{}\n  \n# end", RING.replace('\n', "\r\n"));
        assert_eq!(*KeyRing::from_text(&text).expect("a ring").to_text(), *ring().to_text());
    }

    #[test]
    fn text_that_is_no_ring_is_refused_with_its_line() {
        let cases = [
            (String::new(), KeyRingError::Header),
            (RING.replace("ring 1", "ring 2"), KeyRingError::Header),
            (HEADER.to_owned(), KeyRingError::Active(0)),
            (RING.replace("active", "retired"), KeyRingError::Active(0)),
            (RING.replace("retired", "active"), KeyRingError::Active(2)),
            (RING.replace("retired", "asleep"), KeyRingError::Line(3)),
            (RING.replace("2026-01-31T", "yesterday "), KeyRingError::Line(3)),
            (RING.replace("1e1f", "1e"), KeyRingError::Line(3)),
            (RING.replace("1e1f", "1e1f more"), KeyRingError::Line(3)),
            (RING.replace("3e3f", "3e30"), KeyRingError::Damaged(4)),
            (format!("{RING}{}", RING.lines().nth(3).expect("a key")), KeyRingError::Repeated(5)),
            (" ".repeat(LONGEST + 1), KeyRingError::TooLong),
        ];
        for (text, error) in cases {
            assert_eq!(KeyRing::from_text(&text).err(), Some(error));
        }
    }
}
