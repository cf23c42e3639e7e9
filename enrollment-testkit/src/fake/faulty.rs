//! A store that fails when a test says so.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use enrollment_core::port::{
    Change, CommitOutcome, LeaseRef, LeaseRequest, Leased, Page, Retained, Scan, SettleOutcome, Settlement, Store,
    StoreError, StoreErrorKind,
};
use enrollment_core::record::{Row, RowKey, UniqueKey};
use enrollment_core::time::Timestamp;

/// What befalls a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// Nothing happens; the answer is an error of this kind. For `Unknown` see also [`Trouble::AnswerLost`].
    Error(StoreErrorKind),
    /// The change is committed; the answer is `Unknown`.
    AnswerLost,
    /// Nothing happens; the answer is `Stale`.
    Stale,
}

/// On which side of a call's effect the process dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Before: nothing happens.
    Before,
    /// After: it happened, and nobody hears of it.
    After,
}

/// A store in front of another that numbers every call and fails on demand. Share it by `Arc`.
///
/// To try every crash point of a scenario: run it once and ask [`calls`](Self::calls) how many there are; then, for each
/// number and [`Moment`], on fresh data, [`die_at`](Self::die_at) it, run the scenario, [`revive`](Self::revive), and
/// let the system recover.
#[derive(Debug)]
pub struct FaultyStore {
    inner: Arc<dyn Store>,
    plan: Mutex<Plan>,
}

#[derive(Debug, Default)]
struct Plan {
    calls: u64,
    death: Option<(u64, Moment)>,
    commits: VecDeque<Trouble>,
    read: usize,
}

/// Whether a call may go ahead, and what of its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Lives,
    DiesAfter,
}

impl FaultyStore {
    /// A store in front of `inner` to which nothing happens yet.
    #[must_use]
    pub fn new(inner: Arc<dyn Store>) -> Self {
        Self { inner, plan: Mutex::default() }
    }

    /// How many calls there were since the start or the last [`revive`](Self::revive), failed ones included.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.plan().calls
    }

    /// Lets the process die at this call, counted from 1: it and all later calls fail until [`revive`](Self::revive).
    pub fn die_at(&self, call: u64, moment: Moment) {
        self.plan().death = Some((call, moment));
    }

    /// Ends all trouble and counts from 0 again.
    pub fn revive(&self) {
        *self.plan() = Plan::default();
    }

    /// Lets this befall the next `count` commits, after those already planned.
    pub fn trouble_commits(&self, count: usize, trouble: Trouble) {
        self.plan().commits.extend(std::iter::repeat_n(trouble, count));
    }

    /// Lets the `nth` call of `get` from now fail, counted from 1, and no other.
    pub fn trouble_read(&self, nth: usize) {
        self.plan().read = nth;
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self) -> Result<Fate, StoreError> {
        let mut plan = self.plan();
        plan.calls += 1;
        match plan.death {
            Some((call, Moment::After)) if plan.calls == call => Ok(Fate::DiesAfter),
            Some((call, _)) if plan.calls >= call => {
                Err(StoreError::new(StoreErrorKind::Unavailable, "the process died (injected)"))
            }
            _ => Ok(Fate::Lives),
        }
    }

    fn read_fails(&self) -> bool {
        let mut plan = self.plan();
        let is_it = plan.read == 1;
        plan.read = plan.read.saturating_sub(1);
        is_it
    }

    fn next_trouble(&self) -> Option<Trouble> {
        self.plan().commits.pop_front()
    }
}

impl Fate {
    fn end<T>(self, answer: Result<T, StoreError>) -> Result<T, StoreError> {
        match self {
            Self::Lives => answer,
            Self::DiesAfter => Err(answer_lost()),
        }
    }
}

fn answer_lost() -> StoreError {
    StoreError::new(StoreErrorKind::Unknown, "the answer was lost (injected)")
}

#[async_trait]
impl Store for FaultyStore {
    async fn get(&self, keys: &[RowKey]) -> Result<Vec<Option<Row>>, StoreError> {
        let fate = self.begin()?;
        if self.read_fails() {
            return Err(StoreError::new(StoreErrorKind::Unavailable, "the read failed (injected)"));
        }
        fate.end(self.inner.get(keys).await)
    }

    async fn find(&self, by: &UniqueKey) -> Result<Option<Row>, StoreError> {
        let fate = self.begin()?;
        fate.end(self.inner.find(by).await)
    }

    async fn scan(&self, scan: &Scan) -> Result<Page, StoreError> {
        let fate = self.begin()?;
        fate.end(self.inner.scan(scan).await)
    }

    async fn commit(&self, change: &Change) -> Result<CommitOutcome, StoreError> {
        let fate = self.begin()?;
        match self.next_trouble() {
            None => fate.end(self.inner.commit(change).await),
            Some(Trouble::Error(kind)) => Err(StoreError::new(kind, "the commit failed (injected)")),
            Some(Trouble::Stale) => fate.end(Ok(CommitOutcome::Stale)),
            Some(Trouble::AnswerLost) => self.inner.commit(change).await.and(Err(answer_lost())),
        }
    }

    async fn lease(&self, request: &LeaseRequest) -> Result<Vec<Leased>, StoreError> {
        let fate = self.begin()?;
        fate.end(self.inner.lease(request).await)
    }

    async fn settle(&self, lease: &LeaseRef, how: &Settlement, now: Timestamp) -> Result<SettleOutcome, StoreError> {
        let fate = self.begin()?;
        fate.end(self.inner.settle(lease, how, now).await)
    }

    async fn prune(&self, what: Retained, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        let fate = self.begin()?;
        fate.end(self.inner.prune(what, before, limit).await)
    }
}
