//! G8: the store has no clock.

use std::time::Duration;

use enrollment_core::port::{Change, CommitOutcome, OutboxEntry, Retained, Settlement};
use enrollment_core::record::{Kind, Row, Version};
use enrollment_core::time::Timestamp;

use super::bed::{Bed, RowExt, Verdict, applied, just_before, lease_none, lease_one, outcome, put, settled, stands};
use super::{Failure, ensure_eq};

/// The first instant there is, the epoch, one far from any real clock, and the last day but one.
fn times() -> [Timestamp; 4] {
    let last = Timestamp::from_micros(i64::MAX).minus(Duration::from_secs(2 * 86_400));
    [Timestamp::from_micros(i64::MIN), Timestamp::EPOCH, Timestamp::from_seconds(250_000_000_000), last]
}

/// Changes decided in the far future and then in the far past follow each other, and their repetitions are known.
pub(super) async fn g8_changes_take_any_time(bed: &Bed) -> Verdict {
    let store = bed.open().await?;
    let row = bed.row(Kind::User);
    let mut changes = Vec::new();
    for (version, time) in (1..).zip(times().into_iter().rev()) {
        let row = Row { version: Version(version), ..row.clone() }.json(format!(r#"{{"version":{version}}}"#));
        let change = Change { at: time, ..bed.change(vec![put(&row)])? };
        applied(&store, &change).await?;
        stands(&store, &row, "after a change at a time far away").await?;
        changes.push(change);
    }
    for change in &changes {
        outcome(&store, change, CommitOutcome::Applied, "a repetition at a time far away").await?;
    }
    Ok(())
}

/// Due, leased, extended, retried and free again, all by the times passed in, wherever they lie.
pub(super) async fn g8_leases_know_only_the_time_they_are_given(bed: &Bed) -> Verdict {
    let store = bed.open().await?;
    for time in times() {
        let later = |seconds| time.plus(Duration::from_secs(seconds));
        applied(&store, &bed.enqueue(vec![OutboxEntry { due: later(10), ..bed.entry() }])?).await?;
        lease_none(&store, just_before(later(10)), "before the entry is due").await?;
        let leased = lease_one(&store, later(10), "when the entry is due").await?;
        lease_none(&store, just_before(later(70)), "under the lease").await?;
        settled(&store, &leased.lease, Settlement::Extend { until: later(100) }, later(20)).await?;
        lease_none(&store, just_before(later(100)), "under the extended lease").await?;
        let leased = lease_one(&store, later(100), "at the end of the lease").await?;
        settled(&store, &leased.lease, Settlement::Retry { at: later(300), why: "why".to_owned() }, later(101)).await?;
        lease_none(&store, just_before(later(300)), "before the retry is due").await?;
        let leased = lease_one(&store, later(300), "when the retry is due").await?;
        settled(&store, &leased.lease, Settlement::Done, later(301)).await?;
    }
    Ok(())
}

/// Old by the real clock, or not yet decided by it: what is pruned depends on the time passed in alone.
pub(super) async fn g8_prune_knows_only_the_time_it_is_given(bed: &Bed) -> Verdict {
    let store = bed.open().await?;
    for time in times() {
        let made = Change { at: time, ..bed.enqueue(vec![OutboxEntry { due: time, ..bed.entry() }])? };
        applied(&store, &made).await?;
        let leased = lease_one(&store, time, "when due").await?;
        settled(&store, &leased.lease, Settlement::Done, time).await?;
        for what in [Retained::Changes, Retained::Settled] {
            let prune = async |before| store.prune(what, before, 10).await.map_err(Failure::from);
            ensure_eq!(prune(time).await?, 0, "{what:?} pruned before {time:?}");
            ensure_eq!(prune(time.plus(Duration::from_micros(1))).await?, 1, "{what:?} pruned just behind {time:?}");
        }
    }
    Ok(())
}
