//! The store as it is used: what each call took, what failed, what became of changes; and, from the audit entries of
//! changes that took effect, what happened in the domain. So begins, completions and wrong codes are counted exactly
//! when they are true, by whichever operation they come.

use std::sync::Arc;

use async_trait::async_trait;
use enrollment::core::domain::audit::AuditEntry;
use enrollment::core::port::{
    Change, CommitOutcome, LeaseRef, LeaseRequest, Leased, Op, Page, Retained, Scan, SettleOutcome, Settlement, Store,
    StoreError, StoreErrorKind,
};
use enrollment::core::record::{Kind, Row, RowKey, Stored, UniqueKey, Version};
use enrollment::core::time::Timestamp;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use serde_json::Value;
use tokio::time::Instant;

use super::SECONDS;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Call {
    call: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Failed {
    call: &'static str,
    kind: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Happened {
    event: String,
    why: String,
}

#[derive(Debug, Clone)]
pub(super) struct StoreMetrics {
    took: Family<Call, Histogram, fn() -> Histogram>,
    errors: Family<Failed, Counter>,
    commits: Family<Outcome, Counter>,
    events: Family<Happened, Counter>,
}

const CALLS: [&str; 7] = ["get", "find", "scan", "commit", "lease", "settle", "prune"];
const KINDS: [StoreErrorKind; 5] = [
    StoreErrorKind::Busy,
    StoreErrorKind::Unavailable,
    StoreErrorKind::Unknown,
    StoreErrorKind::Corrupt,
    StoreErrorKind::Misuse,
];

impl StoreMetrics {
    pub(super) fn registered(registry: &mut Registry) -> Self {
        let new = Self {
            took: Family::new_with_constructor(|| Histogram::new(SECONDS)),
            errors: Family::default(),
            commits: Family::default(),
            events: Family::default(),
        };
        registry.register("store_call_duration_seconds", "How long the database took", new.took.clone());
        registry.register("store_errors", "Calls to the database that failed", new.errors.clone());
        registry.register("store_commits", "What became of changes", new.commits.clone());
        registry.register("events", "What happened, as the audit log tells it", new.events.clone());
        // What is zero is shown as zero, so that the first failure is seen as a rise.
        for call in CALLS {
            for kind in KINDS {
                let _ = new.errors.get_or_create(&Failed { call, kind: word(kind) });
            }
        }
        new
    }

    fn note<T>(&self, call: &'static str, started: Instant, answer: &Result<T, StoreError>) {
        self.took.get_or_create(&Call { call }).observe(started.elapsed().as_secs_f64());
        if let Err(error) = answer {
            self.errors.get_or_create(&Failed { call, kind: word(error.kind()) }).inc();
        }
    }

    fn happened(&self, change: &Change) {
        for op in &change.ops {
            let Op::Put { next, .. } = op else { continue };
            if next.key.kind != Kind::Audit || next.version != Version::FIRST {
                continue;
            }
            let Ok(Stored { record: AuditEntry { event, .. }, .. }) = Stored::read(next) else { continue };
            // The name and, of an enrollment's end or a refusal, its reason: words of this program all of them.
            let Ok(event) = serde_json::to_value(event) else { continue };
            let member = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
            let why = match &event["action"] {
                Value::String(action) if action == "enrollment_closed" => member("why"),
                Value::String(action) if action == "refused" => member("code"),
                _ => String::new(),
            };
            self.events.get_or_create(&Happened { event: member("action"), why }).inc();
        }
    }
}

const fn word(kind: StoreErrorKind) -> &'static str {
    match kind {
        StoreErrorKind::Busy => "busy",
        StoreErrorKind::Unavailable => "unavailable",
        StoreErrorKind::Unknown => "unknown",
        StoreErrorKind::Corrupt => "corrupt",
        StoreErrorKind::Misuse => "misuse",
    }
}

/// A store that is counted. It adds nothing to an answer and takes nothing away.
#[derive(Debug)]
pub(super) struct CountedStore {
    store: Arc<dyn Store>,
    metrics: StoreMetrics,
}

impl CountedStore {
    pub(super) fn new(store: Arc<dyn Store>, metrics: StoreMetrics) -> Self {
        Self { store, metrics }
    }

    async fn call<T>(
        &self,
        call: &'static str,
        answer: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        let started = Instant::now();
        let answer = answer.await;
        self.metrics.note(call, started, &answer);
        answer
    }
}

#[async_trait]
impl Store for CountedStore {
    async fn get(&self, keys: &[RowKey]) -> Result<Vec<Option<Row>>, StoreError> {
        self.call("get", self.store.get(keys)).await
    }

    async fn find(&self, by: &UniqueKey) -> Result<Option<Row>, StoreError> {
        self.call("find", self.store.find(by)).await
    }

    async fn scan(&self, scan: &Scan) -> Result<Page, StoreError> {
        self.call("scan", self.store.scan(scan)).await
    }

    async fn commit(&self, change: &Change) -> Result<CommitOutcome, StoreError> {
        let answer = self.call("commit", self.store.commit(change)).await;
        let outcome = match &answer {
            Ok(CommitOutcome::Applied) => {
                self.metrics.happened(change);
                "applied"
            }
            Ok(CommitOutcome::Stale) => "stale",
            Ok(CommitOutcome::Taken(_)) => "taken",
            Ok(CommitOutcome::LeaseLost) => "lease_lost",
            Err(_) => "error",
        };
        self.metrics.commits.get_or_create(&Outcome { outcome }).inc();
        answer
    }

    async fn lease(&self, request: &LeaseRequest) -> Result<Vec<Leased>, StoreError> {
        self.call("lease", self.store.lease(request)).await
    }

    async fn settle(&self, lease: &LeaseRef, how: &Settlement, now: Timestamp) -> Result<SettleOutcome, StoreError> {
        self.call("settle", self.store.settle(lease, how, now)).await
    }

    async fn prune(&self, what: Retained, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        self.call("prune", self.store.prune(what, before, limit)).await
    }
}
