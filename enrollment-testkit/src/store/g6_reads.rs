//! G6: reads show what was committed, at once, through every handle, and whole.

use std::sync::Arc;

use enrollment_core::port::{Change, Scan, SettleOutcome, Settlement};
use enrollment_core::record::{IndexName, Kind, Row, UniqueName, Version};

use super::bed::{
    Bed, RowExt, Verdict, applied, at, beside_writer, find, get, get_all, lease_none, lease_one, page, put, same,
    settle, stands,
};
use super::{Failure, ensure, ensure_eq};

/// After every commit through one handle, `get`, `find` and `scan` through the other show it, and the other way round.
pub(super) async fn g6_a_second_handle_reads_a_commit_at_once(bed: &Bed) -> Verdict {
    let handles = [bed.open().await?, bed.open().await?];
    let mut row = bed.row(Kind::User);
    for turn in 0..20 {
        let (writer, reader) = (&handles[turn % 2], &handles[(turn + 1) % 2]);
        let name = format!("name-{turn}");
        row = row.unique(UniqueName::Username, name.as_str()).index(IndexName::UsersByUsername, "", name.as_str());
        applied(writer, &bed.change(vec![put(&row)])?).await?;
        for store in [writer, reader] {
            stands(store, &row, "get after a commit").await?;
            same(find(store, UniqueName::Username, name.as_str()).await?.as_ref(), &row, "find after a commit")?;
            let found = page(store, &Scan::all(IndexName::UsersByUsername, "", 10)).await?.rows;
            ensure_eq!(found.len(), 1, "rows scanned after a commit");
            same(found.first(), &row, "scan after a commit")?;
        }
        row = row.next();
    }
    Ok(())
}

/// What one handle enqueues, leases or settles, the other knows at once.
pub(super) async fn g6_a_second_handle_sees_leases_at_once(bed: &Bed) -> Verdict {
    let (one, two) = (bed.open().await?, bed.open().await?);
    lease_none(&two, at(0), "before anything was enqueued").await?;
    applied(&one, &bed.enqueue(vec![bed.entry()])?).await?;
    let leased = lease_one(&two, at(0), "enqueued through another handle").await?;
    lease_none(&one, at(1), "leased through another handle").await?;
    let done = settle(&one, &leased.lease, &Settlement::Done, at(2)).await?;
    ensure_eq!(done, SettleOutcome::Settled, "a lease taken through another handle");
    let again = settle(&two, &leased.lease, &Settlement::Done, at(2)).await?;
    ensure_eq!(again, SettleOutcome::LeaseLost, "a lease settled through another handle");
    Ok(())
}

/// Rows of several kinds that always change together are never read at different versions.
pub(super) async fn g6_get_is_one_snapshot(bed: &Bed) -> Verdict {
    let handles = [bed.open().await?, bed.open().await?];
    let kinds = [Kind::User, Kind::Enrollment, Kind::Device, Kind::Audit, Kind::Settings];
    let rows: Vec<Row> = kinds.iter().map(|kind| bed.row(*kind)).collect();
    let changes = versions(bed, &rows, |row| row)?;
    let (first, rest) = changes.split_first().ok_or_else(|| Failure::new("the case is wrong: no change"))?;
    applied(&handles[0], first).await?;
    let keys: Vec<_> = rows.iter().map(|row| row.key).collect();
    beside_writer(&handles, rest.to_vec(), move |store| {
        let keys = keys.clone();
        async move {
            let got = get_all(&store, &keys).await?;
            let versions: Vec<_> = got.iter().map(|row| row.as_ref().map(|row| row.version)).collect();
            ensure!(versions.iter().all(|v| v.is_some() && *v == versions[0]), "torn reads: versions {versions:?}");
            Ok(())
        }
    })
    .await
}

/// A row, its keys and its document are always of one version, however they are read.
pub(super) async fn g6_a_row_is_never_torn(bed: &Bed) -> Verdict {
    let handles = [bed.open().await?, bed.open().await?];
    let row = bed.row(Kind::Enrollment);
    let changes = versions(bed, std::slice::from_ref(&row), |row| {
        let Version(version) = row.version;
        row.unique(UniqueName::OpenEnrollment, "always")
            .unique(UniqueName::PastToken, format!("digest-{version}"))
            .index(IndexName::EnrollmentsByCreated, "open", version.cast_signed())
            .json(format!(r#"{{"version":{version}}}"#))
    })?;
    let (first, rest) = changes.split_first().ok_or_else(|| Failure::new("the case is wrong: no change"))?;
    applied(&handles[0], first).await?;
    let written: Arc<Vec<Row>> = Arc::new(changes.iter().flat_map(|change| &change.ops).filter_map(next).collect());
    beside_writer(&handles, rest.to_vec(), move |store| {
        let written = Arc::clone(&written);
        async move {
            let found = find(&store, UniqueName::OpenEnrollment, "always").await?;
            let scanned = page(&store, &Scan::all(IndexName::EnrollmentsByCreated, "open", 10)).await?;
            ensure_eq!(scanned.rows.len(), 1, "places of a row that moves in its index");
            for got in [get(&store, written[0].key).await?.as_ref(), found.as_ref(), scanned.rows.first()] {
                let want = got.and_then(|got| written.iter().find(|row| row.version == got.version));
                let want =
                    want.ok_or_else(|| Failure::new("a row that is always there is not, or was never written"))?;
                same(got, want, "a row while it is written")?;
            }
            Ok(())
        }
    })
    .await
}

fn next(op: &enrollment_core::port::Op) -> Option<Row> {
    match op {
        enrollment_core::port::Op::Put { next, .. } => Some(next.clone()),
        _ => None,
    }
}

/// Changes that write all rows at versions 1, 2, 3 and so on.
fn versions(bed: &Bed, rows: &[Row], dress: impl Fn(Row) -> Row) -> Result<Vec<Change>, Failure> {
    let at = |row: &Row, version| dress(Row { version: Version(version), ..row.clone() });
    (1..=60).map(|version| bed.change(rows.iter().map(|row| put(&at(row, version))).collect())).collect()
}
