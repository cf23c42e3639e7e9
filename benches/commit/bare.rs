//! Calls of a use case as bare SQL statements, on the tables that `enrollment-sqlx` makes.
//!
//! | call | statements |
//! |---|---|
//! | read rows | one `select` that fetches all, by id |
//! | find a row | one `select` by the column of the key |
//! | read a part of an index | one `select` by the index, in its order |
//! | commit a change | `begin immediate`, on PostgreSQL `begin`; for each row written one `insert` or one `update … where version = …`, for each row held one `select`, on PostgreSQL `for share`, for each outbox entry one `insert`; one `insert` for the change's id; `commit` |

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use data_encoding::HEXLOWER;
use enrollment::core::port::{Change, Expect, Op, OutboxEntry, Scan};
use enrollment::core::record::{IndexName, KeyValue, Kind, Row, RowKey, UniqueKey, UniqueName, ValueType, Version};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection as _};
use uuid::Uuid;

use crate::database::Place;
use crate::recorder::Call;

/// A connection of the driver, and nothing around it.
#[derive(Debug)]
pub(crate) enum Connection {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Connection {
    /// With the pragmas of the store; a file is in write-ahead mode already.
    pub(crate) async fn open(place: &Place) -> Self {
        match place {
            Place::File(path) => {
                let options = SqliteConnectOptions::new()
                    .filename(path)
                    .foreign_keys(true)
                    .synchronous(SqliteSynchronous::Full)
                    .busy_timeout(Duration::from_secs(5))
                    .disable_statement_logging();
                Self::Sqlite(options.connect().await.expect("a connection"))
            }
            Place::Server(url) => {
                let options: PgConnectOptions = url.parse().expect("an address");
                Self::Postgres(options.disable_statement_logging().connect().await.expect("a connection"))
            }
        }
    }

    pub(crate) async fn close(self) {
        let closed = match self {
            Self::Sqlite(connection) => connection.close().await,
            Self::Postgres(connection) => connection.close().await,
        };
        closed.expect("closed");
    }
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
    /// Text on SQLite, a type of its own on PostgreSQL.
    Id(Uuid),
    Text(Option<String>),
    Int(Option<i64>),
}

/// How many rows it must find or write, so that nothing is measured that does not do the work.
#[derive(Debug)]
enum Rows {
    Found(usize),
    Written(u64),
    None,
}

/// Runs a statement on a connection, whose driver binds an id as given.
macro_rules! run {
    ($statement:expr, $connection:expr, $id:expr) => {{
        let mut query = sqlx::query(AssertSqlSafe(Arc::clone(&$statement.text)));
        for value in &$statement.values {
            query = match value {
                Value::Id(id) => query.bind($id(id)),
                Value::Text(text) => query.bind(text.as_deref()),
                Value::Int(number) => query.bind(number),
            };
        }
        match $statement.rows {
            Rows::Found(rows) => {
                let found = query.fetch_all($connection).await.expect("rows");
                assert_eq!(found.len(), rows, "{}", $statement.text);
            }
            Rows::Written(rows) => {
                let written = query.execute($connection).await.expect("written");
                assert_eq!(written.rows_affected(), rows, "{}", $statement.text);
            }
            Rows::None => {
                query.execute($connection).await.expect("a transaction");
            }
        }
    }};
}

impl Statement {
    pub(crate) async fn run(&self, connection: &mut Connection) {
        match connection {
            Connection::Sqlite(connection) => run!(self, connection, |id: &Uuid| id.to_string()),
            Connection::Postgres(connection) => run!(self, connection, |id: &Uuid| *id),
        }
    }
}

/// What the databases spell in their own ways.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dialect {
    begin: &'static str,
    /// Keeps a row as it is until the commit.
    hold: &'static str,
}

impl Dialect {
    pub(crate) const fn of(place: &Place) -> Self {
        match place {
            Place::File(_) => Self { begin: "begin immediate", hold: "" },
            Place::Server(_) => Self { begin: "begin", hold: " for share" },
        }
    }
}

