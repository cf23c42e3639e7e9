//! The SQL text about tables, built once.

use std::sync::LazyLock;

use enrollment_core::record::Kind;

use super::lists::{document, field, lines, list};
use crate::schema;

/// The texts about one kind of row.
#[derive(Debug)]
pub(crate) struct Texts {
    pub(crate) table: &'static schema::Table,
    /// Selects rows in the form that [`super::read`] understands; a `from` follows.
    pub(crate) select: String,
    insert: String,
    update: String,
}

/// The texts about a kind.
pub(crate) fn texts(kind: Kind) -> &'static Texts {
    static TEXTS: LazyLock<Vec<Texts>> = LazyLock::new(|| Kind::ALL.iter().copied().map(Texts::new).collect());
    TEXTS.iter().find(|texts| texts.table.kind == kind).expect("built from all kinds")
}

impl Texts {
    fn new(kind: Kind) -> Self {
        let table = schema::table(kind);
        let many_keys = table.many.as_ref().map_or("'[]'".to_owned(), |names| {
            format!(
                "(select json_group_array(json_array(name, value)) from many_keys m \
                 where m.id = {kind}.id and m.name in {names})"
            )
        });
        let keys = table.keys.join(", ");
        let select = format!("select '{kind}', {kind}.id, version, layout, body, json_array({keys}), {many_keys}");
        let columns: Vec<_> = table.columns().collect();
        // A document takes two places of a line.
        let after_body = (5..=columns.len()).map(field);
        let fields: Vec<_> = [field(0), field(1), field(2), document(3)].into_iter().chain(after_body).collect();
        let insert = format!("insert into {kind} ({}) select {} from ", columns.join(", "), fields.join(", "));
        let sets: Vec<_> = columns.iter().zip(&fields).map(|(column, field)| format!("{column} = {field}")).collect();
        let update = format!("update {kind} set {}", sets[1..4].join(", "));
        Self { table, select, insert, update }
    }

    /// Adds the rows of list `$n`, whose lines are [`super::write::Line`]s.
    pub(crate) fn insert(&self, n: usize) -> String {
        format!("{}{};", self.insert, lines(n))
    }

    /// Replaces the rows of list `$n`, whose lines are [`super::write::Line`]s, of which these key columns change. What is
    /// not named keeps its place in the indexes: SQLite writes an index anew for every column that is set, whatever to.
    pub(crate) fn update(&self, changed: &[usize], n: usize) -> String {
        let kind = self.table.kind;
        let keys = changed.iter().map(|key| format!(", {} = {}", self.table.keys[*key], field(5 + key)));
        let sets: String = keys.collect();
        format!("{}{sets} from {} line where {kind}.id = {};", self.update, lines(n), field(0))
    }

    /// Deletes the rows of list `$n`, whose lines are ids.
    pub(crate) fn delete(&self, n: usize) -> String {
        format!("delete from {} where id in {};", self.table.kind, list(n))
    }

    /// Takes the single-valued unique keys from the rows of list `$n`, which are written afterwards.
    pub(crate) fn vacate(&self, n: usize) -> String {
        let sets: Vec<_> = self.table.unique.iter().map(|column| format!("{column} = null")).collect();
        format!("update {} set {} where id in {};", self.table.kind, sets.join(", "), list(n))
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
fn insert(into: &str, columns: &[&str], n: usize) -> String {
    let fields: Vec<_> = (0..columns.len()).map(field).collect();
    format!("insert into {into} ({}) select {} from {};", columns.join(", "), fields.join(", "), lines(n))
}
