//! A store of one's own: one file, to which every write appends a line, and maps in memory.
//!
//! `docs/guide/writing-a-store.md` walks through it. It keeps every promise of [`Store`], proven by the conformance
//! suite at the end of this file, within these limits:
//!
//! * One process: a lock on the file keeps others out.
//! * Everything is held in memory, and the file only grows.
//! * A write occupies its thread for as long as the disk takes.
//!
//! Run it with `cargo run --example custom_store`, judge it with `cargo test --example custom_store`.

mod log;
mod state;

use std::error::Error;
use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use enrollment_core::id::ChangeId;
use enrollment_core::port::{
    Change, CommitOutcome, Expect, LeaseRef, LeaseRequest, Leased, Op, Page, Retained, Scan, SettleOutcome, Settlement,
    Store, StoreError,
};
use enrollment_core::record::{Document, Kind, Row, RowKey, UniqueKey, UniqueName, Version};
use enrollment_core::time::Timestamp;
use uuid::Uuid;

use crate::log::Log;
use crate::state::{Fact, State};

/// A [`Store`] in one file, for one process.
#[derive(Debug)]
struct FileStore {
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    state: State,
    log: Log,
}

impl FileStore {
    /// Opens the store in this file, or makes an empty one.
    fn open(path: &Path) -> Result<Self, StoreError> {
        let (log, writes) = Log::open(path)?;
        let mut state = State::default();
        writes.into_iter().flatten().for_each(|fact| state.apply(fact));
        Ok(Self { inner: Mutex::new(Inner { state, log }) })
    }

    /// Decides, writes down what follows, and only then lets it be seen. Nothing is awaited in between, so a caller
    /// that goes away leaves all of it or nothing.
    fn write<T>(&self, decide: impl FnOnce(&State) -> Result<(T, Vec<Fact>), StoreError>) -> Result<T, StoreError> {
        let mut inner = self.inner()?;
        let (answer, facts) = decide(&inner.state)?;
        if !facts.is_empty() {
            inner.log.append(&facts)?;
            facts.into_iter().for_each(|fact| inner.state.apply(fact));
        }
        Ok(answer)
    }

    /// The state, unless the file may know more than the memory.
    fn inner(&self) -> Result<MutexGuard<'_, Inner>, StoreError> {
        // Facts are applied by code that cannot panic: a poisoned lock guards a whole state.
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.log.check()?;
        Ok(inner)
    }
}

#[async_trait]
impl Store for FileStore {
    async fn get(&self, keys: &[RowKey]) -> Result<Vec<Option<Row>>, StoreError> {
        let inner = self.inner()?;
        Ok(keys.iter().map(|key| inner.state.row(key).cloned()).collect())
    }

    async fn find(&self, by: &UniqueKey) -> Result<Option<Row>, StoreError> {
        Ok(self.inner()?.state.holder(by).cloned())
    }

    async fn scan(&self, scan: &Scan) -> Result<Page, StoreError> {
        self.inner()?.state.scan(scan)
    }

    async fn commit(&self, change: &Change) -> Result<CommitOutcome, StoreError> {
        self.write(|state| state.commit(change))
    }

    async fn lease(&self, request: &LeaseRequest) -> Result<Vec<Leased>, StoreError> {
        self.write(|state| Ok(state.lease(request)))
    }

    async fn settle(&self, lease: &LeaseRef, how: &Settlement, now: Timestamp) -> Result<SettleOutcome, StoreError> {
        self.write(|state| Ok(state.settle(lease, how, now)))
    }

    async fn prune(&self, what: Retained, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        self.write(|state| Ok(state.prune(what, before, limit)))
    }
}

/// Adds a row to the file named on the command line, once, and says where it stands.
#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args_os().nth(1).unwrap_or_else(|| std::env::temp_dir().join("custom-store.log").into());
    let store = FileStore::open(Path::new(&path))?;
    let next = Row {
        key: RowKey::new(Kind::User, Uuid::from_u128(1)),
        version: Version::FIRST,
        unique: vec![UniqueKey::new(UniqueName::Username, "alice")],
        index: Vec::new(),
        body: Document { layout: 1, json: r#"{"hello":"world"}"#.to_owned() },
    };
    let ops = vec![Op::Put { expect: Expect::Absent, next }];
    let change = Change::new(ChangeId::from_uuid(Uuid::from_u128(2)), Timestamp::EPOCH, ops, Vec::new(), Vec::new())?;
    // The second run finds the row there: the same change is answered `Applied` and applies nothing.
    let outcome = store.commit(&change).await?;
    let row = store.find(&UniqueKey::new(UniqueName::Username, "alice")).await?;
    writeln!(std::io::stdout(), "{outcome:?}: {row:#?}\nin {}", Path::new(&path).display())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Weak};

    use enrollment_testkit::store::{BoxError, StoreFactory};
    use tempfile::TempDir;

    use super::*;

    /// A folder of its own for every store, and the handle that is open on it.
    struct InAFolder;

    struct Place {
        folder: TempDir,
        open: Mutex<Weak<FileStore>>,
    }

    #[async_trait]
    impl StoreFactory for InAFolder {
        type Data = Place;

        async fn create(&self) -> Result<Place, BoxError> {
            Ok(Place { folder: TempDir::new()?, open: Mutex::default() })
        }

        async fn open(&self, place: &Place) -> Result<Arc<dyn Store>, BoxError> {
            // One process: all share one handle. Once it is dropped, the file is read anew.
            let mut open = place.open.lock().expect("nobody panics while opening");
            if let Some(store) = open.upgrade() {
                return Ok(store);
            }
            let store = Arc::new(FileStore::open(&place.folder.path().join("log"))?);
            *open = Arc::downgrade(&store);
            Ok(store)
        }
    }

    enrollment_testkit::store_conformance!(InAFolder);

    #[test]
    fn the_guide_shows_this_code() {
        let dense = |text: &str| text.split_whitespace().collect::<String>();
        let code = dense(include_str!("main.rs"));
        let guide = include_str!("../../docs/guide/writing-a-store.md");
        let shown: Vec<_> = guide.split("```rust\n").skip(1).filter_map(|rest| rest.split_once("```")).collect();
        assert!(!shown.is_empty());
        for (block, _) in shown {
            assert!(code.contains(dense(block).trim_end_matches(',')), "not in main.rs:\n{block}");
        }
    }
}