/// The statements of one use.
pub(crate) fn statements(calls: &[Call], dialect: Dialect) -> Vec<Statement> {
    let mut statements = Vec::new();
    for call in calls {
        match call {
            Call::Get(keys, found) => statements.push(get(keys, *found)),
            Call::Find(key, found) => statements.push(find(key, *found)),
            Call::Scan(scan, found) => statements.push(part(scan, *found)),
            Call::Commit(made) => change(made, dialect, &mut statements),
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
    Statement { text: text.into(), values: vec![Value::Text(Some(scan.within.clone()))], rows: Rows::Found(found) }
}

fn change(change: &Change, dialect: Dialect, statements: &mut Vec<Statement>) {
    let plain = |text: &str| Statement { text: text.into(), values: Vec::new(), rows: Rows::None };
    assert!(change.settle.is_empty(), "no use case here works under a lease");
    statements.push(plain(dialect.begin));
    statements.extend(change.ops.iter().map(|op| match op {
        Op::Put { expect: Expect::Absent, next } => insert(next.key.kind.as_str(), columns(next)),
        Op::Put { expect: Expect::Version(version), next } => update(next, *version),
        Op::Check { key, version } => held(key, *version, dialect),
        Op::Delete { .. } => unreachable!("no use case here removes a row"),
    }));
    statements.extend(change.enqueue.iter().map(|entry| insert("outbox", outbox_columns(entry))));
    let applied = vec![
        ("id".to_owned(), Value::Id(change.id.uuid())),
        ("at".to_owned(), Value::Int(Some(change.at.micros()))),
        ("fingerprint".to_owned(), Value::Text(Some(HEXLOWER.encode(&change.fingerprint())))),
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

fn held(key: &RowKey, version: Option<Version>, dialect: Dialect) -> Statement {
    let mut values = vec![id(key)];
    let mut text = format!("select version from {} where id = $1", key.kind);
    if let Some(version) = version {
        text.push_str(" and version = $2");
        values.push(Value::from(version));
    }
    text.push_str(dialect.hold);
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
        columns.push((name.to_string(), optional(name.value_type(), key.map(|key| &key.value))));
    }
    for name in IndexName::ALL.iter().filter(|name| name.kind() == kind) {
        let key = row.index.iter().find(|key| key.name == *name);
        columns.push((format!("{name}_in"), Value::Text(key.map(|key| key.within.clone()))));
        columns.push((name.to_string(), optional(name.value_type(), key.map(|key| &key.at))));
    }
    columns.push(("layout".to_owned(), Value::Int(Some(row.body.layout.into()))));
    columns.push(("body".to_owned(), Value::Text(Some(row.body.json.clone()))));
    columns
}

fn outbox_columns(entry: &OutboxEntry) -> Columns {
    let stream = entry.stream.as_ref();
    let order = stream.map(|stream| stream.order.try_into().expect("a small version"));
    vec![
        ("id".to_owned(), Value::Id(entry.id.uuid())),
        ("channel".to_owned(), Value::Text(Some(entry.channel.to_string()))),
        ("stream".to_owned(), Value::Text(stream.map(|stream| stream.key.clone()))),
        ("stream_order".to_owned(), Value::Int(order)),
        ("due".to_owned(), Value::Int(Some(entry.due.micros()))),
        ("layout".to_owned(), Value::Int(Some(entry.body.layout.into()))),
        ("body".to_owned(), Value::Text(Some(entry.body.json.clone()))),
    ]
}

fn id(key: &RowKey) -> Value {
    Value::Id(key.id)
}

/// A key or nothing, which has a type, too.
fn optional(sort: ValueType, value: Option<&KeyValue>) -> Value {
    match (value, sort) {
        (Some(value), _) => Value::from(value),
        (None, ValueType::Text) => Value::Text(None),
        (None, ValueType::Int) => Value::Int(None),
    }
}

/// Adds a value and returns how the text refers to it.
fn place(values: &mut Vec<Value>, value: Value) -> String {
    values.push(value);
    format!("${}", values.len())
}

impl From<&KeyValue> for Value {
    fn from(value: &KeyValue) -> Self {
        match value {
            KeyValue::Text(text) => Self::Text(Some(text.clone())),
            KeyValue::Int(number) => Self::Int(Some(*number)),
        }
    }
}

impl From<Version> for Value {
    fn from(version: Version) -> Self {
        Self::Int(Some(version.0.try_into().expect("a small version")))
    }
}
