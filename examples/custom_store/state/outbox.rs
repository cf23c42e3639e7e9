//! The outbox: who may work on what (G7).

use std::collections::{BTreeMap, BTreeSet};

use enrollment_core::id::OutboxId;
use enrollment_core::port::{LeaseRef, LeaseRequest, Leased, OutboxEntry, SettleOutcome, Settlement};
use enrollment_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Fact, State};

/// An entry and what became of it so far.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Item {
    /// The entry; `due` moves with every retry and release.
    pub(crate) entry: OutboxEntry,
    tries: u32,
    /// Of the latest lease.
    fence: u64,
    /// The end of the latest lease, unless it was settled.
    until: Option<Timestamp>,
    ended: Option<End>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct End {
    at: Timestamp,
    dead: bool,
    /// For people who look into the file.
    why: String,
}

impl Item {
    /// An entry that nobody has worked on.
    pub(crate) fn new(entry: OutboxEntry) -> Self {
        Self { entry, tries: 0, fence: 0, until: None, ended: None }
    }

    /// Whether it ended before this time, dead or otherwise.
    pub(crate) fn ended_before(&self, before: Timestamp, dead: bool) -> bool {
        self.ended.as_ref().is_some_and(|end| end.at < before && end.dead == dead)
    }

    fn is_leased(&self, now: Timestamp) -> bool {
        self.until.is_some_and(|until| until > now)
    }

    fn lease(&mut self, until: Timestamp) -> Leased {
        self.tries += 1;
        self.fence += 1;
        self.until = Some(until);
        let lease = LeaseRef { entry: self.entry.id, fence: self.fence };
        Leased { lease, entry: self.entry.clone(), tries: self.tries }
    }
}

impl State {
    /// The free entries of these channels, the longest due first, and their leases.
    pub(crate) fn lease(&self, request: &LeaseRequest) -> (Vec<Leased>, Vec<Fact>) {
        let waiting = || self.items.values().filter(|item| item.ended.is_none());
        // The first entry of each stream; the others wait for it, in whatever channel and state it is. It may itself
        // have to wait: for one behind it that was leased before it came.
        let mut heads: BTreeMap<&str, (u64, OutboxId)> = BTreeMap::new();
        let mut busy = BTreeSet::new();
        for item in waiting() {
            if let Some(stream) = &item.entry.stream {
                let place = (stream.order, item.entry.id);
                heads.entry(&stream.key).and_modify(|head| *head = place.min(*head)).or_insert(place);
                if item.is_leased(request.now) {
                    busy.insert(stream.key.as_str());
                }
            }
        }
        let in_turn = |entry: &OutboxEntry| {
            entry.stream.as_ref().is_none_or(|stream| {
                let key = stream.key.as_str();
                heads.get(key) == Some(&(stream.order, entry.id)) && !busy.contains(key)
            })
        };
        let mut items: Vec<Item> = waiting()
            .filter(|item| request.channels.contains(&item.entry.channel))
            .filter(|item| item.entry.due <= request.now && !item.is_leased(request.now) && in_turn(&item.entry))
            .cloned()
            .collect();
        items.sort_by_key(|item| item.entry.due);
        items.truncate(usize::try_from(request.limit).unwrap_or(usize::MAX));
        let leased = items.iter_mut().map(|item| item.lease(request.until)).collect();
        (leased, items.into_iter().map(Fact::Item).collect())
    }

    /// Ends or extends a lease, if it is the latest of its entry and was not settled.
    pub(crate) fn settle(&self, lease: &LeaseRef, how: &Settlement, now: Timestamp) -> (SettleOutcome, Vec<Fact>) {
        let current = |item: &&Item| item.fence == lease.fence && item.until.is_some();
        let Some(mut item) = self.items.get(&lease.entry).filter(current).cloned() else {
            return (SettleOutcome::LeaseLost, Vec::new());
        };
        item.until = None;
        match how {
            Settlement::Done => item.ended = Some(End { at: now, dead: false, why: String::new() }),
            Settlement::Obsolete { why } => item.ended = Some(End { at: now, dead: false, why: why.clone() }),
            Settlement::Dead { why } => item.ended = Some(End { at: now, dead: true, why: why.clone() }),
            Settlement::Retry { at, .. } => item.entry.due = *at,
            Settlement::Release { at } => {
                item.entry.due = *at;
                item.tries -= 1;
            }
            Settlement::Extend { until } => item.until = Some(*until),
        }
        (SettleOutcome::Settled, vec![Fact::Item(item)])
    }
}
