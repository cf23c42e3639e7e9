//! Tables and columns as the name enums say.
//!
//! `migrations/` holds the same in the form that databases run; a test for each database compares the two.

use std::sync::LazyLock;

#[cfg(feature = "postgres")]
use enrollment_core::record::ValueType;
use enrollment_core::record::{IndexName, Kind, UniqueName};

/// The table that says which migrations ran.
pub(crate) const MIGRATIONS_TABLE: &str = "enrollment_migrations";

/// One kind of row as a table.
#[derive(Debug)]
pub(crate) struct Table {
    /// What its rows are.
    pub(crate) kind: Kind,
    /// Unique keys of which a row holds at most one: a column each.
    pub(crate) unique: Vec<UniqueName>,
    /// Unique keys of which a row may hold several, as the right side of `in`; they are in the table `many_keys`.
    pub(crate) many: Option<String>,
    /// Indexes: two columns each, see [`part`].
    pub(crate) index: Vec<IndexName>,
    /// The columns of [`Self::unique`] and then those of [`Self::index`].
    pub(crate) keys: Vec<String>,
}

/// The table of a kind.
pub(crate) fn table(kind: Kind) -> &'static Table {
    static TABLES: LazyLock<Vec<Table>> = LazyLock::new(|| Kind::ALL.iter().copied().map(Table::new).collect());
    TABLES.iter().find(|table| table.kind == kind).expect("built from all kinds")
}

/// The column with the part of an index in which a row stands; the column of the index's own name has the place.
pub(crate) fn part(index: IndexName) -> String {
    format!("{index}_in")
}

impl Table {
    fn new(kind: Kind) -> Self {
        let own = || UniqueName::ALL.iter().copied().filter(|name| name.kind() == kind);
        let unique: Vec<_> = own().filter(|name| !name.is_many()).collect();
        let many: Vec<_> = own().filter(|name| name.is_many()).map(|name| format!("'{name}'")).collect();
        let many = (!many.is_empty()).then(|| format!("({})", many.join(", ")));
        let index: Vec<_> = IndexName::ALL.iter().copied().filter(|name| name.kind() == kind).collect();
        let columns = index.iter().flat_map(|name| [part(*name), name.to_string()]);
        let keys = unique.iter().map(ToString::to_string).chain(columns).collect();
        Self { kind, unique, many, index, keys }
    }

    /// The types of [`Self::keys`].
    #[cfg(feature = "postgres")]
    pub(crate) fn key_types(&self) -> impl Iterator<Item = ValueType> {
        let places = self.index.iter().flat_map(|name| [ValueType::Text, name.value_type()]);
        self.unique.iter().map(|name| name.value_type()).chain(places)
    }

    /// All columns in the order in which rows are written.
    pub(crate) fn columns(&self) -> impl Iterator<Item = &str> {
        ["id", "version", "layout", "body"].into_iter().chain(self.keys.iter().map(String::as_str))
    }
}
