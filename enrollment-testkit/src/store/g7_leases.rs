//! G7: a lease excludes all others until its time and is fenced afterwards.

use std::collections::BTreeSet;
use std::sync::Arc;

use enrollment_core::id::OutboxId;
use enrollment_core::port::{Channel, LeaseRef, LeaseRequest, OutboxEntry, SettleOutcome, Settlement, Store};

use super::bed::{
    Bed, Verdict, applied, at, just_before, lease, lease_as, lease_none, lease_one, same_document, settle, settled,
    together,
};
use super::{Failure, ensure, ensure_eq};

/// A leased entry is nobody else's until the lease's end, exclusive; then it is free, with a higher fence and one more
/// try.
pub(super) async fn g7_a_lease_excludes_others_until_its_time(bed: &Bed) -> Verdict {
    let (one, two) = (bed.open().await?, bed.open().await?);
    applied(&one, &bed.enqueue(vec![bed.entry()])?).await?;
    let first = lease_one(&one, at(0), "once enqueued").await?;
    ensure_eq!(first.tries, 1, "tries of a first lease");
    for now in [at(0), at(30), just_before(at(60))] {
        lease_none(&one, now, "under a lease, same handle").await?;
        lease_none(&two, now, "under a lease, other handle").await?;
    }
    let second = lease_one(&two, at(60), "at the end of the lease").await?;
    ensure_eq!(second.entry.id, first.entry.id, "the entry");
    ensure!(second.lease.fence > first.lease.fence, "the fence does not rise: {:?}, {:?}", first.lease, second.lease);
    ensure_eq!(second.tries, 2, "tries of a second lease");
    lease_none(&one, just_before(at(120)), "under the second lease").await
}

/// Eight workers on two handles take forty entries in small batches: each entry once, round after round.
pub(super) async fn g7_parallel_workers_share_no_entry(bed: &Bed) -> Verdict {
    let handles = [bed.open().await?, bed.open().await?];
    for _ in 0..5 {
        let entries: Vec<OutboxEntry> = (0..40).map(|_| bed.entry()).collect();
        let enqueued: BTreeSet<OutboxId> = entries.iter().map(|entry| entry.id).collect();
        applied(&handles[0], &bed.enqueue(entries)?).await?;
        let tasks = (0..8).map(|n| drain(Arc::clone(&handles[n % 2])));
        let taken: Vec<OutboxId> = together(tasks.collect()).await?.into_iter().flatten().collect();
        ensure_eq!(taken.len(), 40, "leases of 40 entries");
        ensure_eq!(taken.into_iter().collect::<BTreeSet<_>>(), enqueued, "entries leased");
    }
    Ok(())
}

async fn drain(store: Arc<dyn Store>) -> Result<Vec<OutboxId>, Failure> {
    let mut taken = Vec::new();
    loop {
        let leased = lease(&store, at(0), 3).await?;
        if leased.is_empty() {
            return Ok(taken);
        }
        taken.extend(leased.iter().map(|leased| leased.entry.id));
        ensure!(taken.len() <= 1_000, "one worker alone got {} leases of 40 entries", taken.len());
    }
}

/// An entry is free from the instant it is due, not before.
pub(super) async fn g7_an_entry_is_leased_only_when_due(bed: &Bed) -> Verdict {
    let store = bed.open().await?;
    let entry = OutboxEntry { due: at(10), ..bed.entry() };
    applied(&store, &bed.enqueue(vec![entry])?).await?;
    lease_none(&store, just_before(at(10)), "before the entry is due").await?;
    lease_one(&store, at(10), "when the entry is due").await.map(drop)
}

/// Each channel's entries go to those who ask for it, and to nobody else.
pub(super) async fn g7_only_named_channels_are_leased(bed: &Bed) -> Verdict {
    let store = bed.open().await?;
    let entries = Channel::ALL.iter().map(|channel| OutboxEntry { channel: *channel, ..bed.entry() }).collect();
    applied(&store, &bed.enqueue(entries)?).await?;
    let ask = |channels: &[Channel]| LeaseRequest { channels: channels.to_vec(), now: at(0), until: at(60), limit: 10 };
    ensure_eq!(lease_as(&store, &ask(&[])).await?, Vec::new(), "leases of no channel");
    let (one, others) = Channel::ALL.split_at(1);
    for channels in [one, others] {
        let leased = lease_as(&store, &ask(channels)).await?;
        let mut served: Vec<Channel> = leased.iter().map(|leased| leased.entry.channel).collect();
        served.sort();
        ensure_eq!(served, channels, "channels leased");
    }
    Ok(())
}

/// A lease takes no more than its limit, and those that have been due longest.
pub(super) async fn g7_a_lease_takes_the_longest_due_up_to_its_limit(bed: &Bed) -> Verdict {
    let store = bed.open().await?;
    let entries: Vec<_> = [3, 1, 4, 0, 2].map(|due| OutboxEntry { due: at(due), ..bed.entry() }).into();
    applied(&store, &bed.enqueue(entries)?).await?;
    for want in [vec![0, 1], vec![2, 3], vec![4], vec![]] {
        let mut due: Vec<_> = lease(&store, at(10), 2).await?.iter().map(|leased| leased.entry.due).collect();
        due.sort_unstable();
        ensure_eq!(due, want.into_iter().map(at).collect::<Vec<_>>(), "the longest due of what is left, limit 2");
    }
    Ok(())
}

