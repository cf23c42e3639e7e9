//! G9: what a scan visits, and in which order.

use std::sync::Arc;

use enrollment_core::port::{Direction, Scan, Store};
use enrollment_core::record::{IndexName, KeyValue, Kind, Row, RowKey, ValueType};
use uuid::Uuid;

use super::bed::{Bed, RowExt, Verdict, applied, delete, page, pages, put, same};
use super::{Failure, ensure_eq};

/// Every index finds its rows, whole and in order, and no others.
pub(super) async fn g9_every_index_is_scanned(bed: &Bed) -> Verdict {
    let store = bed.open().await?;
    for name in IndexName::ALL {
        let places: [KeyValue; 2] = match name.value_type() {
            ValueType::Int => [1.into(), 2.into()],
            ValueType::Text => ["a".into(), "b".into()],
        };
        let rows = places.map(|place| bed.row(name.kind()).index(*name, "part", place));
        let unplaced = bed.row(name.kind());
        applied(&store, &bed.change(vec![put(&rows[1]), put(&unplaced), put(&rows[0])])?).await?;
        let found = page(&store, &Scan::all(*name, "part", 10)).await?;
        ensure_eq!(found.rows.len(), 2, "rows in {name}");
        for (got, want) in found.rows.iter().zip(&rows) {
            same(Some(got), want, "scan")?;
        }
        ensure_eq!(page(&store, &Scan::all(*name, "", 10)).await?.rows, Vec::new(), "rows in another part of {name}");
    }
    Ok(())
}

/// Integers are ordered by value up to both ends of their range, upwards and downwards.
pub(super) async fn g9_integers_are_in_order_both_ways(bed: &Bed) -> Verdict {
    let store = bed.open().await?;
    let sorted = [i64::MIN, -10, -9, -1, 0, 1, 9, 10, 100, 1 << 53, (1 << 53) + 1, i64::MAX];
    let rows =
        sorted.iter().rev().map(|at| bed.row(Kind::Enrollment).index(IndexName::EnrollmentsByExpiry, "open", *at));
    applied(&store, &bed.change(rows.map(|row| put(&row)).collect())?).await?;
    in_order(&store, IndexName::EnrollmentsByExpiry, "open", sorted.map(KeyValue::Int).into()).await
}

/// Texts are ordered by their UTF-8 bytes: no collation, no case, no number, not by UTF-16.
pub(super) async fn g9_texts_are_in_the_order_of_their_bytes(bed: &Bed) -> Verdict {
    let store = bed.open().await?;
    let sorted = [
        "", " ", "-a", "1", "10", "2", "A", "B", "Z", "_", "a", "a ", "a-b", "aa", "ab", "b", "z", "É", "é", "ﬀ",
        "\u{ffff}", "😀",
    ];
    let rows = sorted.iter().rev().map(|at| bed.row(Kind::User).index(IndexName::UsersByUsername, "", *at));
    applied(&store, &bed.change(rows.map(|row| put(&row)).collect())?).await?;
    in_order(&store, IndexName::UsersByUsername, "", sorted.map(KeyValue::from).into()).await
}

/// Rows at one place follow their ids, byte by byte, and turn round with the direction.
pub(super) async fn g9_equal_places_are_in_the_order_of_row_ids(bed: &Bed) -> Verdict {
    let store = bed.open().await?;
    // The same, read as 16 unsigned bytes; any other reading of a UUID gets some pair wrong.
    let ids = [0_u128, 1, 1 << 63, 1 << 64, 1 << 120, 1 << 127, (1 << 127) + 1, u128::MAX].map(Uuid::from_u128);
    let row = |id: &Uuid| {
        let row = Row { key: RowKey::new(Kind::Enrollment, *id), ..bed.row(Kind::Enrollment) };
        row.index(IndexName::EnrollmentsByExpiry, "open", 7)
    };
    applied(&store, &bed.change(ids.iter().rev().map(|id| put(&row(id))).collect())?).await?;
    let mut want = ids.to_vec();
    for direction in [Direction::Ascending, Direction::Descending] {
        for limit in [1, 3, 100] {
            let scan = Scan { direction, ..Scan::all(IndexName::EnrollmentsByExpiry, "open", limit) };
            let got: Vec<Uuid> = pages(&store, scan).await?.0.iter().map(|row| row.key.id).collect();
            ensure_eq!(got, want, "rows at one place, {direction:?}, limit {limit}");
        }
        want.reverse();
    }
    Ok(())
}

/// Parts are compared exactly; a part's rows end where the part ends, and another index is another world.
pub(super) async fn g9_a_scan_stays_within_its_part(bed: &Bed) -> Verdict {
    let store = bed.open().await?;
    let parts = ["", "open", "Open", "open ", "opéen", "opena", "%", "op_n"];
    for part in parts {
        let row = bed.row(Kind::Enrollment).json(serde_json::json!({ "part": part }).to_string());
        let row = row.index(IndexName::EnrollmentsByCreated, part, 1).index(IndexName::EnrollmentsByExpiry, "other", 1);
        applied(&store, &bed.change(vec![put(&row)])?).await?;
    }
    for part in parts {
        for direction in [Direction::Ascending, Direction::Descending] {
            let scan = Scan { direction, ..Scan::all(IndexName::EnrollmentsByCreated, part, 1) };
            let (rows, _) = pages(&store, scan).await?;
            ensure_eq!(rows.len(), 1, "rows in the part {part:?}");
            ensure_eq!(rows[0].index[0].within, part, "the part");
        }
    }
    let other = page(&store, &Scan::all(IndexName::EnrollmentsByExpiry, "open", 10)).await?;
    ensure_eq!(other.rows, Vec::new(), "rows in a part of another index");
    Ok(())
}

