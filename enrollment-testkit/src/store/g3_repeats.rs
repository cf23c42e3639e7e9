//! G3: a change is applied once, however often it is committed.

use std::sync::Arc;
use std::time::Duration;

use enrollment_core::port::{Change, CommitOutcome, Retained, Settlement};
use enrollment_core::record::{Kind, UniqueKey, UniqueName};

use super::bed::{
    Bed, RowExt, Verdict, applied, at, commit, delete, is_absent, lease_none, lease_one, misused, outcome, put,
    settled, stands, taken, together,
};
use super::{Failure, ensure_eq};

/// The same change again is answered `Applied` and does nothing, at once and after the world has moved on, with
/// another time of decision too.
pub(super) async fn g3_a_repeated_change_id_applies_nothing_twice(bed: &Bed) -> Verdict {
    let store = bed.open().await?;
    let row = bed.row(Kind::User).unique(UniqueName::Username, "alice");
    let change = bed.change_with(vec![put(&row)], vec![bed.entry()], None)?;
    applied(&store, &change).await?;
    outcome(&store, &change, CommitOutcome::Applied, "the same change again").await?;
    let leased = lease_one(&store, at(0), "after a repetition").await?;
    settled(&store, &leased.lease, Settlement::Done, at(0)).await?;

    let next = row.next();
    applied(&store, &bed.change(vec![put(&next)])?).await?;
    let later = Change { at: at(500), ..change.clone() };
    outcome(&store, &later, CommitOutcome::Applied, "the same change after a later one").await?;
    stands(&store, &next, "after a repetition").await?;
    applied(&store, &bed.change(vec![delete(&next)])?).await?;
    outcome(&store, &change, CommitOutcome::Applied, "the same change after a delete").await?;
    is_absent(&store, row.key, "after a repetition").await?;
    lease_none(&store, at(600), "after repetitions").await
}

/// What one handle applied, another knows.
pub(super) async fn g3_a_repeated_change_id_is_known_on_every_handle(bed: &Bed) -> Verdict {
    let (one, two) = (bed.open().await?, bed.open().await?);
    let row = bed.row(Kind::User);
    let change = bed.change(vec![put(&row)])?;
    applied(&one, &change).await?;
    applied(&two, &bed.change(vec![delete(&row)])?).await?;
    outcome(&two, &change, CommitOutcome::Applied, "a repetition on another handle").await?;
    is_absent(&one, row.key, "after the repetition").await
}

/// A repetition is `Applied` though its rows moved, its key went to another and its lease is over.
pub(super) async fn g3_a_repeated_change_id_comes_before_every_refusal(bed: &Bed) -> Verdict {
    let store = bed.open().await?;
    applied(&store, &bed.enqueue(vec![bed.entry()])?).await?;
    let leased = lease_one(&store, at(0), "once enqueued").await?;
    let row = bed.row(Kind::User).unique(UniqueName::Username, "alice");
    let change = bed.change_with(vec![put(&row)], Vec::new(), Some(leased.lease))?;
    applied(&store, &change).await?;
    let heir = bed.row(Kind::User).unique(UniqueName::Username, "alice");
    applied(&store, &bed.change(vec![delete(&row), put(&heir)])?).await?;
    outcome(&store, &change, CommitOutcome::Applied, "a repetition that everything stands against").await?;
    is_absent(&store, row.key, "after the repetition").await
}

/// An applied id with other rows, other entries or another lease is a fault of the program and applies nothing.
pub(super) async fn g3_a_change_id_with_other_content_is_misuse(bed: &Bed) -> Verdict {
    let store = bed.open().await?;
    let row = bed.row(Kind::User);
    let change = bed.change(vec![put(&row)])?;
    applied(&store, &change).await?;
    applied(&store, &bed.enqueue(vec![bed.entry()])?).await?;
    let leased = lease_one(&store, at(0), "once enqueued").await?;
    let other = bed.row(Kind::User);
    let ops = Change { ops: vec![put(&other)], ..change.clone() };
    let enqueue = Change { enqueue: vec![bed.entry()], ..change.clone() };
    let settle = Change { settle: vec![leased.lease], ..change.clone() };
    for (reused, what) in [(ops, "other rows"), (enqueue, "other entries"), (settle, "another lease")] {
        misused(store.commit(&reused).await, &format!("an applied id with {what}"))?;
    }
    is_absent(&store, other.key, "after misuse").await?;
    lease_none(&store, at(0), "after misuse").await?;
    settled(&store, &leased.lease, Settlement::Done, at(0)).await
}

