//! Writing what some changes come to, as one script.

use std::collections::BTreeMap;

use enrollment_core::record::{KeyValue, Row};
use serde::ser::{Serialize, SerializeSeq, Serializer};

use super::outbox::{self, Ended, Entry};
use super::script::{Place, Script};
use super::tables::{self, texts};
use crate::batch::Writes;
use crate::row::key_columns;

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
        let vacated = writes.vacated.get(kind).map_or(&[][..], Vec::as_slice);
        let mut new = Vec::new();
        let mut replacing: BTreeMap<Vec<usize>, Vec<Line<'_>>> = BTreeMap::new();
        for put in rows {
            let keys = key_columns(put.row);
            let lines = if put.replaces {
                let before = put.columns.filter(|_| !vacated.contains(&put.row.key.id));
                replacing.entry(changed(before, &keys)).or_default()
            } else {
                &mut new
            };
            lines.push(Line { row: put.row, keys, body: script.document(&put.row.body.json) });
        }
        for (changed, lines) in replacing {
            script.add(&lines, |n| texts.update(&changed, n));
        }
        script.add(&new, |n| texts.insert(n));
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

/// The places of what differs; all of them if it is not known what stood before.
fn changed(before: Option<&[Option<KeyValue>]>, after: &[Option<KeyValue>]) -> Vec<usize> {
    let differs = |place: &usize| before.is_none_or(|before| before.get(*place) != after.get(*place));
    (0..after.len()).filter(differs).collect()
}

/// A row as [`Texts`](super::tables::Texts) takes it: the values of all columns in order.
#[derive(Debug)]
pub(crate) struct Line<'a> {
    row: &'a Row,
    keys: Vec<Option<KeyValue>>,
    /// Where its document lies in the script.
    body: Place,
}

impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { row, keys, body } = self;
        let mut line = serializer.serialize_seq(None)?;
        line.serialize_element(&row.key.id)?;
        line.serialize_element(&row.version)?;
        line.serialize_element(&row.body.layout)?;
        line.serialize_element(&body.from)?;
        line.serialize_element(&body.length)?;
        for key in keys {
            line.serialize_element(key)?;
        }
        line.end()
    }
}
