//! How many refusals are written down one by one.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use uuid::Uuid;

use crate::time::Timestamp;

/// Refusals written per subject and minute; the rest of the minute is counted.
const PER_MINUTE: u64 = 20;
/// Subjects remembered at once; past it the oldest minute is forgotten.
const SUBJECTS: usize = 10_000;

/// Bounds what a stranger with one token, or a broken script with one key, can make the audit log grow by.
#[derive(Debug, Default)]
pub(super) struct Refusals(Mutex<HashMap<Uuid, Minute>>);

#[derive(Debug, Clone, Copy)]
struct Minute {
    minute: i64,
    refused: u64,
}

/// What to write of a refusal.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Admitted {
    /// Whether this one is written.
    pub(super) write: bool,
    /// How many of an earlier minute were only counted.
    pub(super) counted: Option<u64>,
}

impl Refusals {
    pub(super) fn admit(&self, subject: Uuid, now: Timestamp) -> Admitted {
        let minute = now.seconds().div_euclid(60);
        let mut subjects = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if subjects.len() >= SUBJECTS && !subjects.contains_key(&subject) {
            subjects.retain(|_, entry| entry.minute == minute);
            if subjects.len() >= SUBJECTS {
                return Admitted { write: false, counted: None };
            }
        }
        let entry = subjects.entry(subject).or_insert(Minute { minute, refused: 0 });
        let mut counted = None;
        if entry.minute != minute {
            counted = entry.refused.checked_sub(PER_MINUTE).filter(|count| *count > 0);
            *entry = Minute { minute, refused: 0 };
        }
        entry.refused += 1;
        Admitted { write: entry.refused <= PER_MINUTE, counted }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ADM-8: bounded per minute, then counted.
    #[test]
    fn refusals_beyond_the_bound_are_counted() {
        let refusals = Refusals::default();
        let subject = Uuid::from_u128(7);
        let minute = |m: i64| Timestamp::from_seconds(m * 60);
        for nth in 1..=25 {
            assert_eq!(refusals.admit(subject, minute(1)), Admitted { write: nth <= PER_MINUTE, counted: None });
        }
        assert_eq!(refusals.admit(subject, minute(2)), Admitted { write: true, counted: Some(5) });
        assert_eq!(refusals.admit(subject, minute(3)), Admitted { write: true, counted: None });
    }
}
