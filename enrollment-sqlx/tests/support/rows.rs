//! Rows and changes for tests of both databases.

#![allow(dead_code, reason = "each test uses its part")]

use enrollment_core::id::ChangeId;
use enrollment_core::port::{Change, Expect, Op};
use enrollment_core::record::{Document, IndexKey, IndexName, Kind, Row, RowKey, UniqueKey, UniqueName, Version};
use enrollment_core::time::Timestamp;
use uuid::Uuid;

pub(crate) fn id(n: u128) -> Uuid {
    Uuid::from_u128(0x0192_0000_0000_7000_8000_0000_0000_0000 + n)
}

/// A user with a username and a place in the index of users.
pub(crate) fn user(n: u128, version: u64, username: &str) -> Row {
    Row {
        key: RowKey::new(Kind::User, id(n)),
        version: Version(version),
        unique: vec![UniqueKey::new(UniqueName::Username, username)],
        index: vec![IndexKey::new(IndexName::UsersByUsername, "", username)],
        body: Document { layout: 1, json: format!(r#"{{"username":"{username}"}}"#) },
    }
}

/// A row without keys.
pub(crate) fn plain(kind: Kind, n: u128, version: u64) -> Row {
    let body = Document { layout: 1, json: "{}".to_owned() };
    Row { key: RowKey::new(kind, id(n)), version: Version(version), unique: vec![], index: vec![], body }
}

/// Writes the row as the version after the one before.
pub(crate) fn put(next: Row) -> Op {
    let expect = match next.version.0 {
        1 => Expect::Absent,
        version => Expect::Version(Version(version - 1)),
    };
    Op::Put { expect, next }
}

pub(crate) fn change(n: u128, ops: Vec<Op>) -> Change {
    let at = Timestamp::from_seconds(1_764_000_000);
    Change::new(ChangeId::from_uuid(id(n)), at, ops, vec![], Vec::new()).expect("a valid change")
}
