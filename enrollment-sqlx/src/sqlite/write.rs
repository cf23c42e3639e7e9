//! Writing what some changes come to, as one script.

use enrollment_core::record::Row;
use serde::ser::{Serialize, SerializeSeq, Serializer};

use super::outbox::{self, Ended, Entry};
use super::script::{Place, Script};
use super::tables::{self, texts};
use crate::batch::Writes;
use crate::schema::Table;

/// The statements that make it so.
pub(crate) fn script(writes: &Writes<'_>) -> Script {
    let mut script = Script::default();
    for (kind, ids) in &writes.deleted {
        script.add(ids, |n| texts(*kind).delete(n));
    }
    for (kind, ids) in &writes.vacated {
        script.add(ids, |n| texts(*kind).vacate(n));
    }
    script.add(&writes.given_up, tables::give_up_many);
    for (kind, rows) in &writes.put {
        let texts = texts(*kind);
        let line = |row| Line { table: texts.table, row, body: script.document(&row.body.json) };
        let lines: Vec<_> = rows.iter().map(|put| put.row).map(line).collect();
        script.add(&lines, |n| texts.put(n));
    }
    script.add(&writes.taken, tables::take_many);
    let entry = |entry| Entry { entry, body: script.document(&entry.body.json) };
    let enqueued: Vec<_> = writes.enqueued.iter().copied().map(entry).collect();
    script.add(&enqueued, outbox::enqueue_text);
    let settled: Vec<_> = writes.settled.iter().copied().map(Ended).collect();
    script.add(&settled, outbox::settle_text);
    script.add(writes.applied, tables::applied);
    script
}

/// A row as [`Texts::put`](super::tables::Texts::put) takes it: the values of all columns in order.
#[derive(Debug)]
pub(crate) struct Line<'a> {
    pub(crate) table: &'static Table,
    pub(crate) row: &'a Row,
    /// Where its document lies in the script.
    pub(crate) body: Place,
}

impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { table, row, body } = self;
        let mut line = serializer.serialize_seq(None)?;
        line.serialize_element(&row.key.id)?;
        line.serialize_element(&row.version)?;
        line.serialize_element(&row.body.layout)?;
        line.serialize_element(&body.from)?;
        line.serialize_element(&body.length)?;
        for name in &table.unique {
            line.serialize_element(&row.unique.iter().find(|key| key.name == *name).map(|key| &key.value))?;
        }
        for name in &table.index {
            let key = row.index.iter().find(|key| key.name == *name);
            line.serialize_element(&key.map(|key| &key.within))?;
            line.serialize_element(&key.map(|key| &key.at))?;
        }
        line.end()
    }
}
