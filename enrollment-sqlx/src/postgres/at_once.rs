//! A change in one statement, and so in one round trip: what nearly every change comes to when nobody is in its way.
//!
//! The statement locks what the change expects, in the order in which every change does (see [`super::facts`]), and
//! writes only if all of it stands as expected. It judges nothing else: a key that somebody holds, an id that was used
//! and the like are refused by the unique indexes. When it wrote nothing or was refused, the change is looked at more
//! closely, by [`super::commit`].
//!
//! What is locked is compared by version in the condition under which it is locked. A row that had to be waited for is
//! compared anew as it stands then; and when its version is the expected one, it is the row that the statement saw from
//! the start, since versions only grow.

use std::collections::BTreeMap;

use enrollment_core::port::{Change, Expect, LeaseRef, Op, Settlement};
use enrollment_core::record::{Kind, Row, Version};
use uuid::Uuid;

use super::locks::Locks;
use super::schema::Schema;
use super::script::Script;
use super::write::{self, SAME_KEY, Statement};
use crate::batch::{Applied, ManyKey};
use crate::outbox::Changed;
use crate::schema::table;

/// More operations are looked at first: whoever changes that much has more to lose than a round trip.
const FEW: usize = 32;

/// Under which the parts of the statement write.
const FITS: &str = "(select fits from verdict)";

/// The statement, which answers in one row whether it wrote. `None`: the change needs locks that must be held before
/// anything is read, or is large.
pub(super) fn script(schema: &Schema, change: &Change, locks: &Locks, fingerprint: &str) -> Option<Script> {
    if locks.before_the_facts || change.ops.len() + change.enqueue.len() > FEW {
        return None;
    }
    let mut statement = Statement::default();
    let conditions = expectations(schema, &mut statement, change, locks)?;
    statement.named("verdict", |_| format!("select {} as fits", conditions.join(" and ")));
    writes(schema, &mut statement, change);
    let applied = [Applied(change.id.uuid(), change.at.micros(), fingerprint)];
    statement.part(|script| format!("{} where {FITS}", write::applied(schema, script, &applied)));
    Some(statement.end("select fits from verdict"))
}

/// What must be locked and found, each as a condition. They are evaluated from the first on, up to one that does not
/// hold: this is what keeps the order of locks.
fn expectations(schema: &Schema, statement: &mut Statement, change: &Change, locks: &Locks) -> Option<Vec<String>> {
    let mut conditions = vec!["true".to_owned()];
    if locks.any() {
        statement.named("absent", |script| locks.query(script));
        conditions.push("(select count(*) from absent) > 0".to_owned());
    }
    for (kind, expected) in expected(change) {
        statement.named(&format!("of_{kind}"), |script| lock(schema, script, kind, &expected));
        conditions.push(format!("(select count(*) from of_{kind}) = {}", expected.rows.len()));
    }
    if !change.settle.is_empty() {
        let fences = change.settle.iter().map(|lease| i64::try_from(lease.fence).ok()).collect::<Option<Vec<_>>>()?;
        statement.named("leases", |script| lock_leases(schema, script, &change.settle, &fences));
        conditions.push(format!("(select count(*) from leases) = {}", change.settle.len()));
    }
    Some(conditions)
}

/// The rows of a kind that must stand at a version.
#[derive(Default)]
struct Expected {
    rows: Vec<(Uuid, Version)>,
    /// Whether any of them is written; otherwise all are only held.
    written: bool,
}

fn expected(change: &Change) -> BTreeMap<Kind, Expected> {
    let mut kinds: BTreeMap<Kind, Expected> = BTreeMap::new();
    for op in &change.ops {
        let (version, written) = match op {
            Op::Put { expect: Expect::Absent, .. } | Op::Check { version: None, .. } => continue,
            Op::Put { expect: Expect::Version(version), .. } | Op::Delete { version, .. } => (*version, true),
            Op::Check { version: Some(version), .. } => (*version, false),
        };
        let of_kind = kinds.entry(op.key().kind).or_default();
        of_kind.rows.push((op.key().id, version));
        of_kind.written |= written;
    }
    kinds
}

fn lock(schema: &Schema, script: &mut Script, kind: Kind, expected: &Expected) -> String {
    let place = schema.of(kind);
    let how = if expected.written { "update" } else { "share" };
    let (ids, versions): (Vec<_>, Vec<_>) =
        expected.rows.iter().map(|(id, version)| (*id, write::signed(version.0))).unzip();
    let standing = standing(script, "version", &ids, &versions);
    format!("select id from {place} where {standing} order by id for {how}")
}

