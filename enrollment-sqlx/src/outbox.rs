//! Entries of the outbox as the databases send them, and what settling a lease does to one.

use enrollment_core::id::OutboxId;
use enrollment_core::port::{LeaseRef, Leased, OutboxEntry, Settlement, Stream};
use enrollment_core::record::Document;
use enrollment_core::time::Timestamp;
use uuid::Uuid;

/// The columns of an entry that was just leased.
#[derive(Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) id: Uuid,
    pub(crate) channel: &'a str,
    pub(crate) stream: Option<String>,
    pub(crate) stream_order: Option<i64>,
    pub(crate) due: i64,
    pub(crate) layout: i64,
    pub(crate) body: String,
    pub(crate) fence: i64,
    pub(crate) tries: i64,
}

impl Entry<'_> {
    /// `None`: a value is out of its range.
    pub(crate) fn decode(self) -> Option<Leased> {
        let id = OutboxId::from_uuid(self.id);
        let stream = match (self.stream, self.stream_order) {
            (Some(key), Some(order)) => Some(Stream { key, order: u64::try_from(order).ok()? }),
            _ => None,
        };
        let body = Document { layout: u16::try_from(self.layout).ok()?, json: self.body };
        let due = Timestamp::from_micros(self.due);
        Some(Leased {
            lease: LeaseRef { entry: id, fence: u64::try_from(self.fence).ok()? },
            entry: OutboxEntry { id, channel: self.channel.parse().ok()?, stream, due, body },
            tries: u32::try_from(self.tries).ok()?,
        })
    }
}

/// Leases in the order in which they are answered: the longest due first.
pub(crate) fn in_order(mut leased: Vec<Leased>) -> Vec<Leased> {
    leased.sort_by_key(|leased| (leased.entry.due, leased.entry.id));
    leased
}

/// How and when a lease was settled.
#[derive(Debug)]
pub(crate) struct Settled<'a> {
    pub(crate) entry: OutboxId,
    pub(crate) how: &'a Settlement,
    pub(crate) now: Timestamp,
}

/// What becomes of the columns of an entry. Times are in microseconds.
#[derive(Debug)]
pub(crate) struct Changed<'a> {
    pub(crate) leased_until: Option<i64>,
    /// `None`: as it was.
    pub(crate) due: Option<i64>,
    /// Tries that do not count.
    pub(crate) untried: i64,
    pub(crate) outcome: Option<&'static str>,
    /// `None`: as it was.
    pub(crate) why: Option<&'a str>,
    pub(crate) ended_at: Option<i64>,
}

impl<'a> Settled<'a> {
    pub(crate) fn changed(&self) -> Changed<'a> {
        Changed::by(self.how, self.now)
    }
}

impl<'a> Changed<'a> {
    /// What settling a lease in this way at this time does to its entry.
    pub(crate) fn by(how: &'a Settlement, now: Timestamp) -> Self {
        let open = Changed { leased_until: None, due: None, untried: 0, outcome: None, why: None, ended_at: None };
        let ended = |outcome, why| Changed { outcome: Some(outcome), why, ended_at: Some(now.micros()), ..open };
        match how {
            Settlement::Done => ended("done", None),
            Settlement::Dead { why } => ended("dead", Some(why)),
            Settlement::Obsolete { why } => ended("obsolete", Some(why)),
            Settlement::Retry { at, why } => Changed { due: Some(at.micros()), why: Some(why), ..open },
            Settlement::Release { at } => Changed { due: Some(at.micros()), untried: 1, ..open },
            Settlement::Extend { until } => Changed { leased_until: Some(until.micros()), ..open },
        }
    }
}
