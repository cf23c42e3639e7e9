//! G7: a change made under a lease ends it, or is not applied.

use std::sync::Arc;

use enrollment_core::port::{CommitOutcome, SettleOutcome, Settlement};
use enrollment_core::record::{Kind, UniqueKey, UniqueName};

use super::bed::{
    Bed, RowExt, Verdict, applied, at, commit, is_absent, just_before, lease, lease_none, lease_one, outcome, put,
    settle, settled, stands, taken, together,
};
use super::{Failure, ensure_eq};

/// The entry is done by the change: never leased again, and the lease is used up. The next of its stream is free.
pub(super) async fn g7_a_change_settles_its_lease(bed: &Bed) -> Verdict {
    let store = bed.open().await?;
    let next = bed.streamed("s", 2);
    applied(&store, &bed.enqueue(vec![bed.streamed("s", 1), next.clone()])?).await?;
    let leased = lease_one(&store, at(0), "once enqueued").await?;
    let row = bed.row(Kind::Attachment);
    applied(&store, &bed.change_with(vec![put(&row)], Vec::new(), Some(leased.lease))?).await?;
    stands(&store, &row, "made under the lease").await?;
    let again = settle(&store, &leased.lease, &Settlement::Done, at(1)).await?;
    ensure_eq!(again, SettleOutcome::LeaseLost, "a lease that a change settled");
    let after = lease_one(&store, at(600), "after the change").await?;
    ensure_eq!(after.entry.id, next.id, "the next entry of the stream");
    Ok(())
}

/// However many there are, in whatever order they were given.
pub(super) async fn g7_a_change_settles_all_its_leases(bed: &Bed) -> Verdict {
    let store = bed.open().await?;
    for count in [2, 4, 5, 16] {
        let entries = (0..count).map(|_| bed.entry()).collect();
        applied(&store, &bed.enqueue(entries)?).await?;
        let leased = lease(&store, at(0), count).await?;
        let row = bed.row(Kind::Attachment);
        let leases = leased.iter().rev().map(|leased| leased.lease);
        applied(&store, &bed.change_with(vec![put(&row)], Vec::new(), leases)?).await?;
        stands(&store, &row, "made under many leases").await?;
        for leased in &leased {
            let again = settle(&store, &leased.lease, &Settlement::Done, at(1)).await?;
            ensure_eq!(again, SettleOutcome::LeaseLost, "one of {count} leases that a change settled");
        }
        lease_none(&store, at(600), "after the change").await?;
    }
    Ok(())
}

/// One of several is superseded, settled or was never given: nothing of the change happens, and the others are still the
/// caller's.
pub(super) async fn g7_one_lost_lease_refuses_the_whole_change(bed: &Bed) -> Verdict {
    let store = bed.open().await?;
    applied(&store, &bed.enqueue((0..8).map(|_| bed.entry()).collect())?).await?;
    let Some(first) = lease(&store, at(0), 1).await?.pop().map(|leased| leased.lease) else {
        return Err(Failure::new("no entry to lease, once enqueued"));
    };
    settled(&store, &first, Settlement::Release { at: at(0) }, at(0)).await?;
    let leases: Vec<_> = lease(&store, at(0), 8).await?.into_iter().map(|leased| leased.lease).collect();
    let mut never = leases[1];
    never.fence += 1;
    for lost in [first, never] {
        let with_lost = leases.iter().map(|lease| if lease.entry == lost.entry { lost } else { *lease });
        let row = bed.row(Kind::User).unique(UniqueName::Username, "alice");
        let change = bed.change_with(vec![put(&row)], vec![bed.entry()], with_lost)?;
        outcome(&store, &change, CommitOutcome::LeaseLost, "a change with one lost lease among eight").await?;
        is_absent(&store, row.key, "a row of a refused change").await?;
        lease_none(&store, just_before(at(60)), "while the leases run").await?;
    }
    let row = bed.row(Kind::User).unique(UniqueName::Username, "alice");
    applied(&store, &bed.change_with(vec![put(&row)], Vec::new(), leases)?).await
}

