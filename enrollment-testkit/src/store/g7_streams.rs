//! G7: entries of one stream are leased one at a time in their order.

use std::collections::BTreeMap;
use std::sync::Arc;

use enrollment_core::port::{Channel, LeaseRequest, OutboxEntry, Settlement, Store};

use super::bed::{Bed, Verdict, applied, at, just_before, lease, lease_as, lease_none, lease_one, settled, together};
use super::{Failure, ensure, ensure_eq};

/// Enqueued out of order and in several changes, a stream's entries come in order, the next only when the one before
/// is done; at one order the lower id comes first.
pub(super) async fn g7_a_stream_is_leased_one_at_a_time_in_its_order(bed: &Bed) -> Verdict {
    let store = bed.open().await?;
    // Made in this order, so the ids do not follow the stream's; the last two share their order.
    let entries = [3, 1, 10, 2, 2].map(|order| bed.streamed("s", order));
    for entry in [&entries[4], &entries[0]] {
        applied(&store, &bed.enqueue(vec![entry.clone()])?).await?;
    }
    applied(&store, &bed.enqueue(vec![entries[2].clone(), entries[1].clone(), entries[3].clone()])?).await?;
    for want in [1, 3, 4, 0, 2].map(|place: usize| &entries[place]) {
        let leased = lease_one(&store, at(0), "of one stream").await?;
        ensure_eq!(leased.entry.stream, want.stream, "the place in the stream");
        ensure_eq!(leased.entry.id, want.id, "the entry");
        lease_none(&store, at(1), "while the one before is leased").await?;
        settled(&store, &leased.lease, Settlement::Done, at(1)).await?;
    }
    lease_none(&store, at(600), "of a stream that is through").await
}

/// An entry that is not due, to be retried or released holds up those behind it; one whose lease ran out is leased
/// again before them.
pub(super) async fn g7_a_waiting_entry_holds_up_its_stream(bed: &Bed) -> Verdict {
    let store = bed.open().await?;
    let first = OutboxEntry { due: at(10), ..bed.streamed("s", 1) };
    applied(&store, &bed.enqueue(vec![bed.streamed("s", 2), first.clone()])?).await?;
    lease_none(&store, just_before(at(10)), "while the first is not due").await?;
    let leased = lease_one(&store, at(10), "when the first is due").await?;
    ensure_eq!(leased.entry.id, first.id, "the entry");
    settled(&store, &leased.lease, Settlement::Retry { at: at(20), why: "again".to_owned() }, at(11)).await?;
    lease_none(&store, just_before(at(20)), "while the first waits for its retry").await?;
    let leased = lease_one(&store, at(20), "when the retry is due").await?;
    settled(&store, &leased.lease, Settlement::Release { at: at(30) }, at(21)).await?;
    lease_none(&store, just_before(at(30)), "while the first was released until later").await?;
    lease_one(&store, at(30), "when the released is due").await?;
    let again = lease_one(&store, at(90), "when the lease of the first ran out").await?;
    ensure_eq!(again.entry.id, first.id, "the entry leased again");
    Ok(())
}

/// A stream does not end with an entry that failed for good.
pub(super) async fn g7_a_dead_or_obsolete_entry_lets_its_stream_go_on(bed: &Bed) -> Verdict {
    let store = bed.open().await?;
    let entries = [1, 2, 3].map(|order| bed.streamed("s", order));
    applied(&store, &bed.enqueue(entries.to_vec())?).await?;
    let why = || "why".to_owned();
    for (entry, end) in
        entries.iter().zip([Settlement::Dead { why: why() }, Settlement::Obsolete { why: why() }, Settlement::Done])
    {
        let leased = lease_one(&store, at(0), "of one stream").await?;
        ensure_eq!(leased.entry.id, entry.id, "the entry");
        settled(&store, &leased.lease, end, at(1)).await?;
    }
    Ok(())
}

