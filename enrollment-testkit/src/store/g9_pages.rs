//! G9: pages and cursors.

use std::collections::BTreeSet;
use std::sync::Arc;

use enrollment_core::port::{Cursor, Direction, Scan, Store};
use enrollment_core::record::{IndexName, KeyValue, Kind, Row};
use uuid::Uuid;

use super::bed::{Bed, RowExt, Verdict, applied, beside_writer, delete, page, pages, put};
use super::{Failure, ensure, ensure_eq};

const INDEX: IndexName = IndexName::EnrollmentsByCreated;
const PART: &str = "open";

/// Whatever the size of a page and the direction, the pages together are the range, in order, each row once, also
/// where many rows share a place.
pub(super) async fn g9_pages_visit_every_row_once(bed: &Bed) -> Verdict {
    let store = bed.open().await?;
    let rows = fill(bed, &store, (0..40).map(|n| n / 7)).await?;
    let mut want: Vec<Uuid> = rows.iter().map(|row| row.key.id).collect();
    for direction in [Direction::Ascending, Direction::Descending] {
        for limit in [1, 2, 3, 7, 39, 40, 41, 1_000] {
            let got = ids(&pages(&store, Scan { direction, ..all(limit) }).await?.0);
            ensure_eq!(got, want, "rows of all pages, {direction:?}, limit {limit}");
        }
        want.reverse();
    }
    Ok(())
}

/// A cursor never leads out of the range, wherever it stands, and a range never lets a cursor go back.
pub(super) async fn g9_pages_keep_inside_their_range(bed: &Bed) -> Verdict {
    let store = bed.open().await?;
    let rows = fill(bed, &store, 0..10).await?;
    let cursor = |n: usize| Some(Cursor { at: KeyValue::Int(n as i64), id: rows[n].key.id });
    for after in 0..10 {
        for direction in [Direction::Ascending, Direction::Descending] {
            let (from, to) = (Some(3.into()), Some(7.into()));
            let got = page(&store, &Scan { from, to, direction, after: cursor(after), ..all(100) }).await?;
            let want: Vec<Uuid> = match direction {
                Direction::Ascending => (3..7).filter(|n| *n > after).map(|n| rows[n].key.id).collect(),
                Direction::Descending => (3..7).rev().filter(|n| *n < after).map(|n| rows[n].key.id).collect(),
            };
            ensure_eq!(ids(&got.rows), want, "places 3 to 6, {direction:?} after place {after}");
        }
    }
    Ok(())
}

/// `next` is there exactly when more rows stood behind, so that nobody is led to an empty page.
pub(super) async fn g9_the_last_page_says_so(bed: &Bed) -> Verdict {
    let store = bed.open().await?;
    fill(bed, &store, 0..12).await?;
    for direction in [Direction::Ascending, Direction::Descending] {
        for (limit, want) in [(3, 4), (4, 3), (5, 3), (6, 2), (12, 1), (13, 1)] {
            let (_, count) = pages(&store, Scan { direction, ..all(limit) }).await?;
            ensure_eq!(count, want, "pages of 12 rows, {direction:?}, limit {limit}");
        }
        let some = Scan { from: Some(2.into()), to: Some(5.into()), direction, ..all(3) };
        ensure_eq!(page(&store, &some).await?.next, None, "the next page of a range that ends with this one");
    }
    let empty = page(&store, &Scan::all(INDEX, "nothing", 10)).await?;
    ensure_eq!(empty.next, None, "the next page of nothing");
    Ok(())
}

/// Between two pages rows come and go, before and behind the cursor and under it: what stands throughout is visited
/// once, in order, and a cursor whose row is gone still knows its place.
pub(super) async fn g9_a_cursor_survives_inserts_and_deletes(bed: &Bed) -> Verdict {
    let store = bed.open().await?;
    for direction in [Direction::Ascending, Direction::Descending] {
        let rows = fill(bed, &store, (0..10).map(|n| 10 * n)).await?;
        let mut first = page(&store, &Scan { direction, ..all(4) }).await?;
        let next = first.next.take().ok_or_else(|| Failure::new("no second page of ten rows"))?;
        let at_cursor = first.rows.last().ok_or_else(|| Failure::new("an empty first page"))?;
        let (before, behind, far) = match direction {
            Direction::Ascending => (5, 35, 95),
            Direction::Descending => (95, 55, -5),
        };
        let came = [before, behind, far].map(|at| bed.row(Kind::Enrollment).index(INDEX, PART, at));
        let gone: [&Row; 2] = match direction {
            Direction::Ascending => [&rows[0], &rows[5]],
            Direction::Descending => [&rows[9], &rows[4]],
        };
        let mut ops: Vec<_> = came.iter().map(put).collect();
        ops.extend(gone.into_iter().chain([at_cursor]).map(delete));
        applied(&store, &bed.change(ops)?).await?;

        let (second, _) = pages(&store, Scan { direction, after: Some(next), ..all(2) }).await?;
        let want: Vec<i64> = match direction {
            Direction::Ascending => vec![35, 40, 60, 70, 80, 90, 95],
            Direction::Descending => vec![55, 50, 30, 20, 10, 0, -5],
        };
        ensure_eq!(places(&second), want, "places behind the cursor, {direction:?}");
        let (left, _) = pages(&store, all(1_000)).await?;
        applied(&store, &bed.change(left.iter().map(delete).collect())?).await?;
    }
    Ok(())
}

/// While others insert and delete on all sides, every page walk visits each row that stands throughout exactly once.
pub(super) async fn g9_a_scan_under_parallel_writers_visits_every_standing_row_once(bed: &Bed) -> Verdict {
    let handles = [bed.open().await?, bed.open().await?];
    let standing: BTreeSet<Uuid> =
        fill(bed, &handles[0], (0..30).map(|n| 10 * n)).await?.iter().map(|row| row.key.id).collect();
    let mut changes = Vec::new();
    for n in 0..60_i64 {
        let row = bed.row(Kind::Enrollment).index(INDEX, PART, (n * 97) % 300);
        changes.push(bed.change(vec![put(&row)])?);
        if n % 2 == 0 {
            changes.push(bed.change(vec![delete(&row)])?);
        }
    }
    beside_writer(&handles, changes, move |reader| {
        let standing = standing.clone();
        async move {
            for direction in [Direction::Ascending, Direction::Descending] {
                let walked = ids(&pages(&reader, Scan { direction, ..all(3) }).await?.0);
                let visited: BTreeSet<Uuid> = walked.iter().copied().collect();
                ensure_eq!(walked.len(), visited.len(), "rows visited, against different rows visited");
                ensure!(visited.is_superset(&standing), "a row that stood throughout was not visited");
            }
            Ok(())
        }
    })
    .await
}

fn all(limit: u32) -> Scan {
    Scan::all(INDEX, PART, limit)
}

fn ids(rows: &[Row]) -> Vec<Uuid> {
    rows.iter().map(|row| row.key.id).collect()
}

fn places(rows: &[Row]) -> Vec<i64> {
    let place = |row: &Row| match row.index.first().map(|key| &key.at) {
        Some(KeyValue::Int(at)) => Some(*at),
        _ => None,
    };
    rows.iter().filter_map(place).collect()
}

/// A row at each of these rising places, in this order of ids.
async fn fill(bed: &Bed, store: &Arc<dyn Store>, at: impl Iterator<Item = i64>) -> Result<Vec<Row>, Failure> {
    let rows: Vec<Row> = at.map(|at| bed.row(Kind::Enrollment).index(INDEX, PART, at)).collect();
    applied(store, &bed.change(rows.iter().map(put).collect())?).await?;
    Ok(rows)
}
