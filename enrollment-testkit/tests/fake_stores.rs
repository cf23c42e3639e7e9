//! The stores that stand in front of others: they keep every promise until a test asks them not to.

use std::sync::Arc;

use async_trait::async_trait;
use enrollment_core::id::{ChangeId, OutboxId};
use enrollment_core::memory::MemoryStore;
use enrollment_core::port::{
    Change, Channel, CommitOutcome, Expect, LeaseRequest, Op, OutboxEntry, Scan, Settlement, Store, StoreErrorKind,
};
use enrollment_core::record::{Document, IndexName, Kind, Row, RowKey, UniqueKey, UniqueName, Version};
use enrollment_core::time::Timestamp;
use enrollment_testkit::fake::{FaultyStore, Moment, TracingStore, Trouble};
use enrollment_testkit::store::{BoxError, StoreFactory};
use uuid::Uuid;

struct InFront(fn(Arc<dyn Store>) -> Arc<dyn Store>);

#[async_trait]
impl StoreFactory for InFront {
    type Data = Arc<MemoryStore>;

    async fn create(&self) -> Result<Self::Data, BoxError> {
        Ok(Arc::default())
    }

    async fn open(&self, data: &Self::Data) -> Result<Arc<dyn Store>, BoxError> {
        Ok((self.0)(data.clone()))
    }
}

mod faulty {
    use super::{Arc, FaultyStore, InFront};
    enrollment_testkit::store_conformance!(InFront(|inner| Arc::new(FaultyStore::new(inner))));
}

mod tracing {
    use super::{Arc, InFront, TracingStore};
    enrollment_testkit::store_conformance!(InFront(|inner| Arc::new(TracingStore::new(inner))));
}

const KEY: RowKey = RowKey::new(Kind::User, Uuid::nil());

fn change(id: u128) -> Change {
    let body = Document { layout: 1, json: "{}".to_owned() };
    let unique = vec![UniqueKey::new(UniqueName::Username, "a secret name")];
    let next = Row { key: KEY, version: Version::FIRST, unique, index: vec![], body: body.clone() };
    let entry = OutboxEntry {
        id: OutboxId::from_uuid(Uuid::from_u128(id)),
        channel: Channel::Email,
        stream: None,
        due: Timestamp::EPOCH,
        body,
    };
    let ops = vec![Op::Put { expect: Expect::Absent, next }];
    Change::new(ChangeId::from_uuid(Uuid::from_u128(id)), Timestamp::EPOCH, ops, vec![entry], Vec::new())
        .expect("a change")
}

async fn stands(store: &impl Store) -> bool {
    store.get(&[KEY]).await.expect("a store that answers")[0].is_some()
}

#[tokio::test]
async fn a_faulty_store_troubles_as_many_commits_as_it_is_told() {
    let store = FaultyStore::new(Arc::new(MemoryStore::new()));
    store.trouble_commits(1, Trouble::Error(StoreErrorKind::Busy));
    store.trouble_commits(2, Trouble::Stale);
    assert_eq!(store.commit(&change(1)).await.expect_err("trouble").kind(), StoreErrorKind::Busy);
    for _ in 0..2 {
        assert_eq!(store.commit(&change(1)).await.expect("an answer"), CommitOutcome::Stale);
    }
    assert!(!stands(&store).await, "nothing was applied so far");
    store.trouble_commits(1, Trouble::AnswerLost);
    assert_eq!(store.commit(&change(1)).await.expect_err("trouble").kind(), StoreErrorKind::Unknown);
    assert!(stands(&store).await, "applied, and only the answer lost");
    assert_eq!(store.commit(&change(1)).await.expect("an answer"), CommitOutcome::Applied);
}

#[tokio::test]
async fn a_dead_process_does_nothing_until_it_is_revived() {
    for (moment, applied) in [(Moment::Before, false), (Moment::After, true)] {
        let store = FaultyStore::new(Arc::new(MemoryStore::new()));
        store.die_at(2, moment);
        assert!(!stands(&store).await, "the first call is answered");
        store.commit(&change(1)).await.expect_err("the second call is the last");
        store.get(&[KEY]).await.expect_err("the dead do not read");
        store.find(&UniqueKey::new(UniqueName::Username, "a secret name")).await.expect_err("the dead do not find");
        assert_eq!(store.calls(), 4);
        store.revive();
        assert_eq!(stands(&store).await, applied, "{moment:?}");
        assert_eq!(store.calls(), 1);
    }
}

#[tokio::test]
async fn a_trace_names_methods_and_keys_and_no_content() {
    let store = TracingStore::new(Arc::new(MemoryStore::new()));
    let _applied = store.commit(&change(1)).await.expect("a commit");
    let _row = store.find(&UniqueKey::new(UniqueName::Username, "a secret name")).await.expect("a row");
    let _rows = store.get(&[KEY, RowKey::new(Kind::Guard, Uuid::nil())]).await.expect("rows");
    let _page = store.scan(&Scan::all(IndexName::UsersByUsername, "part", 10)).await.expect("a page");
    let request = LeaseRequest {
        channels: vec![Channel::Email, Channel::Sms],
        now: Timestamp::EPOCH,
        until: Timestamp::from_seconds(60),
        limit: 1,
    };
    let leased = store.lease(&request).await.expect("leases");
    let _settled = store.settle(&leased[0].lease, &Settlement::Done, Timestamp::EPOCH).await.expect("settled");
    let trace: Vec<String> = store.take().iter().map(ToString::to_string).collect();
    assert_eq!(
        trace,
        [
            "commit(put users, enqueue email)",
            "find(username)",
            "get(users, guards)",
            "scan(users_by_username)",
            "lease(email, sms)",
            "settle(done)",
        ]
    );
    assert_eq!(store.take(), [], "what was taken is gone");
}
