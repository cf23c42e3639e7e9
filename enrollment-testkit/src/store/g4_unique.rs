//! G4: no two rows hold the same unique key.

use std::sync::Arc;

use enrollment_core::port::CommitOutcome;
use enrollment_core::record::{KeyValue, Kind, Row, UniqueKey, UniqueName, ValueType};

use super::bed::{Bed, RowExt, Verdict, applied, commit, delete, find, is_absent, put, same, taken, together};
use super::{Failure, ensure_eq};

/// Under every name: a value finds its one holder, is refused to another row at its making and at an update, and
/// leaves other values free.
pub(super) async fn g4_every_unique_name_is_unique(bed: &Bed) -> Verdict {
    let store = bed.open().await?;
    for name in UniqueName::ALL {
        let (value, other) = values(*name);
        let key = UniqueKey::new(*name, value.clone());
        ensure_eq!(find(&store, *name, value.clone()).await?, None, "a free {name}");
        let holder = bed.row(name.kind()).unique(*name, value.clone());
        applied(&store, &bed.change(vec![put(&holder)])?).await?;
        same(find(&store, *name, value.clone()).await?.as_ref(), &holder, "find")?;
        let second = bed.row(name.kind()).unique(*name, value.clone());
        taken(&store, &bed.change(vec![put(&second)])?, &key, "a value that is held").await?;
        is_absent(&store, second.key, "a refused row").await?;
        let second = bed.row(name.kind()).unique(*name, other);
        applied(&store, &bed.change(vec![put(&second)])?).await?;
        let update = second.next().unique(*name, value.clone());
        taken(&store, &bed.change(vec![put(&update)])?, &key, "an update to a value that is held").await?;
        same(find(&store, *name, value).await?.as_ref(), &holder, "find after refusals")?;
    }
    Ok(())
}

/// Of a name that may hold several values every one is found and refused to others, and each is freed by itself.
pub(super) async fn g4_every_value_of_a_many_valued_name_is_unique(bed: &Bed) -> Verdict {
    let store = bed.open().await?;
    for name in UniqueName::ALL.iter().filter(|name| name.is_many()) {
        let digests = ["c", "a", "b"];
        let with = |row: Row, held: &[&str]| held.iter().fold(row, |row, digest| row.unique(*name, *digest));
        let holder = with(bed.row(name.kind()), &digests);
        applied(&store, &bed.change(vec![put(&holder)])?).await?;
        for digest in digests {
            same(find(&store, *name, digest).await?.as_ref(), &holder, "find by one of several")?;
            let second = with(bed.row(name.kind()), &["x", digest]);
            let key = UniqueKey::new(*name, digest);
            taken(&store, &bed.change(vec![put(&second)])?, &key, "one of several values").await?;
        }
        let fewer = with(holder.next(), &["a", "d"]);
        applied(&store, &bed.change(vec![put(&fewer)])?).await?;
        same(find(&store, *name, "d").await?.as_ref(), &fewer, "find by a value that was added")?;
        let heir = with(bed.row(name.kind()), &["b", "c"]);
        applied(&store, &bed.change(vec![put(&heir)])?).await?;
        applied(&store, &bed.change(vec![delete(&fewer), delete(&heir)])?).await?;
    }
    Ok(())
}

/// The answer names the very key that is held, not another of the row.
pub(super) async fn g4_a_refusal_names_the_key_that_is_taken(bed: &Bed) -> Verdict {
    let store = bed.open().await?;
    let holder = bed.row(Kind::Device).unique(UniqueName::DeviceNumber, 5).unique(UniqueName::PublicKey, "key");
    applied(&store, &bed.change(vec![put(&holder)])?).await?;
    let second = |number: i64, key: &str, name: &str| {
        let row = bed.row(Kind::Device).unique(UniqueName::DeviceNumber, number);
        bed.change(vec![put(&row.unique(UniqueName::PublicKey, key).unique(UniqueName::DeviceName, name))])
    };
    let number = UniqueKey::new(UniqueName::DeviceNumber, 5);
    taken(&store, &second(5, "another", "laptop")?, &number, "a number that is held").await?;
    let key = UniqueKey::new(UniqueName::PublicKey, "key");
    taken(&store, &second(6, "key", "laptop")?, &key, "a public key that is held").await?;
    applied(&store, &second(6, "another", "laptop")?).await
}