/// Identifier, channel, stream, due time and document come back; one lease gives all entries that are free.
pub(super) async fn g7_an_entry_is_leased_as_it_was_enqueued(bed: &Bed) -> Verdict {
    let store = bed.open().await?;
    let mut entries = vec![bed.streamed("ström", 0), bed.streamed("STRÖM", (1 << 53) + 1)];
    entries.extend(Channel::ALL.iter().map(|channel| OutboxEntry { channel: *channel, ..bed.entry() }));
    for (n, entry) in entries.iter_mut().enumerate() {
        entry.body.layout = u16::try_from(n).unwrap_or_default();
        entry.body.json =
            serde_json::json!({ "n": n, "text": "🦀 ' \" \\ \u{1}", "long": "x".repeat(20_000) }).to_string();
    }
    applied(&store, &bed.enqueue(entries.clone())?).await?;
    let leased = lease(&store, at(0), 100).await?;
    ensure_eq!(leased.len(), entries.len(), "entries leased");
    for want in &entries {
        let got = leased.iter().find(|leased| leased.entry.id == want.id);
        let Some(got) = got else { return Err(Failure::new("an entry was not leased")) };
        ensure_eq!(got.lease.entry, want.id, "the lease's entry");
        ensure_eq!(got.entry.channel, want.channel, "channel");
        ensure_eq!(got.entry.stream, want.stream, "stream");
        ensure_eq!(got.entry.due, want.due, "due");
        same_document(&got.entry.body, &want.body, "an entry's document")?;
    }
    Ok(())
}

/// Once another took the entry, nothing the first holder says is heard, however it settles.
pub(super) async fn g7_a_superseded_lease_is_lost(bed: &Bed) -> Verdict {
    let store = bed.open().await?;
    for how in every_settlement() {
        applied(&store, &bed.enqueue(vec![bed.entry()])?).await?;
        let first = lease_one(&store, at(0), "once enqueued").await?;
        let second = lease_one(&store, at(60), "at the end of the first lease").await?;
        lost(&store, &first.lease, &how, "a superseded lease").await?;
        lease_none(&store, just_before(at(120)), "under the second lease").await?;
        settled(&store, &second.lease, Settlement::Done, at(61)).await?;
    }
    Ok(())
}

/// A lease is settled once: after it was ended in any way, it is lost.
pub(super) async fn g7_a_settled_lease_is_lost(bed: &Bed) -> Verdict {
    let store = bed.open().await?;
    let ends = every_settlement().into_iter().filter(|how| !matches!(how, Settlement::Extend { .. }));
    for end in ends {
        applied(&store, &bed.enqueue(vec![bed.entry()])?).await?;
        let leased = lease_one(&store, at(0), "once enqueued").await?;
        settled(&store, &leased.lease, end.clone(), at(1)).await?;
        for how in every_settlement() {
            lost(&store, &leased.lease, &how, "a settled lease").await?;
        }
        if matches!(end, Settlement::Retry { .. } | Settlement::Release { .. }) {
            // That the refused settlements did nothing shows in the entry being there, once, for the next round.
            let again = lease_one(&store, at(30), "after a retry or release").await?;
            settled(&store, &again.lease, Settlement::Done, at(31)).await?;
        }
        lease_none(&store, at(500), "once done").await?;
    }
    Ok(())
}

/// A lease of an entry that does not exist, or with a fence that was never given, is lost.
pub(super) async fn g7_an_unknown_lease_is_lost(bed: &Bed) -> Verdict {
    let store = bed.open().await?;
    applied(&store, &bed.enqueue(vec![bed.entry()])?).await?;
    let leased = lease_one(&store, at(0), "once enqueued").await?;
    let no_entry = LeaseRef { entry: OutboxId::from_uuid(bed.uuid()), fence: leased.lease.fence };
    let no_fence = LeaseRef { fence: leased.lease.fence + 1, ..leased.lease };
    for how in every_settlement() {
        lost(&store, &no_entry, &how, "a lease of no entry").await?;
        lost(&store, &no_fence, &how, "a lease never given").await?;
    }
    settled(&store, &leased.lease, Settlement::Done, at(1)).await
}

/// A worker that was late, but not overtaken, still has its say.
pub(super) async fn g7_an_overdue_lease_nobody_took_can_be_settled(bed: &Bed) -> Verdict {
    let store = bed.open().await?;
    applied(&store, &bed.enqueue(vec![bed.entry()])?).await?;
    let leased = lease_one(&store, at(0), "once enqueued").await?;
    settled(&store, &leased.lease, Settlement::Extend { until: at(700) }, at(600)).await?;
    lease_none(&store, at(699), "under an extended lease").await?;
    settled(&store, &leased.lease, Settlement::Done, at(800)).await?;
    lease_none(&store, at(900), "once done").await
}

fn every_settlement() -> [Settlement; 6] {
    let why = || "why".to_owned();
    [
        Settlement::Done,
        Settlement::Retry { at: at(30), why: why() },
        Settlement::Dead { why: why() },
        Settlement::Obsolete { why: why() },
        Settlement::Release { at: at(30) },
        Settlement::Extend { until: at(400) },
    ]
}

async fn lost(store: &Arc<dyn Store>, lease: &LeaseRef, how: &Settlement, what: &str) -> Verdict {
    ensure_eq!(settle(store, lease, how, at(10)).await?, SettleOutcome::LeaseLost, "{what}, {how:?}");
    Ok(())
}
