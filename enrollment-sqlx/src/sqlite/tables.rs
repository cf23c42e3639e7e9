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
    put: [String; 2],
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
        let sets: Vec<_> = columns[1..].iter().map(|column| format!("{column} = excluded.{column}")).collect();
        let put = [
            format!("insert into {kind} ({}) select {} from ", columns.join(", "), fields.join(", ")),
            format!(" where true on conflict (id) do update set {};", sets.join(", ")),
        ];
        Self { table, select, put }
    }

    /// Writes the rows of list `$n`, whose lines are [`super::write::Line`]s; those that exist are replaced.
    pub(crate) fn put(&self, n: usize) -> String {
        let [insert, update] = &self.put;
        format!("{insert}{}{update}", lines(n))
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
