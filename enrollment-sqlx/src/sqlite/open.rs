//! Opening a file.

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::SqlitePoolOptions;
use tokio::sync::mpsc;

use super::writer::Writer;
use super::{Sqlite, file};
use crate::error::OpenError;
use crate::{Backend, SqlxStore};

/// How a SQLite file is used. The defaults suit a service on one machine; zeros count as one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqliteOptions {
    /// At most this many connections for reading. Default: 4. Each has its own thread and about 2 MiB of cache.
    pub readers: u32,
    /// At most this many calls that write share one transaction and its wait for the disk. Default: 16. Each waits
    /// for the whole group.
    pub group: usize,
    /// At most this many calls that write wait in line; further callers wait for a place. Default: 1,024.
    pub queue: usize,
    /// How long to wait for another process's transaction, or for a connection, before
    /// [`Busy`](enrollment_core::port::StoreErrorKind::Busy). Default: 5 s; at most a day.
    pub busy_timeout: Duration,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self { readers: 4, group: 16, queue: 1_024, busy_timeout: Duration::from_secs(5) }
    }
}

impl SqlxStore {
    /// Opens a SQLite file, made if there is none: readable by its owner only, its tables brought up to date.
    ///
    /// Any number of processes and handles may open and use one file at a time, also for the first time; they agree
    /// by a lock on `<file>.lock`, which stays beside it. The file must lie on a local file system: a network file
    /// system has no shared memory. Beside it SQLite keeps `<file>-wal` and `<file>-shm`, which belong to it; a backup
    /// takes all three or uses SQLite's own means.
    ///
    /// Must be called inside a tokio runtime, on which the store's writing task then runs.
    ///
    /// # Errors
    /// When the file cannot be made or opened, is no database, or was made by a later version.
    pub async fn open_sqlite(path: impl AsRef<Path>, options: SqliteOptions) -> Result<Self, OpenError> {
        // An absolute path means the same after a change of folder, and is never SQLite's ":memory:" or "file:".
        let path = std::path::absolute(path.as_ref())
            .map_err(|source| OpenError::File { path: path.as_ref().to_owned(), source })?;
        let connect = file::connect_options(&path, options.busy_timeout);
        let locked = tokio::task::spawn_blocking({
            let path = path.clone();
            move || file::make_and_lock(&path)
        });
        let lock = locked.await.map_err(|error| OpenError::File { path, source: error.into() })??;
        let conn = file::prepare(&connect).await?;
        drop(lock);
        let readers = SqlitePoolOptions::new()
            .max_connections(options.readers.max(1))
            .acquire_timeout(options.busy_timeout)
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false)
            .connect_lazy_with(connect.clone().pragma("query_only", "on"));
        let (jobs, queue) = mpsc::channel(options.queue.max(1));
        tokio::spawn(Writer::new(queue, options.group.max(1), connect, conn).run());
        Ok(Self(Backend::Sqlite(Sqlite { readers, jobs })))
    }
}
