//! Calls that try again when the store says that trying again helps, and what is expected of their answers.

use std::sync::Arc;
use std::time::Duration;

use enrollment_core::port::{
    Change, Channel, CommitOutcome, LeaseRef, LeaseRequest, Leased, Page, Scan, SettleOutcome, Settlement, Store,
    StoreError, StoreErrorKind,
};
use enrollment_core::record::{Document, KeyValue, Row, RowKey, UniqueKey, UniqueName};
use enrollment_core::time::Timestamp;

use super::Verdict;
use crate::verdict::{Failure, ensure, ensure_eq};

/// Tries again while the store says that it helps; a store under parallel writers may be busy, not for ever.
macro_rules! patiently {
    ($call:expr) => {{
        let mut tries = 0;
        loop {
            match $call.await {
                Err(error) if error.is_retryable() && tries < 1_000 => tries += 1,
                answer => break answer?,
            }
            tokio::task::yield_now().await;
        }
    }};
}

pub(in crate::store) async fn commit(store: &Arc<dyn Store>, change: &Change) -> Result<CommitOutcome, Failure> {
    Ok(patiently!(store.commit(change)))
}

/// Commits a change that nothing stands against.
pub(in crate::store) async fn applied(store: &Arc<dyn Store>, change: &Change) -> Verdict {
    outcome(store, change, CommitOutcome::Applied, "a change that nothing stands against").await
}

/// Commits a change and compares the answer.
pub(in crate::store) async fn outcome(
    store: &Arc<dyn Store>,
    change: &Change,
    want: CommitOutcome,
    what: &str,
) -> Verdict {
    ensure_eq!(commit(store, change).await?, want, "{what}");
    Ok(())
}

pub(in crate::store) async fn taken(store: &Arc<dyn Store>, change: &Change, key: &UniqueKey, what: &str) -> Verdict {
    outcome(store, change, CommitOutcome::Taken(key.clone()), what).await
}

pub(in crate::store) async fn get(store: &Arc<dyn Store>, key: RowKey) -> Result<Option<Row>, Failure> {
    let mut rows = get_all(store, &[key]).await?;
    ensure_eq!(rows.len(), 1, "answers for one key");
    Ok(rows.remove(0))
}

pub(in crate::store) async fn get_all(store: &Arc<dyn Store>, keys: &[RowKey]) -> Result<Vec<Option<Row>>, Failure> {
    Ok(patiently!(store.get(keys)))
}

pub(in crate::store) async fn find(
    store: &Arc<dyn Store>,
    name: UniqueName,
    value: impl Into<KeyValue>,
) -> Result<Option<Row>, Failure> {
    let key = UniqueKey::new(name, value);
    Ok(patiently!(store.find(&key)))
}

pub(in crate::store) async fn page(store: &Arc<dyn Store>, scan: &Scan) -> Result<Page, Failure> {
    Ok(patiently!(store.scan(scan)))
}

/// The rows of all pages, and how many pages they were.
pub(in crate::store) async fn pages(store: &Arc<dyn Store>, mut scan: Scan) -> Result<(Vec<Row>, usize), Failure> {
    let mut rows = Vec::new();
    for count in 1..=2_000 {
        let page = page(store, &scan).await?;
        let limit = usize::try_from(scan.limit).unwrap_or(usize::MAX);
        ensure!(page.rows.len() <= limit, "a page of {} rows, limit {limit}", page.rows.len());
        ensure!(page.next.is_none() || page.rows.len() == limit, "a page that is neither full nor the last");
        rows.extend(page.rows);
        tokio::task::yield_now().await;
        match page.next {
            Some(next) => scan.after = Some(next),
            None => return Ok((rows, count)),
        }
    }
    Err(Failure::new("a scan does not end"))
}