/// A condition: the row is one of these, and its column has the number that goes with it.
fn standing(script: &mut Script, column: &str, ids: &[Uuid], numbers: &[i64]) -> String {
    if let ([id], [number]) = (ids, numbers) {
        return format!("id = {} and {column} = {}", script.bind(id), script.bind(number));
    }
    let (ids, numbers) = (script.bind(ids), script.bind(numbers));
    format!("id = any({ids}::uuid[]) and {column} = ({numbers}::bigint[])[array_position({ids}::uuid[], id)]")
}

fn lock_leases(schema: &Schema, script: &mut Script, leases: &[LeaseRef], fences: &[i64]) -> String {
    let outbox = schema.at("outbox");
    let standing = standing(script, "fence", &entries(leases), fences);
    format!("select id from {outbox} where {standing} and leased_until is not null order by id for update")
}

fn entries(leases: &[LeaseRef]) -> Vec<Uuid> {
    leases.iter().map(|lease| lease.entry.uuid()).collect()
}

fn writes(schema: &Schema, statement: &mut Statement, change: &Change) {
    let mut deleted: BTreeMap<Kind, Vec<Uuid>> = BTreeMap::new();
    let mut replaced: BTreeMap<Kind, Vec<&Row>> = BTreeMap::new();
    let mut made: BTreeMap<Kind, Vec<&Row>> = BTreeMap::new();
    for op in &change.ops {
        match op {
            Op::Put { expect: Expect::Absent, next } => made.entry(next.key.kind).or_default().push(next),
            Op::Put { next, .. } => replaced.entry(next.key.kind).or_default().push(next),
            Op::Delete { key, .. } => deleted.entry(key.kind).or_default().push(key.id),
            Op::Check { .. } => {}
        }
    }
    many_keys(schema, statement, change);
    for (kind, ids) in deleted {
        statement
            .part(|script| format!("delete from {} where id = any({}) and {FITS}", schema.of(kind), script.bind(ids)));
    }
    for (kind, rows) in replaced {
        statement.part(|script| format!("{} and {FITS}", write::update(schema, script, kind, rows)));
    }
    for (kind, rows) in made {
        statement.part(|script| format!("{} where {FITS}", write::insert(schema, script, kind, rows)));
    }
    if !change.enqueue.is_empty() {
        statement.part(|script| format!("{} where {FITS}", write::enqueue(schema, script, &change.enqueue)));
    }
    if !change.settle.is_empty() {
        let (entries, done) = (entries(&change.settle), Changed::by(&Settlement::Done, change.at));
        statement.part(|script| format!("{} and {FITS}", write::settle(schema, script, &entries, &done)));
    }
}

/// The side table: rows that stood give up what they do not hold any more, and take what they did not hold.
fn many_keys(schema: &Schema, statement: &mut Statement, change: &Change) {
    let side = schema.at("many_keys");
    let mut stood: BTreeMap<Kind, Vec<Uuid>> = BTreeMap::new();
    let mut held: Vec<ManyKey<'_>> = Vec::new();
    for op in change.ops.iter().filter(|op| !matches!(op, Op::Check { .. })) {
        let key = op.key();
        if table(key.kind).many.is_none() {
            continue;
        }
        if !matches!(op, Op::Put { expect: Expect::Absent, .. }) {
            stood.entry(key.kind).or_default().push(key.id);
        }
        if let Op::Put { next, .. } = op {
            let many = next.unique.iter().filter(|unique| unique.name.is_many());
            held.extend(many.map(|unique| (unique.name, &unique.value, key.id)));
        }
    }
    for ids in stood.into_values() {
        statement.part(|script| {
            let ids = script.bind(ids);
            let kept = if held.is_empty() {
                String::new()
            } else {
                let lines = write::many_lines(script, &held);
                format!(" and not exists (select 1 from {lines} where {SAME_KEY} and held.id = line.id)")
            };
            format!("delete from {side} held where id = any({ids}){kept} and {FITS}")
        });
    }
    if !held.is_empty() {
        statement.part(|script| {
            let take = write::take_many(schema, script, &held);
            format!(
                "{take} where {FITS} and not exists (select 1 from {side} held where {SAME_KEY} and held.id = line.id)"
            )
        });
    }
}