/// One stream's entries wait for each other in all channels, also for one that this worker does not serve.
pub(super) async fn g7_a_stream_spans_channels(bed: &Bed) -> Verdict {
    let store = bed.open().await?;
    let first = OutboxEntry { channel: Channel::Event, ..bed.streamed("s", 1) };
    let second = bed.streamed("s", 2);
    applied(&store, &bed.enqueue(vec![first, second.clone()])?).await?;
    let peers = LeaseRequest { channels: vec![Channel::Peer], now: at(0), until: at(60), limit: 10 };
    ensure_eq!(lease_as(&store, &peers).await?, Vec::new(), "leases behind another channel's entry");
    let leased = lease_one(&store, at(0), "of the first channel").await?;
    settled(&store, &leased.lease, Settlement::Done, at(0)).await?;
    let leased = lease_as(&store, &peers).await?;
    ensure_eq!(leased.len(), 1, "leases once the other channel's entry is done");
    ensure_eq!(leased[0].entry.id, second.id, "the entry");
    Ok(())
}

/// One batch has the head of every stream, whose keys are compared exactly, and every independent entry.
pub(super) async fn g7_streams_and_independent_entries_do_not_wait_for_each_other(bed: &Bed) -> Verdict {
    let store = bed.open().await?;
    let keys = ["s", "S", "s ", "ß", ""];
    let mut entries: Vec<_> = keys.iter().flat_map(|key| [2, 1].map(|order| bed.streamed(key, order))).collect();
    entries.extend((0..5).map(|_| bed.entry()));
    applied(&store, &bed.enqueue(entries)?).await?;
    let leased = lease(&store, at(0), 100).await?;
    let heads = leased.iter().filter_map(|leased| leased.entry.stream.as_ref());
    let heads: BTreeMap<&str, u64> = heads.map(|stream| (stream.key.as_str(), stream.order)).collect();
    ensure_eq!(heads, keys.map(|key| (key, 1)).into(), "heads of the streams");
    ensure_eq!(leased.len(), 10, "heads and independent entries in one batch");
    Ok(())
}

/// Six workers on two handles work through four streams: each stream comes in its order, whoever works on it.
pub(super) async fn g7_parallel_workers_never_share_a_stream(bed: &Bed) -> Verdict {
    let handles = [bed.open().await?, bed.open().await?];
    let keys = ["a", "b", "c", "d"];
    let entries = keys.iter().flat_map(|key| (1..=6).map(|order| bed.streamed(key, order))).collect();
    applied(&handles[0], &bed.enqueue(entries)?).await?;
    let through = Arc::new(std::sync::Mutex::new(Vec::new()));
    let tasks = (0..6).map(|n| work(Arc::clone(&handles[n % 2]), Arc::clone(&through)));
    together(tasks.collect()).await?;
    let through = through.lock().map_err(|_| Failure::new("a worker panicked"))?;
    for key in keys {
        let orders: Vec<u64> = through.iter().filter(|(k, _)| k == key).map(|(_, order)| *order).collect();
        ensure_eq!(orders, (1..=6).collect::<Vec<_>>(), "the order in which stream {key} was worked on");
    }
    Ok(())
}

type Through = Arc<std::sync::Mutex<Vec<(String, u64)>>>;

/// Leases and settles until all entries are through, noting each before it is settled.
async fn work(store: Arc<dyn Store>, through: Through) -> Verdict {
    for _ in 0..20_000 {
        for leased in lease(&store, at(0), 2).await? {
            if let (Some(stream), Ok(mut through)) = (&leased.entry.stream, through.lock()) {
                through.push((stream.key.clone(), stream.order));
            }
            tokio::task::yield_now().await;
            settled(&store, &leased.lease, Settlement::Done, at(1)).await?;
        }
        if through.lock().is_ok_and(|through| through.len() >= 24) {
            return Ok(());
        }
        tokio::task::yield_now().await;
    }
    ensure!(false, "the streams do not come to an end");
    Ok(())
}
