//! Tables and columns as the name enums say, and the SQL text about them, built once.
//!
//! `migrations/` holds the same in the form that databases run; a test compares the two.

use std::sync::LazyLock;

use enrollment_core::record::{IndexName, Kind, UniqueName};

use crate::sqlite::{field, lines, list};

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
    /// Selects rows in the form that [`crate::row::read`] understands; a `where` follows.
    pub(crate) select: String,
    put: [String; 2],
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
        let keys: Vec<String> = unique
            .iter()
            .map(ToString::to_string)
            .chain(index.iter().flat_map(|name| [part(*name), name.to_string()]))
            .collect();
        let many_keys = many.as_ref().map_or("'[]'".to_owned(), |names| {
            format!(
                "(select json_group_array(json_array(name, value)) from many_keys m \
                 where m.id = {kind}.id and m.name in {names})"
            )
        });
        let select = format!(
            "select '{kind}', id, version, layout, body, json_array({}), {many_keys} from {kind}",
            keys.join(", ")
        );
        let columns: Vec<_> = ["id", "version", "layout", "body"].map(str::to_owned).into_iter().chain(keys).collect();
        let fields: Vec<_> = (0..columns.len()).map(field).collect();
        let sets: Vec<_> = columns[1..].iter().map(|column| format!("{column} = excluded.{column}")).collect();
        let put = [
            format!("insert into {kind} ({}) select {} from ", columns.join(", "), fields.join(", ")),
            format!(" where true on conflict (id) do update set {};", sets.join(", ")),
        ];
        Self { kind, unique, many, index, select, put }
    }

    /// Writes the rows of list `$n`, whose lines are [`crate::row::Line`]s; those that exist are replaced.
    pub(crate) fn put(&self, n: usize) -> String {
        let [insert, update] = &self.put;
        format!("{insert}{}{update}", lines(n))
    }

    /// Deletes the rows of list `$n`, whose lines are ids.
    pub(crate) fn delete(&self, n: usize) -> String {
        format!("delete from {} where id in {};", self.kind, list(n))
    }

    /// Takes the single-valued unique keys from the rows of list `$n`, which are written afterwards.
    pub(crate) fn vacate(&self, n: usize) -> String {
        let sets: Vec<_> = self.unique.iter().map(|column| format!("{column} = null")).collect();
        format!("update {} set {} where id in {};", self.kind, sets.join(", "), list(n))
    }
}

/// Removes the lines of list `$n`, (name, value, row), from the side table.
pub(crate) fn give_up_many(n: usize) -> String {
    let (name, value, lines) = (field(0), field(1), lines(n));
    format!("delete from many_keys where (name, value) in (select {name}, {value} from {lines});")
}

/// Adds them.
pub(crate) fn take_many(n: usize) -> String {
    insert("many_keys", &["name", "value", "id"], n)
}

/// Remembers the changes of list `$n`, (id, time, fingerprint).
pub(crate) fn applied(n: usize) -> String {
    insert("changes", &["id", "at", "fingerprint"], n)
}

/// Inserts the lines of list `$n`, which have a value for every column.
pub(crate) fn insert(into: &str, columns: &[&str], n: usize) -> String {
    let fields: Vec<_> = (0..columns.len()).map(field).collect();
    format!("insert into {into} ({}) select {} from {};", columns.join(", "), fields.join(", "), lines(n))
}
