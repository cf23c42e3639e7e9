//! The audit chain, exactly as an auditor recomputes it: numbers, digests, signatures.
//!
//! # Definition
//! Entries are numbered from 1 without gaps. With SHA-256 (FIPS 180-4) and `‖` for concatenation:
//!
//! ```text
//! framed(f₁, …, fₖ) = length(f₁) ‖ f₁ ‖ … ‖ length(fₖ) ‖ fₖ        lengths: bytes, as 8 bytes big-endian
//! chain₀ = 32 bytes of zero
//! chainₙ = SHA-256(framed("enrollment audit link 1", chainₙ₋₁, n, entryₙ))
//! entry  = SHA-256(framed("enrollment audit entry 1", id, at, actor kind, actor id,
//!                         subject kind, subject id, subject version, event, details digest))
//! ```
//!
//! | field | bytes |
//! |---|---|
//! | texts in quotes, `actor kind`, `subject kind` | ASCII. The kinds as in the entry's JSON: `user`, `api_key`, `enrollee`, `command_line`, `system`; `users`, `enrollments`, `locations`, … |
//! | `id`, `subject id`, `actor id` | the UUID's 16 bytes; no bytes for an actor without an id |
//! | `n`, `subject version` | 8 bytes big-endian |
//! | `at` | microseconds since 1970-01-01T00:00:00Z, 8 bytes big-endian, two's complement |
//! | `event` | the entry's `event` as canonical JSON (RFC 8785), UTF-8 |
//! | `details digest`, chain and entry digests | the 32 bytes |
//!
//! Neither the details nor the place in the chain are part of the entry's digest. The details enter by their own,
//! which is SHA-256 of salt (hex), `/` and source address as texts: they can be erased, and the chain still verifies.
//! Details that are there must have that digest.
//!
//! A batch is signed with Ed25519 (RFC 8032) over
//! `framed("enrollment audit seal 1", last number, chain digest, time of sealing)`, encoded as `n`, as a digest and as
//! `at`. Every signature covers, through the chain digest, all entries up to its number.
//!
//! The front of the log may be pruned, whole batches at a time. Then a signed statement says where the rest begins: over
//! `framed("enrollment audit pruned 1", last number, chain digest, time of pruning)`, of the last entry that is gone. The
//! chain goes on from that number and digest instead of from 0.
//!
//! # What it proves, and what not
//! Whoever can write to the database but does not have the key ring cannot alter, remove, insert or reorder a sealed
//! entry unseen. Removing the newest batches *with* their seals and the head gives an older state that was genuine
//! once: that shows only against the versions of the records that were changed since, or against an exported seal.
//! Before an entry is sealed, within about a second, the chain does not protect it; the versions of its subject do.
//! Nobody without the key ring can pass a removed front off as pruned. What a pruned entry said is gone; of records that
//! still exist, an entry `version_kept` says at which version they stood. It counts
//! only behind a pruned front, and when nothing is left that tells of an earlier version.

use std::collections::BTreeMap;

use serde_json::Value;

use super::audit::{Actor, AuditEntry, Link, Subject};
use super::event::Event;
use crate::record::Version;
use crate::secret::{Digest, framed};
use crate::time::Timestamp;

/// Something that is not as it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuditProblem {
    /// The entry is not the one that was sealed at this place.
    #[error("entry {number} of the audit log was altered")]
    Altered {
        /// Its place.
        number: i64,
    },
    /// No entry stands at this place, though later ones do.
    #[error("entry {number} of the audit log is missing")]
    Missing {
        /// The place.
        number: i64,
    },
    /// The entry that was sealed at this place stands at a later one.
    #[error("from entry {number} on, the audit log is out of order")]
    Reordered {
        /// The place.
        number: i64,
    },
    /// The entries up to this one, and after the batch before, are not the ones that were signed.
    #[error("the signature of the batch that ends with entry {number} of the audit log is wrong")]
    BadSignature {
        /// The place of the batch's last entry; the first place behind the head when nobody signed what stands there.
        number: i64,
    },
    /// The log ends before the place up to which it was signed.
    #[error("the audit log is cut off: entry {number} and what follows are missing")]
    Truncated {
        /// The first place that is missing.
        number: i64,
    },
    /// A record was changed and no entry tells of it.
    #[error("the entry is missing that tells how {}/{} came to version {}", .subject.kind, .subject.id, .version.0)]
    MissingEntry {
        /// The record.
        subject: Subject,
        /// The version after that change.
        version: Version,
    },
}

/// What each digest and signed text begins with, so that none is ever another.
const ENTRY: &[u8] = b"enrollment audit entry 1";
const LINK: &[u8] = b"enrollment audit link 1";
const SEAL: &[u8] = b"enrollment audit seal 1";
const PRUNED: &[u8] = b"enrollment audit pruned 1";

impl Link {
    /// Where the chain starts: before the first entry.
    pub const START: Self = Self { number: 0, chain: Digest::from_bytes([0; 32]) };

    /// The place of `entry` when it follows this one.
    #[must_use]
    pub fn next(&self, entry: &AuditEntry) -> Self {
        let number = self.number + 1;
        let entry = entry_digest(entry);
        let bytes = framed(&[LINK, self.chain.as_bytes(), &number.to_be_bytes(), entry.as_bytes()]);
        Self { number, chain: Digest::of(&bytes) }
    }

    /// What is signed for the batch that ends here and was sealed at `at`.
    #[must_use]
    pub fn signed_bytes(&self, at: Timestamp) -> Vec<u8> {
        self.stated(SEAL, at)
    }

