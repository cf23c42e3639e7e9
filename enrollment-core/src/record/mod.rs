//! How records become rows: unique keys, index keys and a versioned document.

mod audit;
mod codec;
mod enrollment;
mod guard;
mod key;
mod keys;
mod mail;
mod network;
mod people;
mod row;
mod settings;
mod sign_in;
mod upkeep;

pub use audit::Seal;
pub use codec::{Record, RecordError, Stored, new_row};
pub use guard::{Guard, GuardRow};
pub(crate) use key::names;
pub use key::{IndexKey, IndexName, KeyValue, Kind, RowKey, UniqueKey, UniqueName, UnknownName, ValueType};
pub use keys::{KeyBook, ResealList, Resealing};
pub use row::{Document, Row, Version};
pub use settings::TemplateText;