/// Superseded, settled or never given: the change is `LeaseLost`, and nothing of it happens.
pub(super) async fn g7_a_change_under_a_lost_lease_applies_nothing(bed: &Bed) -> Verdict {
    let store = bed.open().await?;
    applied(&store, &bed.enqueue(vec![bed.entry()])?).await?;
    let superseded = lease_one(&store, at(0), "once enqueued").await?.lease;
    let released = lease_one(&store, at(60), "at the end of the first lease").await?.lease;
    settled(&store, &released, Settlement::Release { at: at(61) }, at(61)).await?;
    let current = lease_one(&store, at(61), "once released").await?.lease;
    let mut never = current;
    never.fence += 1;
    for lost in [superseded, released, never] {
        let row = bed.row(Kind::User).unique(UniqueName::Username, "alice");
        let change = bed.change_with(vec![put(&row)], vec![bed.entry()], Some(lost))?;
        outcome(&store, &change, CommitOutcome::LeaseLost, "a change under a lost lease").await?;
        is_absent(&store, row.key, "a row of a refused change").await?;
        lease_none(&store, just_before(at(121)), "while the current lease runs").await?;
    }
    let row = bed.row(Kind::User).unique(UniqueName::Username, "alice");
    applied(&store, &bed.change_with(vec![put(&row)], Vec::new(), Some(current))?).await?;
    lease_none(&store, at(600), "once the change settled it").await
}

/// A change that is refused for its rows leaves the lease as it was, to be settled otherwise.
pub(super) async fn g7_a_refused_change_leaves_its_lease(bed: &Bed) -> Verdict {
    let store = bed.open().await?;
    let alice = UniqueKey::new(UniqueName::Username, "alice");
    let holder = bed.row(Kind::User).unique(alice.name, alice.value.clone());
    applied(&store, &bed.change_with(vec![put(&holder)], vec![bed.entry()], None)?).await?;
    let lease = lease_one(&store, at(0), "once enqueued").await?.lease;
    let stale = bed.change_with(vec![put(&holder)], Vec::new(), Some(lease))?;
    outcome(&store, &stale, CommitOutcome::Stale, "a stale change under a lease").await?;
    let second = bed.row(Kind::User).unique(alice.name, alice.value.clone());
    let held = bed.change_with(vec![put(&second)], Vec::new(), Some(lease))?;
    taken(&store, &held, &alice, "a change under a lease whose key is held").await?;
    lease_none(&store, just_before(at(60)), "under the lease").await?;
    settled(&store, &lease, Settlement::Done, at(1)).await
}

/// Two changes under one lease at once, about different rows: one is applied, the other has lost the lease.
pub(super) async fn g7_a_lease_is_used_up_by_one_of_two_parallel_changes(bed: &Bed) -> Verdict {
    let handles = [bed.open().await?, bed.open().await?];
    for _ in 0..15 {
        applied(&handles[0], &bed.enqueue(vec![bed.entry()])?).await?;
        let lease = lease_one(&handles[0], at(0), "once enqueued").await?.lease;
        let rows = [bed.row(Kind::Attachment), bed.row(Kind::Attachment)];
        let mut tasks = Vec::new();
        for (row, store) in rows.iter().zip(&handles) {
            let (store, change) = (Arc::clone(store), bed.change_with(vec![put(row)], Vec::new(), Some(lease))?);
            tasks.push(async move { commit(&store, &change).await });
        }
        let outcomes = together(tasks).await?;
        let winner = match outcomes.as_slice() {
            [CommitOutcome::Applied, CommitOutcome::LeaseLost] => 0,
            [CommitOutcome::LeaseLost, CommitOutcome::Applied] => 1,
            other => return Err(Failure::new(format!("two changes under one lease: {other:?}"))),
        };
        stands(&handles[0], &rows[winner], "the winner's row").await?;
        is_absent(&handles[0], rows[1 - winner].key, "the loser's row").await?;
    }
    Ok(())
}
