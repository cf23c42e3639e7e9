//! How long to wait after a failure.

use std::time::Duration;

use crate::port::Entropy;

/// The shortest wait.
const FIRST: Duration = Duration::from_secs(5);
/// The longest.
const LONGEST: Duration = Duration::from_secs(30 * 60);

/// How long to wait after the failure of try `tries`, counted from 1: random, so that what failed together does not
/// come again together, between 5 s and a ceiling that starts at 10 s and doubles up to 30 min.
pub(super) fn wait(tries: u32, entropy: &dyn Entropy) -> Duration {
    let doublings = tries.saturating_sub(1).min(16);
    let ceiling = (2 * FIRST).saturating_mul(1 << doublings).min(LONGEST);
    let mut random = [0; 8];
    entropy.fill(&mut random);
    let span = (ceiling - FIRST).as_micros().try_into().unwrap_or(u64::MAX);
    FIRST + Duration::from_micros(u64::from_le_bytes(random) % (span + 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::fixture::Repeatable;

    #[test]
    fn waits_grow_to_half_an_hour_and_are_spread() {
        let entropy = Repeatable::new(1);
        for (tries, ceiling) in [(0, 10), (1, 10), (2, 20), (3, 40), (8, 1280), (9, 1800), (u32::MAX, 1800)] {
            let ceiling = Duration::from_secs(ceiling);
            let waits: std::collections::BTreeSet<_> = (0..200).map(|_| wait(tries, &entropy)).collect();
            assert!(waits.iter().all(|wait| (FIRST..=ceiling).contains(wait)), "{tries}: {waits:?}");
            assert!(waits.len() > 190, "{tries}: spread");
            let middle = FIRST + (ceiling - FIRST) / 2;
            assert!(waits.first() < Some(&middle) && waits.last() > Some(&middle), "{tries}: over all of it");
        }
    }
}