pub(in crate::store) async fn settle(
    store: &Arc<dyn Store>,
    lease: &LeaseRef,
    how: &Settlement,
    now: Timestamp,
) -> Result<SettleOutcome, Failure> {
    Ok(patiently!(store.settle(lease, how, now)))
}

/// Settles a lease that is the caller's.
pub(in crate::store) async fn settled(
    store: &Arc<dyn Store>,
    lease: &LeaseRef,
    how: Settlement,
    now: Timestamp,
) -> Verdict {
    ensure_eq!(settle(store, lease, &how, now).await?, SettleOutcome::Settled, "{how:?} of the caller's lease");
    Ok(())
}

/// Leases from every channel at `now` for 60 s.
pub(in crate::store) async fn lease(
    store: &Arc<dyn Store>,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<Leased>, Failure> {
    let until = now.plus(Duration::from_secs(60));
    lease_as(store, &LeaseRequest { channels: Channel::ALL.to_vec(), now, until, limit }).await
}

pub(in crate::store) async fn lease_as(store: &Arc<dyn Store>, request: &LeaseRequest) -> Result<Vec<Leased>, Failure> {
    let leased = patiently!(store.lease(request));
    let limit = usize::try_from(request.limit).unwrap_or(usize::MAX);
    ensure!(leased.len() <= limit, "{} leases, limit {limit}", leased.len());
    Ok(leased)
}

/// The one entry that can be leased at `now`.
pub(in crate::store) async fn lease_one(store: &Arc<dyn Store>, now: Timestamp, what: &str) -> Result<Leased, Failure> {
    let mut leased = lease(store, now, 10).await?;
    ensure_eq!(leased.len(), 1, "entries to lease, {what}");
    Ok(leased.remove(0))
}

pub(in crate::store) async fn lease_none(store: &Arc<dyn Store>, now: Timestamp, what: &str) -> Verdict {
    ensure_eq!(lease(store, now, 10).await?, Vec::new(), "entries to lease, {what}");
    Ok(())
}

/// Whether a row stands as it was written: everything alike, the document as equal JSON.
pub(in crate::store) fn same(got: Option<&Row>, want: &Row, what: &str) -> Verdict {
    let Some(got) = got else { return Err(Failure::new(format!("{what}: {} is not there", want.key))) };
    ensure_eq!(got.key, want.key, "{what}: key");
    ensure_eq!(got.version, want.version, "{what}: version of {}", want.key);
    ensure_eq!(got.unique, want.unique, "{what}: unique keys of {}", want.key);
    ensure_eq!(got.index, want.index, "{what}: index keys of {}", want.key);
    same_document(&got.body, &want.body, what)
}

pub(in crate::store) fn same_document(got: &Document, want: &Document, what: &str) -> Verdict {
    ensure_eq!(got.layout, want.layout, "{what}: layout");
    let parse = |document: &Document| serde_json::from_str::<serde_json::Value>(&document.json).ok();
    ensure!(
        parse(got).is_some() && parse(got) == parse(want),
        "{what}: the document of {} bytes is not the one written, of {} bytes",
        got.json.len(),
        want.json.len()
    );
    Ok(())
}

pub(in crate::store) async fn stands(store: &Arc<dyn Store>, want: &Row, what: &str) -> Verdict {
    same(get(store, want.key).await?.as_ref(), want, what)
}

pub(in crate::store) async fn is_absent(store: &Arc<dyn Store>, key: RowKey, what: &str) -> Verdict {
    ensure!(get(store, key).await?.is_none(), "{what}: {key} is there");
    Ok(())
}

/// A call that broke the contract.
pub(in crate::store) fn misused<T: std::fmt::Debug>(answer: Result<T, StoreError>, what: &str) -> Verdict {
    match answer {
        Err(error) if error.kind() == StoreErrorKind::Misuse => {
            ensure!(!error.is_retryable(), "{what}: misuse is never retryable");
            Ok(())
        }
        other => Err(Failure::new(format!("{what} is misuse, not {other:?}"))),
    }
}
