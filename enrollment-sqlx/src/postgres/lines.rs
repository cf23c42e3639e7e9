//! Lines of values that a statement writes.

use uuid::Uuid;

use super::script::Script;

/// One value of a line.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Cell<'v> {
    Id(Uuid),
    Small(i32),
    Int(Option<i64>),
    Text(Option<&'v str>),
}

/// Up to so many lines stand in the text value by value. More travel as one array for each column, so that the text, by
/// which a prepared statement is found again, does not depend on how many there are. Arrays cost the server a function
/// for each column: on few lines more than all the rest of the statement.
const FEW: usize = 4;

/// The lines as an item of a `from`, which wants an alias. There is at least one, and all are alike.
pub(crate) fn lines(script: &mut Script, lines: &[Vec<Cell<'_>>]) -> String {
    if lines.len() > FEW { arrays(script, lines) } else { values(script, lines) }
}

fn values(script: &mut Script, lines: &[Vec<Cell<'_>>]) -> String {
    let mut line = |cells: &Vec<Cell<'_>>| {
        let places: Vec<_> = cells.iter().map(|cell| place(script, *cell)).collect();
        format!("({})", places.join(", "))
    };
    format!("(values {})", lines.iter().map(&mut line).collect::<Vec<_>>().join(", "))
}

fn place(script: &mut Script, cell: Cell<'_>) -> String {
    match cell {
        Cell::Id(id) => script.bind(id) + "::uuid",
        Cell::Small(number) => script.bind(number) + "::integer",
        Cell::Int(number) => script.bind(number) + "::bigint",
        Cell::Text(text) => script.bind(text) + "::text",
    }
}

fn arrays(script: &mut Script, lines: &[Vec<Cell<'_>>]) -> String {
    let columns = lines.first().map_or(0, Vec::len);
    let arrays: Vec<_> = (0..columns).map(|nth| array(script, lines.iter().map(|line| line[nth]))).collect();
    format!("unnest({})", arrays.join(", "))
}

fn array<'v>(script: &mut Script, cells: impl Iterator<Item = Cell<'v>> + Clone) -> String {
    macro_rules! all {
        ($sort:ident, $cast:literal) => {{
            let values = cells.map(|cell| if let Cell::$sort(value) = cell { Some(value) } else { None });
            script.bind(values.map(|value| value.expect("lines are alike")).collect::<Vec<_>>()) + $cast
        }};
    }
    match cells.clone().next() {
        Some(Cell::Id(_)) => all!(Id, "::uuid[]"),
        Some(Cell::Small(_)) => all!(Small, "::integer[]"),
        Some(Cell::Int(_)) => all!(Int, "::bigint[]"),
        Some(Cell::Text(_)) | None => all!(Text, "::text[]"),
    }
}
