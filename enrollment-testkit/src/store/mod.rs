//! The conformance suite of [`Store`]: one named case for every guarantee and every facet of it.
//!
//! A store is certified by one line beside its tests; every case becomes a test of its own, named after the promise
//! that it keeps:
//!
//! ```
//! # mod tests {
//! use std::sync::Arc;
//!
//! use async_trait::async_trait;
//! use enrollment_core::memory::MemoryStore;
//! use enrollment_core::port::Store;
//! use enrollment_testkit::store::{BoxError, StoreFactory};
//!
//! struct Memory;
//!
//! #[async_trait]
//! impl StoreFactory for Memory {
//!     type Data = Arc<MemoryStore>;
//!
//!     async fn create(&self) -> Result<Self::Data, BoxError> {
//!         Ok(Arc::default())
//!     }
//!
//!     async fn open(&self, data: &Self::Data) -> Result<Arc<dyn Store>, BoxError> {
//!         Ok(data.clone())
//!     }
//! }
//!
//! enrollment_testkit::store_conformance!(Memory);
//! # }
//! ```
//!
//! What no case can see, a store has to show otherwise: that a committed change survives the machine's loss of power
//! (G5), and that a page's cost does not depend on its depth (G9), which the database's query plan tells.

mod bed;
mod cases;

mod g10_errors;
mod g1_atomic;
mod g2_conditions;
mod g2_parallel;
mod g3_repeats;
mod g4_unique;
mod g5_durable;
mod g6_reads;
mod g7_changes;
mod g7_leases;
mod g7_settlements;
mod g7_streams;
mod g8_clock;
mod g9_pages;
mod g9_scans;
mod rows;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use enrollment_core::port::{InvalidChange, Store, StoreError};

use self::bed::{Bed, Opened};
pub use self::cases::CASES;
pub use crate::verdict::{BoxError, Failure};
use crate::verdict::{Running, ensure, ensure_eq, guarded, on_a_runtime};

/// Makes stores for the suite to judge.
#[async_trait]
pub trait StoreFactory: Send + Sync + 'static {
    /// Where the data of one store lies: a temporary folder, a database of its own, an `Arc`. It is dropped when the
    /// case is over and may then remove the data.
    type Data: Send + Sync + 'static;

    /// A new place without any data. Called once for every case.
    async fn create(&self) -> Result<Self::Data, BoxError>;

    /// A handle onto this data, as another process would open it. Called several times on the same data, while older
    /// handles are in use and after all of them were dropped.
    ///
    /// A store for a single process may answer with the handle that is still alive; once none is, it must open the
    /// data anew.
    async fn open(&self, data: &Self::Data) -> Result<Arc<dyn Store>, BoxError>;
}

/// One case of the suite.
#[derive(Clone, Copy)]
pub struct Case {
    /// The promise, as the name of a test; it starts with the guarantee, such as `g2_`.
    pub name: &'static str,
    run: fn(Bed) -> Running,
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Case({})", self.name)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::caused("the store answered an error", error)
    }
}

impl From<InvalidChange> for Failure {
    fn from(error: InvalidChange) -> Self {
        Self::caused("the case is wrong", error)
    }
}

/// Runs every case on a store of its own, one after the other, and says how each went. Never panics, even when the
/// store does. Must be called on a multi-threaded tokio runtime.
pub async fn judge<F: StoreFactory>(factory: F) -> Vec<(&'static str, Result<(), Failure>)> {
    let factory = Arc::new(factory);
    let mut report = Vec::with_capacity(CASES.len());
    for case in CASES {
        report.push((case.name, run(Arc::clone(&factory), *case).await));
    }
    report
}

/// Runs the case with this name on a runtime of its own: what each test of [`store_conformance!`] does.
///
/// # Errors
/// How the store broke the promise, or that there is no such case.
///
/// [`store_conformance!`]: crate::store_conformance
pub fn run_case<F: StoreFactory>(factory: F, name: &str) -> Result<(), Failure> {
    let case = CASES.iter().find(|case| case.name == name).ok_or_else(|| Failure::new("there is no such case"))?;
    on_a_runtime(run(Arc::new(factory), *case))
}

async fn run<F: StoreFactory>(factory: Arc<F>, case: Case) -> Result<(), Failure> {
    let data = factory.create().await.map_err(|error| Failure::caused("the factory made no store", error))?;
    guarded((case.run)(Bed::new(Opened { factory, data }))).await
}
