//! G10: what went wrong is told truthfully.

use enrollment_core::port::{CommitOutcome, Cursor, OutboxEntry, Scan, Settlement};
use enrollment_core::record::{IndexName, Kind, UniqueKey, UniqueName};

use super::bed::{
    Bed, RowExt, Verdict, applied, at, is_absent, lease_none, lease_one, misused, outcome, page, put, settled, taken,
};
use super::ensure_eq;

/// A page of no rows or too many and a place of another type than the index are faults of the caller, not retryable.
pub(super) async fn g10_misuse_is_classified(bed: &Bed) -> Verdict {
    let store = bed.open().await?;
    let (texts, ints) = (IndexName::UsersByUsername, IndexName::EnrollmentsByCreated);
    for limit in [0, 1_001, u32::MAX] {
        misused(store.scan(&Scan::all(texts, "", limit)).await, &format!("a page of {limit} rows"))?;
    }
    ensure_eq!(page(&store, &Scan::all(texts, "", 1_000)).await?.rows, Vec::new(), "rows of an empty store");
    let cursor = |at| Some(Cursor { at, id: bed.uuid() });
    for (scan, what) in [
        (Scan { from: Some(1.into()), ..Scan::all(texts, "", 10) }, "from an integer in an index of texts"),
        (Scan { to: Some("1".into()), ..Scan::all(ints, "", 10) }, "to a text in an index of integers"),
        (Scan { after: cursor("1".into()), ..Scan::all(ints, "", 10) }, "a cursor of a text in an index of integers"),
    ] {
        misused(store.scan(&scan).await, what)?;
    }
    Ok(())
}

/// An entry's id names one entry for ever: a second one is misuse and nothing of its change is applied.
pub(super) async fn g10_a_reused_outbox_id_is_misuse(bed: &Bed) -> Verdict {
    let store = bed.open().await?;
    let entry = bed.entry();
    applied(&store, &bed.enqueue(vec![entry.clone()])?).await?;
    let leased = lease_one(&store, at(0), "once enqueued").await?;
    settled(&store, &leased.lease, Settlement::Retry { at: at(10), why: "later".to_owned() }, at(0)).await?;
    let twin = bed.entry();
    let other = OutboxEntry { due: at(5), ..twin.clone() };
    for (entries, what) in
        [(vec![bed.entry(), entry], "the id of an earlier entry"), (vec![twin, other], "one id twice")]
    {
        let row = bed.row(Kind::User);
        let change = bed.change_with(vec![put(&row)], entries, None)?;
        misused(store.commit(&change).await, what)?;
        is_absent(&store, row.key, "a row of a change that is misuse").await?;
        lease_none(&store, at(9), "of a change that is misuse").await?;
    }
    Ok(())
}

/// When several things stand against a change: first the lease, then the rows, then the keys.
pub(super) async fn g10_the_first_reason_is_answered(bed: &Bed) -> Verdict {
    let store = bed.open().await?;
    let alice = UniqueKey::new(UniqueName::Username, "alice");
    let holder = bed.row(Kind::User).unique(alice.name, alice.value.clone());
    applied(&store, &bed.change_with(vec![put(&holder)], vec![bed.entry()], None)?).await?;
    let lost = lease_one(&store, at(0), "once enqueued").await?.lease;
    let lease = lease_one(&store, at(60), "at the end of the first lease").await?.lease;
    // Lower and higher than the stale row, so that the order of the steps does not decide.
    let low = bed.row(Kind::User).unique(alice.name, alice.value.clone());
    let stale = bed.row(Kind::User).next();
    let high = bed.row(Kind::User).unique(alice.name, alice.value.clone());
    for claim in [&low, &high] {
        let ops = || vec![put(claim), put(&stale)];
        let change = bed.change_with(ops(), Vec::new(), Some(lost))?;
        outcome(&store, &change, CommitOutcome::LeaseLost, "a lost lease, a stale row and a taken key").await?;
        let change = bed.change_with(ops(), Vec::new(), Some(lease))?;
        outcome(&store, &change, CommitOutcome::Stale, "a stale row and a taken key").await?;
        taken(&store, &bed.change_with(vec![put(claim)], Vec::new(), Some(lease))?, &alice, "a taken key").await?;
    }
    Ok(())
}
