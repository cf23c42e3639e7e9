//! Writing what a change comes to: one statement, or two when a key moves from one row to another. The rows of one
//! statement are written in no order, so that the key must have been given up before.

use enrollment_core::port::OutboxEntry;
use enrollment_core::record::{IndexName, KeyValue, Kind, Row, UniqueName, ValueType};

use super::schema::{Schema, column_types};
use super::script::Script;
use crate::batch::{Applied, ManyKey, Put, Writes};
use crate::outbox::{Changed, Settled};
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
            taking.part(|script| update(schema, script, *kind, &replacing));
        }
        if !new.is_empty() {
            taking.part(|script| insert(schema, script, *kind, &new));
        }
    }
    if !writes.taken.is_empty() {
        taking.part(|script| take_many(schema, script, &writes.taken));
    }
    if !writes.enqueued.is_empty() {
        taking.part(|script| enqueue(schema, script, &writes.enqueued));
    }
    for settled in &writes.settled {
        taking.part(|script| settle(schema, script, settled));
    }
    let applied = applied(schema, &mut taking.script, writes.applied);
    first.into_iter().chain([taking.end(&applied)]).collect()
}

/// Parts that are written together, as far as they were added.
#[derive(Default)]
struct Statement {
    script: Script,
    parts: Vec<String>,
}

impl Statement {
    fn part(&mut self, text: impl FnOnce(&mut Script) -> String) {
        let text = text(&mut self.script);
        self.parts.push(format!("part_{} as ({text})", self.parts.len()));
    }

    fn end(self, last: &str) -> Script {
        let Self { mut script, parts } = self;
        if !parts.is_empty() {
            script.push(&format!("with {} ", parts.join(", ")));
        }
        script.push(last);
        script
    }
}

