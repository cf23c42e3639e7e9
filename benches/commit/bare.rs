//! Calls of a use case as bare SQL statements, on the tables that `enrollment-sqlx` makes.
//!
//! | call | statements |
//! |---|---|
//! | read rows | one `select` that fetches all, by id |
//! | find a row | one `select` by the column of the key |
//! | read a part of an index | one `select` by the index, in its order |
//! | commit a change | `begin immediate`; for each row written one `insert` or one `update … where version = …`, for each row held one `select`, for each outbox entry one `insert`; one `insert` for the change's id; `commit` |

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use data_encoding::HEXLOWER;
use enrollment::core::port::{Change, Expect, Op, OutboxEntry, Scan};
use enrollment::core::record::{IndexName, KeyValue, Kind, Row, RowKey, UniqueKey, UniqueName, Version};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions};

use crate::recorder::Call;

/// A connection with the pragmas of the store; the file is in write-ahead mode already.
pub(crate) async fn connect(file: &Path) -> SqliteConnection {
    SqliteConnectOptions::new()
        .filename(file)
        .foreign_keys(true)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(Duration::from_secs(5))
        .disable_statement_logging()
        .connect()
        .await
        .expect("a connection")
}

/// One prepared statement with its values.
#[derive(Debug)]
pub(crate) struct Statement {
    text: Arc<str>,
    values: Vec<Value>,
    rows: Rows,
}

#[derive(Debug)]
enum Value {
    Text(String),
    Int(i64),
    Null,
}

/// How many rows it must find or write, so that nothing is measured that does not do the work.
#[derive(Debug)]
enum Rows {
    Found(usize),
    Written(u64),
    None,
}

impl Statement {
    pub(crate) async fn run(&self, connection: &mut SqliteConnection) {
        let mut query = sqlx::query(AssertSqlSafe(Arc::clone(&self.text)));
        for value in &self.values {
            query = match value {
                Value::Text(text) => query.bind(text.as_str()),
                Value::Int(number) => query.bind(number),
                Value::Null => query.bind(None::<i64>),
            };
        }
        match self.rows {
            Rows::Found(rows) => {
                let found = query.fetch_all(connection).await.expect("rows");
                assert_eq!(found.len(), rows, "{}", self.text);
            }
            Rows::Written(rows) => {
                let written = query.execute(connection).await.expect("written");
                assert_eq!(written.rows_affected(), rows, "{}", self.text);
            }
            Rows::None => {
                query.execute(connection).await.expect("a transaction");
            }
        }
    }
}

/// The statements of one use.
pub(crate) fn statements(calls: &[Call]) -> Vec<Statement> {
    let mut statements = Vec::new();
    for call in calls {
        match call {
            Call::Get(keys, found) => statements.push(get(keys, *found)),
            Call::Find(key, found) => statements.push(find(key, *found)),
            Call::Scan(scan, found) => statements.push(part(scan, *found)),
            Call::Commit(made) => change(made, &mut statements),
        }
    }
    statements
}

const COLUMNS: &str = "id, version, layout, body";

fn get(keys: &[RowKey], found: usize) -> Statement {
    let mut by_kind: BTreeMap<Kind, Vec<&RowKey>> = BTreeMap::new();
    for key in keys {
        by_kind.entry(key.kind).or_default().push(key);
    }
    let mut values = Vec::new();
    let mut selects = Vec::new();
    for (kind, keys) in by_kind {
        let places: Vec<String> = keys.iter().map(|key| place(&mut values, id(key))).collect();
        selects.push(format!("select {COLUMNS} from {kind} where id in ({})", places.join(", ")));
    }
    Statement { text: selects.join(" union all ").into(), values, rows: Rows::Found(found) }
}

fn find(by: &UniqueKey, found: usize) -> Statement {
    let name = by.name;
    assert!(!name.is_many(), "no use case here looks for a fenced session or an earlier token");
    let text = format!("select {COLUMNS} from {} where {name} = $1", name.kind());
    Statement { text: text.into(), values: vec![Value::from(&by.value)], rows: Rows::Found(found) }
}

fn part(scan: &Scan, found: usize) -> Statement {
    let whole = scan.from.is_none() && scan.to.is_none() && scan.after.is_none();
    assert!(whole, "every use case here reads a whole part of an index at once");
    let (index, limit) = (scan.index, scan.limit);
    let text =
        format!("select {COLUMNS} from {} where {index}_in = $1 order by {index}, id limit {limit}", index.kind());
    Statement { text: text.into(), values: vec![Value::Text(scan.within.clone())], rows: Rows::Found(found) }
}