/// Names are apart: a value held under one is free under another.
pub(super) async fn g4_one_value_under_two_names_is_two_keys(bed: &Bed) -> Verdict {
    let store = bed.open().await?;
    let names = [UniqueName::Token, UniqueName::PastToken, UniqueName::Session, UniqueName::PastSession];
    for name in names {
        let row = bed.row(Kind::Enrollment).unique(name, "digest");
        applied(&store, &bed.change(vec![put(&row)])?).await?;
        same(find(&store, name, "digest").await?.as_ref(), &row, "find by name and value")?;
    }
    let all = [Kind::User, Kind::Location, Kind::Device].into_iter().zip([
        UniqueName::UserNumber,
        UniqueName::LocationNumber,
        UniqueName::DeviceNumber,
    ]);
    for (kind, name) in all {
        applied(&store, &bed.change(vec![put(&bed.row(kind).unique(name, 1))])?).await?;
    }
    Ok(())
}

/// Values are compared byte for byte: no case, accent, width, space or number is folded, and no text is too long.
pub(super) async fn g4_keys_compare_exactly(bed: &Bed) -> Verdict {
    let store = bed.open().await?;
    let long = "x".repeat(1_023);
    let (long_a, long_b) = (format!("{long}a"), format!("{long}b"));
    let texts = [
        "alice",
        "Alice",
        "alice ",
        " alice",
        "alicé",
        "alice\u{301}",
        "ａlice",
        "",
        "1",
        "01",
        "1.0",
        &long_a,
        &long_b,
    ];
    for text in texts {
        let row = bed.row(Kind::User).unique(UniqueName::Username, text);
        applied(&store, &bed.change(vec![put(&row)])?).await?;
        same(find(&store, UniqueName::Username, text).await?.as_ref(), &row, "find by an exact text")?;
    }
    for number in [0, 1, -1, i64::MAX, i64::MAX - 1, i64::MIN, (1 << 53) + 1, 1 << 53] {
        let row = bed.row(Kind::User).unique(UniqueName::UserNumber, number);
        applied(&store, &bed.change(vec![put(&row)])?).await?;
        same(find(&store, UniqueName::UserNumber, number).await?.as_ref(), &row, "find by an exact integer")?;
    }
    Ok(())
}

/// An update that keeps a key is not refused by the row's own.
pub(super) async fn g4_a_row_keeps_its_own_keys(bed: &Bed) -> Verdict {
    let store = bed.open().await?;
    let mut row = bed.row(Kind::Enrollment).unique(UniqueName::Token, "t").unique(UniqueName::PastToken, "p");
    for _ in 0..3 {
        applied(&store, &bed.change(vec![put(&row)])?).await?;
        same(find(&store, UniqueName::Token, "t").await?.as_ref(), &row, "find by a single key")?;
        same(find(&store, UniqueName::PastToken, "p").await?.as_ref(), &row, "find by one of several")?;
        row = row.next().unique(UniqueName::Token, "t").unique(UniqueName::PastToken, "p");
    }
    Ok(())
}

/// Under every name: a key that an update drops finds nobody and is free.
pub(super) async fn g4_an_update_frees_the_keys_it_drops(bed: &Bed) -> Verdict {
    freed(bed, |row| put(&row.next())).await
}

/// Under every name: the keys of a deleted row find nobody and are free.
pub(super) async fn g4_a_delete_frees_its_keys(bed: &Bed) -> Verdict {
    freed(bed, delete).await
}

async fn freed(bed: &Bed, free: fn(&Row) -> enrollment_core::port::Op) -> Verdict {
    let store = bed.open().await?;
    for name in UniqueName::ALL {
        let (value, _) = values(*name);
        let holder = bed.row(name.kind()).unique(*name, value.clone());
        applied(&store, &bed.change(vec![put(&holder)])?).await?;
        applied(&store, &bed.change(vec![free(&holder)])?).await?;
        ensure_eq!(find(&store, *name, value.clone()).await?, None, "find by a freed {name}");
        let heir = bed.row(name.kind()).unique(*name, value.clone());
        applied(&store, &bed.change(vec![put(&heir)])?).await?;
        same(find(&store, *name, value).await?.as_ref(), &heir, "find by a key that changed hands")?;
    }
    Ok(())
}

