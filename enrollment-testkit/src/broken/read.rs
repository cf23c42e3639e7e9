//! Faults of `get` and `scan`.

use std::sync::PoisonError;

use enrollment_core::port::{Cursor, Direction, Page, Scan, Store, StoreError};
use enrollment_core::record::{KeyValue, Row, RowKey, UniqueKey};
use uuid::Uuid;

use super::{BrokenStore, Fault};

impl BrokenStore {
    pub(super) async fn broken_get(&self, keys: &[RowKey]) -> Result<Vec<Option<Row>>, StoreError> {
        match self.fault {
            Fault::ReadsRowByRow => {
                let mut rows = Vec::with_capacity(keys.len());
                for key in keys {
                    rows.extend(self.inner().get(std::slice::from_ref(key)).await?);
                    self.dawdle().await;
                }
                Ok(rows)
            }
            Fault::CachesReads => {
                let mut rows = self.inner().get(keys).await?;
                let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
                for row in rows.iter_mut().flatten() {
                    *row = cache.entry(row.key).or_insert_with(|| row.clone()).clone();
                }
                Ok(rows)
            }
            Fault::TearsRows => {
                let mut rows = self.inner().get(keys).await?;
                for row in rows.iter_mut().flatten() {
                    self.tear(row).await?;
                }
                Ok(rows)
            }
            Fault::LeavesOutAbsentRows => {
                let rows = self.inner().get(keys).await?;
                Ok(rows.into_iter().filter(Option::is_some).collect())
            }
            _ => self.inner().get(keys).await,
        }
    }

    pub(super) async fn broken_find(&self, by: &UniqueKey) -> Result<Option<Row>, StoreError> {
        let mut row = self.inner().find(by).await?;
        if let (Fault::TearsRows, Some(row)) = (self.fault, &mut row) {
            self.tear(row).await?;
        }
        Ok(row)
    }

    /// Reads the document a while after the rest.
    async fn tear(&self, row: &mut Row) -> Result<(), StoreError> {
        self.dawdle().await;
        if let [Some(later)] = self.inner().get(&[row.key]).await?.as_slice() {
            row.body = later.body.clone();
        }
        Ok(())
    }

    pub(super) fn forget_reads(&self) {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    pub(super) async fn broken_scan(&self, scan: &Scan) -> Result<Page, StoreError> {
        let mut asked = scan.clone();
        match self.fault {
            Fault::IncludesTheEnd => asked.to = asked.to.map(just_behind),
            Fault::SkipsEqualPlaces => {
                if let Some(Cursor { at, .. }) = asked.after.take() {
                    match asked.direction {
                        Direction::Ascending => asked.from = Some(just_behind(at)),
                        Direction::Descending => asked.to = Some(at),
                    }
                }
            }
            Fault::NeedsTheCursorsRow => {
                if let Some(cursor) = &asked.after {
                    let row = RowKey::new(asked.index.kind(), cursor.id);
                    if self.inner().get(&[row]).await? == [None] {
                        asked.after = None;
                    }
                }
            }
            Fault::FoldsCaseOfParts => asked.within = asked.within.to_lowercase(),
            Fault::ClampsLimits => asked.limit = asked.limit.clamp(1, 1_000),
            Fault::PagesByOffset => return self.by_offset(scan).await,
            Fault::OrdersByCollation | Fault::OrdersIntegersAsTexts => return self.in_another_order(scan).await,
            Fault::ForgetsIndex(index) if index == scan.index => return Ok(Page { rows: Vec::new(), next: None }),
            _ => {}
        }
        let mut page = self.inner().scan(&asked).await?;
        if self.is(Fault::AlwaysPromisesMore) && page.rows.len() == usize::try_from(scan.limit).unwrap_or_default() {
            page.next = page.rows.last().map(|row| Cursor { at: place(row, scan), id: row.key.id });
        }
        Ok(page)
    }

    /// The cursor's id is a count of rows.
    async fn by_offset(&self, scan: &Scan) -> Result<Page, StoreError> {
        let offset = scan.after.as_ref().map_or(0, |cursor| cursor.id.as_u128());
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        let all = self.inner().scan(&Scan { after: None, limit: 1_000, ..scan.clone() }).await?.rows;
        let cursor = |end: usize, row: &Row| Cursor { at: place(row, scan), id: Uuid::from_u128(end as u128) };
        Ok(cut(&all, offset, scan.limit, cursor))
    }

    /// "a" before "B", or 10 before 9.
    async fn in_another_order(&self, scan: &Scan) -> Result<Page, StoreError> {
        let mut all = self.inner().scan(&Scan { after: None, limit: 1_000, ..scan.clone() }).await?.rows;
        let ascending = scan.direction == Direction::Ascending;
        all.sort_by(|one, two| {
            let [one, two] = [one, two].map(|row| (self.respelt(place(row, scan)), row.key.id));
            if ascending { one.cmp(&two) } else { two.cmp(&one) }
        });
        let at = scan.after.as_ref().and_then(|cursor| all.iter().position(|row| row.key.id == cursor.id));
        let cursor = |_: usize, row: &Row| Cursor { at: place(row, scan), id: row.key.id };
        Ok(cut(&all, at.map_or(0, |at| at + 1), scan.limit, cursor))
    }

    fn respelt(&self, value: KeyValue) -> KeyValue {
        match value {
            KeyValue::Text(text) => KeyValue::Text(text.to_lowercase()),
            KeyValue::Int(int) if self.is(Fault::OrdersIntegersAsTexts) => KeyValue::Text(int.to_string()),
            KeyValue::Int(int) => KeyValue::Int(int),
        }
    }
}

/// A page of a list that was read whole.
fn cut(all: &[Row], start: usize, limit: u32, cursor: impl Fn(usize, &Row) -> Cursor) -> Page {
    let start = start.min(all.len());
    let end = start.saturating_add(usize::try_from(limit).unwrap_or(usize::MAX)).min(all.len());
    let rows = all[start..end].to_vec();
    let next = rows.last().filter(|_| end < all.len()).map(|row| cursor(end, row));
    Page { rows, next }
}

fn place(row: &Row, scan: &Scan) -> KeyValue {
    // A row that a scan found stands in its index.
    row.index.iter().find(|key| key.name == scan.index).map_or(KeyValue::Int(0), |key| key.at.clone())
}

fn just_behind(value: KeyValue) -> KeyValue {
    match value {
        KeyValue::Int(value) => KeyValue::Int(value.saturating_add(1)),
        KeyValue::Text(text) => KeyValue::Text(text + "\0"),
    }
}
