//! Entries of the outbox, who leases them, and how they ended.

use std::collections::{BTreeMap, BTreeSet};

use crate::id::OutboxId;
use crate::port::{LeaseRef, LeaseRequest, Leased, OutboxEntry, Retained, SettleOutcome, Settlement};
use crate::time::Timestamp;

/// Entries that wait or are leased, and the ends of the others.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    open: BTreeMap<OutboxId, Open>,
    ended: BTreeMap<OutboxId, Ended>,
}

#[derive(Debug)]
struct Open {
    /// `entry.due` moves with every retry and release.
    entry: OutboxEntry,
    tries: u32,
    /// Of the latest lease; 0 before the first.
    fence: u64,
    /// The end of the lease in force; `None` when nobody holds one.
    until: Option<Timestamp>,
}

#[derive(Debug)]
struct Ended {
    at: Timestamp,
    dead: bool,
}

impl Outbox {
    /// Whether no entry has one of these ids, here or twice among them.
    pub(super) fn is_new(&self, entries: &[OutboxEntry]) -> bool {
        let known = |entry: &OutboxEntry| self.open.contains_key(&entry.id) || self.ended.contains_key(&entry.id);
        !entries.iter().any(known) && entries.windows(2).all(|pair| pair[0].id != pair[1].id)
    }

    pub(super) fn enqueue(&mut self, entries: &[OutboxEntry]) {
        for entry in entries {
            self.open.insert(entry.id, Open { entry: entry.clone(), tries: 0, fence: 0, until: None });
        }
    }

    /// Whether this lease is the latest of its entry and was not settled. That it ran out does not end it as long as
    /// nobody else took the entry.
    pub(super) fn is_current(&self, lease: &LeaseRef) -> bool {
        self.open.get(&lease.entry).is_some_and(|open| open.until.is_some() && open.fence == lease.fence)
    }

    pub(super) fn lease(&mut self, request: &LeaseRequest) -> Vec<Leased> {
        let in_turn = self.in_turn(request.now);
        let mut free: Vec<(Timestamp, OutboxId)> = self
            .open
            .values()
            .filter(|open| request.channels.contains(&open.entry.channel))
            .filter(|open| open.entry.due <= request.now && !open.is_leased(request.now))
            .filter(|open| open.entry.stream.is_none() || in_turn.contains(&open.entry.id))
            .map(|open| (open.entry.due, open.entry.id))
            .collect();
        free.sort_unstable();
        free.truncate(usize::try_from(request.limit).unwrap_or(usize::MAX));
        free.into_iter().filter_map(|(_, id)| self.open.get_mut(&id).map(|open| open.take(request.until))).collect()
    }

    pub(super) fn settle(&mut self, lease: &LeaseRef, how: &Settlement, now: Timestamp) -> SettleOutcome {
        if !self.is_current(lease) {
            return SettleOutcome::LeaseLost;
        }
        match how {
            Settlement::Done | Settlement::Obsolete { .. } => self.end(lease.entry, now, false),
            Settlement::Dead { .. } => self.end(lease.entry, now, true),
            Settlement::Retry { at, .. } => self.give_back(lease.entry, *at, 0),
            Settlement::Release { at } => self.give_back(lease.entry, *at, 1),
            Settlement::Extend { until } => {
                if let Some(open) = self.open.get_mut(&lease.entry) {
                    open.until = Some(*until);
                }
            }
        }
        SettleOutcome::Settled
    }

    pub(super) fn prune(&mut self, what: Retained, before: Timestamp, limit: u32) -> u64 {
        let dead = what == Retained::Dead;
        super::prune(&mut self.ended, limit, |ended| ended.dead == dead && ended.at < before)
    }

    /// The entry of every stream that may be leased next: the first that has not ended, unless another is leased.
    /// One that is not due or whose channel nobody asked for holds its stream up.
    fn in_turn(&self, now: Timestamp) -> BTreeSet<OutboxId> {
        let mut streams: BTreeMap<&str, Vec<&Open>> = BTreeMap::new();
        for open in self.open.values() {
            if let Some(stream) = &open.entry.stream {
                streams.entry(&stream.key).or_default().push(open);
            }
        }
        let place = |open: &&&Open| (open.entry.stream.as_ref().map(|stream| stream.order), open.entry.id);
        let idle = streams.values().filter(|entries| !entries.iter().any(|open| open.is_leased(now)));
        idle.filter_map(|entries| entries.iter().min_by_key(place)).map(|open| open.entry.id).collect()
    }

    fn end(&mut self, id: OutboxId, at: Timestamp, dead: bool) {
        self.open.remove(&id);
        self.ended.insert(id, Ended { at, dead });
    }

    fn give_back(&mut self, id: OutboxId, due: Timestamp, uncounted: u32) {
        if let Some(open) = self.open.get_mut(&id) {
            open.entry.due = due;
            open.tries = open.tries.saturating_sub(uncounted);
            open.until = None;
        }
    }
}

impl Open {
    fn is_leased(&self, now: Timestamp) -> bool {
        self.until.is_some_and(|until| until > now)
    }

    fn take(&mut self, until: Timestamp) -> Leased {
        self.fence += 1;
        self.tries += 1;
        self.until = Some(until);
        let lease = LeaseRef { entry: self.entry.id, fence: self.fence };
        Leased { lease, entry: self.entry.clone(), tries: self.tries }
    }
}
