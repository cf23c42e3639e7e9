//! How records become rows: unique keys, index keys and a versioned document.

mod key;
mod row;

pub(crate) use key::names;
pub use key::{IndexKey, IndexName, KeyValue, Kind, RowKey, UniqueKey, UniqueName, UnknownName, ValueType};
pub use row::{Document, Row, Version};
