//! Writing what a change comes to: one statement, or two when a key moves from one row to another. The rows of one
//! statement are written in no order, so that the key must have been given up before.

use enrollment_core::port::OutboxEntry;
use enrollment_core::record::{IndexName, KeyValue, Kind, Row, ValueType};

use uuid::Uuid;

use super::lines::{Cell, lines};
use super::schema::Schema;
use super::script::Script;
use crate::batch::{Applied, ManyKey, Writes};
use crate::outbox::Changed;
use crate::schema::{Table, table};

/// The statements that make it so, in order.
pub(crate) fn statements(schema: &Schema, writes: &Writes<'_>) -> Vec<Script> {
    let mut giving = Statement::default();
    for (kind, ids) in &writes.deleted {
        giving.part(|script| format!("delete from {} where id = any({})", schema.of(*kind), script.bind(ids)));
    }
    for (kind, ids) in &writes.vacated {
        let sets: Vec<_> = table(*kind).unique.iter().map(|column| format!("{column} = null")).collect();
        giving.part(|script| {
            format!("update {} set {} where id = any({})", schema.of(*kind), sets.join(", "), script.bind(ids))
        });
    }
    if !writes.given_up.is_empty() {
        giving.part(|script| give_up_many(schema, script, &writes.given_up));
    }
    let (first, mut taking) =
        if writes.moves_keys { (Some(giving.end("select 1")), Statement::default()) } else { (None, giving) };
    for (kind, rows) in &writes.put {
        let (replacing, new): (Vec<_>, Vec<_>) = rows.iter().partition(|put| put.replaces);
        if !replacing.is_empty() {
            taking.part(|script| update(schema, script, *kind, replacing.iter().map(|put| put.row)));
        }
        if !new.is_empty() {
            taking.part(|script| insert(schema, script, *kind, new.iter().map(|put| put.row)));
        }
    }
    if !writes.taken.is_empty() {
        taking.part(|script| take_many(schema, script, &writes.taken));
    }
    if !writes.enqueued.is_empty() {
        taking.part(|script| enqueue(schema, script, writes.enqueued.iter().copied()));
    }
    for settled in &writes.settled {
        taking.part(|script| settle(schema, script, &[settled.entry.uuid()], &settled.changed()));
    }
    let applied = applied(schema, &mut taking.script, writes.applied);
    first.into_iter().chain([taking.end(&applied)]).collect()
}

/// Parts that are written together, as far as they were added.
#[derive(Default)]
pub(crate) struct Statement {
    script: Script,
    parts: Vec<String>,
}

impl Statement {
    /// Adds a part that nothing refers to.
    pub(crate) fn part(&mut self, text: impl FnOnce(&mut Script) -> String) {
        let text = text(&mut self.script);
        self.parts.push(format!("part_{} as ({text})", self.parts.len()));
    }

    /// Adds a part that is carried out when another refers to it, and once.
    pub(crate) fn named(&mut self, name: &str, text: impl FnOnce(&mut Script) -> String) {
        let text = text(&mut self.script);
        self.parts.push(format!("{name} as materialized ({text})"));
    }

    pub(crate) fn end(self, last: &str) -> Script {
        let Self { mut script, parts } = self;
        if !parts.is_empty() {
            script.push(&format!("with {} ", parts.join(", ")));
        }
        script.push(last);
        script
    }
}

/// Rows that nobody has made yet. Should somebody have, this fails and is looked at again. A condition may follow.
pub(crate) fn insert<'r>(
    schema: &Schema,
    script: &mut Script,
    kind: Kind,
    rows: impl IntoIterator<Item = &'r Row>,
) -> String {
    let table = table(kind);
    let lines = row_lines(script, table, rows);
    let columns: Vec<_> = table.columns().collect();
    format!("insert into {} ({}) select * from {lines} as line", schema.of(kind), columns.join(", "))
}

/// Rows that are locked. A further condition may follow.
pub(crate) fn update<'r>(
    schema: &Schema,
    script: &mut Script,
    kind: Kind,
    rows: impl IntoIterator<Item = &'r Row>,
) -> String {
    let table = table(kind);
    let lines = row_lines(script, table, rows);
    let columns: Vec<_> = table.columns().collect();
    let sets: Vec<_> = columns[1..].iter().map(|column| format!("{column} = line.{column}")).collect();
    format!(
        "update {} old set {} from {lines} as line ({}) where old.id = line.id",
        schema.of(kind),
        sets.join(", "),
        columns.join(", ")
    )
}

fn row_lines<'r>(script: &mut Script, table: &Table, rows: impl IntoIterator<Item = &'r Row>) -> String {
    let all: Vec<_> = rows.into_iter().map(|row| row_line(table, row)).collect();
    lines(script, &all)
}

