//! No statement reads a table from end to end or sorts what it finds (G9, G7): its cost does not grow with what else
//! there is.

use enrollment_core::id::{ChangeId, OutboxId};
use enrollment_core::port::{
    Change, Channel, Cursor, Direction, Expect, LeaseRef, Op, OutboxEntry, Retained, Scan, Settlement, Stream,
};
use enrollment_core::record::{
    Document, IndexKey, IndexName, KeyValue, Kind, Row, RowKey, UniqueKey, UniqueName, ValueType, Version,
};
use enrollment_core::time::Timestamp;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Row as _};
use uuid::Uuid;

use super::{facts, file, outbox, read, write};
use crate::batch::Batch;
use crate::facts::{Facts, Wanted};

async fn tables() -> (tempfile::TempDir, SqliteConnection) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("plans.db");
    let lock = file::make_and_lock(&path).expect("the lock");
    let options = file::connect_options(&path, std::time::Duration::from_secs(1));
    let conn = file::prepare(&options).await.expect("tables");
    drop(lock);
    (folder, conn)
}

/// The steps of the plans of these statements.
async fn plan(conn: &mut SqliteConnection, statements: &str) -> Vec<String> {
    let mut steps = Vec::new();
    for statement in statements.split_terminator(';').filter(|text| !text.starts_with("begin")) {
        let rows = sqlx::query(AssertSqlSafe(format!("explain query plan {statement}"))).fetch_all(&mut *conn).await;
        steps.extend(rows.expect(statement).iter().map(|row| row.get::<String, _>("detail")));
    }
    assert!(!steps.is_empty(), "{statements}");
    steps
}

/// Whether a step reads a whole table. Lists of the statement itself and what subqueries found are read whole.
fn reads_a_table(step: &str) -> bool {
    step.starts_with("SCAN ")
        && !["json_each", "jsonb_each", "line", "facts", "(subquery", "CONSTANT"]
            .iter()
            .any(|list| step[5..].starts_with(list))
}

fn sorts(step: &str) -> bool {
    step.contains("TEMP B-TREE")
}

fn value(sort: ValueType, n: i64) -> KeyValue {
    match sort {
        ValueType::Int => KeyValue::Int(n),
        ValueType::Text => KeyValue::Text(n.to_string()),
    }
}

#[tokio::test]
async fn every_scan_follows_its_index() {
    let (_folder, mut conn) = tables().await;
    for index in IndexName::ALL.iter().copied() {
        let at = |n| value(index.value_type(), n);
        for direction in [Direction::Ascending, Direction::Descending] {
            for (from, to, after) in [
                (None, None, None),
                (Some(1), Some(9), None),
                (None, None, Some(5)),
                (Some(1), Some(9), Some(5)),
                (Some(5), Some(5), Some(5)),
            ] {
                let after = after.map(|n| Cursor { at: at(n), id: Uuid::max() });
                let (from, to) = (from.map(at), to.map(at));
                let scan = Scan { index, within: String::new(), from, to, direction, after, limit: 10 };
                let (text, _) = read::scan_text(&scan);
                let steps = plan(&mut conn, &text).await;
                assert!(!steps.iter().any(|step| reads_a_table(step) || sorts(step)), "{text}\n{steps:#?}");
                // Where the page starts is found in the index, not counted from the start of the part.
                let entered = steps.iter().any(|step| {
                    step.contains(&format!("USING INDEX {index} ("))
                        && (scan.after.is_none()
                            || step.contains(&format!("{index}>"))
                            || step.contains(&format!("{index}<"))
                            || step.contains(&format!("({index},id)")))
                });
                assert!(entered, "{text}\n{steps:#?}");
            }
        }
    }
}

#[tokio::test]
async fn every_look_up_follows_an_index() {
    let (_folder, mut conn) = tables().await;
    let keys: Vec<_> = Kind::ALL.iter().map(|kind| RowKey::new(*kind, Uuid::nil())).collect();
    let mut texts = vec![read::get_script(&keys).text().to_owned()];
    for name in UniqueName::ALL.iter().copied() {
        texts.push(read::find_text(&UniqueKey::new(name, value(name.value_type(), 1))));
    }
    for text in texts {
        let steps = plan(&mut conn, &text).await;
        assert!(!steps.iter().any(|step| reads_a_table(step) || sorts(step)), "{text}\n{steps:#?}");
    }
}