    /// What is signed when everything up to here was pruned at `at`.
    #[must_use]
    pub fn pruned_bytes(&self, at: Timestamp) -> Vec<u8> {
        self.stated(PRUNED, at)
    }

    fn stated(&self, what: &[u8], at: Timestamp) -> Vec<u8> {
        framed(&[what, &self.number.to_be_bytes(), self.chain.as_bytes(), &at.micros().to_be_bytes()]).to_vec()
    }
}

/// The digest of an entry: of everything but its details and its place.
#[must_use]
pub fn entry_digest(entry: &AuditEntry) -> Digest {
    // No `..`: a new field must be decided upon here.
    let AuditEntry { id, at, actor, subject, subject_version, event, details_digest, details: _, sealed: _ } = entry;
    let (actor, actor_id) = match actor {
        Actor::User(id) => ("user", Some(id.uuid())),
        Actor::ApiKey(id) => ("api_key", Some(id.uuid())),
        Actor::Enrollee(id) => ("enrollee", Some(id.uuid())),
        Actor::Visitor => ("visitor", None),
        Actor::CommandLine => ("command_line", None),
        Actor::System => ("system", None),
    };
    Digest::of(&framed(&[
        ENTRY,
        id.uuid().as_bytes().as_slice(),
        &at.micros().to_be_bytes(),
        actor.as_bytes(),
        actor_id.as_ref().map_or(&[], |id| id.as_bytes().as_slice()),
        subject.kind.as_str().as_bytes(),
        subject.id.as_bytes(),
        &subject_version.0.to_be_bytes(),
        event_text(event).as_bytes(),
        details_digest.as_bytes(),
    ]))
}

/// What is wrong at the place after `before`, where `found` stands though it does not belong there. `later` are the
/// entries that follow, as far as the one that does belong there is looked for.
#[must_use]
pub fn diagnose(before: Link, found: &AuditEntry, later: &[AuditEntry]) -> AuditProblem {
    let number = before.number + 1;
    let stands = |entry: &AuditEntry, link: Link| entry.sealed.is_some_and(|sealed| sealed.chain == link.chain);
    let belongs_here = |entry: &AuditEntry| {
        let link = before.next(entry);
        stands(found, link) || stands(entry, link)
    };
    if later.iter().any(belongs_here) {
        AuditProblem::Reordered { number }
    } else if found.sealed.is_some_and(|link| link.number > number) {
        AuditProblem::Missing { number }
    } else {
        AuditProblem::Altered { number }
    }
}

#[allow(clippy::expect_used, reason = "an event is plain data: texts, integers and lists of texts")]
fn event_text(event: &Event) -> String {
    canonical(serde_json::to_value(event).expect("an event is plain data"))
}

/// RFC 8785 for what events consist of: texts, integers below 2^53, lists and objects with ASCII names. The order of
/// the names is made here, because the order inside a [`Value`] depends on what else is compiled in.
fn canonical(value: Value) -> String {
    match value {
        Value::Object(members) => {
            let sorted: BTreeMap<String, Value> = members.into_iter().collect();
            let member = |(name, value)| format!("{}:{}", Value::String(name), canonical(value));
            format!("{{{}}}", sorted.into_iter().map(member).collect::<Vec<_>>().join(","))
        }
        Value::Array(items) => format!("[{}]", items.into_iter().map(canonical).collect::<Vec<_>>().join(",")),
        plain => plain.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{AuditId, UserId};
    use crate::record::Kind;
    use uuid::Uuid;

    fn entry(actor: Actor, event: Event) -> AuditEntry {
        AuditEntry {
            id: AuditId::from_uuid(Uuid::from_u128(1)),
            at: Timestamp::from_micros(1_767_225_600_000_001),
            actor,
            subject: Subject { kind: Kind::Settings, id: Uuid::from_u128(2) },
            subject_version: Version(3),
            event,
            details_digest: Digest::of(format!("{}/192.0.2.7", "0".repeat(32)).as_bytes()),
            details: None,
            sealed: None,
        }
    }

    /// ADM-8: as a program of thirty lines in another language computed it from the text above. These never change:
    /// signed logs depend on them.
    #[test]
    fn the_chain_is_what_its_definition_says() {
        let refused =
            Event::Refused { operation: "café \"x\"\n\u{1}\u{7f}/".to_owned(), code: "forbidden".to_owned() };
        let changed = Event::SettingsChanged { fields: vec!["a".to_owned(), "b".to_owned()] };
        let first = entry(Actor::User(UserId::from_uuid(Uuid::from_u128(7))), refused);
        let second = entry(Actor::System, changed);
        assert_eq!(
            [entry_digest(&first), entry_digest(&second)].map(|digest| digest.to_string()),
            [
                "6a3e1cf60b72c909838334ea67b8359c5a7f7050ff8d0e01b2e9f8dc708fed13",
                "ad1f6c9bc2079d45a17407deeadd0245ebe483bd4b2e3f7187092c9964df5c40",
            ]
        );
        let one = Link::START.next(&first);
        let two = one.next(&second);
        assert_eq!(
            [one, two].map(|link| (link.number, link.chain.to_string())),
            [
                (1, "cf2051d1c46be6dcff309dc4ddbd462bc7a07d778cd15f9aab675c432389c49d".to_owned()),
                (2, "9d3a8739786772e027309a65c346852a463c1d6375845864ba3be59676e68460".to_owned()),
            ]
        );
        assert_eq!(
            Digest::of(&two.signed_bytes(first.at)).to_string(),
            "a8ab999a1c4d341f382e417579d284558a58e641f035aeccee2089a7097cce1d"
        );
    }
}
