//! What the database says about everything a group of changes expects, read in one statement.

use std::collections::{BTreeMap, HashMap};

use enrollment_core::id::{ChangeId, OutboxId};
use enrollment_core::port::{Change, LeaseRef, Op};
use enrollment_core::record::{KeyValue, Kind, RowKey, UniqueKey, UniqueName, Version};
use serde::Deserialize;
use sqlx::Row as _;
use sqlx::sqlite::SqliteConnection;
use uuid::Uuid;

use crate::error::Failure;
use crate::schema::table;
use crate::script::Script;
use crate::sqlite::list;

/// What a group is about.
#[derive(Debug, Default)]
pub(crate) struct Wanted<'a> {
    changes: Vec<ChangeId>,
    entries: Vec<OutboxId>,
    rows: BTreeMap<Kind, Vec<Uuid>>,
    keys: BTreeMap<UniqueName, Vec<&'a KeyValue>>,
}

/// What holds, as far as it was asked.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    /// Changes that were applied, with their fingerprints.
    pub(crate) changes: HashMap<ChangeId, String>,
    /// Entries that exist, with the fence of the lease that nobody else took and nothing ended.
    pub(crate) entries: HashMap<OutboxId, Option<u64>>,
    /// Where rows stand.
    pub(crate) rows: HashMap<RowKey, Version>,
    /// Who holds unique keys: those asked for, and all that the rows asked for have in the side table.
    pub(crate) held: HashMap<UniqueKey, RowKey>,
}

/// One line of the answer, as the database writes it in JSON.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Fact {
    Change(ChangeId, String),
    Entry(OutboxId, Option<u64>),
    Row(Kind, Uuid, Version),
    Held(UniqueName, KeyValue, Uuid),
}

impl<'a> Wanted<'a> {
    pub(crate) fn change(&mut self, change: &'a Change) {
        self.changes.push(change.id);
        self.entries.extend(change.enqueue.iter().map(|entry| entry.id));
        self.entries.extend(change.settle.map(|lease| lease.entry));
        for op in &change.ops {
            self.rows.entry(op.key().kind).or_default().push(op.key().id);
            if let Op::Put { next, .. } = op {
                for key in &next.unique {
                    self.keys.entry(key.name).or_default().push(&key.value);
                }
            }
        }
    }

    pub(crate) fn lease(&mut self, lease: &LeaseRef) {
        self.entries.push(lease.entry);
    }

    /// Begins a transaction that keeps all other writers out, and reads what is wanted.
    pub(crate) async fn begin(self, conn: &mut SqliteConnection) -> Result<Facts, Failure> {
        let failed = |error| Failure::new("reading what changes expect", error);
        let mut facts = Facts::default();
        for row in self.script().query().fetch_all(conn).await.map_err(failed)? {
            let json: String = row.try_get(0).map_err(failed)?;
            let fact =
                serde_json::from_str(&json).map_err(|_| Failure::corrupt("what changes expect cannot be read"))?;
            facts.add(fact);
        }
        Ok(facts)
    }

    /// A fact is `{"sort": [values]}`.
    pub(crate) fn script(&self) -> Script {
        let mut script = Script::default();
        let mut selects = Vec::new();
        if !self.changes.is_empty() {
            let ids = list(script.list(&self.changes));
            selects.push(format!(
                "select json_object('change', json_array(id, fingerprint)) from changes where id in {ids}"
            ));
        }
        if !self.entries.is_empty() {
            let ids = list(script.list(&self.entries));
            selects.push(format!(
                "select json_object('entry', json_array(id, case when leased_until is not null then fence end)) \
                 from outbox where id in {ids}"
            ));
        }
        for (kind, ids) in &self.rows {
            let ids = list(script.list(ids));
            selects.push(format!(
                "select json_object('row', json_array('{kind}', id, version)) from {kind} where id in {ids}"
            ));
            // What the rows hold in the side table is wanted in any case: it is compared with what they are to hold.
            if let Some(names) = &table(*kind).many {
                selects.push(format!("{HELD_OF_MANY} where id in {ids} and name in {names}"));
            }
        }
        for (name, values) in &self.keys {
            let (kind, values) = (name.kind(), list(script.list(values)));
            selects.push(if name.is_many() {
                format!("{HELD_OF_MANY} where name = '{name}' and value in {values}")
            } else {
                format!(
                    "select json_object('held', json_array('{name}', {name}, id)) from {kind} \
                     where {name} in {values}"
                )
            });
        }
        script.push("begin immediate;");
        script.push(&selects.join(" union all "));
        script
    }
}

const HELD_OF_MANY: &str = "select json_object('held', json_array(name, value, id)) from many_keys";

impl Facts {
    fn add(&mut self, fact: Fact) {
        match fact {
            Fact::Change(id, fingerprint) => {
                self.changes.insert(id, fingerprint);
            }
            Fact::Entry(id, fence) => {
                self.entries.insert(id, fence);
            }
            Fact::Row(kind, id, version) => {
                self.rows.insert(RowKey::new(kind, id), version);
            }
            Fact::Held(name, value, id) => {
                self.held.insert(UniqueKey { name, value }, RowKey::new(name.kind(), id));
            }
        }
    }
}
