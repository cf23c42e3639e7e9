//! What a golden database holds, whichever database it is: some of everything that an earlier version may have left.

use std::path::PathBuf;
use std::time::Duration;

use enrollment_core::id::{ChangeId, OutboxId};
use enrollment_core::port::{Change, Channel, CommitOutcome, LeaseRequest, Op, OutboxEntry, Settlement, Store, Stream};
use enrollment_core::record::{Document, IndexKey, IndexName, Kind, Row, RowKey, UniqueKey, UniqueName, Version};
use enrollment_core::time::Timestamp;
use uuid::Uuid;

/// Apart from the ids of [`super::rows`], so that tests can go on with those.
fn id(n: u128) -> Uuid {
    Uuid::from_u128(0x0193_0000_0000_7000_8000_0000_0000_0000 + n)
}

const NOW: Timestamp = Timestamp::from_seconds(1_764_000_000);

fn later(seconds: u64) -> Timestamp {
    NOW.plus(Duration::from_secs(seconds))
}

/// Where golden databases lie, and whether to write them: `ENROLLMENT_GOLDEN=write cargo nextest run golden`, once a
/// migration was added. Those of earlier migrations stay as they are.
pub(crate) fn file(name: &str) -> (PathBuf, bool) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    (path, std::env::var("ENROLLMENT_GOLDEN").is_ok_and(|value| value == "write"))
}

fn document(text: &str) -> Document {
    Document { layout: 3, json: text.to_owned() }
}

fn anna(version: u64) -> Row {
    Row {
        key: RowKey::new(Kind::User, id(1)),
        version: Version(version),
        unique: vec![
            UniqueKey::new(UniqueName::Username, "änna"),
            UniqueKey::new(UniqueName::UserNumber, (1_i64 << 53) - 1),
        ],
        index: vec![IndexKey::new(IndexName::UsersByUsername, "", "änna")],
        // Two spaces: a document comes back byte for byte.
        body: document(r#"{"name":  "Änna 🦀", "quote": "'\"\\"}"#),
    }
}

fn enrollment(version: u64, past: &[&str]) -> Row {
    let past = past.iter().map(|token| UniqueKey::new(UniqueName::PastToken, *token));
    Row {
        key: RowKey::new(Kind::Enrollment, id(2)),
        version: Version(version),
        unique: [UniqueKey::new(UniqueName::Token, "present")].into_iter().chain(past).collect(),
        index: vec![IndexKey::new(IndexName::EnrollmentsByCreated, "open", NOW.micros())],
        body: document("{}"),
    }
}

fn entry(n: u128, stream: Option<u64>) -> OutboxEntry {
    let stream = stream.map(|order| Stream { key: "ström".to_owned(), order });
    let channel = if stream.is_some() { Channel::Peer } else { Channel::Email };
    OutboxEntry { id: OutboxId::from_uuid(id(n)), channel, stream, due: NOW, body: document(r#"{"intent":"x"}"#) }
}

fn changes() -> Vec<Change> {
    let change = |n: u128, ops: Vec<Op>, enqueue: Vec<OutboxEntry>| {
        Change::new(ChangeId::from_uuid(id(n)), NOW, ops, enqueue, Vec::new()).expect("a valid change")
    };
    let put = super::rows::put;
    let gone = super::rows::plain(Kind::Guard, 3, 1);
    vec![
        change(101, vec![put(anna(1)), put(enrollment(1, &["first"])), put(gone.clone())], vec![entry(11, None)]),
        change(102, vec![put(anna(2)), put(enrollment(2, &["first", "second"]))], vec![entry(12, Some(1))]),
        change(
            103,
            vec![Op::Delete { key: gone.key, version: gone.version }],
            vec![entry(13, Some(2)), entry(14, None)],
        ),
    ]
}

/// Fills an empty store.
pub(crate) async fn fill(store: &dyn Store) {
    for change in changes() {
        assert_eq!(store.commit(&change).await.expect("an outcome"), CommitOutcome::Applied);
    }
    // One is done, one dead, one under lease, one waits behind that.
    for leased in store.lease(&request(NOW)).await.expect("leases") {
        let how = match leased.entry.id.uuid() {
            entry if entry == id(11) => Settlement::Done,
            entry if entry == id(14) => Settlement::Dead { why: "nobody there".to_owned() },
            _ => Settlement::Extend { until: later(3_600) },
        };
        let _settled = store.settle(&leased.lease, &how, later(1)).await.expect("an answer");
    }
}

fn request(now: Timestamp) -> LeaseRequest {
    LeaseRequest { channels: Channel::ALL.to_vec(), now, until: now.plus(Duration::from_secs(60)), limit: 10 }
}

/// What [`fill`] left is there, and the store goes on from it.
pub(crate) async fn check(store: &dyn Store) {
    let kept = [Some(anna(2)), Some(enrollment(2, &["first", "second"])), None];
    let keys = [anna(2).key, enrollment(2, &[]).key, super::rows::plain(Kind::Guard, 3, 1).key];
    assert_eq!(store.get(&keys).await.expect("rows"), kept);
    let holder = store.find(&UniqueKey::new(UniqueName::PastToken, "first")).await.expect("an answer");
    assert_eq!(holder.map(|row| row.key), Some(keys[1]));
    for change in changes() {
        assert_eq!(store.commit(&change).await.expect("an outcome"), CommitOutcome::Applied, "the change is known");
    }
    assert_eq!(store.lease(&request(later(3_599))).await.expect("leases"), []);
    let leased = store.lease(&request(later(3_600))).await.expect("leases");
    let leased: Vec<_> =
        leased.iter().map(|leased| (leased.entry.id.uuid(), leased.lease.fence, leased.tries)).collect();
    assert_eq!(leased, [(id(12), 2, 2)]);

    let next = Change::new(ChangeId::from_uuid(id(104)), NOW, vec![super::rows::put(anna(3))], vec![], Vec::new());
    assert_eq!(store.commit(&next.expect("valid")).await.expect("an outcome"), CommitOutcome::Applied);
    assert_eq!(store.get(&keys[..1]).await.expect("rows"), [Some(anna(3))]);
}