fn change(change: &Change, statements: &mut Vec<Statement>) {
    let plain = |text: &str| Statement { text: text.into(), values: Vec::new(), rows: Rows::None };
    assert!(change.settle.is_none(), "no use case here works under a lease");
    statements.push(plain("begin immediate"));
    statements.extend(change.ops.iter().map(|op| match op {
        Op::Put { expect: Expect::Absent, next } => insert(next.key.kind.as_str(), columns(next)),
        Op::Put { expect: Expect::Version(version), next } => update(next, *version),
        Op::Check { key, version } => held(key, *version),
        Op::Delete { .. } => unreachable!("no use case here removes a row"),
    }));
    statements.extend(change.enqueue.iter().map(|entry| insert("outbox", outbox_columns(entry))));
    let applied = vec![
        ("id".to_owned(), Value::Text(change.id.to_string())),
        ("at".to_owned(), Value::Int(change.at.micros())),
        ("fingerprint".to_owned(), Value::Text(HEXLOWER.encode(&change.fingerprint()))),
    ];
    statements.push(insert("changes", applied));
    statements.push(plain("commit"));
}

type Columns = Vec<(String, Value)>;

fn insert(table: &str, columns: Columns) -> Statement {
    let (names, values): (Vec<_>, Vec<_>) = columns.into_iter().unzip();
    let places: Vec<String> = (1..=names.len()).map(|n| format!("${n}")).collect();
    let text = format!("insert into {table} ({}) values ({})", names.join(", "), places.join(", "));
    Statement { text: text.into(), values, rows: Rows::Written(1) }
}

fn update(next: &Row, expected: Version) -> Statement {
    let mut values = Vec::new();
    let mut sets = Vec::new();
    for (name, value) in columns(next) {
        sets.push(format!("{name} = {}", place(&mut values, value)));
    }
    let id = place(&mut values, id(&next.key));
    let version = place(&mut values, Value::from(expected));
    let text = format!("update {} set {} where id = {id} and version = {version}", next.key.kind, sets.join(", "));
    Statement { text: text.into(), values, rows: Rows::Written(1) }
}

fn held(key: &RowKey, version: Option<Version>) -> Statement {
    let mut values = vec![id(key)];
    let mut text = format!("select version from {} where id = $1", key.kind);
    if let Some(version) = version {
        text.push_str(" and version = $2");
        values.push(Value::from(version));
    }
    Statement { text: text.into(), values, rows: Rows::Found(usize::from(version.is_some())) }
}

/// A column for each name under which rows of its kind are found.
fn columns(row: &Row) -> Columns {
    let kind = row.key.kind;
    assert!(row.unique.iter().all(|key| !key.name.is_many()), "no row here has several keys of one name");
    let version = Value::from(row.version);
    let mut columns = vec![("id".to_owned(), id(&row.key)), ("version".to_owned(), version)];
    for name in UniqueName::ALL.iter().filter(|name| name.kind() == kind && !name.is_many()) {
        let key = row.unique.iter().find(|key| key.name == *name);
        columns.push((name.to_string(), key.map_or(Value::Null, |key| Value::from(&key.value))));
    }
    for name in IndexName::ALL.iter().filter(|name| name.kind() == kind) {
        let key = row.index.iter().find(|key| key.name == *name);
        columns.push((format!("{name}_in"), key.map_or(Value::Null, |key| Value::Text(key.within.clone()))));
        columns.push((name.to_string(), key.map_or(Value::Null, |key| Value::from(&key.at))));
    }
    columns.push(("layout".to_owned(), Value::Int(row.body.layout.into())));
    columns.push(("body".to_owned(), Value::Text(row.body.json.clone())));
    columns
}

fn outbox_columns(entry: &OutboxEntry) -> Columns {
    let order = |order: u64| Value::Int(order.try_into().expect("a small version"));
    let (stream, order) = match &entry.stream {
        Some(stream) => (Value::Text(stream.key.clone()), order(stream.order)),
        None => (Value::Null, Value::Null),
    };
    vec![
        ("id".to_owned(), Value::Text(entry.id.to_string())),
        ("channel".to_owned(), Value::Text(entry.channel.to_string())),
        ("stream".to_owned(), stream),
        ("stream_order".to_owned(), order),
        ("due".to_owned(), Value::Int(entry.due.micros())),
        ("layout".to_owned(), Value::Int(entry.body.layout.into())),
        ("body".to_owned(), Value::Text(entry.body.json.clone())),
    ]
}

fn id(key: &RowKey) -> Value {
    Value::Text(key.id.to_string())
}

/// Adds a value and returns how the text refers to it.
fn place(values: &mut Vec<Value>, value: Value) -> String {
    values.push(value);
    format!("${}", values.len())
}

impl From<&KeyValue> for Value {
    fn from(value: &KeyValue) -> Self {
        match value {
            KeyValue::Text(text) => Self::Text(text.clone()),
            KeyValue::Int(number) => Self::Int(*number),
        }
    }
}

impl From<Version> for Value {
    fn from(version: Version) -> Self {
        Self::Int(version.0.try_into().expect("a small version"))
    }
}
