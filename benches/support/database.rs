//! Where a bench keeps what it works on: in a file, or in a database of a PostgreSQL server.

use std::path::PathBuf;

use enrollment::core::port::{Entropy as _, SystemEntropy};
use enrollment::sqlx::{PostgresOptions, SqliteOptions, SqlxStore};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use tempfile::TempDir;

const FILE: &str = "bench.db";

/// How a database is reached.
#[derive(Debug)]
pub(crate) enum Place {
    File(PathBuf),
    Server(String),
}

/// A database of its own, which goes when it is dropped or removed.
#[derive(Debug)]
pub(crate) enum Database {
    File(TempDir),
    Server { cluster: String, name: String },
}

impl Database {
    /// An empty file.
    pub(crate) fn file() -> Self {
        Self::File(tempdir())
    }

    /// An empty database of this cluster.
    pub(crate) async fn on(cluster: &str) -> Self {
        Self::made(cluster, "").await
    }

    async fn made(cluster: &str, how: &str) -> Self {
        let mut bytes = [0; 8];
        SystemEntropy.fill(&mut bytes);
        let name = format!("bench_{}", data_encoding::HEXLOWER.encode(&bytes));
        run(cluster, format!("create database {name} {how}")).await;
        Self::Server { cluster: cluster.to_owned(), name }
    }

    /// A copy. The database is whole and nobody is in it: its store was closed.
    pub(crate) async fn copy(&self) -> Self {
        match self {
            Self::File(folder) => {
                let copy = tempdir();
                std::fs::copy(folder.path().join(FILE), copy.path().join(FILE)).expect("a copy");
                Self::File(copy)
            }
            Self::Server { cluster, name } => Self::made(cluster, &format!("template {name}")).await,
        }
    }

    pub(crate) async fn open(&self) -> SqlxStore {
        let opened = match self.place() {
            Place::File(path) => SqlxStore::open_sqlite(path, SqliteOptions::default()).await,
            Place::Server(url) => {
                // Where statements look that name no schema.
                let options = PostgresOptions { schema: "public".to_owned(), ..PostgresOptions::default() };
                SqlxStore::open_postgres(&url, options).await
            }
        };
        opened.expect("a store")
    }

    /// The path of the file, or the address of the database.
    pub(crate) fn place(&self) -> Place {
        match self {
            Self::File(folder) => Place::File(folder.path().join(FILE)),
            Self::Server { cluster, name } => {
                let (server, _) = cluster.rsplit_once('/').expect("an address ends with a database");
                Place::Server(format!("{server}/{name}"))
            }
        }
    }

    pub(crate) async fn remove(self) {
        if let Self::Server { cluster, name } = self {
            run(&cluster, format!("drop database {name} with (force)")).await;
        }
    }
}

/// Beside the build, because a folder for temporary files may lie in memory, where nothing waits for a disk.
fn tempdir() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder")
}

async fn run(cluster: &str, statement: String) {
    let mut connection = PgConnection::connect(cluster).await.expect("the cluster runs");
    connection.execute(AssertSqlSafe(statement)).await.expect("a statement about databases");
    connection.close().await.expect("closed");
}
