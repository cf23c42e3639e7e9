//! How many refusals are written down one by one.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::domain::audit::Actor;
use crate::record::RowKey;
use crate::time::Timestamp;

/// Refusals written per actor, subject and minute; the rest of the minute is counted.
const PER_MINUTE: u64 = 20;
/// Pairs of actor and subject remembered at once; those beyond are only counted.
const REMEMBERED: usize = 10_000;

/// Bounds what a stranger with one token, or a broken script with one key, can make the audit log grow by. What is not
/// written is counted, and the count is written by whoever is refused next or by housekeeping.
#[derive(Debug, Default)]
pub(super) struct Refusals(Mutex<Minutes>);

#[derive(Debug, Default)]
struct Minutes {
    refused: HashMap<(Actor, RowKey), Minute>,
    /// Refusals of pairs for which there was no room.
    crowd: u64,
}

#[derive(Debug, Clone, Copy)]
struct Minute {
    minute: i64,
    refused: u64,
    /// Refusals that were not to be written.
    silent: u64,
}

impl Minute {
    /// How many were beyond the bound.
    fn beyond(self) -> Option<u64> {
        self.refused.checked_sub(PER_MINUTE).filter(|count| *count > 0)
    }

    /// How many were not written.
    fn unwritten(self) -> Option<u64> {
        Some(self.beyond().unwrap_or(0) + self.silent).filter(|count| *count > 0)
    }
}

/// What to write of a refusal.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Admitted {
    /// Whether this one is written.
    pub(super) write: bool,
    /// How many of an earlier minute were only counted.
    pub(super) counted: Option<u64>,
}

/// Refusals that were only counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counted {
    /// Whose they are, and about what; `None`: of many, when there were too many to tell apart.
    pub(super) who: Option<(Actor, RowKey)>,
    pub(super) count: u64,
}

impl Refusals {
    pub(super) fn admit(&self, actor: Actor, subject: RowKey, now: Timestamp) -> Admitted {
        let key = (actor, subject);
        let minute = minute_of(now);
        let mut minutes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if minutes.refused.len() >= REMEMBERED && !minutes.refused.contains_key(&key) {
            minutes.crowd += 1;
            return Admitted { write: false, counted: None };
        }
        let entry = minutes.refused.entry(key).or_insert(Minute { minute, refused: 0, silent: 0 });
        let mut counted = None;
        if entry.minute != minute {
            counted = entry.beyond();
            *entry = Minute { minute, refused: 0, silent: entry.silent };
        }
        entry.refused += 1;
        Admitted { write: entry.refused <= PER_MINUTE, counted }
    }

    /// Counts a refusal that is not to be written by whoever is refused, not even as a count: it is housekeeping that
    /// writes how many there were.
    pub(super) fn count(&self, actor: Actor, subject: RowKey, now: Timestamp) {
        let minute = minute_of(now);
        let mut minutes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if minutes.refused.len() >= REMEMBERED && !minutes.refused.contains_key(&(actor, subject)) {
            minutes.crowd += 1;
            return;
        }
        // What is owed of an earlier minute is owed with this one's.
        let entry = minutes.refused.entry((actor, subject)).or_insert(Minute { minute, refused: 0, silent: 0 });
        entry.silent += 1;
    }

    /// What is owed of minutes that are over, which are forgotten by it.
    pub(super) fn settle(&self, now: Timestamp) -> Vec<Counted> {
        let minute = minute_of(now);
        let mut minutes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut owed = Vec::new();
        minutes.refused.retain(|who, entry| {
            let over = entry.minute != minute;
            owed.extend(entry.unwritten().filter(|_| over).map(|count| Counted { who: Some(*who), count }));
            !over
        });
        let crowd = std::mem::take(&mut minutes.crowd);
        owed.extend((crowd > 0).then_some(Counted { who: None, count: crowd }));
        owed
    }
}

fn minute_of(now: Timestamp) -> i64 {
    now.seconds().div_euclid(60)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::record::Kind;

    fn subject(n: u128) -> RowKey {
        RowKey::new(Kind::User, Uuid::from_u128(n))
    }

    /// ADM-8: bounded per minute, then counted.
    #[test]
    fn refusals_beyond_the_bound_are_counted() {
        let refusals = Refusals::default();
        let subject = subject(7);
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

    /// ADM-8: whoever stops after a minute leaves no refusal uncounted.
    #[test]
    fn what_was_only_counted_is_owed_once_the_minute_is_over() {
        let refusals = Refusals::default();
        let minute = |m: i64| Timestamp::from_seconds(m * 60);
        for _ in 0..25 {
            refusals.admit(Actor::CommandLine, subject(7), minute(1));
        }
        refusals.admit(Actor::CommandLine, subject(8), minute(1));
        assert_eq!(refusals.settle(minute(1)), [], "the minute is not over");
        let owed = Counted { who: Some((Actor::CommandLine, subject(7))), count: 5 };
        assert_eq!(refusals.settle(minute(2)), [owed]);
        assert_eq!(refusals.settle(minute(2)), []);
    }

    /// ADM-8: also those of which nothing is written while they happen.
    #[test]
    fn what_is_refused_in_silence_is_owed_by_housekeeping_alone() {
        let refusals = Refusals::default();
        let minute = |m: i64| Timestamp::from_seconds(m * 60);
        for _ in 0..3 {
            refusals.count(Actor::Visitor, subject(7), minute(1));
        }
        let next = refusals.admit(Actor::Visitor, subject(7), minute(2));
        assert_eq!(next, Admitted { write: true, counted: None });
        let owed = Counted { who: Some((Actor::Visitor, subject(7))), count: 3 };
        assert_eq!(refusals.settle(minute(3)), [owed]);
    }

    /// ADM-8: many at once can hide the names of some, and no refusal.
    #[test]
    fn a_crowd_is_counted() {
        let refusals = Refusals::default();
        let minute = |m: i64| Timestamp::from_seconds(m * 60);
        for n in 0..10_003 {
            refusals.admit(Actor::CommandLine, subject(n), minute(1));
        }
        assert_eq!(refusals.settle(minute(2)), [Counted { who: None, count: 3 }]);
        assert!(refusals.admit(Actor::CommandLine, subject(10_001), minute(2)).write, "there is room again");
    }
}
