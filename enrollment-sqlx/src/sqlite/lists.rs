//! How lists are spelled, which travel as JSON: see [`Script`](super::script::Script).

/// The lines of list `$n` as rows, to be taken apart by [`field`]. In binary form, or each field would parse its line
/// once more.
pub(crate) fn lines(n: usize) -> String {
    format!("jsonb_each(${n})")
}

/// The value at place `i` of a line.
pub(crate) fn field(i: usize) -> String {
    format!("value->>{i}")
}

/// The document of which a line has the start at place `i` and the length after it. All documents of a script are
/// bound as `$1`, one after the other, and not as JSON within JSON: escaping and parsing them would be most of the work.
pub(crate) fn document(i: usize) -> String {
    format!("cast(substr($1, {}, {}) as text)", field(i), field(i + 1))
}

/// The lines of list `$n`, each a single value called `wanted`, to be followed by a table and what it is joined on.
/// For each value the table is entered once; an `in` would build a table and a filter of its own first.
pub(crate) fn each(n: usize) -> String {
    format!("(select value as wanted from json_each(${n})) cross join")
}

/// The lines of list `$n`, each a single value, as the right side of `in`.
pub(crate) fn list(n: usize) -> String {
    format!("(select value from json_each(${n}))")
}
