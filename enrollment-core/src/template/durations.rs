//! Lengths of time and instants in words, from the values that enforce them.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::time::Timestamp;

/// A length of time in English: `10 minutes`, `24 hours`, `1 day and 2 hours`. Exact to the second; fractions of a
/// second are left out, so that nobody is promised more than there is.
#[must_use]
pub fn in_words(length: Duration) -> String {
    const DAY: u64 = 86_400;
    let seconds = length.as_secs();
    // "24 hours" is what people say; from there on days are easier to read.
    let days = if seconds == DAY { 0 } else { seconds / DAY };
    let rest = seconds - days * DAY;
    let parts: Vec<String> =
        [(days, "day"), (rest / 3600, "hour"), (rest % 3600 / 60, "minute"), (rest % 60, "second")]
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, unit)| if count == 1 { format!("1 {unit}") } else { format!("{count} {unit}s") })
            .collect();
    match parts.split_last() {
        None => "0 seconds".into(),
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
    }
}

/// An instant with its zone, to the minute: `31 January 2026, 12:00 UTC`. Rounded down, so that a deadline is never
/// later than it says.
#[must_use]
pub fn at(instant: Timestamp) -> String {
    // The range of a timestamp lies inside chrono's, so the fallback is never reached.
    let time = DateTime::<Utc>::from_timestamp_micros(instant.micros()).unwrap_or_default();
    time.format("%-d %B %Y, %H:%M UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_read_as_people_say_them() {
        for (seconds, words) in [
            (0, "0 seconds"),
            (1, "1 second"),
            (600, "10 minutes"),
            (3600, "1 hour"),
            (5400, "1 hour and 30 minutes"),
            (86_400, "24 hours"),
            (86_401, "1 day and 1 second"),
            (93_600, "1 day and 2 hours"),
            (172_800, "2 days"),
            (180_061, "2 days, 2 hours, 1 minute and 1 second"),
        ] {
            assert_eq!(in_words(Duration::from_secs(seconds)), words);
        }
        assert_eq!(in_words(Duration::from_millis(1_999)), "1 second");
    }

    #[test]
    fn an_instant_names_its_zone() {
        let instant: Timestamp = "2026-01-31T12:00:59.9+01:00".parse().expect("a time");
        assert_eq!(at(instant), "31 January 2026, 11:00 UTC");
    }
}
