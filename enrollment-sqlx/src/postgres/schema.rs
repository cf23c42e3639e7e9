//! The schema in which the tables lie, and the SQL text about them. Every name is qualified: what else the database or
//! a host's connection has in its search path does not matter.

use enrollment_core::record::Kind;

use crate::error::OpenError;
use crate::schema::{Table, table};

/// A schema by its name, which needs no quotes but for words of SQL.
#[derive(Debug, Clone)]
pub(crate) struct Schema {
    name: String,
    /// How each kind of row is selected, up to the `from`.
    selects: Vec<(Kind, String)>,
}

impl Schema {
    pub(crate) fn new(name: &str) -> Result<Self, OpenError> {
        let starts = name.starts_with(|first: char| first.is_ascii_lowercase() || first == '_');
        let of_these = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        if !starts || !of_these || name.len() > 63 {
            return Err(OpenError::SchemaName(name.to_owned()));
        }
        let mut schema = Self { name: name.to_owned(), selects: Vec::new() };
        schema.selects = Kind::ALL.iter().map(|kind| (*kind, schema.make_select(table(*kind)))).collect();
        Ok(schema)
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// A number that stands for the schema in the numbers of locks; two that share one wait for each other.
    pub(crate) fn number(&self) -> i32 {
        self.name.bytes().fold(0, |number: i32, byte| number.wrapping_mul(31).wrapping_add(byte.into()))
    }

    /// A table by its qualified name.
    pub(crate) fn at(&self, table: &str) -> String {
        format!("\"{}\".{table}", self.name)
    }

    /// The table of a kind by its qualified name.
    pub(crate) fn of(&self, kind: Kind) -> String {
        self.at(kind.as_str())
    }

    /// Selects rows of a kind in the form that [`super::read`] understands; a `where` may follow.
    pub(crate) fn select(&self, kind: Kind) -> &str {
        let found = self.selects.iter().find(|(of, _)| *of == kind);
        found.map(|(_, select)| select.as_str()).expect("built from all kinds")
    }

    fn make_select(&self, table: &Table) -> String {
        let kind = table.kind;
        // Arrays, because the server reads what a JSON function is given anew for every statement.
        let many_keys = table.many.as_ref().map_or("'{}'::text[]".to_owned(), |names| {
            format!(
                "array(select m.name || ' ' || m.value from {} m where m.id = {kind}.id and m.name in {names})",
                self.at("many_keys")
            )
        });
        let keys: Vec<_> = table.keys.iter().map(|column| format!("{column}::text")).collect();
        format!(
            "select '{kind}'::text, {kind}.id, {kind}.version, {kind}.layout, {kind}.body, \
             array[{}]::text[], {many_keys} from {} {kind}",
            keys.join(", "),
            self.of(kind)
        )
    }
}