/// Rows that nobody has made yet. Should somebody have, this fails and is looked at again.
fn insert(schema: &Schema, script: &mut Script, kind: Kind, rows: &[&Put<'_>]) -> String {
    let table = table(kind);
    let columns: Vec<_> = table.columns().collect();
    let lines = lines(script, table, rows);
    format!("insert into {} ({}) select * from {lines}", schema.of(kind), columns.join(", "))
}

/// Rows that are locked.
fn update(schema: &Schema, script: &mut Script, kind: Kind, rows: &[&Put<'_>]) -> String {
    let table = table(kind);
    let columns: Vec<_> = table.columns().collect();
    let sets: Vec<_> = columns[1..].iter().map(|column| format!("{column} = line.{column}")).collect();
    let lines = lines(script, table, rows);
    format!(
        "update {} old set {} from {lines} as line ({}) where old.id = line.id",
        schema.of(kind),
        sets.join(", "),
        columns.join(", ")
    )
}

/// The values of rows as arrays, one for each column.
fn lines(script: &mut Script, table: &Table, rows: &[&Put<'_>]) -> String {
    let rows = || rows.iter().map(|put| put.row);
    let mut places = vec![
        script.bind(rows().map(|row| row.key.id).collect::<Vec<_>>()),
        script.bind(rows().map(|row| signed(row.version.0)).collect::<Vec<_>>()),
        script.bind(rows().map(|row| i32::from(row.body.layout)).collect::<Vec<_>>()),
        script.bind(rows().map(|row| row.body.json.as_str()).collect::<Vec<_>>()),
    ];
    for name in &table.unique {
        places.push(values(script, name.value_type(), rows().map(|row| unique(row, *name))));
    }
    for name in &table.index {
        let keys = || rows().map(|row| row.index.iter().find(|key| key.name == *name));
        places.push(script.bind(keys().map(|key| key.map(|key| key.within.as_str())).collect::<Vec<_>>()));
        places.push(values(script, IndexName::value_type(*name), keys().map(|key| key.map(|key| &key.at))));
    }
    unnest(&places, &column_types(table))
}

fn unnest(places: &[String], types: &[&str]) -> String {
    let arrays: Vec<_> = places.iter().zip(types).map(|(place, sort)| format!("{place}::{sort}[]")).collect();
    format!("unnest({})", arrays.join(", "))
}

fn unique(row: &Row, name: UniqueName) -> Option<&KeyValue> {
    row.unique.iter().find(|key| key.name == name).map(|key| &key.value)
}

fn values<'v>(script: &mut Script, sort: ValueType, values: impl Iterator<Item = Option<&'v KeyValue>>) -> String {
    match sort {
        ValueType::Int => script.bind(values.map(|value| value.and_then(int)).collect::<Vec<_>>()),
        ValueType::Text => script.bind(values.map(|value| value.and_then(text)).collect::<Vec<_>>()),
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
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn give_up_many(schema: &Schema, script: &mut Script, keys: &[ManyKey<'_>]) -> String {
    let names = script.bind(keys.iter().map(|(name, ..)| name.as_str()).collect::<Vec<_>>());
    let values = script.bind(keys.iter().filter_map(|(_, value, _)| text(value)).collect::<Vec<_>>());
    format!(
        "delete from {} held using {} as line (name, value) \
         where held.name = line.name collate \"C\" and held.value = line.value collate \"C\"",
        schema.at("many_keys"),
        unnest(&[names, values], &["text", "text"])
    )
}

fn take_many(schema: &Schema, script: &mut Script, keys: &[ManyKey<'_>]) -> String {
    let names = script.bind(keys.iter().map(|(name, ..)| name.as_str()).collect::<Vec<_>>());
    let values = script.bind(keys.iter().filter_map(|(_, value, _)| text(value)).collect::<Vec<_>>());
    let ids = script.bind(keys.iter().map(|(.., id)| *id).collect::<Vec<_>>());
    let lines = unnest(&[names, values, ids], &["text", "text", "uuid"]);
    format!("insert into {} (name, value, id) select * from {lines}", schema.at("many_keys"))
}

fn enqueue(schema: &Schema, script: &mut Script, entries: &[&OutboxEntry]) -> String {
    let entries = || entries.iter();
    let streams = || entries().map(|entry| entry.stream.as_ref());
    let places = [
        script.bind(entries().map(|entry| entry.id.uuid()).collect::<Vec<_>>()),
        script.bind(entries().map(|entry| entry.channel.as_str()).collect::<Vec<_>>()),
        script.bind(streams().map(|stream| stream.map(|stream| stream.key.as_str())).collect::<Vec<_>>()),
        script.bind(streams().map(|stream| stream.map(|stream| signed(stream.order))).collect::<Vec<_>>()),
        script.bind(entries().map(|entry| entry.due.micros()).collect::<Vec<_>>()),
        script.bind(entries().map(|entry| i32::from(entry.body.layout)).collect::<Vec<_>>()),
        script.bind(entries().map(|entry| entry.body.json.as_str()).collect::<Vec<_>>()),
    ];
    let lines = unnest(&places, &["uuid", "text", "text", "bigint", "bigint", "integer", "text"]);
    let columns = "id, channel, stream, stream_order, due, layout, body";
    format!("insert into {} ({columns}) select * from {lines}", schema.at("outbox"))
}

/// What becomes of an entry; a further condition may follow.
pub(crate) fn settle(schema: &Schema, script: &mut Script, settled: &Settled<'_>) -> String {
    let Changed { leased_until, due, untried, outcome, why, ended_at } = settled.changed();
    // Reasons come from the world, and a text here has no NUL.
    let why = why.map(|why| why.replace('\0', "\u{fffd}"));
    let (leased_until, due) = (script.bind(leased_until), script.bind(due));
    let (untried, outcome, why) = (script.bind(untried), script.bind(outcome), script.bind(why));
    let (ended_at, id) = (script.bind(ended_at), script.bind(settled.entry.uuid()));
    format!(
        "update {} set leased_until = {leased_until}, due = coalesce({due}, due), tries = tries - {untried}, \
         outcome = {outcome}, why = coalesce({why}, why), ended_at = {ended_at} where id = {id}",
        schema.at("outbox")
    )
}

fn applied(schema: &Schema, script: &mut Script, changes: &[Applied<'_>]) -> String {
    let places = [
        script.bind(changes.iter().map(|Applied(id, ..)| *id).collect::<Vec<_>>()),
        script.bind(changes.iter().map(|Applied(_, at, _)| *at).collect::<Vec<_>>()),
        script.bind(changes.iter().map(|Applied(.., fingerprint)| *fingerprint).collect::<Vec<_>>()),
    ];
    let lines = unnest(&places, &["uuid", "bigint", "text"]);
    format!("insert into {} (id, at, fingerprint) select * from {lines}", schema.at("changes"))
}
