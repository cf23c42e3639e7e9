//! Changes per second, against the same statements issued bare.
//!
//! A change puts one row as enrollments are (next version, one unique key, three index keys, 1.5 kB document) and one
//! audit row. The yardstick does the same on one connection of the same driver, one transaction per change, without
//! any of the store's checks. Run with `cargo bench -p enrollment-sqlx`; seconds per case as the first argument.

#![allow(clippy::print_stdout, clippy::disallowed_methods, missing_docs, reason = "a bench measures time and says so")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use enrollment_core::id::ChangeId;
use enrollment_core::port::{Change, CommitOutcome, Expect, Op, Store};
use enrollment_core::record::{Document, IndexKey, IndexName, Kind, Row, RowKey, UniqueKey, UniqueName, Version};
use enrollment_core::time::Timestamp;
use enrollment_sqlx::{SqliteOptions, SqlxStore};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection};
use uuid::Uuid;

fn main() {
    let seconds = std::env::args().skip(1).find_map(|text| text.parse().ok()).unwrap_or(4);
    let span = Duration::from_secs(seconds);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let bare = runtime.block_on(bare(span));
    println!("bare transactions, 1 task: {bare:.0}/s");
    for tasks in [1, 16, 160] {
        let rate = runtime.block_on(store(span, tasks));
        println!("store, {tasks} tasks: {rate:.0}/s, {:.0} % of bare", 100.0 * rate / bare);
    }
}

/// The n-th identifier of a sort, in order of making as version 7 is.
fn id(sort: u128, n: u64) -> Uuid {
    Uuid::from_u128((u128::from(n) << 80) | (0x7 << 76) | (0x2 << 62) | sort)
}

fn document() -> Document {
    Document { layout: 1, json: format!(r#"{{"phase":"in_session","data":"{}"}}"#, "x\\\"".repeat(490)) }
}

fn enrollment(subject: u128, version: u64) -> Row {
    Row {
        key: RowKey::new(Kind::Enrollment, id(subject, 0)),
        version: Version(version),
        unique: vec![UniqueKey::new(UniqueName::Token, format!("token-{subject:064}"))],
        index: vec![
            IndexKey::new(IndexName::EnrollmentsByCreated, "open", 1_764_000_000_000_000 + version.cast_signed()),
            IndexKey::new(IndexName::EnrollmentsByExpiry, "open", 1_764_086_400_000_000),
            IndexKey::new(IndexName::EnrollmentsByUsername, "open", format!("user{subject}")),
        ],
        body: document(),
    }
}

fn audit(subject: u128, version: u64) -> Row {
    let at = 1_764_000_000_000_000 + version.cast_signed();
    Row {
        key: RowKey::new(Kind::Audit, id(subject, version)),
        version: Version::FIRST,
        unique: Vec::new(),
        index: vec![
            IndexKey::new(IndexName::AuditChain, "unsealed", at),
            IndexKey::new(IndexName::AuditByTime, "", at),
            IndexKey::new(IndexName::AuditBySubject, id(subject, 0).to_string(), version.cast_signed()),
        ],
        body: Document { layout: 1, json: r#"{"event":"password_set","source":"192.0.2.1"}"#.to_owned() },
    }
}

fn change(subject: u128, version: u64) -> Change {
    let expect = if version == 1 { Expect::Absent } else { Expect::Version(Version(version - 1)) };
    let ops = vec![
        Op::Put { expect, next: enrollment(subject, version) },
        Op::Put { expect: Expect::Absent, next: audit(subject, version) },
    ];
    let change_id = ChangeId::from_uuid(id(subject, version));
    Change::new(change_id, Timestamp::from_seconds(1_764_000_000), ops, Vec::new(), None).expect("a valid change")
}

async fn store(span: Duration, tasks: u128) -> f64 {
    let folder = tempfile::tempdir().expect("a folder");
    let opened = SqlxStore::open_sqlite(folder.path().join("bench.db"), SqliteOptions::default()).await;
    let store = Arc::new(opened.expect("a store"));
    let begin = Instant::now();
    let running: Vec<_> = (1..=tasks)
        .map(|subject| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                let mut version = 0;
                while begin.elapsed() < span {
                    version += 1;
                    let outcome = store.commit(&change(subject, version)).await.expect("an outcome");
                    assert_eq!(outcome, CommitOutcome::Applied);
                }
                version
            })
        })
        .collect();
    let mut changes = 0;
    for task in running {
        changes += task.await.expect("a count");
    }
    let rate = changes as f64 / begin.elapsed().as_secs_f64();
    store.close().await;
    rate
}

const PUT: &str = "update enrollments set version = $2, token = $3, enrollments_by_created_in = 'open', \
    enrollments_by_created = $4, enrollments_by_expiry_in = 'open', enrollments_by_expiry = $5, \
    enrollments_by_username_in = 'open', enrollments_by_username = $6, layout = 1, body = $7 \
    where id = $1 and version = $2 - 1";
const AUDIT: &str = "insert into audit (id, version, audit_chain_in, audit_chain, audit_by_time_in, \
    audit_by_time, audit_by_subject_in, audit_by_subject, layout, body) \
    values ($1, 1, '', $2, '', $2, $3, $4, 1, $5)";

async fn bare(span: Duration) -> f64 {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("bench.db");
    let store = SqlxStore::open_sqlite(&path, SqliteOptions::default()).await.expect("tables");
    let outcome = store.commit(&change(1, 1)).await.expect("a first row");
    assert_eq!(outcome, CommitOutcome::Applied);
    store.close().await;
    let options = SqliteConnectOptions::new().filename(path).synchronous(SqliteSynchronous::Full);
    let mut conn = options.disable_statement_logging().connect().await.expect("a connection");
    let begin = Instant::now();
    let mut version = 1;
    while begin.elapsed() < span {
        version += 1;
        bare_change(&mut conn, version).await.expect("a change");
    }
    let rate = (version - 1) as f64 / begin.elapsed().as_secs_f64();
    conn.close().await.expect("closed");
    rate
}

async fn bare_change(conn: &mut SqliteConnection, version: u64) -> Result<(), sqlx::Error> {
    let at = 1_764_000_000_000_000 + version.cast_signed();
    sqlx::query("begin immediate").execute(&mut *conn).await?;
    let put = sqlx::query(PUT)
        .bind(id(1, 0).to_string())
        .bind(version.cast_signed())
        .bind(format!("token-{:064}", 1))
        .bind(at)
        .bind(1_764_086_400_000_000_i64)
        .bind("user1")
        .bind(document().json)
        .execute(&mut *conn)
        .await?;
    assert_eq!(put.rows_affected(), 1);
    sqlx::query(AUDIT)
        .bind(id(1, version).to_string())
        .bind(at)
        .bind(id(1, 0).to_string())
        .bind(version.cast_signed())
        .bind(r#"{"event":"password_set","source":"192.0.2.1"}"#)
        .execute(&mut *conn)
        .await?;
    sqlx::query("commit").execute(conn).await?;
    Ok(())
}
