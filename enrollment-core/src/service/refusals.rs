//! How many refusals are written down one by one.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use uuid::Uuid;

use crate::domain::audit::Actor;
use crate::time::Timestamp;

/// Refusals written per actor, subject and minute; the rest of the minute is counted.
const PER_MINUTE: u64 = 20;
/// Pairs of actor and subject remembered at once; past it those of earlier minutes are forgotten.
const REMEMBERED: usize = 10_000;

/// Bounds what a stranger with one token, or a broken script with one key, can make the audit log grow by.
#[derive(Debug, Default)]
pub(super) struct Refusals(Mutex<HashMap<(Actor, Uuid), Minute>>);

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
    pub(super) fn admit(&self, actor: Actor, subject: Uuid, now: Timestamp) -> Admitted {
        let key = (actor, subject);
        let minute = now.seconds().div_euclid(60);
        let mut minutes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if minutes.len() >= REMEMBERED && !minutes.contains_key(&key) {
            minutes.retain(|_, entry| entry.minute == minute);
            if minutes.len() >= REMEMBERED {
                return Admitted { write: false, counted: None };
            }
        }
        let entry = minutes.entry(key).or_insert(Minute { minute, refused: 0 });
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
            assert_eq!(
                refusals.admit(Actor::CommandLine, subject, minute(1)),
                Admitted { write: nth <= PER_MINUTE, counted: None }
            );
        }
        assert_eq!(refusals.admit(Actor::CommandLine, subject, minute(2)), Admitted { write: true, counted: Some(5) });
        assert_eq!(refusals.admit(Actor::CommandLine, subject, minute(3)), Admitted { write: true, counted: None });
    }
}
