//! G2 against parallel writers on two handles.

use std::sync::Arc;

use enrollment_core::port::{Change, CommitOutcome, Op, Scan, Store};
use enrollment_core::record::{IndexName, Kind, Row, RowKey, Version};

use super::bed::{Bed, RowExt, Verdict, applied, check, check_absent, commit, get, page, put, stands, together};
use super::{Failure, ensure_eq};

const ROUNDS: usize = 15;

/// Of sixteen writers on one version exactly one is applied, the others are stale; the same for making a row.
pub(super) async fn g2_one_of_many_parallel_writers_wins(bed: &Bed) -> Verdict {
    let handles = [bed.open().await?, bed.open().await?];
    for _ in 0..ROUNDS {
        let row = bed.row(Kind::User);
        for version in 1..=2 {
            let write = |n| Row { version: Version(version), ..row.clone() }.json(format!(r#"{{"writer":{n}}}"#));
            let rows: Vec<Row> = (0..16).map(write).collect();
            let changes = rows.iter().map(|row| bed.change(vec![put(row)])).collect::<Result<Vec<_>, _>>()?;
            let outcomes = commit_together(&handles, changes).await?;
            ensure_eq!(count(&outcomes, &CommitOutcome::Applied), 1, "applied writers of one version");
            ensure_eq!(count(&outcomes, &CommitOutcome::Stale), 15, "stale writers of one version");
            let winner = outcomes.iter().position(|outcome| *outcome == CommitOutcome::Applied).unwrap_or_default();
            stands(&handles[0], &rows[winner], "the winner's row").await?;
        }
    }
    Ok(())
}

/// Read, write, try again when stale: every one of eighty increments is counted.
pub(super) async fn g2_no_parallel_update_is_lost(bed: &Bed) -> Verdict {
    let handles = [bed.open().await?, bed.open().await?];
    let row = bed.row(Kind::Guard).json(count_of(0));
    applied(&handles[0], &bed.change(vec![put(&row)])?).await?;
    let mut tasks = Vec::new();
    for n in 0..8 {
        // Enough ids for every try: each lost round means that another task won one.
        let spare = (0..90).map(|_| bed.change(Vec::new())).collect::<Result<Vec<_>, _>>()?;
        tasks.push(increment(Arc::clone(&handles[n % 2]), row.key, spare, 10));
    }
    together(tasks).await?;
    let counted = Row { version: Version(81), ..row }.json(count_of(80));
    stands(&handles[1], &counted, "after 80 increments").await
}

fn count_of(count: u64) -> String {
    serde_json::json!({ "count": count }).to_string()
}

async fn increment(store: Arc<dyn Store>, key: RowKey, mut spare: Vec<Change>, mut left: u32) -> Verdict {
    while left > 0 {
        let standing = get(&store, key).await?.ok_or_else(|| Failure::new("the row is gone"))?;
        let mut change = spare.pop().ok_or_else(|| Failure::new("stale although nobody else won"))?;
        let document = serde_json::from_str::<serde_json::Value>(&standing.body.json);
        let count = document.ok().and_then(|document| document["count"].as_u64()).unwrap_or_default();
        change.ops = vec![put(&standing.next().json(count_of(count + 1)))];
        if commit(&store, &change).await? == CommitOutcome::Applied {
            left -= 1;
        }
    }
    Ok(())
}

/// Two changes, each checking the row that the other writes: exactly one is applied.
pub(super) async fn g2_write_skew_is_refused(bed: &Bed) -> Verdict {
    let handles = [bed.open().await?, bed.open().await?];
    for _ in 0..ROUNDS {
        let (one, two) = (bed.row(Kind::Guard), bed.row(Kind::Guard));
        applied(&handles[0], &bed.change(vec![put(&one), put(&two)])?).await?;
        let left = bed.change(vec![check(&one), put(&two.next())])?;
        let right = bed.change(vec![put(&one.next()), check(&two)])?;
        one_applied(&commit_together(&handles, vec![left, right]).await?, "changes that check what the other writes")?;
    }
    Ok(())
}

/// The same for rows that are checked to be absent while the other change makes them.
pub(super) async fn g2_a_phantom_is_refused_under_parallel_writers(bed: &Bed) -> Verdict {
    let handles = [bed.open().await?, bed.open().await?];
    for _ in 0..ROUNDS {
        let (one, two) = (bed.row(Kind::User), bed.row(Kind::User));
        let left = bed.change(vec![check_absent(one.key), put(&two)])?;
        let right = bed.change(vec![put(&one), check_absent(two.key)])?;
        one_applied(&commit_together(&handles, vec![left, right]).await?, "changes that make what the other misses")?;
    }
    Ok(())
}

/// Once a guard has moved, nobody who checks it where it stood gets in: whoever joins is seen by a look taken after
/// the move.
pub(super) async fn g2_checks_hold_under_parallel_writers(bed: &Bed) -> Verdict {
    let handles = [bed.open().await?, bed.open().await?];
    for round in 0..ROUNDS {
        let part = format!("round {round}");
        let guard = bed.row(Kind::Guard);
        applied(&handles[0], &bed.change(vec![put(&guard)])?).await?;
        let close = bed.change(vec![put(&guard.next())])?;
        let mut tasks = Vec::new();
        for n in 0..12_i64 {
            let row = bed.row(Kind::Device).index(IndexName::DevicesByOwner, &part, n);
            tasks.push((bed.change(vec![check(&guard), put(&row)])?, None));
        }
        tasks.insert(4, (close, Some(Scan::all(IndexName::DevicesByOwner, part.clone(), 100))));
        let tasks = tasks.into_iter().enumerate().map(|(n, (change, look))| {
            let store = Arc::clone(&handles[n % 2]);
            async move {
                let outcome = commit(&store, &change).await?;
                let seen = match look {
                    Some(scan) => Some(page(&store, &scan).await?.rows.len()),
                    None => None,
                };
                Ok((outcome, seen))
            }
        });
        let answers = together(tasks.collect()).await?;
        let joined = answers.iter().filter(|(outcome, seen)| *outcome == CommitOutcome::Applied && seen.is_none());
        let seen = answers.iter().find_map(|(_, seen)| *seen);
        ensure_eq!(seen, Some(joined.count()), "members seen after the guard moved, against members let in");
        let standing = page(&handles[0], &Scan::all(IndexName::DevicesByOwner, part, 100)).await?.rows.len();
        ensure_eq!(Some(standing), seen, "members in the end");
    }
    Ok(())
}

/// Writers of the same rows, some writing what others check, all get their answer.
pub(super) async fn g2_opposite_orders_do_not_deadlock(bed: &Bed) -> Verdict {
    let handles = [bed.open().await?, bed.open().await?];
    for _ in 0..ROUNDS {
        let rows: Vec<Row> = [Kind::User, Kind::Guard, Kind::Device].map(|kind| bed.row(kind)).into();
        applied(&handles[0], &bed.change(rows.iter().map(put).collect())?).await?;
        let mut changes = Vec::new();
        for turn in 0..6 {
            let step =
                |(place, row): (usize, &Row)| if (place + turn) % 3 == 0 { check(row) } else { put(&row.next()) };
            let mut ops: Vec<Op> = rows.iter().enumerate().map(step).collect();
            if turn % 2 == 0 {
                ops.reverse();
            }
            changes.push(bed.change(ops)?);
        }
        one_applied(&commit_together(&handles, changes).await?, "changes of the same rows")?;
    }
    Ok(())
}

async fn commit_together(handles: &[Arc<dyn Store>], changes: Vec<Change>) -> Result<Vec<CommitOutcome>, Failure> {
    let tasks = changes.into_iter().enumerate().map(|(n, change)| {
        let store = Arc::clone(&handles[n % handles.len()]);
        async move { commit(&store, &change).await }
    });
    together(tasks.collect()).await
}

fn count(outcomes: &[CommitOutcome], which: &CommitOutcome) -> usize {
    outcomes.iter().filter(|outcome| *outcome == which).count()
}

/// The changes stand against each other: the first is applied, the others are stale.
fn one_applied(outcomes: &[CommitOutcome], what: &str) -> Verdict {
    ensure_eq!(count(outcomes, &CommitOutcome::Applied), 1, "applied of {} {what}", outcomes.len());
    ensure_eq!(count(outcomes, &CommitOutcome::Stale), outcomes.len() - 1, "stale of {} {what}", outcomes.len());
    Ok(())
}
