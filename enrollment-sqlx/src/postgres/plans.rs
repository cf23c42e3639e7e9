//! No statement reads a table from end to end, and none that reads in an order sorts (G9, G7): its cost does not grow
//! with what else there is. The plans are those of a connection of the store, on empty tables, where the planner has
//! every reason to read them whole.

use std::hash::{BuildHasher, RandomState};
use std::str::FromStr;
use std::time::Duration;

use enrollment_core::id::{ChangeId, OutboxId};
use enrollment_core::port::{
    Change, Channel, CommitOutcome, Cursor, Direction, Expect, LeaseRef, LeaseRequest, Op, OutboxEntry, Retained, Scan,
    Settlement, Stream,
};
use enrollment_core::record::{
    Document, IndexKey, IndexName, KeyValue, Kind, Row, RowKey, UniqueKey, UniqueName, ValueType, Version,
};
use enrollment_core::time::Timestamp;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Executor, Row as _};
use uuid::Uuid;

use super::locks::Locks;
use super::schema::Schema;
use super::script::Script;
use super::{at_once, facts, migrations, open, outbox, read, write};
use crate::batch::Batch;
use crate::facts::{Facts, Wanted};

async fn tables() -> (Schema, PgConnection) {
    let server = std::env::var("ENROLLMENT_TEST_POSTGRES");
    let server = server.expect("a cluster for tests: run this by `scripts/postgres run cargo …`");
    let schema = Schema::new(&format!("t{:016x}", RandomState::new().hash_one(0))).expect("a name");
    let mut conn = PgConnectOptions::from_str(&server).expect("an address").connect().await.expect("a connection");
    migrations::run(&mut conn, &schema).await.expect("tables");
    conn.execute(AssertSqlSafe(open::settings(Duration::from_secs(5)))).await.expect("the settings of a store");
    (schema, conn)
}

/// The lines of the plan of a statement.
async fn plan(conn: &mut PgConnection, script: &Script) -> Vec<String> {
    let text = script.text();
    let values = (1..).take_while(|n| text.contains(&format!("${n}"))).count();
    let nulls = vec!["null"; values].join(", ");
    conn.execute(AssertSqlSafe(format!("prepare planned as {text}"))).await.expect(text);
    let arguments = if values == 0 { String::new() } else { format!("({nulls})") };
    let explain = format!("explain (costs off) execute planned{arguments}");
    let rows = sqlx::raw_sql(AssertSqlSafe(explain)).fetch_all(&mut *conn).await.expect(text);
    conn.execute("deallocate planned").await.expect("forgotten");
    rows.iter().map(|row| row.get(0)).collect()
}

/// Whether every index is entered at a place and no table is read without one.
fn follows_indexes(plan: &[String]) -> bool {
    let starts = |line: &str| line.contains("->") || line.trim_start().starts_with("CTE ");
    plan.iter().enumerate().all(|(at, line)| {
        let details = || plan[at + 1..].iter().take_while(|line| !starts(line));
        let is_index = line.contains("Index Scan") || line.contains("Index Only Scan");
        !line.contains("Seq Scan") && (!is_index || details().any(|line| line.contains("Index Cond:")))
    })
}

fn sorts(plan: &[String]) -> usize {
    plan.iter().filter(|line| line.contains("Sort") && !line.contains("Sort Key")).count()
}

fn value(sort: ValueType, n: i64) -> KeyValue {
    match sort {
        ValueType::Int => KeyValue::Int(n),
        ValueType::Text => KeyValue::Text(n.to_string()),
    }
}

