//! A long random walk, beside the reference store: whatever the other cases forgot.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use enrollment_core::id::OutboxId;
use enrollment_core::memory::MemoryStore;
use enrollment_core::port::{
    Change, Channel, CommitOutcome, Cursor, Direction, Entropy, LeaseRef, LeaseRequest, Op, OutboxEntry, Retained,
    Scan, Settlement, Store, Stream,
};
use enrollment_core::record::{IndexName, KeyValue, Kind, Row, RowKey, UniqueKey, UniqueName, ValueType, Version};
use enrollment_core::time::Timestamp;
use uuid::Uuid;

use super::bed::{
    Bed, RowExt, Verdict, at, check_absent, commit, delete, find, get, get_all, lease_as, page, put, same,
    same_document, settle,
};
use super::{Failure, ensure, ensure_eq};
use crate::fake::SeededEntropy;

/// Few kinds, ids and values, so that the walk keeps meeting itself.
const KINDS: [Kind; 3] = [Kind::User, Kind::Enrollment, Kind::Device];
const STEPS: u32 = 1_500;

/// A thousand and more random calls through two handles, each answered as the reference store answers it.
pub(super) async fn oracle_random_calls_are_answered_as_by_the_reference_store(bed: &Bed) -> Verdict {
    let mut walk = Walk {
        bed,
        judged: [bed.open().await?, bed.open().await?],
        oracle: Arc::new(MemoryStore::new()),
        dice: SeededEntropy::new(1),
        step: 0,
        changes: Vec::new(),
        leases: Vec::new(),
        cursors: Vec::new(),
        outcomes: [0; 4],
    };
    while walk.step < STEPS {
        walk.step += 1;
        let step = walk.step;
        let verdict = match walk.roll(20) {
            0..10 => walk.commits().await,
            10..13 => walk.leases().await,
            13..16 => walk.settles().await,
            16..19 => walk.reads().await,
            _ => walk.prunes().await,
        };
        verdict.map_err(|failure| Failure::caused(&format!("step {step} of the walk"), failure))?;
    }
    let outcomes = walk.outcomes;
    ensure!(outcomes.iter().all(|count| *count >= 10), "the case is wrong: it hardly meets some outcome, {outcomes:?}");
    Ok(())
}

/// The same thing as each of the two stores knows it; the numbers of fences are a store's own.
struct Pair<T> {
    judged: T,
    oracle: T,
}

struct Walk<'a> {
    bed: &'a Bed,
    judged: [Arc<dyn Store>; 2],
    oracle: Arc<dyn Store>,
    dice: SeededEntropy,
    step: u32,
    changes: Vec<Pair<Change>>,
    leases: Vec<Pair<LeaseRef>>,
    cursors: Vec<(IndexName, Cursor)>,
    /// How often a change was applied, stale, taken, without its lease.
    outcomes: [u32; 4],
}

