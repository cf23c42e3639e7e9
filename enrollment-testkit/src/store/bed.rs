//! What the cases stand on: handles onto one store's data, sample rows and changes, and calls that try again when the
//! store says that trying again helps.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use enrollment_core::id::{ChangeId, OutboxId};
use enrollment_core::port::{
    Change, Channel, CommitOutcome, Expect, LeaseRef, LeaseRequest, Leased, Op, OutboxEntry, Page, Scan, SettleOutcome,
    Settlement, Store, StoreError, StoreErrorKind, Stream,
};
use enrollment_core::record::{
    Document, IndexKey, IndexName, KeyValue, Kind, Row, RowKey, UniqueKey, UniqueName, Version,
};
use enrollment_core::time::Timestamp;
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::{Failure, Running, StoreFactory, ensure, ensure_eq};

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
        settle: Option<LeaseRef>,
    ) -> Result<Change, Failure> {
        Ok(Change::new(ChangeId::from_uuid(self.uuid()), at(0), ops, enqueue, settle)?)
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

/// Tries again while the store says that it helps; a store under parallel writers may be busy, not for ever.
macro_rules! patiently {
    ($call:expr) => {{
        let mut tries = 0;
        loop {
            match $call.await {
                Err(error) if error.is_retryable() && tries < 1_000 => tries += 1,
                answer => break answer?,
            }
            tokio::task::yield_now().await;
        }
    }};
}

pub(super) async fn commit(store: &Arc<dyn Store>, change: &Change) -> Result<CommitOutcome, Failure> {
    Ok(patiently!(store.commit(change)))
}

/// Commits a change that nothing stands against.
pub(super) async fn applied(store: &Arc<dyn Store>, change: &Change) -> Verdict {
    outcome(store, change, CommitOutcome::Applied, "a change that nothing stands against").await
}

/// Commits a change and compares the answer.
pub(super) async fn outcome(store: &Arc<dyn Store>, change: &Change, want: CommitOutcome, what: &str) -> Verdict {
    ensure_eq!(commit(store, change).await?, want, "{what}");
    Ok(())
}

pub(super) async fn taken(store: &Arc<dyn Store>, change: &Change, key: &UniqueKey, what: &str) -> Verdict {
    outcome(store, change, CommitOutcome::Taken(key.clone()), what).await
}

pub(super) async fn get(store: &Arc<dyn Store>, key: RowKey) -> Result<Option<Row>, Failure> {
    let mut rows = get_all(store, &[key]).await?;
    ensure_eq!(rows.len(), 1, "answers for one key");
    Ok(rows.remove(0))
}

pub(super) async fn get_all(store: &Arc<dyn Store>, keys: &[RowKey]) -> Result<Vec<Option<Row>>, Failure> {
    Ok(patiently!(store.get(keys)))
}

pub(super) async fn find(
    store: &Arc<dyn Store>,
    name: UniqueName,
    value: impl Into<KeyValue>,
) -> Result<Option<Row>, Failure> {
    let key = UniqueKey::new(name, value);
    Ok(patiently!(store.find(&key)))
}

pub(super) async fn page(store: &Arc<dyn Store>, scan: &Scan) -> Result<Page, Failure> {
    Ok(patiently!(store.scan(scan)))
}

/// The rows of all pages, and how many pages they were.
pub(super) async fn pages(store: &Arc<dyn Store>, mut scan: Scan) -> Result<(Vec<Row>, usize), Failure> {
    let mut rows = Vec::new();
    for count in 1..=2_000 {
        let page = page(store, &scan).await?;
        let limit = usize::try_from(scan.limit).unwrap_or(usize::MAX);
        ensure!(page.rows.len() <= limit, "a page of {} rows, limit {limit}", page.rows.len());
        ensure!(page.next.is_none() || page.rows.len() == limit, "a page that is neither full nor the last");
        rows.extend(page.rows);
        tokio::task::yield_now().await;
        match page.next {
            Some(next) => scan.after = Some(next),
            None => return Ok((rows, count)),
        }
    }
    Err(Failure::new("a scan does not end"))
}

pub(super) async fn settle(
    store: &Arc<dyn Store>,
    lease: &LeaseRef,
    how: &Settlement,
    now: Timestamp,
) -> Result<SettleOutcome, Failure> {
    Ok(patiently!(store.settle(lease, how, now)))
}

/// Settles a lease that is the caller's.
pub(super) async fn settled(store: &Arc<dyn Store>, lease: &LeaseRef, how: Settlement, now: Timestamp) -> Verdict {
    ensure_eq!(settle(store, lease, &how, now).await?, SettleOutcome::Settled, "{how:?} of the caller's lease");
    Ok(())
}

/// Leases from every channel at `now` for 60 s.
pub(super) async fn lease(store: &Arc<dyn Store>, now: Timestamp, limit: u32) -> Result<Vec<Leased>, Failure> {
    let until = now.plus(Duration::from_secs(60));
    lease_as(store, &LeaseRequest { channels: Channel::ALL.to_vec(), now, until, limit }).await
}

pub(super) async fn lease_as(store: &Arc<dyn Store>, request: &LeaseRequest) -> Result<Vec<Leased>, Failure> {
    let leased = patiently!(store.lease(request));
    let limit = usize::try_from(request.limit).unwrap_or(usize::MAX);
    ensure!(leased.len() <= limit, "{} leases, limit {limit}", leased.len());
    Ok(leased)
}

/// The one entry that can be leased at `now`.
pub(super) async fn lease_one(store: &Arc<dyn Store>, now: Timestamp, what: &str) -> Result<Leased, Failure> {
    let mut leased = lease(store, now, 10).await?;
    ensure_eq!(leased.len(), 1, "entries to lease, {what}");
    Ok(leased.remove(0))
}

pub(super) async fn lease_none(store: &Arc<dyn Store>, now: Timestamp, what: &str) -> Verdict {
    ensure_eq!(lease(store, now, 10).await?, Vec::new(), "entries to lease, {what}");
    Ok(())
}

/// Whether a row stands as it was written: everything alike, the document as equal JSON.
pub(super) fn same(got: Option<&Row>, want: &Row, what: &str) -> Verdict {
    let Some(got) = got else { return Err(Failure::new(format!("{what}: {} is not there", want.key))) };
    ensure_eq!(got.key, want.key, "{what}: key");
    ensure_eq!(got.version, want.version, "{what}: version of {}", want.key);
    ensure_eq!(got.unique, want.unique, "{what}: unique keys of {}", want.key);
    ensure_eq!(got.index, want.index, "{what}: index keys of {}", want.key);
    same_document(&got.body, &want.body, what)
}

pub(super) fn same_document(got: &Document, want: &Document, what: &str) -> Verdict {
    ensure_eq!(got.layout, want.layout, "{what}: layout");
    let parse = |document: &Document| serde_json::from_str::<serde_json::Value>(&document.json).ok();
    ensure!(
        parse(got).is_some() && parse(got) == parse(want),
        "{what}: the document of {} bytes is not the one written, of {} bytes",
        got.json.len(),
        want.json.len()
    );
    Ok(())
}

pub(super) async fn stands(store: &Arc<dyn Store>, want: &Row, what: &str) -> Verdict {
    same(get(store, want.key).await?.as_ref(), want, what)
}

pub(super) async fn is_absent(store: &Arc<dyn Store>, key: RowKey, what: &str) -> Verdict {
    ensure!(get(store, key).await?.is_none(), "{what}: {key} is there");
    Ok(())
}

/// A call that broke the contract.
pub(super) fn misused<T: std::fmt::Debug>(answer: Result<T, StoreError>, what: &str) -> Verdict {
    match answer {
        Err(error) if error.kind() == StoreErrorKind::Misuse => {
            ensure!(!error.is_retryable(), "{what}: misuse is never retryable");
            Ok(())
        }
        other => Err(Failure::new(format!("{what} is misuse, not {other:?}"))),
    }
}

/// Runs tasks in parallel, all started at one moment, and gathers their answers in order.
pub(super) async fn together<T, F>(tasks: Vec<F>) -> Result<Vec<T>, Failure>
where
    T: Send + 'static,
    F: Future<Output = Result<T, Failure>> + Send + 'static,
{
    let start = Arc::new(Barrier::new(tasks.len()));
    let mut running = JoinSet::new();
    for (place, task) in tasks.into_iter().enumerate() {
        let start = Arc::clone(&start);
        running.spawn(async move {
            start.wait().await;
            (place, task.await)
        });
    }
    let mut answers = Vec::new();
    while let Some(done) = running.join_next().await {
        let (place, answer) = done.map_err(|error| Failure::caused("the store panicked", error))?;
        answers.push((place, answer?));
    }
    answers.sort_by_key(|(place, _)| *place);
    Ok(answers.into_iter().map(|(_, answer)| answer).collect())
}

/// Reads through both handles for as long as a writer works through its changes, and once more after it.
pub(super) async fn beside_writer<R, F>(handles: &[Arc<dyn Store>; 2], changes: Vec<Change>, read: R) -> Verdict
where
    R: Fn(Arc<dyn Store>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Verdict> + Send + 'static,
{
    let over = Arc::new(AtomicBool::new(false));
    let mut tasks: Vec<Running> = Vec::new();
    for store in handles.iter().cloned() {
        let (read, over) = (read.clone(), Arc::clone(&over));
        tasks.push(Box::pin(async move {
            while !over.load(Ordering::Acquire) {
                read(Arc::clone(&store)).await?;
                tokio::task::yield_now().await;
            }
            read(store).await
        }));
    }
    let store = Arc::clone(&handles[0]);
    tasks.push(Box::pin(async move {
        let mut verdict = Ok(());
        for change in changes {
            verdict = applied(&store, &change).await;
            if verdict.is_err() {
                break;
            }
            tokio::task::yield_now().await;
        }
        over.store(true, Ordering::Release);
        verdict
    }));
    together(tasks).await.map(drop)
}