/// A key goes from an older row to a newer, back again, from a deleted row to a new one, and two rows swap theirs,
/// each in one change: only the end counts.
pub(super) async fn g4_a_key_moves_between_rows_in_one_change(bed: &Bed) -> Verdict {
    let store = bed.open().await?;
    for name in UniqueName::ALL {
        let (value, other) = values(*name);
        let (low, high) = (bed.row(name.kind()).unique(*name, value.clone()), bed.row(name.kind()));
        applied(&store, &bed.change(vec![put(&low), put(&high)])?).await?;
        let (low, high) = (low.next(), high.next().unique(*name, value.clone()));
        applied(&store, &bed.change(vec![put(&low), put(&high)])?).await?;
        same(find(&store, *name, value.clone()).await?.as_ref(), &high, "a key that moved up")?;
        let (low, high) = (low.next().unique(*name, value.clone()), high.next().unique(*name, other.clone()));
        applied(&store, &bed.change(vec![put(&low), put(&high)])?).await?;
        same(find(&store, *name, value.clone()).await?.as_ref(), &low, "a key that moved down")?;
        let low = low.next().unique(*name, other.clone());
        let high = high.next().unique(*name, value.clone());
        applied(&store, &bed.change(vec![put(&low), put(&high)])?).await?;
        same(find(&store, *name, value.clone()).await?.as_ref(), &high, "a key that was swapped")?;
        same(find(&store, *name, other.clone()).await?.as_ref(), &low, "the other key that was swapped")?;
        let heir = bed.row(name.kind()).unique(*name, value.clone());
        applied(&store, &bed.change(vec![delete(&high), put(&heir)])?).await?;
        same(find(&store, *name, value).await?.as_ref(), &heir, "a key of a deleted row")?;
    }
    Ok(())
}

/// One change cannot give a key to two rows.
pub(super) async fn g4_two_rows_of_one_change_cannot_share_a_key(bed: &Bed) -> Verdict {
    let store = bed.open().await?;
    for name in UniqueName::ALL {
        let (value, _) = values(*name);
        let key = UniqueKey::new(*name, value.clone());
        let rows = [(); 2].map(|()| bed.row(name.kind()).unique(*name, value.clone()));
        taken(&store, &bed.change(rows.iter().map(put).collect())?, &key, "two rows of one change").await?;
        ensure_eq!(find(&store, *name, value).await?, None, "find by a refused {name}");
    }
    Ok(())
}

/// Sixteen rows claim one key at once, on two handles: one gets it, the others hear which key is taken.
pub(super) async fn g4_parallel_claims_have_one_winner(bed: &Bed) -> Verdict {
    let handles = [bed.open().await?, bed.open().await?];
    for name in UniqueName::ALL {
        let (value, _) = values(*name);
        let key = UniqueKey::new(*name, value.clone());
        let mut tasks = Vec::new();
        for n in 0..16 {
            let row = bed.row(name.kind()).unique(*name, value.clone());
            let (store, change) = (Arc::clone(&handles[n % 2]), bed.change(vec![put(&row)])?);
            tasks.push(async move { Ok((commit(&store, &change).await?, row)) });
        }
        let (winners, losers): (Vec<_>, Vec<_>) =
            together(tasks).await?.into_iter().partition(|(outcome, _)| *outcome == CommitOutcome::Applied);
        let [(_, winner)] = winners.as_slice() else {
            return Err(Failure::new(format!("{} winners of one {name}", winners.len())));
        };
        for (outcome, _) in &losers {
            ensure_eq!(*outcome, CommitOutcome::Taken(key.clone()), "a loser's answer");
        }
        same(find(&handles[0], *name, value).await?.as_ref(), winner, "the winner")?;
    }
    Ok(())
}

/// Two values of the name's type.
fn values(name: UniqueName) -> (KeyValue, KeyValue) {
    match name.value_type() {
        ValueType::Int => (KeyValue::Int(41), KeyValue::Int(42)),
        ValueType::Text => ("value".into(), "other".into()),
    }
}
