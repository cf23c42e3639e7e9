//! Reading an index page by page.

use crate::record::{IndexName, KeyValue, Row};
use uuid::Uuid;

/// Which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the lowest place up.
    Ascending,
    /// From the highest place down.
    Descending,
}

/// A range of one part of one index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan {
    /// Which index.
    pub index: IndexName,
    /// Which part of it.
    pub within: String,
    /// The lowest place, inclusive; `None`: from the first.
    pub from: Option<KeyValue>,
    /// The highest place, **exclusive**; `None`: to the last.
    pub to: Option<KeyValue>,
    /// Which way.
    pub direction: Direction,
    /// Continue behind this row of an earlier page, in `direction`.
    pub after: Option<Cursor>,
    /// At most this many rows, 1 to 1,000.
    pub limit: u32,
}

impl Scan {
    /// The whole part `within` of `index`, upwards, at most `limit` rows.
    #[must_use]
    pub fn all(index: IndexName, within: impl Into<String>, limit: u32) -> Self {
        Self { index, within: within.into(), from: None, to: None, direction: Direction::Ascending, after: None, limit }
    }
}

/// A place in an index: a row that stood there, whether or not it still does.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Cursor {
    /// The place.
    pub at: KeyValue,
    /// The row.
    pub id: Uuid,
}

/// Some rows, and where to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The rows in order.
    pub rows: Vec<Row>,
    /// Where the next page starts; `None` exactly when nothing more stood in the range.
    pub next: Option<Cursor>,
}
