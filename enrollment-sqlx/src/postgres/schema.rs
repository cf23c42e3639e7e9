//! The schema in which the tables lie, and the SQL text about them. Every name is qualified: what else the database or
//! a host's connection has in its search path does not matter.

use enrollment_core::record::{IndexName, Kind, UniqueName, ValueType};

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
        let many_keys = table.many.as_ref().map_or("'[]'::text".to_owned(), |names| {
            format!(
                "(select coalesce(json_agg(json_build_array(m.name, m.value))::text, '[]') from {} m \
                 where m.id = {kind}.id and m.name in {names})",
                self.at("many_keys")
            )
        });
        format!(
            "select '{kind}'::text, {kind}.id, {kind}.version, {kind}.layout, {kind}.body, \
             json_build_array({})::text, {many_keys} from {} {kind}",
            table.keys.join(", "),
            self.of(kind)
        )
    }
}

/// The type of the columns of a unique key or of the places of an index.
pub(crate) const fn sql_type(value: ValueType) -> &'static str {
    match value {
        ValueType::Int => "bigint",
        ValueType::Text => "text",
    }
}

/// The types of a table's columns, in the order of [`Table::columns`].
pub(crate) fn column_types(table: &Table) -> Vec<&'static str> {
    let unique = table.unique.iter().copied().map(UniqueName::value_type).map(sql_type);
    let index = table.index.iter().copied().map(IndexName::value_type);
    let keys = unique.chain(index.flat_map(|place| ["text", sql_type(place)]));
    ["uuid", "bigint", "integer", "text"].into_iter().chain(keys).collect()
}