#[tokio::test]
async fn every_scan_follows_its_index() {
    let (schema, mut conn) = tables().await;
    for index in IndexName::ALL.iter().copied() {
        let at = |n| value(index.value_type(), n);
        for direction in [Direction::Ascending, Direction::Descending] {
            for (from, to, after) in
                [(None, None, None), (Some(1), Some(9), None), (None, None, Some(5)), (Some(1), Some(9), Some(5))]
            {
                let after = after.map(|n| Cursor { at: at(n), id: Uuid::max() });
                let (from, to) = (from.map(at), to.map(at));
                let scan = Scan { index, within: String::new(), from, to, direction, after, limit: 10 };
                let script = read::scan_script(&schema, &scan);
                let plan = plan(&mut conn, &script).await;
                assert!(follows_indexes(&plan) && sorts(&plan) == 0, "{}\n{plan:#?}", script.text());
                // Where the page starts is found in the index, not counted from the start of the part.
                let scans = plan.iter().position(|line| line.contains(&format!("using {index} on")));
                let entered = scans.is_some_and(|at| {
                    plan[at + 1].contains("Index Cond:")
                        && (scan.after.is_none() || plan[at + 1].contains(&format!("ROW({index}, id)")))
                });
                assert!(entered, "{}\n{plan:#?}", script.text());
            }
        }
    }
}

#[tokio::test]
async fn every_look_up_follows_an_index() {
    let (schema, mut conn) = tables().await;
    let keys: Vec<_> = Kind::ALL.iter().map(|kind| RowKey::new(*kind, Uuid::nil())).collect();
    let mut scripts = vec![read::get_script(&schema, &keys)];
    for name in UniqueName::ALL.iter().copied() {
        scripts.push(read::find_script(&schema, &UniqueKey::new(name, value(name.value_type(), 1))));
    }
    for script in scripts {
        let plan = plan(&mut conn, &script).await;
        assert!(follows_indexes(&plan), "{}\n{plan:#?}", script.text());
    }
}

/// A row of this kind with every key it can have.
fn full(kind: Kind) -> Row {
    let unique = UniqueName::ALL.iter().filter(|name| name.kind() == kind);
    let index = IndexName::ALL.iter().filter(|name| name.kind() == kind);
    Row {
        key: RowKey::new(kind, Uuid::nil()),
        version: Version(2),
        unique: unique.map(|name| UniqueKey::new(*name, value(name.value_type(), 1))).collect(),
        index: index.map(|name| IndexKey::new(*name, "", value(name.value_type(), 1))).collect(),
        body: Document { layout: 1, json: "{}".to_owned() },
    }
}

