//! G5, as far as a test can see: what was answered is there when all handles were dropped and the data opened again.

use enrollment_core::port::{Channel, CommitOutcome, Scan, SettleOutcome, Settlement};
use enrollment_core::record::{IndexName, Kind, UniqueKey, UniqueName};

use super::bed::{
    Bed, RowExt, Verdict, applied, at, delete, find, is_absent, lease_none, lease_one, misused, outcome, page, put,
    same, settle, settled, stands, taken,
};
use super::ensure_eq;

/// Rows, their unique keys and their places in indexes.
pub(super) async fn g5_rows_survive_reopening(bed: &Bed) -> Verdict {
    let store = bed.open().await?;
    let row = bed.row(Kind::User).unique(UniqueName::Username, "alice");
    let row = row.index(IndexName::UsersByUsername, "", "alice");
    let gone = bed.row(Kind::User);
    applied(&store, &bed.change(vec![put(&row), put(&gone)])?).await?;
    applied(&store, &bed.change(vec![delete(&gone)])?).await?;
    drop(store);

    let store = bed.open().await?;
    stands(&store, &row, "get").await?;
    is_absent(&store, gone.key, "deleted before").await?;
    same(find(&store, UniqueName::Username, "alice").await?.as_ref(), &row, "find")?;
    let found = page(&store, &Scan::all(IndexName::UsersByUsername, "", 10)).await?;
    same(found.rows.first(), &row, "scan")?;
    let second = bed.row(Kind::User).unique(UniqueName::Username, "alice");
    let key = UniqueKey::new(UniqueName::Username, "alice");
    taken(&store, &bed.change(vec![put(&second)])?, &key, "a key held before").await
}

/// Entries, their leases and their tries: a lease taken before is still the caller's and still excludes others.
pub(super) async fn g5_the_outbox_survives_reopening(bed: &Bed) -> Verdict {
    let store = bed.open().await?;
    let (waiting, done) = (bed.streamed("s", 2), bed.streamed("s", 1));
    applied(&store, &bed.enqueue(vec![waiting.clone(), done])?).await?;
    let first = lease_one(&store, at(0), "once enqueued").await?;
    settled(&store, &first.lease, Settlement::Done, at(0)).await?;
    let leased = lease_one(&store, at(0), "once the first is done").await?;
    drop(store);

    let store = bed.open().await?;
    lease_none(&store, at(59), "under a lease taken before").await?;
    let again = Settlement::Retry { at: at(30), why: "try".to_owned() };
    settled(&store, &leased.lease, again, at(1)).await?;
    drop(store);

    let store = bed.open().await?;
    lease_none(&store, at(29), "before the retry is due").await?;
    let retried = lease_one(&store, at(30), "once the retry is due").await?;
    ensure_eq!(retried.entry.id, waiting.id, "the entry");
    ensure_eq!(retried.entry.channel, Channel::Peer, "its channel");
    ensure_eq!(retried.entry.stream, waiting.stream, "its stream");
    ensure_eq!(retried.tries, 2, "its tries");
    let stale = settle(&store, &leased.lease, &Settlement::Done, at(31)).await?;
    ensure_eq!(stale, SettleOutcome::LeaseLost, "the lease before the retry");
    Ok(())
}

/// A change applied before is known when it is repeated, and told from another.
pub(super) async fn g5_change_ids_survive_reopening(bed: &Bed) -> Verdict {
    let store = bed.open().await?;
    let row = bed.row(Kind::User);
    let change = bed.change(vec![put(&row)])?;
    applied(&store, &change).await?;
    applied(&store, &bed.change(vec![delete(&row)])?).await?;
    drop(store);

    let store = bed.open().await?;
    outcome(&store, &change, CommitOutcome::Applied, "a repetition of a change applied before").await?;
    is_absent(&store, row.key, "after the repetition").await?;
    let mut reused = change;
    reused.ops = vec![put(&bed.row(Kind::User))];
    misused(store.commit(&reused).await, "an id applied before with other content")
}