impl Walk<'_> {
    /// A new change, or an earlier one again.
    async fn commits(&mut self) -> Verdict {
        if self.changes.is_empty() || self.roll(8) > 0 {
            let change = self.change().await?;
            self.changes.push(change);
        }
        // Mostly the latest, sometimes one long past.
        let last = self.changes.len() - 1;
        let which = if self.roll(4) > 0 { last } else { self.pick(last + 1) };
        let Pair { judged, oracle } = &self.changes[which];
        let got = commit(self.handle(), judged).await?;
        let want = commit(&self.oracle, oracle).await?;
        match (&got, &want) {
            // Where several keys are taken, any may be named.
            (CommitOutcome::Taken(key), CommitOutcome::Taken(_)) => {
                ensure!(claims(judged, key), "{key:?} is taken, which the change does not claim");
            }
            _ => ensure_eq!(got, want, "the outcome of {judged:?}"),
        }
        for key in judged.ops.iter().map(Op::key) {
            self.same_row(key).await?;
        }
        self.outcomes[match want {
            CommitOutcome::Applied => 0,
            CommitOutcome::Stale => 1,
            CommitOutcome::Taken(_) => 2,
            CommitOutcome::LeaseLost => 3,
        }] += 1;
        Ok(())
    }

    async fn leases(&mut self) -> Verdict {
        let channels = Channel::ALL.iter().copied().filter(|_| self.roll(3) > 0).collect();
        let limit = 1 + self.roll(3);
        let until = self.now().plus(Duration::from_secs(8));
        let request = LeaseRequest { channels, now: self.now(), until, limit };
        let mut got = lease_as(self.handle(), &request).await?;
        let mut want = lease_as(&self.oracle, &request).await?;
        got.sort_by_key(|leased| leased.entry.id);
        want.sort_by_key(|leased| leased.entry.id);
        let ids = |leased: &[enrollment_core::port::Leased]| leased.iter().map(|l| l.entry.id).collect::<Vec<_>>();
        ensure_eq!(ids(&got), ids(&want), "entries leased by {request:?}");
        for (got, want) in got.iter().zip(&want) {
            ensure_eq!(got.tries, want.tries, "tries");
            ensure_eq!(got.entry.stream, want.entry.stream, "stream");
            ensure_eq!(got.entry.due, want.entry.due, "due");
            same_document(&got.entry.body, &want.entry.body, "an entry's document")?;
            self.leases.push(Pair { judged: got.lease, oracle: want.lease });
        }
        Ok(())
    }

    async fn settles(&self) -> Verdict {
        let Some(lease) = self.some_lease() else { return Ok(()) };
        let later = self.soon();
        let why = || "why".to_owned();
        let how = match self.roll(6) {
            0 => Settlement::Done,
            1 => Settlement::Retry { at: later, why: why() },
            2 => Settlement::Dead { why: why() },
            3 => Settlement::Obsolete { why: why() },
            4 => Settlement::Release { at: later },
            _ => Settlement::Extend { until: later },
        };
        let got = settle(self.handle(), &lease.judged, &how, self.now()).await?;
        let want = settle(&self.oracle, &lease.oracle, &how, self.now()).await?;
        ensure_eq!(got, want, "{how:?}");
        Ok(())
    }

    async fn reads(&mut self) -> Verdict {
        let index = *self.choose(IndexName::ALL);
        let kind = if KINDS.contains(&index.kind()) { index.kind() } else { Kind::User };
        let keys: Vec<RowKey> = (0..4).map(|id| key(kind, id)).collect();
        let (got, want) = (get_all(self.handle(), &keys).await?, get_all(&self.oracle, &keys).await?);
        ensure_eq!(got.len(), want.len(), "answers for four keys");
        same_rows(got.iter().flatten(), want.iter().flatten(), "get")?;

        let name = *self.choose(UniqueName::ALL);
        let value = self.value(name.value_type());
        let (got, want) = (find(self.handle(), name, value.clone()).await?, find(&self.oracle, name, value).await?);
        same_rows(&got, &want, "find")?;

        let scan = self.scan(index);
        let (got, want) = (page(self.handle(), &scan).await?, page(&self.oracle, &scan).await?);
        same_rows(&got.rows, &want.rows, &format!("{scan:?}"))?;
        ensure_eq!(got.next, want.next, "the next page of {scan:?}");
        self.cursors.extend(want.next.map(|next| (index, next)));
        Ok(())
    }

    async fn prunes(&self) -> Verdict {
        // Change ids stay: what a change is worth whose entries are known and whose id is not, no guarantee says.
        let what = if self.roll(2) == 0 { Retained::Settled } else { Retained::Dead };
        let before = self.now().minus(Duration::from_secs(20));
        let got = self.handle().prune(what, before, 1_000).await?;
        ensure_eq!(got, self.oracle.prune(what, before, 1_000).await?, "{what:?} pruned");
        Ok(())
    }

    /// One to three steps that mostly expect what is so, sometimes an entry, sometimes under leases.
    async fn change(&self) -> Result<Pair<Change>, Failure> {
        let mut ops: Vec<Op> = Vec::new();
        for _ in 0..=self.roll(3) {
            let key = key(*self.choose(&KINDS), u128::from(self.roll(4)));
            if !ops.iter().any(|op| op.key() == key) {
                ops.push(self.op(key).await?);
            }
        }
        let entries = if self.roll(2) == 0 { vec![self.entry()] } else { Vec::new() };
        let mut leases: BTreeMap<OutboxId, &Pair<LeaseRef>> = BTreeMap::new();
        if self.roll(5) == 0 {
            // Mostly one, sometimes several.
            leases
                .extend((0..=self.roll(3)).filter_map(|_| self.some_lease()).map(|lease| (lease.oracle.entry, lease)));
        }
        let oracle = self.bed.change_with(ops, entries, leases.values().map(|lease| lease.oracle))?;
        let judged = Change { settle: leases.values().map(|lease| lease.judged).collect(), ..oracle.clone() };
        Ok(Pair { judged, oracle })
    }

    async fn op(&self, key: RowKey) -> Result<Op, Failure> {
        let standing = get(&self.oracle, key).await?.map(|row| row.version);
        let wrong = u64::from(self.roll(10) == 0);
        let expected = Version(standing.map_or(0, |Version(version)| version) + wrong);
        let (next, row) = (self.row(key, expected.next()), self.row(key, expected));
        Ok(match (self.roll(10), expected) {
            (7, _) if wrong > 0 => check_absent(key),
            (8, Version(0)) => check_absent(key),
            (8, version) => Op::Check { key, version: Some(version) },
            (9, Version(1..)) => delete(&row),
            _ => put(&next),
        })
    }

    /// Some of its kind's keys, of few values.
    fn row(&self, key: RowKey, version: Version) -> Row {
        let mut row = Row { key, version, ..self.bed.row(key.kind).json(format!(r#"{{"step":{}}}"#, self.step)) };
        for name in UniqueName::ALL.iter().filter(|name| name.kind() == key.kind) {
            let value = UniqueKey::new(*name, self.value(name.value_type()));
            let other = UniqueKey::new(*name, self.value(name.value_type()));
            match self.roll(4) {
                0 => row = row.unique(*name, value.value),
                1 if name.is_many() && value != other => {
                    row = row.unique(*name, value.value).unique(*name, other.value);
                }
                _ => {}
            }
        }
        for name in IndexName::ALL.iter().filter(|name| name.kind() == key.kind) {
            if self.roll(3) > 0 {
                row = row.index(*name, self.part(), self.value(name.value_type()));
            }
        }
        row
    }

    /// No two entries are due at one instant, so that which is due longest is one answer.
    fn entry(&self) -> OutboxEntry {
        let stream = match self.roll(3) {
            0 => None,
            n => Some(Stream { key: format!("stream {n}"), order: u64::from(self.roll(3)) }),
        };
        let id = OutboxId::from_uuid(self.bed.uuid());
        OutboxEntry { id, channel: *self.choose(Channel::ALL), stream, due: self.soon(), ..self.bed.entry() }
    }

    fn scan(&self, index: IndexName) -> Scan {
        let end = || if self.roll(3) == 0 { Some(self.value(index.value_type())) } else { None };
        let direction = if self.roll(2) == 0 { Direction::Ascending } else { Direction::Descending };
        let known = self.cursors.iter().rev().find(|(of, _)| *of == index && self.roll(2) == 0);
        let after = known.map(|(_, cursor)| cursor.clone());
        Scan { from: end(), to: end(), direction, after, ..Scan::all(index, self.part(), 1 + self.roll(4)) }
    }

    async fn same_row(&self, key: RowKey) -> Verdict {
        same_rows(&get(self.handle(), key).await?, &get(&self.oracle, key).await?, "a row of the change")
    }

    fn handle(&self) -> &Arc<dyn Store> {
        self.choose(&self.judged)
    }

    /// One of the latest leases, in force or not.
    fn some_lease(&self) -> Option<&Pair<LeaseRef>> {
        let recent = self.leases.len().min(6);
        if recent == 0 { None } else { self.leases.get(self.leases.len() - 1 - self.pick(recent)) }
    }

    fn now(&self) -> Timestamp {
        at(i64::from(self.step))
    }

    /// Now or in a few seconds, and never twice the same.
    fn soon(&self) -> Timestamp {
        let micros = u64::from(self.step) * 10 + u64::from(self.roll(10));
        self.now().plus(Duration::from_secs(u64::from(self.roll(6)))).plus(Duration::from_micros(micros))
    }

    fn part(&self) -> &'static str {
        if self.roll(2) == 0 { "" } else { "part" }
    }

    fn value(&self, of: ValueType) -> KeyValue {
        match of {
            ValueType::Int => KeyValue::Int(i64::from(self.roll(4))),
            ValueType::Text => KeyValue::from(*self.choose(&["a", "B", "b", "é"])),
        }
    }

    fn choose<'a, T>(&self, from: &'a [T]) -> &'a T {
        &from[self.pick(from.len())]
    }

    fn pick(&self, below: usize) -> usize {
        let below = u32::try_from(below).unwrap_or(u32::MAX);
        usize::try_from(self.roll(below)).unwrap_or_default()
    }

    fn roll(&self, below: u32) -> u32 {
        let mut bytes = [0; 4];
        self.dice.fill(&mut bytes);
        u32::from_le_bytes(bytes) % below
    }
}

fn key(kind: Kind, id: u128) -> RowKey {
    RowKey::new(kind, Uuid::from_u128(id + 1))
}

fn claims(change: &Change, key: &UniqueKey) -> bool {
    change.ops.iter().any(|op| matches!(op, Op::Put { next, .. } if next.unique.contains(key)))
}

fn same_rows<'a>(
    got: impl IntoIterator<Item = &'a Row>,
    want: impl IntoIterator<Item = &'a Row>,
    what: &str,
) -> Verdict {
    let (got, want): (Vec<_>, Vec<_>) = (got.into_iter().collect(), want.into_iter().collect());
    let keys = |rows: &[&Row]| rows.iter().map(|row| row.key).collect::<Vec<_>>();
    ensure_eq!(keys(&got), keys(&want), "{what}: rows");
    got.iter().zip(want).try_for_each(|(got, want)| same(Some(got), want, what))
}