#[tokio::test]
async fn a_change_reads_and_writes_by_indexes() {
    let (schema, mut conn) = tables().await;
    let (gone, entry) = (RowKey::new(Kind::User, Uuid::max()), OutboxId::from_uuid(Uuid::nil()));
    let lease = LeaseRef { entry: OutboxId::from_uuid(Uuid::max()), fence: 1 };
    let expect = Expect::Version(Version(1));
    let mut ops: Vec<_> = Kind::ALL.iter().map(|kind| Op::Put { expect, next: full(*kind) }).collect();
    ops.push(Op::Delete { key: gone, version: Version(1) });
    let bare =
        |kind, id, version| Row { key: RowKey::new(kind, id), version, unique: vec![], index: vec![], ..full(kind) };
    let loser = bare(Kind::User, Uuid::from_u128(5), Version(2));
    ops.push(Op::Put { expect, next: loser.clone() });
    ops.push(Op::Put { expect: Expect::Absent, next: bare(Kind::Enrollment, Uuid::max(), Version::FIRST) });
    ops.push(Op::Check { key: RowKey::new(Kind::Guard, Uuid::max()), version: Some(Version(1)) });
    let enqueued = OutboxEntry {
        id: entry,
        channel: Channel::Peer,
        stream: Some(Stream { key: "peer".to_owned(), order: 1 }),
        due: Timestamp::EPOCH,
        body: Document { layout: 1, json: "{}".to_owned() },
    };
    let id = ChangeId::from_uuid(Uuid::nil());
    let another = LeaseRef { entry: OutboxId::from_uuid(Uuid::from_u128(7)), fence: 1 };
    let several = Change::new(id, Timestamp::EPOCH, vec![], vec![], vec![another, lease]).expect("a valid change");
    let several = at_once::script(&schema, &several, &Locks::of(&several), "fingerprint").expect("a small change");
    let change = Change::new(id, Timestamp::EPOCH, ops, vec![enqueued], vec![lease]).expect("a valid change");
    let mut wanted = Wanted::default();
    wanted.change(&change);
    let locks = Locks::of(&change);
    let at_once = at_once::script(&schema, &change, &locks, "fingerprint").expect("a change of common size");
    let mut scripts = vec![facts::script(&schema, &locks, &wanted)];

    // Every statement there is: rows put, made, deleted and vacated, keys of the side table given up and taken.
    let mut facts = Facts::default();
    facts.rows.extend([(gone, Version(1)), (loser.key, Version(1))]);
    facts.rows.insert(RowKey::new(Kind::Guard, Uuid::max()), Version(1));
    facts.rows.extend(Kind::ALL.iter().map(|kind| (RowKey::new(*kind, Uuid::nil()), Version(1))));
    facts.entries.insert(lease.entry, Some(1));
    facts.held.extend(full(Kind::User).unique.into_iter().map(|key| (key, loser.key)));
    facts.held.insert(UniqueKey::new(UniqueName::PastToken, "old"), RowKey::new(Kind::Enrollment, Uuid::nil()));
    let mut batch = Batch::new(facts);
    assert_eq!(batch.commit(&change, "fingerprint").expect("an outcome"), CommitOutcome::Applied);
    scripts.extend(write::statements(&schema, &batch.writes()));
    let written: String = scripts[1..].iter().map(Script::text).collect();
    for part in [
        "insert into",
        "set username = null",
        "set version",
        "delete from",
        "many_keys held",
        ".outbox set leased_until",
    ] {
        assert!(written.contains(part), "{part} is missing in {written}");
    }
    assert_eq!(scripts.len(), 3, "a key moves, so there are two statements that write");
    for script in scripts.into_iter().chain([at_once, several]) {
        let plan = plan(&mut conn, &script).await;
        assert!(follows_indexes(&plan), "{}\n{plan:#?}", script.text());
    }
}

/// The only thing sorted is what the channels' own first entries come to, at most a limit's worth of each.
#[tokio::test]
async fn leasing_reads_open_entries_in_order() {
    let (schema, mut conn) = tables().await;
    let channels = Channel::ALL.to_vec();
    let request = LeaseRequest { channels, now: Timestamp::EPOCH, until: Timestamp::EPOCH, limit: 1 };
    let plan = plan(&mut conn, &outbox::lease_script(&schema, &request)).await;
    assert!(follows_indexes(&plan), "{plan:#?}");
    for index in ["outbox_open", "outbox_streams", "outbox_leased"] {
        let found = plan.iter().filter(|line| line.contains(&format!("using {index} on")));
        assert_eq!(found.count(), Channel::ALL.len(), "{index}: {plan:#?}");
    }
    assert!(sorts(&plan) <= 1, "{plan:#?}");
}

#[tokio::test]
async fn settling_and_pruning_follow_an_index() {
    let (schema, mut conn) = tables().await;
    let lease = LeaseRef { entry: OutboxId::from_uuid(Uuid::max()), fence: 1 };
    let settle = outbox::settle_script(&schema, &lease, &Settlement::Done, Timestamp::EPOCH).expect("a fence");
    let prune = |what| outbox::prune_script(&schema, what, Timestamp::EPOCH, 1);
    for script in [settle, prune(Retained::Changes), prune(Retained::Settled), prune(Retained::Dead)] {
        let plan = plan(&mut conn, &script).await;
        assert!(follows_indexes(&plan) && sorts(&plan) == 0, "{}\n{plan:#?}", script.text());
    }
}
