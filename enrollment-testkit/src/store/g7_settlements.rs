//! G7: what becomes of an entry when its lease is settled.

use std::time::Duration;

use enrollment_core::port::{Leased, Retained, Settlement};

use super::bed::{Bed, Verdict, applied, at, just_before, lease, lease_none, lease_one, settled};
use super::{Failure, ensure, ensure_eq};

/// Done, dead and obsolete entries are never leased again.
pub(super) async fn g7_an_ended_entry_is_never_leased_again(bed: &Bed) -> Verdict {
    let store = bed.open().await?;
    let why = || "why".to_owned();
    for end in [Settlement::Done, Settlement::Dead { why: why() }, Settlement::Obsolete { why: why() }] {
        applied(&store, &bed.enqueue(vec![bed.entry()])?).await?;
        let leased = lease_one(&store, at(0), "once enqueued").await?;
        settled(&store, &leased.lease, end, at(1)).await?;
        lease_none(&store, at(1), "once ended").await?;
        lease_none(&store, at(1_000_000), "long after").await?;
    }
    Ok(())
}

/// A retry is free at its time, not before, also inside the time of the lease it gave up; every try counts.
pub(super) async fn g7_a_retry_waits_and_counts(bed: &Bed) -> Verdict {
    let store = bed.open().await?;
    applied(&store, &bed.enqueue(vec![bed.entry()])?).await?;
    let mut now = at(0);
    for tries in 1..=5 {
        let leased = lease_one(&store, now, "when due").await?;
        ensure_eq!(leased.tries, tries, "tries");
        now = now.plus(Duration::from_secs(20));
        settled(&store, &leased.lease, Settlement::Retry { at: now, why: "later".to_owned() }, at(1)).await?;
        lease_none(&store, just_before(now), "before a retry is due").await?;
    }
    Ok(())
}

/// A release is free at its time, and the try it gave back is not counted.
pub(super) async fn g7_a_release_waits_and_does_not_count(bed: &Bed) -> Verdict {
    let store = bed.open().await?;
    applied(&store, &bed.enqueue(vec![bed.entry()])?).await?;
    let mut now = at(0);
    for _ in 0..3 {
        let leased = lease_one(&store, now, "when due").await?;
        ensure_eq!(leased.tries, 1, "tries after releases");
        now = now.plus(Duration::from_secs(20));
        settled(&store, &leased.lease, Settlement::Release { at: now }, at(1)).await?;
        lease_none(&store, just_before(now), "before a released entry is due").await?;
    }
    let leased = lease_one(&store, now, "when due").await?;
    settled(&store, &leased.lease, Settlement::Retry { at: now, why: "again".to_owned() }, now).await?;
    ensure_eq!(lease_one(&store, now, "after a retry").await?.tries, 2, "tries after releases and a retry");
    Ok(())
}

/// The same lease, longer: it excludes others until the new time and is settled by the same reference.
pub(super) async fn g7_an_extended_lease_lasts_longer(bed: &Bed) -> Verdict {
    let store = bed.open().await?;
    applied(&store, &bed.enqueue(vec![bed.entry()])?).await?;
    let first = lease_one(&store, at(0), "once enqueued").await?;
    settled(&store, &first.lease, Settlement::Extend { until: at(100) }, at(50)).await?;
    lease_none(&store, at(60), "at the first end of an extended lease").await?;
    settled(&store, &first.lease, Settlement::Extend { until: at(200) }, at(90)).await?;
    lease_none(&store, just_before(at(200)), "before the new end").await?;
    let second = lease_one(&store, at(200), "at the new end").await?;
    ensure!(second.lease.fence > first.lease.fence, "the fence does not rise after an extended lease");
    ensure_eq!(second.tries, 2, "tries: an extension is none");
    Ok(())
}

/// Whatever ended the lease before, the next has a higher fence.
pub(super) async fn g7_fences_only_rise(bed: &Bed) -> Verdict {
    let store = bed.open().await?;
    applied(&store, &bed.enqueue(vec![bed.entry()])?).await?;
    let mut last: Option<Leased> = None;
    for turn in 0..6 {
        let now = at(turn * 100);
        let leased = lease_one(&store, now, "when due").await?;
        if let Some(last) = last {
            ensure!(leased.lease.fence > last.lease.fence, "fence {} after {}", leased.lease.fence, last.lease.fence);
        }
        match turn % 3 {
            0 => settled(&store, &leased.lease, Settlement::Release { at: now }, now).await?,
            1 => settled(&store, &leased.lease, Settlement::Retry { at: now, why: "again".to_owned() }, now).await?,
            // The third kind of end: it runs out.
            _ => {}
        }
        last = Some(leased);
    }
    Ok(())
}

/// Pruning removes entries of the named sort that ended before the given time, at most so many, and says how many;
/// entries that wait or are leased stay.
pub(super) async fn g7_prune_removes_what_ended_before(bed: &Bed) -> Verdict {
    let store = bed.open().await?;
    let why = || "why".to_owned();
    let ends = [
        Settlement::Done,
        Settlement::Obsolete { why: why() },
        Settlement::Done,
        Settlement::Dead { why: why() },
        Settlement::Dead { why: why() },
    ];
    for (hour, end) in ends.into_iter().enumerate() {
        applied(&store, &bed.enqueue(vec![bed.entry()])?).await?;
        let leased = lease_one(&store, at(0), "once enqueued").await?;
        settled(&store, &leased.lease, end, at(3_600 * i64::try_from(hour).unwrap_or_default())).await?;
    }
    applied(&store, &bed.enqueue(vec![bed.entry(), bed.entry()])?).await?;
    let leased = lease(&store, at(0), 1).await?;

    let prune = async |what, before, limit| store.prune(what, before, limit).await.map_err(Failure::from);
    ensure_eq!(prune(Retained::Settled, at(0), 10).await?, 0, "settled entries that ended before the first");
    ensure_eq!(prune(Retained::Dead, at(3 * 3_600), 10).await?, 0, "dead entries that ended before the first");
    ensure_eq!(prune(Retained::Settled, at(2 * 3_600), 1).await?, 1, "settled entries, limit 1");
    ensure_eq!(prune(Retained::Settled, at(2 * 3_600), 10).await?, 1, "settled entries, one left before the time");
    ensure_eq!(prune(Retained::Dead, at(4 * 3_600), 10).await?, 1, "dead entries before the time");
    ensure_eq!(prune(Retained::Settled, at(1_000_000), 10).await?, 1, "settled entries left");
    ensure_eq!(prune(Retained::Dead, at(1_000_000), 10).await?, 1, "dead entries left");

    let waiting = lease_one(&store, at(0), "after pruning").await?;
    for lease in leased.iter().chain([&waiting]) {
        settled(&store, &lease.lease, Settlement::Done, at(1)).await?;
    }
    Ok(())
}