/// In the order of [`Table::columns`].
fn row_line<'r>(table: &Table, row: &'r Row) -> Vec<Cell<'r>> {
    let mut line = vec![
        Cell::Id(row.key.id),
        Cell::Int(Some(signed(row.version.0))),
        Cell::Small(row.body.layout.into()),
        Cell::Text(Some(&row.body.json)),
    ];
    for name in &table.unique {
        let key = row.unique.iter().find(|key| key.name == *name);
        line.push(cell(name.value_type(), key.map(|key| &key.value)));
    }
    for name in &table.index {
        let key = row.index.iter().find(|key| key.name == *name);
        line.push(Cell::Text(key.map(|key| key.within.as_str())));
        line.push(cell(IndexName::value_type(*name), key.map(|key| &key.at)));
    }
    line
}

fn cell(sort: ValueType, value: Option<&KeyValue>) -> Cell<'_> {
    match sort {
        ValueType::Int => Cell::Int(value.and_then(int)),
        ValueType::Text => Cell::Text(value.and_then(text)),
    }
}

pub(crate) fn int(value: &KeyValue) -> Option<i64> {
    match value {
        KeyValue::Int(value) => Some(*value),
        KeyValue::Text(_) => None,
    }
}

pub(crate) fn text(value: &KeyValue) -> Option<&str> {
    match value {
        KeyValue::Int(_) => None,
        KeyValue::Text(value) => Some(value),
    }
}

/// A number that was checked to be in range before the transaction began.
pub(crate) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Keys of the side table as lines of name, value and id.
pub(crate) fn many_lines(script: &mut Script, keys: &[ManyKey<'_>]) -> String {
    let line = keys
        .iter()
        .map(|(name, value, id)| vec![Cell::Text(Some(name.as_str())), Cell::Text(text(value)), Cell::Id(*id)]);
    let all: Vec<_> = line.collect();
    format!("{} as line (name, value, id)", lines(script, &all))
}

/// Whether a line of [`many_lines`] and one of the side table have the same key.
pub(crate) const SAME_KEY: &str = "held.name = line.name collate \"C\" and held.value = line.value collate \"C\"";

fn give_up_many(schema: &Schema, script: &mut Script, keys: &[ManyKey<'_>]) -> String {
    let lines = many_lines(script, keys);
    format!("delete from {} held using {lines} where {SAME_KEY}", schema.at("many_keys"))
}

/// A condition may follow.
pub(crate) fn take_many(schema: &Schema, script: &mut Script, keys: &[ManyKey<'_>]) -> String {
    let lines = many_lines(script, keys);
    format!("insert into {} (name, value, id) select line.* from {lines}", schema.at("many_keys"))
}

/// A condition may follow.
pub(crate) fn enqueue<'e>(
    schema: &Schema,
    script: &mut Script,
    entries: impl IntoIterator<Item = &'e OutboxEntry>,
) -> String {
    let line = |entry: &'e OutboxEntry| {
        let stream = entry.stream.as_ref();
        vec![
            Cell::Id(entry.id.uuid()),
            Cell::Text(Some(entry.channel.as_str())),
            Cell::Text(stream.map(|stream| stream.key.as_str())),
            Cell::Int(stream.map(|stream| signed(stream.order))),
            Cell::Int(Some(entry.due.micros())),
            Cell::Small(entry.body.layout.into()),
            Cell::Text(Some(&entry.body.json)),
        ]
    };
    let all: Vec<_> = entries.into_iter().map(line).collect();
    let lines = lines(script, &all);
    let columns = "id, channel, stream, stream_order, due, layout, body";
    format!("insert into {} ({columns}) select * from {lines} as line", schema.at("outbox"))
}

/// What becomes of some entries; a further condition may follow.
pub(crate) fn settle(schema: &Schema, script: &mut Script, entries: &[Uuid], changed: &Changed<'_>) -> String {
    let Changed { leased_until, due, untried, outcome, why, ended_at } = *changed;
    // Reasons come from the world, and a text here has no NUL.
    let why = why.map(|why| why.replace('\0', "\u{fffd}"));
    let (leased_until, due) = (script.bind(leased_until), script.bind(due));
    let (untried, outcome, why) = (script.bind(untried), script.bind(outcome), script.bind(why));
    let (ended_at, entries) = (script.bind(ended_at), among(script, entries));
    format!(
        "update {} set leased_until = {leased_until}, due = coalesce({due}, due), tries = tries - {untried}, \
         outcome = {outcome}, why = coalesce({why}, why), ended_at = {ended_at} where id {entries}",
        schema.at("outbox")
    )
}

/// A condition on an id. One that is alone needs no array.
fn among(script: &mut Script, ids: &[Uuid]) -> String {
    match ids {
        [id] => format!("= {}", script.bind(id)),
        ids => format!("= any({})", script.bind(ids)),
    }
}

/// A condition may follow.
pub(crate) fn applied(schema: &Schema, script: &mut Script, changes: &[Applied<'_>]) -> String {
    let line = changes
        .iter()
        .map(|Applied(id, at, fingerprint)| vec![Cell::Id(*id), Cell::Int(Some(*at)), Cell::Text(Some(fingerprint))]);
    let all: Vec<_> = line.collect();
    let lines = lines(script, &all);
    format!("insert into {} (id, at, fingerprint) select * from {lines} as line", schema.at("changes"))
}
