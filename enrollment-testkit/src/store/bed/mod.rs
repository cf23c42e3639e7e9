//! What the cases stand on: handles onto one store's data, sample rows and changes, calls, and parallel tasks.

mod calls;
mod parallel;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use enrollment_core::id::{ChangeId, OutboxId};
use enrollment_core::port::{Change, Channel, Expect, LeaseRef, Op, OutboxEntry, Store, Stream};
use enrollment_core::record::{
    Document, IndexKey, IndexName, KeyValue, Kind, Row, RowKey, UniqueKey, UniqueName, Version,
};
use enrollment_core::time::Timestamp;
use uuid::Uuid;

pub(super) use self::calls::{
    applied, commit, find, get, get_all, is_absent, lease, lease_as, lease_none, lease_one, misused, outcome, page,
    pages, same, same_document, settle, settled, stands, taken,
};
pub(super) use self::parallel::{beside_writer, together};
use super::{Failure, StoreFactory};

/// How a case went.
pub(super) type Verdict = Result<(), Failure>;

/// One store's data and a source of fresh identifiers.
pub(super) struct Bed {
    opener: Box<dyn Open>,
    used: AtomicU64,
}

/// A factory and the data it made.
pub(super) struct Opened<F: StoreFactory> {
    pub(super) factory: Arc<F>,
    pub(super) data: F::Data,
}

#[async_trait]
trait Open: Send + Sync {
    async fn open(&self) -> Result<Arc<dyn Store>, Failure>;
}

#[async_trait]
impl<F: StoreFactory> Open for Opened<F> {
    async fn open(&self) -> Result<Arc<dyn Store>, Failure> {
        self.factory.open(&self.data).await.map_err(|error| Failure::caused("the factory opened no store", error))
    }
}

/// `seconds` after the instant around which most cases play.
pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(1_764_000_000 + seconds)
}

/// The instant one microsecond before.
pub(super) fn just_before(time: Timestamp) -> Timestamp {
    time.minus(Duration::from_micros(1))
}

impl Bed {
    pub(super) fn new<F: StoreFactory>(opened: Opened<F>) -> Self {
        Self { opener: Box::new(opened), used: AtomicU64::new(0) }
    }

    /// A handle as another process would open it.
    pub(super) async fn open(&self) -> Result<Arc<dyn Store>, Failure> {
        self.opener.open().await
    }

    /// A fresh identifier, higher than all before.
    pub(super) fn uuid(&self) -> Uuid {
        let used = self.used.fetch_add(1, Ordering::Relaxed);
        Uuid::from_u128(0x0192_0000_0000_7000_8000_0000_0000_0000 + u128::from(used))
    }

    /// A new row without keys.
    pub(super) fn row(&self, kind: Kind) -> Row {
        let body = Document { layout: 1, json: r#"{"note":"sample"}"#.to_owned() };
        let key = RowKey::new(kind, self.uuid());
        Row { key, version: Version::FIRST, unique: Vec::new(), index: Vec::new(), body }
    }

    /// A change of rows only.
    pub(super) fn change(&self, ops: Vec<Op>) -> Result<Change, Failure> {
        self.change_with(ops, Vec::new(), None)
    }

    /// A change that only enqueues.
    pub(super) fn enqueue(&self, entries: Vec<OutboxEntry>) -> Result<Change, Failure> {
        self.change_with(Vec::new(), entries, None)
    }

    pub(super) fn change_with(
        &self,
        ops: Vec<Op>,
        enqueue: Vec<OutboxEntry>,
        settle: impl IntoIterator<Item = LeaseRef>,
    ) -> Result<Change, Failure> {
        Ok(Change::new(ChangeId::from_uuid(self.uuid()), at(0), ops, enqueue, settle.into_iter().collect())?)
    }

    /// An independent mail, due at `at(0)`.
    pub(super) fn entry(&self) -> OutboxEntry {
        let body = Document { layout: 1, json: r#"{"intent":"sample"}"#.to_owned() };
        OutboxEntry { id: OutboxId::from_uuid(self.uuid()), channel: Channel::Email, stream: None, due: at(0), body }
    }

    /// A peer entry of a stream, due at `at(0)`.
    pub(super) fn streamed(&self, key: &str, order: u64) -> OutboxEntry {
        OutboxEntry { channel: Channel::Peer, stream: Some(Stream { key: key.to_owned(), order }), ..self.entry() }
    }
}

/// Rows made step by step.
pub(super) trait RowExt {
    fn unique(self, name: UniqueName, value: impl Into<KeyValue>) -> Row;
    fn index(self, name: IndexName, within: &str, at: impl Into<KeyValue>) -> Row;
    fn json(self, json: impl Into<String>) -> Row;
    /// The row's next version, without keys.
    fn next(&self) -> Row;
}

impl RowExt for Row {
    fn unique(mut self, name: UniqueName, value: impl Into<KeyValue>) -> Row {
        self.unique.push(UniqueKey::new(name, value));
        self.unique.sort();
        self
    }

    fn index(mut self, name: IndexName, within: &str, at: impl Into<KeyValue>) -> Row {
        self.index.push(IndexKey::new(name, within, at));
        self.index.sort();
        self
    }

    fn json(mut self, json: impl Into<String>) -> Row {
        self.body.json = json.into();
        self
    }

    fn next(&self) -> Row {
        Row { version: self.version.next(), unique: Vec::new(), index: Vec::new(), ..self.clone() }
    }
}

/// Writes this version of a row on top of the one before.
pub(super) fn put(row: &Row) -> Op {
    let expect = match row.version {
        Version::FIRST => Expect::Absent,
        Version(version) => Expect::Version(Version(version - 1)),
    };
    Op::Put { expect, next: row.clone() }
}

pub(super) fn check(row: &Row) -> Op {
    Op::Check { key: row.key, version: Some(row.version) }
}

pub(super) fn check_absent(key: RowKey) -> Op {
    Op::Check { key, version: None }
}

pub(super) fn delete(row: &Row) -> Op {
    Op::Delete { key: row.key, version: row.version }
}
