//! A schema of its own for each test.

use std::hash::{BuildHasher, RandomState};
use std::str::FromStr;

use enrollment_sqlx::{OpenError, PostgresOptions, SqlxStore};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Executor};

/// Where the cluster for tests listens.
pub(crate) fn server() -> String {
    std::env::var("ENROLLMENT_TEST_POSTGRES").expect(
        "these tests need a PostgreSQL cluster of their own: run them by `scripts/postgres run cargo …`, or start one \
         that stays by `eval \"$(scripts/postgres start)\"`; ENROLLMENT_TEST_POSTGRES names it",
    )
}

/// Another database of the same cluster.
pub(crate) fn server_at(database: &str) -> String {
    let server = server();
    let (cluster, _) = server.rsplit_once('/').expect("an address ends with a database");
    format!("{cluster}/{database}")
}

/// A name that nobody else in the cluster has.
pub(crate) fn fresh_name() -> String {
    format!("t{:016x}", RandomState::new().hash_one(std::process::id()))
}

/// A schema, and a name for the connections of its stores. It stays as long as the cluster, which is for tests only.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) schema: String,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { schema: fresh_name() }
    }

    /// Connections of stores bear the name of the schema, so that a test finds its own.
    pub(crate) fn url(&self) -> String {
        format!("{}?application_name={}", server(), self.schema)
    }

    pub(crate) fn options(&self) -> PostgresOptions {
        PostgresOptions { schema: self.schema.clone(), ..PostgresOptions::default() }
    }

    pub(crate) async fn try_open(&self) -> Result<SqlxStore, OpenError> {
        SqlxStore::open_postgres(&self.url(), self.options()).await
    }

    pub(crate) async fn open(&self) -> SqlxStore {
        self.try_open().await.expect("a store")
    }

    /// Ends every connection of this place's stores, as a restart of the server does.
    pub(crate) async fn end_connections(&self) {
        let end =
            sqlx::query("select pg_terminate_backend(pid, 5000) from pg_stat_activity where application_name = $1");
        end.bind(&self.schema).execute(&mut self.connect().await).await.expect("ended");
    }

    /// A connection past the store, as an operator's tool or a host would open, in this schema.
    pub(crate) async fn connect(&self) -> PgConnection {
        let options = PgConnectOptions::from_str(&server()).expect("an address");
        let mut conn = options.connect().await.expect("a connection");
        let path = AssertSqlSafe(format!("set search_path = {}", self.schema));
        conn.execute(path).await.expect("the schema");
        conn
    }
}
