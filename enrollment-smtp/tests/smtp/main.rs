//! Mail through a real postfix, and through a relay that misbehaves as it is told.

mod conformance;
mod fake;
mod misbehavior;
mod pool;
mod postfix;
mod relay;

use std::hash::{BuildHasher, Hasher};

use enrollment_core::id::OutboxId;
use enrollment_core::port::{Message, Recipient};
use enrollment_core::time::Timestamp;
use uuid::Uuid;

/// Digits that no other test has, in this run and in others.
fn unique() -> u64 {
    std::collections::hash_map::RandomState::new().build_hasher().finish()
}

fn email(address: &str) -> Recipient {
    Recipient::Email(address.parse().expect("an address"))
}

fn message(to: &str) -> Message {
    Message {
        id: OutboxId::from_uuid(Uuid::from_u64_pair(unique(), unique())),
        from: None,
        to: email(to),
        subject: "Żółw VPN: your invitation".into(),
        text: "Hello,\n\n.\n.. dots and żółw\n".into(),
        html: Some("<p>Hello, żółw</p>\n".into()),
        images: Vec::new(),
        queued: Timestamp::from_seconds(1_764_000_000),
    }
}