/// A row of this kind with every key it can have.
fn full(kind: Kind) -> Row {
    let unique = UniqueName::ALL.iter().filter(|name| name.kind() == kind);
    let index = IndexName::ALL.iter().filter(|name| name.kind() == kind);
    Row {
        key: RowKey::new(kind, Uuid::nil()),
        version: Version::FIRST,
        unique: unique.map(|name| UniqueKey::new(*name, value(name.value_type(), 1))).collect(),
        index: index.map(|name| IndexKey::new(*name, "", value(name.value_type(), 1))).collect(),
        body: Document { layout: 1, json: "{}".to_owned() },
    }
}

#[tokio::test]
async fn a_group_of_changes_reads_and_writes_by_indexes() {
    let (_folder, mut conn) = tables().await;
    let (gone, entry) = (RowKey::new(Kind::User, Uuid::max()), OutboxId::from_uuid(Uuid::nil()));
    let lease = LeaseRef { entry: OutboxId::from_uuid(Uuid::max()), fence: 1 };
    let mut ops: Vec<_> = Kind::ALL.iter().map(|kind| Op::Put { expect: Expect::Absent, next: full(*kind) }).collect();
    ops.push(Op::Delete { key: gone, version: Version(1) });
    let loser = RowKey::new(Kind::User, Uuid::from_u128(5));
    let next = Row { key: loser, version: Version(2), unique: vec![], index: vec![], ..full(Kind::User) };
    ops.push(Op::Put { expect: Expect::Version(Version(1)), next });
    let enqueued = OutboxEntry {
        id: entry,
        channel: Channel::Peer,
        stream: Some(Stream { key: "peer".to_owned(), order: 1 }),
        due: Timestamp::EPOCH,
        body: Document { layout: 1, json: "{}".to_owned() },
    };
    let id = ChangeId::from_uuid(Uuid::nil());
    let change = Change::new(id, Timestamp::EPOCH, ops, vec![enqueued], vec![lease]).expect("a valid change");
    let mut wanted = Wanted::default();
    wanted.change(&change);
    let read = facts::script(&wanted).text().to_owned();

    // Every statement there is: rows put, deleted and vacated, keys of the side table given up and taken.
    let mut facts = Facts::default();
    facts.rows.extend([(gone, Version(1)), (loser, Version(1))]);
    facts.entries.insert(lease.entry, Some(1));
    for kind in [Kind::User, Kind::Enrollment] {
        let holder = if kind == Kind::User { loser } else { RowKey::new(kind, Uuid::nil()) };
        facts.held.extend(full(kind).unique.into_iter().map(|key| (key, holder)));
    }
    facts.held.insert(UniqueKey::new(UniqueName::PastToken, "old"), RowKey::new(Kind::Enrollment, Uuid::nil()));
    let mut batch = Batch::new(facts);
    let outcome = batch.commit(&change, "fingerprint").expect("an outcome");
    assert_eq!(outcome, enrollment_core::port::CommitOutcome::Applied);
    let again = LeaseRef { entry, fence: 1 };
    let lost = batch.settle(&again, &Settlement::Done, Timestamp::EPOCH);
    assert_eq!(lost, enrollment_core::port::SettleOutcome::LeaseLost);
    let written = write::script(&batch.writes()).text().to_owned();
    for part in [
        "insert into users",
        "update users set version",
        "delete from users",
        "set username = null",
        "delete from many_keys",
        "update outbox",
    ] {
        assert!(written.contains(part), "{part} is missing in {written}");
    }
    for text in [read, written] {
        let steps = plan(&mut conn, &text).await;
        assert!(!steps.iter().any(|step| reads_a_table(step) || sorts(step)), "{text}\n{steps:#?}");
    }
}

/// The only thing sorted is what the channels' own first entries come to, at most a limit's worth of each.
#[tokio::test]
async fn leasing_reads_open_entries_in_order() {
    let (_folder, mut conn) = tables().await;
    let steps = plan(&mut conn, &outbox::lease_text(Channel::ALL)).await;
    assert!(!steps.iter().any(|step| reads_a_table(step)), "{steps:#?}");
    for (table, index) in [("e", "outbox_open"), ("o", "outbox_streams"), ("o", "outbox_leased")] {
        let search = format!("SEARCH {table} USING");
        let found = steps.iter().filter(|step| step.starts_with(&search) && step.contains(index));
        assert_eq!(found.count(), Channel::ALL.len(), "{index}: {steps:#?}");
    }
    assert!(steps.iter().filter(|step| sorts(step)).count() <= 1, "{steps:#?}");
}

#[tokio::test]
async fn pruning_follows_an_index() {
    let (_folder, mut conn) = tables().await;
    for what in [Retained::Changes, Retained::Settled, Retained::Dead] {
        let steps = plan(&mut conn, outbox::prune_text(what)).await;
        assert!(!steps.iter().any(|step| reads_a_table(step) || sorts(step)), "{steps:#?}");
    }
}
