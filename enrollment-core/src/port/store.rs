//! The store: dumb and strong. It knows no rule, no record's meaning and no clock.

use std::fmt::Debug;

use async_trait::async_trait;

use super::change::{Change, CommitOutcome};
use super::lease::{LeaseRef, LeaseRequest, Leased, SettleOutcome, Settlement};
use super::scan::{Page, Scan};
use crate::record::{Row, RowKey, UniqueKey};
use crate::time::Timestamp;

/// Keeps rows, an outbox and the identifiers of past changes, with ten guarantees. Each is a named case of the
/// conformance suite in `enrollment-testkit`.
///
/// * **G1** A change is applied whole or not at all, also when the process dies at any instant.
/// * **G2** Every expectation and every check of a change still holds at the instant the change takes effect, against
///   every other process.
/// * **G3** A change whose id was applied within the last 24 h is answered [`CommitOutcome::Applied`] and applies
///   nothing. With different content ([`Change::fingerprint`]) it is [`StoreErrorKind::Misuse`].
/// * **G4** No two rows hold the same unique key.
/// * **G5** What `commit` answered `Applied` survives the death of the process and of the machine's power.
/// * **G6** What was committed is read at once through every handle; `get` is one snapshot.
/// * **G7** A lease excludes all others until its time and is fenced afterwards. Entries with one stream key are
///   leased one at a time in their order.
/// * **G8** The store has no clock: all times are passed in.
/// * **G9** A scan visits every row that stands in its range throughout exactly once, whatever is inserted meanwhile;
///   the cost of a page does not depend on how many come before it.
/// * **G10** Errors are classified truthfully; a commit whose fate is not known is [`StoreErrorKind::Unknown`], never
///   `Stale`.
///
/// A dropped future leaves a change applied whole or not at all.
#[async_trait]
pub trait Store: Debug + Send + Sync + 'static {
    /// Reads rows of one snapshot: all as they stood at one instant. One answer per key, in the order asked.
    async fn get(&self, keys: &[RowKey]) -> Result<Vec<Option<Row>>, StoreError>;

    /// The row that holds a unique key.
    async fn find(&self, by: &UniqueKey) -> Result<Option<Row>, StoreError>;

    /// A page of an index, in order (G9). A limit out of range or a place of another type than the index is
    /// [`StoreErrorKind::Misuse`].
    async fn scan(&self, scan: &Scan) -> Result<Page, StoreError>;

    /// Applies a change whole, if everything it expects holds, or not at all (G1–G5).
    ///
    /// When several things stand against a change, `Applied` of a repeated id comes first, then `LeaseLost`, then
    /// `Stale`, then `Taken`.
    async fn commit(&self, change: &Change) -> Result<CommitOutcome, StoreError>;

    /// Takes up to `limit` due entries of the named channels, the longest due first, each for this caller alone until
    /// `request.until` (G7).
    /// Counts one more try for each.
    async fn lease(&self, request: &LeaseRequest) -> Result<Vec<Leased>, StoreError>;

    /// Ends or extends a lease, as of `now`. `LeaseLost` when it ran out and was taken by another, or was ended by an
    /// earlier settlement; one that ran out and was taken by nobody is still the caller's.
    async fn settle(&self, lease: &LeaseRef, how: &Settlement, now: Timestamp) -> Result<SettleOutcome, StoreError>;

    /// Removes at most `limit` things of one sort that ended before `before`, and says how many.
    async fn prune(&self, what: Retained, before: Timestamp, limit: u32) -> Result<u64, StoreError>;
}

/// What `prune` may remove. Rows of records are deleted by changes instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Retained {
    /// Identifiers of changes. Nothing younger than 24 h may be asked for (G3).
    Changes,
    /// Outbox entries that ended as done or obsolete.
    Settled,
    /// Outbox entries that ended as dead.
    Dead,
}

/// What went wrong, and whether trying again can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StoreErrorKind {
    /// Nothing happened; the store is busy or a transaction was chosen as a victim. Retryable.
    Busy,
    /// Nothing happened; the store cannot be reached. Retryable.
    Unavailable,
    /// The change may or may not have been applied. Repeating it with the same id tells.
    Unknown,
    /// A record cannot be read, or the database contradicts itself.
    Corrupt,
    /// The caller broke the contract; nothing happened.
    Misuse,
}

/// The store could not tell. Sources are kept.
#[derive(Debug, thiserror::Error)]
#[error("{kind:?}: {message}")]
pub struct StoreError {
    kind: StoreErrorKind,
    message: String,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl StoreError {
    /// An error without a source.
    #[must_use]
    pub fn new(kind: StoreErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    /// An error and what caused it. The source must not carry a row's content.
    #[must_use]
    pub fn with_source(
        kind: StoreErrorKind,
        message: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self { kind, message: message.into(), source: Some(source.into()) }
    }

    /// What went wrong.
    #[must_use]
    pub const fn kind(&self) -> StoreErrorKind {
        self.kind
    }

    /// Whether the same call may succeed later. True for `Busy`, `Unavailable`, and for `Unknown`, where repeating
    /// the same change tells what became of it.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self.kind, StoreErrorKind::Busy | StoreErrorKind::Unavailable | StoreErrorKind::Unknown)
    }
}
