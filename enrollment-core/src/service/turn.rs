//! One turn of the loop: what is written, and what became of it.

use tracing::Instrument as _;

use super::operation::{came_too_late, changes};
use super::refusals::Counted;
use super::{Failure, Origin, Service};
use crate::domain::audit::{Actor, AuditEntry, Details, Subject};
use crate::domain::event::Event;
use crate::id::{AuditId, ChangeId, OutboxId};
use crate::port::{
    Change, Channel, CommitOutcome, LeaseRef, Leased, Op, OutboxEntry, SettleOutcome, Settlement, StoreErrorKind,
    Stream,
};
use crate::record::{Document, Kind, RowKey, UniqueKey, Version, new_row};
use crate::time::Timestamp;

/// How often a use case reads again when others were faster.
pub(crate) const TURNS: u32 = 8;

/// Counts written in one change.
const COUNTS_AT_ONCE: usize = 100;

/// How often a commit of unknown fate is repeated under its id before the caller hears that it is unknown.
const ASK_AGAIN: u32 = 3;

/// What one use case writes in one turn.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) now: Timestamp,
    pub(crate) ops: Vec<Op>,
    enqueue: Vec<OutboxEntry>,
    settle: Vec<LeaseRef>,
}

/// What became of a draft.
#[derive(Debug)]
#[must_use]
pub(crate) enum Written {
    /// It took effect.
    Applied,
    /// Others were faster: read again.
    Stale,
    /// Somebody else holds this key.
    Taken(UniqueKey),
    /// A lease it was made under is gone.
    LeaseLost,
}

/// Who does it and from where.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Doer {
    pub(crate) actor: Actor,
    pub(crate) origin: Origin,
}

impl Draft {
    pub(crate) const fn new(now: Timestamp) -> Self {
        Self { now, ops: Vec::new(), enqueue: Vec::new(), settle: Vec::new() }
    }

    /// Ends this lease as done by the change.
    pub(crate) fn settling(mut self, lease: LeaseRef) -> Self {
        self.settle.push(lease);
        self
    }

    /// Adds an entry to the outbox.
    pub(crate) fn enqueue(&mut self, entry: OutboxEntry) {
        self.enqueue.push(entry);
    }

    /// Holds a row by this check, unless the draft is about that row already.
    pub(crate) fn hold(&mut self, check: Op) {
        if self.ops.iter().all(|op| op.key() != check.key()) {
            self.ops.push(check);
        }
    }

    /// Whether the draft writes or removes this row.
    pub(crate) fn writes(&self, key: RowKey) -> bool {
        self.version_after(key).is_some()
    }

    /// The version a row has after this draft, if the draft writes it.
    fn version_after(&self, key: RowKey) -> Option<Version> {
        self.ops.iter().find_map(|op| match op {
            Op::Put { next, .. } if next.key == key => Some(next.version),
            Op::Delete { key: deleted, version } if *deleted == key => Some(version.next()),
            _ => None,
        })
    }
}

impl Service {
    /// Ends or extends a lease; says whether it was still held.
    pub(crate) async fn settle(&self, leased: &Leased, how: Settlement) -> Result<bool, Failure> {
        let outcome = self.store().settle(&leased.lease, &how, self.now()).await?;
        Ok(outcome == SettleOutcome::Settled)
    }

    /// Adds an audit entry to a draft. The subject's version is the one the draft gives it, or `unchanged`.
    pub(crate) fn audit(&self, draft: &mut Draft, doer: Doer, subject: RowKey, unchanged: Version, event: Event) {
        let details = Details::new(doer.origin.source, self.entropy());
        let entry = AuditEntry {
            id: AuditId::new(draft.now, self.entropy()),
            at: draft.now,
            actor: doer.actor,
            subject: Subject::from(subject),
            subject_version: draft.version_after(subject).unwrap_or(unchanged),
            event,
            details_digest: details.digest(),
            details: Some(details),
            sealed: None,
        };
        draft.ops.push(new_row(&entry));
    }

    /// Adds an intent to a draft's outbox.
    pub(crate) fn enqueue(&self, draft: &mut Draft, channel: Channel, stream: Option<Stream>, body: String) {
        draft.enqueue(OutboxEntry {
            id: OutboxId::new(draft.now, self.entropy()),
            channel,
            stream,
            due: draft.now,
            body: Document { layout: 1, json: body },
        });
    }

