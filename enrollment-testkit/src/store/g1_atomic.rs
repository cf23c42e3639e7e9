//! G1: a change is applied whole or not at all.

use std::sync::Arc;

use enrollment_core::port::CommitOutcome;
use enrollment_core::record::{Kind, RowKey, UniqueKey, UniqueName};

use super::bed::{
    Bed, RowExt, Verdict, applied, at, check, commit, delete, find, get_all, is_absent, lease_none, lease_one, outcome,
    put, stands, taken,
};
use super::{Failure, ensure, ensure_eq};

/// Put, update, delete, check, enqueue and settle of one change all take effect.
pub(super) async fn g1_a_change_applies_every_part(bed: &Bed) -> Verdict {
    let store = bed.open().await?;
    let (kept, changed, removed) = (bed.row(Kind::Settings), bed.row(Kind::User), bed.row(Kind::Device));
    let first = bed.change_with(vec![put(&kept), put(&changed), put(&removed)], vec![bed.entry()], None)?;
    applied(&store, &first).await?;
    let leased = lease_one(&store, at(0), "after the first change").await?;

    let (made, changed) = (bed.row(Kind::Audit), changed.next().json(r#"{"changed":true}"#));
    let entry = bed.entry();
    let ops = vec![put(&made), put(&changed), delete(&removed), check(&kept)];
    applied(&store, &bed.change_with(ops, vec![entry.clone()], Some(leased.lease))?).await?;
    stands(&store, &made, "the row made").await?;
    stands(&store, &changed, "the row changed").await?;
    stands(&store, &kept, "the row checked").await?;
    is_absent(&store, removed.key, "the row deleted").await?;
    // Later than the first lease's end: were it not settled, both entries were free.
    ensure_eq!(lease_one(&store, at(600), "after the second").await?.entry.id, entry.id, "the entry enqueued");
    Ok(())
}

/// One step that does not hold, wherever it stands, and nothing of the change happens.
pub(super) async fn g1_a_change_is_all_or_nothing(bed: &Bed) -> Verdict {
    let store = bed.open().await?;
    for wrong in 0..3 {
        let mut rows: Vec<_> = (0..3).map(|_| bed.row(Kind::User)).collect();
        rows.sort_by_key(|row| row.key);
        let standing = bed.row(Kind::Guard);
        applied(&store, &bed.change(vec![put(&standing), put(&rows[wrong])])?).await?;
        let new: Vec<_> = rows.iter().map(|row| row.clone().unique(UniqueName::Username, "new")).collect();
        let mut ops: Vec<_> = new.iter().map(put).collect();
        for (place, op) in ops.iter_mut().enumerate() {
            // Only one of the new rows may hold the key, or the change would be refused for that.
            if place != (wrong + 1) % 3 {
                *op = put(&rows[place]);
            }
        }
        ops.extend([delete(&standing), put(&bed.row(Kind::Audit))]);
        let audit = ops[4].key();
        let change = bed.change_with(ops, vec![bed.entry()], None)?;
        outcome(&store, &change, CommitOutcome::Stale, "a change with one stale step").await?;
        stands(&store, &standing, "the row to delete").await?;
        stands(&store, &rows[wrong], "the row that stood before").await?;
        for row in rows.iter().filter(|row| row.key != rows[wrong].key) {
            is_absent(&store, row.key, "a row of a refused change").await?;
        }
        is_absent(&store, audit, "a row of a refused change").await?;
        ensure_eq!(find(&store, UniqueName::Username, "new").await?, None, "a key of a refused change");
        lease_none(&store, at(0), "of a refused change").await?;
    }
    Ok(())
}

/// The same for a key that another row holds.
pub(super) async fn g1_a_taken_key_applies_nothing(bed: &Bed) -> Verdict {
    let store = bed.open().await?;
    let holder = bed.row(Kind::User).unique(UniqueName::Username, "alice");
    let standing = bed.row(Kind::Guard);
    applied(&store, &bed.change(vec![put(&holder), put(&standing)])?).await?;
    let (before, after) = (bed.row(Kind::Audit), bed.row(Kind::Location));
    let second = bed.row(Kind::User).unique(UniqueName::Username, "alice").unique(UniqueName::UserNumber, 7);
    let ops = vec![put(&before), put(&second), put(&after), put(&standing.next())];
    let key = UniqueKey::new(UniqueName::Username, "alice");
    taken(&store, &bed.change_with(ops, vec![bed.entry()], None)?, &key, "a key that is held").await?;
    for key in [before.key, second.key, after.key] {
        is_absent(&store, key, "a row of a refused change").await?;
    }
    stands(&store, &standing, "a row to update").await?;
    ensure_eq!(find(&store, UniqueName::UserNumber, 7).await?, None, "a free key of a refused change");
    lease_none(&store, at(0), "of a refused change").await
}

/// No limit of a database splits a large change.
pub(super) async fn g1_a_change_of_a_thousand_rows_is_applied(bed: &Bed) -> Verdict {
    let store = bed.open().await?;
    let rows: Vec<_> = (0..1_000).map(|n| bed.row(Kind::User).unique(UniqueName::UserNumber, n)).collect();
    let entries = (0..1_000).map(|_| bed.entry()).collect();
    applied(&store, &bed.change_with(rows.iter().map(put).collect(), entries, None)?).await?;
    let keys: Vec<RowKey> = rows.iter().map(|row| row.key).collect();
    let standing = get_all(&store, &keys).await?.into_iter().flatten().count();
    ensure_eq!(standing, 1_000, "rows of the change");
    Ok(())
}

/// A caller that goes away in the middle of a commit leaves all of it or nothing, and can find out by repeating it.
pub(super) async fn g1_a_dropped_commit_is_whole_or_nothing(bed: &Bed) -> Verdict {
    let store = bed.open().await?;
    for polls in 0..20 {
        let rows = [bed.row(Kind::User), bed.row(Kind::Device), bed.row(Kind::Audit)];
        let change = bed.change_with(rows.iter().map(put).collect(), vec![bed.entry()], None)?;
        let handle = Arc::clone(&store);
        let dropped = change.clone();
        let task = tokio::spawn(async move { handle.commit(&dropped).await });
        for _ in 0..polls {
            tokio::task::yield_now().await;
        }
        task.abort();
        // Whatever became of it is over once the task is.
        let _aborted = task.await;
        let standing = get_all(&store, &rows.each_ref().map(|row| row.key)).await?.into_iter().flatten().count();
        ensure!(standing == 0 || standing == 3, "{standing} of 3 rows of a dropped commit");
        ensure_eq!(commit(&store, &change).await?, CommitOutcome::Applied, "repeating a dropped commit");
        for row in &rows {
            stands(&store, row, "after repeating").await?;
        }
        let entry = lease_one(&store, at(0), "after repeating").await?;
        let end = enrollment_core::port::Settlement::Done;
        let settled = store.settle(&entry.lease, &end, at(0)).await.map_err(Failure::from)?;
        ensure_eq!(settled, enrollment_core::port::SettleOutcome::Settled, "the entry");
    }
    Ok(())
}