/// A range is half-open in both directions; one that holds nothing is empty, not an error.
pub(super) async fn g9_a_range_has_its_first_and_not_its_last_place(bed: &Bed) -> Verdict {
    let store = bed.open().await?;
    let index = IndexName::EnrollmentsByCreated;
    // Two rows at every place, so that both ends are seen to hold for all rows of a place.
    let rows: Vec<Row> = (0..20).map(|n| bed.row(Kind::Enrollment).index(index, "open", 10 * (n / 2))).collect();
    applied(&store, &bed.change(rows.iter().map(put).collect())?).await?;
    let cases: [(Option<i64>, Option<i64>); 9] = [
        (None, None),
        (Some(30), None),
        (None, Some(30)),
        (Some(30), Some(60)),
        (Some(25), Some(65)),
        (Some(30), Some(31)),
        (Some(30), Some(30)),
        (Some(60), Some(30)),
        (Some(1_000), Some(2_000)),
    ];
    for (from, to) in cases {
        let inside = |at: &i64| from.is_none_or(|from| from <= *at) && to.is_none_or(|to| *at < to);
        let mut want: Vec<i64> = (0..20).map(|n| 10 * (n / 2)).filter(inside).collect();
        for direction in [Direction::Ascending, Direction::Descending] {
            let scan = Scan::all(index, "open", 3);
            let scan = Scan { from: from.map(KeyValue::Int), to: to.map(KeyValue::Int), direction, ..scan };
            ensure_eq!(places(&pages(&store, scan).await?.0)?, ints(&want), "from {from:?} to {to:?}, {direction:?}");
            want.reverse();
        }
    }
    let text = IndexName::UsersByUsername;
    let users = ["al", "ali", "alice", "alj"].map(|name| bed.row(Kind::User).index(text, "", name));
    applied(&store, &bed.change(users.iter().map(put).collect())?).await?;
    let scan = Scan { from: Some("ali".into()), to: Some("alj".into()), ..Scan::all(text, "", 10) };
    let found = places(&page(&store, &scan).await?.rows)?;
    ensure_eq!(found, vec![KeyValue::from("ali"), "alice".into()], "a range of texts");
    Ok(())
}

/// An update moves a row in its index or takes it out; a delete takes it out.
pub(super) async fn g9_a_row_is_found_where_it_stands_now(bed: &Bed) -> Verdict {
    let store = bed.open().await?;
    let index = IndexName::EnrollmentsByCreated;
    let first = bed.row(Kind::Enrollment).index(index, "open", 1);
    applied(&store, &bed.change(vec![put(&first)])?).await?;
    let moved = first.next().index(index, "completed", 5);
    applied(&store, &bed.change(vec![put(&moved)])?).await?;
    let found = async |part: &str| page(&store, &Scan::all(index, part, 10)).await.map(|page| page.rows);
    ensure_eq!(found("open").await?, Vec::new(), "rows in the part that was left");
    same(found("completed").await?.first(), &moved, "the row where it moved")?;
    let out = moved.next();
    applied(&store, &bed.change(vec![put(&out)])?).await?;
    ensure_eq!(found("completed").await?, Vec::new(), "rows in an index that was left");
    let back = out.next().index(index, "open", 1);
    applied(&store, &bed.change(vec![put(&back)])?).await?;
    same(found("open").await?.first(), &back, "the row that came back")?;
    applied(&store, &bed.change(vec![delete(&back)])?).await?;
    ensure_eq!(found("open").await?, Vec::new(), "rows after a delete");
    Ok(())
}

/// Both directions, in one page and in several.
async fn in_order(store: &Arc<dyn Store>, index: IndexName, within: &str, mut want: Vec<KeyValue>) -> Verdict {
    for direction in [Direction::Ascending, Direction::Descending] {
        for limit in [100, 1, 5] {
            let scan = Scan { direction, ..Scan::all(index, within, limit) };
            let got = places(&pages(store, scan).await?.0)?;
            ensure_eq!(got, want, "places in {index}, {direction:?}, limit {limit}");
        }
        want.reverse();
    }
    Ok(())
}

fn ints(values: &[i64]) -> Vec<KeyValue> {
    values.iter().map(|value| KeyValue::Int(*value)).collect()
}

/// Where rows with one index key stand.
fn places(rows: &[Row]) -> Result<Vec<KeyValue>, Failure> {
    let place = |row: &Row| row.index.first().map(|key| key.at.clone());
    rows.iter().map(place).collect::<Option<_>>().ok_or_else(|| Failure::new("a row lost its index key"))
}