/// Only what was applied is remembered: after a refusal the id may be used again, with the same content or other.
pub(super) async fn g3_a_refused_change_is_not_remembered(bed: &Bed) -> Verdict {
    let store = bed.open().await?;
    let alice = UniqueKey::new(UniqueName::Username, "alice");
    let holder = bed.row(Kind::User).unique(alice.name, alice.value.clone());
    applied(&store, &bed.change(vec![put(&holder)])?).await?;
    let second = bed.row(Kind::User).unique(alice.name, alice.value.clone());
    let change = bed.change(vec![put(&second)])?;
    taken(&store, &change, &alice, "a key that is held").await?;
    applied(&store, &bed.change(vec![delete(&holder)])?).await?;
    applied(&store, &change).await?;
    stands(&store, &second, "once the key was free").await?;

    let stale = bed.change(vec![put(&second.next().next())])?;
    outcome(&store, &stale, CommitOutcome::Stale, "an update of a version to come").await?;
    let other = Change { ops: vec![put(&second.next())], ..stale };
    applied(&store, &other).await?;
    stands(&store, &second.next(), "a refused id used again").await
}

/// Sixteen commits of one change at once, on two handles: all are answered `Applied`, and it happens once.
pub(super) async fn g3_parallel_repetitions_apply_once(bed: &Bed) -> Verdict {
    let handles = [bed.open().await?, bed.open().await?];
    for _ in 0..10 {
        let row = bed.row(Kind::User);
        applied(&handles[0], &bed.change(vec![put(&row)])?).await?;
        let entry = bed.entry();
        let change = bed.change_with(vec![put(&row.next())], vec![entry.clone()], None)?;
        let tasks = (0..16).map(|n| {
            let (store, change) = (Arc::clone(&handles[n % 2]), change.clone());
            async move { commit(&store, &change).await }
        });
        let outcomes = together(tasks.collect()).await?;
        ensure_eq!(outcomes, vec![CommitOutcome::Applied; 16], "parallel repetitions");
        stands(&handles[1], &row.next(), "after parallel repetitions").await?;
        let leased = lease_one(&handles[0], at(0), "after parallel repetitions").await?;
        ensure_eq!(leased.entry.id, entry.id, "the entry");
        settled(&handles[1], &leased.lease, Settlement::Done, at(0)).await?;
    }
    Ok(())
}

/// Pruning forgets the ids of changes decided before the given time, at most so many, and says how many; no others.
pub(super) async fn g3_change_ids_are_kept_until_they_are_pruned(bed: &Bed) -> Verdict {
    let store = bed.open().await?;
    let mut changes = Vec::new();
    for day in 0..4 {
        let time = at(day * 86_400);
        let change = Change { at: time, ..bed.change(vec![put(&bed.row(Kind::User))])? };
        applied(&store, &change).await?;
        changes.push(change);
    }
    let before = changes[2].at;
    let prune = async |limit| store.prune(Retained::Changes, before, limit).await.map_err(Failure::from);
    ensure_eq!(prune(1).await?, 1, "ids pruned, limit 1");
    ensure_eq!(prune(10).await?, 1, "ids pruned, one left before the time");
    ensure_eq!(prune(10).await?, 0, "ids pruned, none left before the time");
    for (change, known) in changes.iter().zip([false, false, true, true]) {
        let want = if known { CommitOutcome::Applied } else { CommitOutcome::Stale };
        outcome(&store, change, want, "a repetition after pruning").await?;
    }
    let rest = store.prune(Retained::Changes, at(3 * 86_400).plus(Duration::from_micros(1)), 10).await?;
    ensure_eq!(rest, 2, "ids pruned just behind the last");
    Ok(())
}
