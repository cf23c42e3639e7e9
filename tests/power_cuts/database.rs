//! Where the server keeps everything.

use std::path::Path;

use enrollment::core::port::{Entropy as _, SystemEntropy};
use enrollment::sqlx::{PostgresOptions, SqliteOptions, SqlxStore};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use tokio::runtime::Builder;

use crate::relay::Relay;

/// A file in the data folder, or a database of the cluster for tests.
pub(crate) enum Database {
    File,
    Server { cluster: String, name: String },
}

impl Database {
    pub(crate) const fn file() -> Self {
        Self::File
    }

    /// A database of its own; it goes with the cluster.
    pub(crate) fn on_a_server() -> Self {
        let cluster = std::env::var("ENROLLMENT_TEST_POSTGRES");
        let cluster = cluster.expect("a cluster for tests: run this by `scripts/postgres run cargo …`");
        let mut bytes = [0; 8];
        SystemEntropy.fill(&mut bytes);
        let name = format!("power_{}", data_encoding::HEXLOWER.encode(&bytes));
        let create = AssertSqlSafe(format!("create database {name}"));
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let mut connection = PgConnection::connect(&cluster).await.expect("the cluster runs");
            connection.execute(create).await.expect("a database");
        });
        Self::Server { cluster, name }
    }

    fn url(&self) -> Option<String> {
        let Self::Server { cluster, name } = self else { return None };
        let (server, _) = cluster.rsplit_once('/').expect("an address ends with a database");
        Some(format!("{server}/{name}"))
    }

    /// Writes the server's configuration into its data folder.
    pub(crate) fn configure(&self, folder: &Path, relay: &Relay) {
        let database = self.url().map(|url| format!("database = {url:?}\n")).unwrap_or_default();
        let port = relay.address.port();
        let text = format!(
            "rate_limits = false\n{database}\n\
             [hashing]\nmemory_kib = 19456\npasses = 2\n\n\
             [smtp]\nhost = \"127.0.0.1\"\nport = {port}\ntls = \"danger_plaintext\"\nfrom = \"vpn@sender.test\"\n"
        );
        std::fs::write(folder.join("server.toml"), text).expect("the folder is writable");
    }

    /// Opens what the server left.
    pub(crate) async fn open(&self, folder: &Path) -> SqlxStore {
        let opened = match self.url() {
            Some(url) => SqlxStore::open_postgres(&url, PostgresOptions::default()).await,
            None => SqlxStore::open_sqlite(folder.join("enrollment.db"), SqliteOptions::default()).await,
        };
        opened.expect("the store opens")
    }
}
