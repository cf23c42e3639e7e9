//! Asking SQLite for facts, in one statement.

use sqlx::Row as _;
use sqlx::sqlite::SqliteConnection;

use super::errors::failed;
use super::lists::each;
use super::script::Script;
use crate::error::Failure;
use crate::facts::{Fact, Facts, Wanted};
use crate::schema::table;

/// Begins a transaction that keeps all other writers out, and reads what is wanted.
pub(crate) async fn begin(wanted: &Wanted<'_>, conn: &mut SqliteConnection) -> Result<Facts, Failure> {
    let failed = failed("reading what changes expect");
    let mut facts = Facts::default();
    for row in script(wanted).query().fetch_all(conn).await.map_err(failed)? {
        let json: &str = row.try_get(0).map_err(failed)?;
        let list: Vec<Fact> =
            serde_json::from_str(json).map_err(|_| Failure::corrupt("what changes expect cannot be read"))?;
        list.into_iter().for_each(|fact| facts.add(fact));
    }
    Ok(facts)
}

/// A fact is `{"sort": [values]}`. All of them come as one list in one row: the driver wakes the waiting task for each row.
pub(crate) fn script(wanted: &Wanted<'_>) -> Script {
    let mut script = Script::default();
    let mut selects = Vec::new();
    if !wanted.changes.is_empty() {
        let ids = each(script.list(&wanted.changes));
        selects.push(format!(
            "select json_object('change', json_array(id, fingerprint)) from {ids} changes on id = wanted"
        ));
    }
    let entries: Vec<_> = wanted.enqueued.iter().chain(&wanted.settled).collect();
    if !entries.is_empty() {
        let ids = each(script.list(&entries));
        selects.push(format!(
            "select json_object('entry', json_array(id, case when leased_until is not null then fence end)) \
             from {ids} outbox on id = wanted"
        ));
    }
    for (kind, rows) in &wanted.rows {
        let (ids, table) = (each(script.list(&rows.ids)), table(*kind));
        // Compared with what they are to hold, as is what they hold in the side table.
        let columns = if rows.written { format!("json_array({})", table.keys.join(", ")) } else { "null".to_owned() };
        selects.push(format!(
            "select json_object('row', json_array('{kind}', id, version, {columns})) from {ids} {kind} on id = wanted"
        ));
        if let Some(names) = &table.many {
            selects.push(format!("{HELD_OF_MANY} from {ids} many_keys on id = wanted where name in {names}"));
        }
    }
    for (name, values) in &wanted.keys {
        let (kind, values) = (name.kind(), each(script.list(values)));
        selects.push(if name.is_many() {
            format!("{HELD_OF_MANY} from {values} many_keys on value = wanted where name = '{name}'")
        } else {
            format!(
                "select json_object('held', json_array('{name}', {name}, id)) \
                 from {values} {kind} on {name} = wanted"
            )
        });
    }
    script.push("begin immediate;");
    if !selects.is_empty() {
        let facts = selects.join(" union all ");
        script.push(&format!(
            "with facts (fact) as ({facts}) select '[' || coalesce(group_concat(fact), '') || ']' from facts"
        ));
    }
    script
}

const HELD_OF_MANY: &str = "select json_object('held', json_array(name, value, id))";
