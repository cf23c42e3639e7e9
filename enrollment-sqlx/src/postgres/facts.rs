//! Asking PostgreSQL for facts, in one statement that also locks what they are about.
//!
//! Rows that are written are locked `for update`, rows that are only checked `for share`, all in the order of kinds and
//! ids: two changes wait for each other, but not in a circle. Where a kind has both, all its rows are locked `for
//! update`, since one statement cannot lock one after the other in two ways.
//!
//! A statement sees what was committed when it began. A row that it waited for is locked as it stands *now*, while
//! everything else it reads is as it was *then*. So each locked row and entry is also read as it stood then; when the two
//! differ, the statement is run once more. What is locked moves no more, so this comes to an end.

use std::collections::HashMap;

use enrollment_core::id::{ChangeId, OutboxId};
use enrollment_core::record::{KeyValue, Kind, UniqueName, ValueType, Version};
use sqlx::Row as _;
use sqlx::postgres::{PgConnection, PgRow};
use uuid::Uuid;

use super::errors::Trouble;
use super::locks::Locks;
use super::schema::Schema;
use super::script::Script;
use super::write::{int, text};
use crate::error::Failure;
use crate::facts::{Fact, Facts, Wanted};
use crate::schema::table;

/// Reads and locks what is wanted, inside a transaction.
pub(crate) async fn lock(
    conn: &mut PgConnection,
    schema: &Schema,
    locks: &Locks,
    wanted: &Wanted<'_>,
) -> Result<Facts, Trouble> {
    let script = script(schema, locks, wanted);
    loop {
        let (facts, moved) = read(script.clone().query().fetch_all(&mut *conn).await?)?;
        if !moved {
            return Ok(facts);
        }
    }
}

/// A fact is (sort, name, id, number, text).
pub(crate) fn script(schema: &Schema, locks: &Locks, wanted: &Wanted<'_>) -> Script {
    let mut script = Script::default();
    // What takes locks, in the order in which the union below asks for it.
    let mut locking = Vec::new();
    let mut selects = Vec::new();
    if !locks.before_the_facts && locks.any() {
        locking.push(format!("absent as materialized ({})", locks.query(&mut script)));
        selects.push("select 'lock'::text, null::text, null::uuid, null::bigint, null::text from absent".to_owned());
    }
    for (kind, rows) in &wanted.rows {
        let (ids, place) = (script.bind(&rows.ids), schema.of(*kind));
        let how = if rows.written { "update" } else { "share" };
        locking.push(format!(
            "of_{kind} as materialized (select id, version from {place} where id = any({ids}) order by id for {how})"
        ));
        selects.push(format!("select 'row'::text, '{kind}'::text, id, version, null::text from of_{kind}"));
        selects.push(format!(
            "select 'row_then'::text, '{kind}'::text, id, version, null::text from {place} where id = any({ids})"
        ));
        // What the rows hold in the side table is wanted in any case: it is compared with what they are to hold.
        if let Some(names) = table(*kind).many.as_ref().filter(|_| rows.written) {
            let many_keys = schema.at("many_keys");
            selects.push(format!("{HELD_OF_MANY} from {many_keys} where id = any({ids}) and name in {names}"));
        }
    }
    let outbox = schema.at("outbox");
    let fence = "case when leased_until is not null then fence end";
    if !wanted.settled.is_empty() {
        let ids = script.bind(outbox_ids(&wanted.settled));
        locking.push(format!(
            "leases as materialized (select id, {fence} as fence from {outbox} where id = any({ids}) order by id for update)"
        ));
        selects.push("select 'entry'::text, null::text, id, fence, null::text from leases".to_owned());
        selects.push(format!(
            "select 'entry_then'::text, null::text, id, {fence}, null::text from {outbox} where id = any({ids})"
        ));
    }
    if !wanted.enqueued.is_empty() {
        let ids = script.bind(outbox_ids(&wanted.enqueued));
        selects.push(format!(
            "select 'entry'::text, null::text, id, {fence}, null::text from {outbox} where id = any({ids})"
        ));
    }
    let changes = script.bind(wanted.changes.iter().map(|id| id.uuid()).collect::<Vec<_>>());
    selects.push(format!(
        "select 'change'::text, null::text, id, null::bigint, fingerprint from {} where id = any({changes})",
        schema.at("changes")
    ));
    for (name, values) in &wanted.keys {
        let values = match name.value_type() {
            ValueType::Int => script.bind(values.iter().filter_map(|value| int(value)).collect::<Vec<_>>()),
            ValueType::Text => script.bind(values.iter().filter_map(|value| text(value)).collect::<Vec<_>>()),
        };
        selects.push(held(schema, *name, &values));
    }
    if !locking.is_empty() {
        script.push(&format!("with {} ", locking.join(", ")));
    }
    script.push(&selects.join(" union all "));
    script
}

