//! Opening a database.

use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor};

use super::schema::Schema;
use super::{Postgres, migrations};
use crate::error::OpenError;
use crate::{Backend, SqlxStore};

/// How a PostgreSQL database is used. The defaults suit one of several processes of a service; zeros count as one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostgresOptions {
    /// The schema in which the tables lie; made if there is none. Default: `public`. Up to 63 lower-case ASCII letters,
    /// digits and underscores.
    pub schema: String,
    /// At most this many connections, opened when they are needed. Default: 16. All processes together must leave the
    /// server's `max_connections` some room.
    pub connections: u32,
    /// How long to wait for a connection, or for a row that another transaction has locked, before
    /// [`Busy`](enrollment_core::port::StoreErrorKind::Busy). Default: 5 s; at most a day.
    pub busy_timeout: Duration,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self { schema: "public".to_owned(), connections: 16, busy_timeout: Duration::from_secs(5) }
    }
}

/// A connection that idled longer is tried before it is used: firewalls forget it without a word.
const IDLE: Duration = Duration::from_secs(30);

impl SqlxStore {
    /// Opens a PostgreSQL database (13 or later, encoding UTF8) and brings its tables up to date.
    ///
    /// `url` is `postgres://USER:PASSWORD@HOST:PORT/DATABASE`, with `?sslmode=verify-full` for a server elsewhere; a
    /// percent-encoded path as HOST is the folder of a Unix socket. What it leaves out comes from `PGHOST` and the like.
    /// Any number of processes may open one database at a time, also for the first time. Between them and the server
    /// there may be a pooler only if it keeps a connection for a session.
    ///
    /// # Errors
    /// When the server cannot be reached, the database cannot be used, or was made by a later version.
    pub async fn open_postgres(url: &str, options: PostgresOptions) -> Result<Self, OpenError> {
        let schema = Schema::new(&options.schema)?;
        let connect = PgConnectOptions::from_str(url).map_err(OpenError::Database)?;
        let connect = connect.statement_cache_capacity(STATEMENTS).disable_statement_logging();
        let busy_timeout = options.busy_timeout.clamp(Duration::from_millis(1), Duration::from_secs(24 * 3600));
        let mut conn = connect.connect().await.map_err(OpenError::Database)?;
        let prepared = migrations::run(&mut conn, &schema).await;
        // What was done stays done, and what is locked is unlocked, also if this fails.
        conn.close().await.ok();
        prepared?;
        let settings = settings(busy_timeout);
        let pool = PgPoolOptions::new()
            .max_connections(options.connections.max(1))
            .acquire_timeout(busy_timeout)
            .test_before_acquire(false)
            .before_acquire(|conn, meta| {
                Box::pin(async move { if meta.idle_for > IDLE { conn.ping().await.map(|()| true) } else { Ok(true) } })
            })
            .after_connect(move |conn, _| {
                let settings = AssertSqlSafe(settings.clone());
                Box::pin(async move { conn.execute(settings).await.map(drop) })
            })
            .connect_lazy_with(connect);
        Ok(Self(Backend::Postgres(Postgres { pool, schema })))
    }
}

/// More than there are different statements: each set of kinds that a use case reads or writes has its own.
const STATEMENTS: usize = 256;

/// What a connection is told when it is opened.
///
/// Every statement of the store follows an index, which a test shows. Plans are made once for each statement and
/// connection, often while the tables are empty; so the planner is kept from what suits only small tables, and costs
/// stay independent of what else there is (G9) whatever the statistics say.
///
/// A process that lost its network in the middle of a transaction would keep its locks for hours; the server ends it.
pub(super) fn settings(busy_timeout: Duration) -> String {
    let millis = busy_timeout.as_millis();
    format!(
        "set enable_seqscan = off; set enable_hashjoin = off; set enable_mergejoin = off; set jit = off; \
         set plan_cache_mode = force_generic_plan; \
         set default_transaction_isolation = 'read committed'; \
         set lock_timeout = {millis}; set idle_in_transaction_session_timeout = '10s'; \
         select set_config('synchronous_commit', 'on', false) where current_setting('synchronous_commit') = 'off'"
    )
}
