//! A service on a SQLite file or on PostgreSQL, with passwords that cost nothing.

use std::path::Path;
use std::sync::Arc;

use enrollment::core::port::{SystemClock, SystemEntropy};
use enrollment::core::secret::{Argon2Params, HashingOptions, KeyRing};
use enrollment::core::service::{Instance, Service, ServiceBuilder};
use enrollment::sqlx::{PostgresOptions, SqliteOptions, SqlxStore};

/// The service of one process on `folder`'s database, with the ring that lies beside it.
pub(crate) async fn service(folder: &Path) -> Service {
    let store = store(folder).await;
    let ring = std::fs::read_to_string(folder.join("race.key")).expect("the ring lies in the folder");
    let ring = KeyRing::from_text(&ring).expect("the ring is whole");
    let cheap = Argon2Params { m_kib: 8, t: 1, p: 1 };
    let instance = Instance { url: "https://vpn.example.test".to_owned(), version: "0".to_owned() };
    ServiceBuilder::new(Arc::new(store), Arc::new(SystemClock), Arc::new(SystemEntropy), Arc::new(ring), instance)
        .hashing(HashingOptions { params: cheap, limit: cheap, threads: 2, queue: 4096 })
        .build()
        .expect("the parts fit")
}

/// Says that `folder`'s database is not a file in it, but a schema of the cluster for tests.
pub(crate) fn use_a_server(folder: &Path, schema: &str) {
    std::fs::write(folder.join(SCHEMA), schema).expect("the folder is writable");
}

const SCHEMA: &str = "schema";

async fn store(folder: &Path) -> SqlxStore {
    let Ok(schema) = std::fs::read_to_string(folder.join(SCHEMA)) else {
        let opened = SqlxStore::open_sqlite(folder.join("race.db"), SqliteOptions::default()).await;
        return opened.expect("the store opens");
    };
    let server = std::env::var("ENROLLMENT_TEST_POSTGRES");
    let server = server.expect("a cluster for tests: run this by `scripts/postgres run cargo …`");
    let opened = SqlxStore::open_postgres(&server, PostgresOptions { schema, ..PostgresOptions::default() }).await;
    opened.expect("the store opens")
}

/// Makes a ring in `folder`.
pub(crate) fn make_ring(folder: &Path) {
    use enrollment::core::port::Clock as _;
    let ring = KeyRing::generate(SystemClock.now(), &SystemEntropy);
    std::fs::write(folder.join("race.key"), ring.to_text().as_bytes()).expect("the folder is writable");
}
