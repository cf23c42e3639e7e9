//! Rows come back as they were written.

use enrollment_core::record::{IndexName, KeyValue, Kind, Row, RowKey, UniqueName, ValueType};

use super::bed::{Bed, RowExt, Verdict, applied, find, get, get_all, is_absent, page, put, same, stands};
use super::{ensure, ensure_eq};
use enrollment_core::port::Scan;

/// A row of every kind, with a value under each of its unique names and indexes, reads back by its key and by each
/// unique key.
pub(super) async fn rows_of_every_kind_read_back_as_written(bed: &Bed) -> Verdict {
    let store = bed.open().await?;
    for kind in Kind::ALL {
        let row = with_all_keys(bed.row(*kind));
        applied(&store, &bed.change(vec![put(&row)])?).await?;
        stands(&store, &row, "get").await?;
        for key in &row.unique {
            same(find(&store, key.name, key.value.clone()).await?.as_ref(), &row, "find")?;
        }
    }
    Ok(())
}

/// Texts of all planes, quotes, control characters and combining marks are kept in documents and keys.
pub(super) async fn rows_keep_unicode(bed: &Bed) -> Verdict {
    let store = bed.open().await?;
    for text in [
        "Zoë",
        "Zoe\u{308}",
        "李小龙",
        "مرحبا",
        "🦀👩‍👩‍👧‍👦",
        "a'b\"c\\d;--",
        "\u{1}\t\n\r\u{7f}",
        "\u{ffff}\u{10ffff}",
        "%_*",
    ] {
        let json = serde_json::json!({ "text": text, (text): [text, null, 1, -5, true, {}] }).to_string();
        let row = bed.row(Kind::User).json(json).unique(UniqueName::Username, text);
        let row = row.index(IndexName::UsersByUsername, text, text);
        applied(&store, &bed.change(vec![put(&row)])?).await?;
        stands(&store, &row, "get").await?;
        same(find(&store, UniqueName::Username, text).await?.as_ref(), &row, "find")?;
        let found = page(&store, &Scan::all(IndexName::UsersByUsername, text, 10)).await?.rows;
        ensure_eq!(found.len(), 1, "rows in the part {text:?}");
    }
    Ok(())
}

/// A document near the largest allowed is kept.
pub(super) async fn rows_keep_documents_of_200_kib(bed: &Bed) -> Verdict {
    let store = bed.open().await?;
    let text = "0123456789 äöü ".repeat(12_000);
    let row = bed.row(Kind::Template).json(serde_json::json!({ "text": text }).to_string());
    ensure!(row.body.json.len() > 200 * 1024, "the case is wrong: {} bytes", row.body.json.len());
    applied(&store, &bed.change(vec![put(&row)])?).await?;
    stands(&store, &row, "get").await
}

/// An update leaves nothing of the version before: no key, no place in an index, no part of the document.
pub(super) async fn rows_are_replaced_whole(bed: &Bed) -> Verdict {
    let store = bed.open().await?;
    let first = with_all_keys(bed.row(Kind::Enrollment)).json(r#"{"old":1}"#);
    applied(&store, &bed.change(vec![put(&first)])?).await?;
    let mut second = first.next().json(r#"{"new":2}"#);
    second.body.layout = 2;
    applied(&store, &bed.change(vec![put(&second)])?).await?;
    stands(&store, &second, "get").await?;
    for key in &first.unique {
        ensure_eq!(find(&store, key.name, key.value.clone()).await?, None, "find by a key that was dropped");
    }
    for key in &first.index {
        let left = page(&store, &Scan::all(key.name, key.within.clone(), 10)).await?;
        ensure_eq!(left.rows, Vec::new(), "rows in an index that was left");
    }
    Ok(())
}

/// The kind is part of a row's key.
pub(super) async fn rows_of_two_kinds_may_share_an_id(bed: &Bed) -> Verdict {
    let store = bed.open().await?;
    let user = bed.row(Kind::User);
    let device = Row { key: RowKey::new(Kind::Device, user.key.id), ..bed.row(Kind::Device).json(r#"{"device":1}"#) };
    applied(&store, &bed.change(vec![put(&user)])?).await?;
    is_absent(&store, device.key, "the other kind").await?;
    applied(&store, &bed.change(vec![put(&device)])?).await?;
    stands(&store, &user, "the first kind").await?;
    stands(&store, &device, "the second kind").await
}

/// `get` gives one answer per key in the order asked, absent rows and repeated keys included, also for many keys.
pub(super) async fn rows_are_answered_in_the_order_asked(bed: &Bed) -> Verdict {
    let store = bed.open().await?;
    let (low, high, other) = (bed.row(Kind::User), bed.row(Kind::User), bed.row(Kind::Audit));
    applied(&store, &bed.change(vec![put(&low), put(&high), put(&other)])?).await?;
    let absent = bed.row(Kind::User).key;
    let asked = [high.key, absent, low.key, other.key, high.key];
    let got = get_all(&store, &asked).await?;
    let got: Vec<_> = got.iter().map(|row| row.as_ref().map(|row| row.key)).collect();
    ensure_eq!(got, [Some(high.key), None, Some(low.key), Some(other.key), Some(high.key)], "rows by key");
    ensure_eq!(get_all(&store, &[]).await?, Vec::new(), "rows for no key");
    let many: Vec<_> = std::iter::repeat_n(absent, 1_500).chain([low.key]).collect();
    let got = get_all(&store, &many).await?;
    ensure_eq!(got.len(), many.len(), "answers for many keys");
    same(got.last().and_then(Option::as_ref), &low, "the last of many keys")?;
    ensure_eq!(get(&store, absent).await?, None, "an absent row");
    Ok(())
}

/// A value under each unique name and index of the row's kind.
fn with_all_keys(mut row: Row) -> Row {
    let kind = row.key.kind;
    for name in UniqueName::ALL.iter().filter(|name| name.kind() == kind) {
        row = row.unique(*name, sample(name.value_type()));
        if name.is_many() {
            row = row.unique(*name, "another value");
        }
    }
    for name in IndexName::ALL.iter().filter(|name| name.kind() == kind) {
        row = row.index(*name, "a part", sample(name.value_type()));
    }
    row
}

fn sample(value: ValueType) -> KeyValue {
    match value {
        ValueType::Int => KeyValue::Int(9_007_199_254_740_991),
        ValueType::Text => KeyValue::Text("a value".to_owned()),
    }
}