const HELD_OF_MANY: &str = "select 'held'::text, name, id, null::bigint, value";

/// Who holds which of these values under a name.
fn held(schema: &Schema, name: UniqueName, values: &str) -> String {
    if name.is_many() {
        let many_keys = schema.at("many_keys");
        return format!("{HELD_OF_MANY} from {many_keys} where name = '{name}' and value = any({values})");
    }
    let columns = match name.value_type() {
        ValueType::Int => format!("{name}, null::text"),
        ValueType::Text => format!("null::bigint, {name}"),
    };
    let place = schema.of(name.kind());
    format!("select 'held'::text, '{name}'::text, id, {columns} from {place} where {name} = any({values})")
}

fn outbox_ids(ids: &[OutboxId]) -> Vec<Uuid> {
    ids.iter().map(|id| id.uuid()).collect()
}

/// Where a row or an entry stands; no kind: an entry of the outbox.
type Standing = HashMap<(Option<String>, Uuid), Option<i64>>;

/// The facts, and whether something moved while the statement waited for it.
fn read(rows: Vec<PgRow>) -> Result<(Facts, bool), Trouble> {
    let mut facts = Facts::default();
    let (mut now, mut then) = (Standing::new(), Standing::new());
    for row in rows {
        let sort: &str = row.try_get(0)?;
        if sort == "lock" {
            continue;
        }
        let (name, id): (Option<String>, Uuid) = (row.try_get(1)?, row.try_get(2)?);
        let (number, text): (Option<i64>, Option<String>) = (row.try_get(3)?, row.try_get(4)?);
        match sort {
            "row_then" | "entry_then" => {
                then.insert((name, id), number);
                continue;
            }
            "row" => {
                now.insert((name.clone(), id), number);
            }
            // Entries that are only enqueued are not locked and have no `then`: those that exist are misuse.
            "entry" => {
                now.insert((None, id), number);
            }
            _ => {}
        }
        let fact = decode(sort, name.as_deref(), id, number, text);
        facts.add(fact.ok_or(Failure::corrupt("what changes expect cannot be read"))?);
    }
    let moved = then.iter().any(|(key, stood)| now.get(key) != Some(stood));
    Ok((facts, moved))
}

fn decode(sort: &str, name: Option<&str>, id: Uuid, number: Option<i64>, text: Option<String>) -> Option<Fact> {
    let unsigned = |number: i64| u64::try_from(number).ok();
    Some(match sort {
        "change" => Fact::Change(ChangeId::from_uuid(id), text?),
        "entry" => Fact::Entry(OutboxId::from_uuid(id), number.map(unsigned).map_or(Some(None), |n| n.map(Some))?),
        "row" => Fact::Row(name?.parse::<Kind>().ok()?, id, Version(unsigned(number?)?), None),
        "held" => {
            let value = number.map(KeyValue::Int).or(text.map(KeyValue::Text))?;
            Fact::Held(name?.parse::<UniqueName>().ok()?, value, id)
        }
        _ => return None,
    })
}
