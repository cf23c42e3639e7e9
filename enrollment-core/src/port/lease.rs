//! The outbox: what a change causes in the world, done at least once by whoever holds its lease.

use serde::{Deserialize, Serialize};

use crate::id::OutboxId;
use crate::record::{Document, names};
use crate::time::Timestamp;

names! {
    /// Where an entry goes. A worker leases only the channels its process serves.
    Channel {
        /// Mail.
        Email = "email",
        /// Short messages.
        Sms = "sms",
        /// WireGuard peers.
        Peer = "peer",
        /// The host's callbacks.
        Event = "event",
        /// This system's own upkeep: what is forgotten after a change.
        Upkeep = "upkeep",
    }
}
use crate::record::UnknownName;
use std::fmt;
use std::str::FromStr;

/// Entries of one stream, whatever their channels, are leased one at a time, lowest order first (at one order, lowest
/// id first): an entry waits until those before it have ended as done, obsolete or dead, also while they are not due, and
/// until no other of its stream is leased, also one behind it that was leased before this one came.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Stream {
    /// Which stream.
    pub key: String,
    /// The place in it: the version of the subject.
    pub order: u64,
}

/// What is to be done: an intent, never a secret and never a rendered message.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct OutboxEntry {
    /// Which entry; the message id on every try. Never used for a second entry.
    pub id: OutboxId,
    /// Where it goes.
    pub channel: Channel,
    /// The stream it belongs to; without one it is independent of all others.
    pub stream: Option<Stream>,
    /// Not before this instant.
    pub due: Timestamp,
    /// What is to be done.
    pub body: Document,
}

/// Who wants to work on what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseRequest {
    /// The channels this process serves.
    pub channels: Vec<Channel>,
    /// The present instant: entries due at or before it, and leases that ended at or before it, are free.
    pub now: Timestamp,
    /// The end of the leases, exclusive.
    pub until: Timestamp,
    /// At most this many.
    pub limit: u32,
}

/// Which lease of which entry. Every lease of an entry has a higher fence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LeaseRef {
    /// The entry.
    pub entry: OutboxId,
    /// Which lease of it.
    pub fence: u64,
}

/// An entry that is the caller's until its lease ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leased {
    /// What to show when settling.
    pub lease: LeaseRef,
    /// The entry; its `due` is where the last retry or release put it.
    pub entry: OutboxEntry,
    /// How often it has been leased, this time included, less the releases.
    pub tries: u32,
}

/// How a lease ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settlement {
    /// It is done.
    Done,
    /// Again, not before this instant; the try counts.
    Retry {
        /// When.
        at: Timestamp,
        /// Why, for people; never a secret.
        why: String,
    },
    /// Never again; visible with its reason.
    Dead {
        /// Why, for people; never a secret.
        why: String,
    },
    /// It is no longer wanted.
    Obsolete {
        /// Why, for people.
        why: String,
    },
    /// Given back untried, not before this instant; the try does not count.
    Release {
        /// When.
        at: Timestamp,
    },
    /// Kept until this instant, exclusive.
    Extend {
        /// Until when.
        until: Timestamp,
    },
}

/// Whether a lease was still the caller's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum SettleOutcome {
    /// Settled.
    Settled,
    /// It ran out and was taken by another, or was settled before; nothing happened.
    LeaseLost,
}