    /// Commits a draft. A commit whose fate is unknown is asked about under its own id, so that what applies once is
    /// known to have been applied (G3).
    pub(crate) async fn write(&self, draft: Draft) -> Result<Written, Failure> {
        let Draft { now, ops, enqueue, settle } = draft;
        let rings = !enqueue.is_empty();
        let id = ChangeId::new(now, self.entropy());
        let change = Change::new(id, now, ops, enqueue, settle).map_err(|error| Failure::Broken(error.into()))?;
        changes();
        let span = tracing::debug_span!("commit", outcome = tracing::field::Empty);
        let outcome = self.commit(&change).instrument(span.clone()).await;
        span.record("outcome", outcome.as_ref().map_or_else(Failure::code, outcome_name));
        Ok(match outcome? {
            CommitOutcome::Applied => {
                if rings {
                    (self.0.bell)();
                }
                Written::Applied
            }
            CommitOutcome::Stale => {
                came_too_late();
                Written::Stale
            }
            CommitOutcome::Taken(key) => Written::Taken(key),
            CommitOutcome::LeaseLost => Written::LeaseLost,
        })
    }

    async fn commit(&self, change: &Change) -> Result<CommitOutcome, Failure> {
        let mut asked = 0;
        loop {
            match self.store().commit(change).await {
                Err(error) if error.kind() == StoreErrorKind::Unknown && asked < ASK_AGAIN => asked += 1,
                // Once the fate was unknown, "try later" no longer means that nothing happened.
                Err(error) if asked > 0 => return Err(Failure::OutcomeUnknown(error)),
                other => return Ok(other?),
            }
        }
    }

    /// Writes down how many refusals of past minutes were only counted. Says whether there were any.
    pub(crate) async fn count_refusals(&self) -> Result<bool, Failure> {
        let now = self.now();
        let owed = self.0.refusals.settle(now);
        for some in owed.chunks(COUNTS_AT_ONCE) {
            let mut draft = Draft::new(now);
            for Counted { who, count } in some {
                let (actor, subject) = who.unwrap_or((Actor::System, INSTANCE));
                let doer = Doer { actor, origin: Origin::default() };
                self.audit(&mut draft, doer, subject, Version(0), Event::RefusalsCounted { count: *count });
            }
            // Nothing but new entries: there is nothing to be stale or taken.
            let _: Written = self.write(draft).await?;
        }
        Ok(!owed.is_empty())
    }

    /// Writes down a refusal to a known subject or principal, if this minute's bound allows, and gives it back as a
    /// failure.
    pub(crate) async fn refuse(
        &self,
        doer: Doer,
        subject: RowKey,
        version: Version,
        operation: &'static str,
        rejection: crate::domain::rejection::Rejection,
    ) -> Failure {
        let now = self.now();
        let mut draft = Draft::new(now);
        let admitted = self.0.refusals.admit(doer.actor, subject, now);
        if let Some(count) = admitted.counted {
            self.audit(&mut draft, doer, subject, version, Event::RefusalsCounted { count });
        }
        if admitted.write {
            let event = Event::Refused { operation: operation.to_owned(), code: rejection.code().to_owned() };
            self.audit(&mut draft, doer, subject, version, event);
        }
        if draft.ops.is_empty() {
            return rejection.into();
        }
        match self.write(draft).await {
            Ok(_) => rejection.into(),
            // Nothing is refused unseen: when the log cannot be written, that is what the caller hears.
            Err(failure) => failure,
        }
    }
}

/// What became of a change, for its span.
const fn outcome_name(outcome: &CommitOutcome) -> &'static str {
    match outcome {
        CommitOutcome::Applied => "applied",
        CommitOutcome::Stale => "stale",
        CommitOutcome::Taken(_) => "taken",
        CommitOutcome::LeaseLost => "lease_lost",
    }
}

/// A subject for what concerns the whole instance.
pub(crate) const INSTANCE: RowKey = RowKey::new(Kind::Settings, uuid::Uuid::from_u128(1));
