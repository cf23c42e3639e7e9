//! Where the processes of a test meet.

use std::path::Path;

use enrollment::core::port::{Clock as _, SystemClock, SystemEntropy};
use enrollment::core::secret::KeyRing;
use enrollment::sqlx::{PostgresOptions, SqliteOptions, SqlxStore};
use tempfile::TempDir;

/// A folder for the ring, what else the test keeps there and, unless it is on a server, the database.
pub(crate) fn folder(on_a_server: bool) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    if on_a_server {
        // The folder's name is its own; a schema has the letters and digits of it.
        let name = folder.path().file_name().expect("a name").to_string_lossy().to_lowercase();
        let schema: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
        std::fs::write(folder.path().join(SCHEMA), format!("test_{schema}")).expect("the folder is writable");
    }
    make_ring(folder.path());
    folder
}

/// The ring of a folder.
pub(crate) const KEY_FILE: &str = "test.key";

/// Names the schema in the cluster for tests, where the database is no file.
const SCHEMA: &str = "schema";

/// The database of a folder.
pub(crate) async fn store(folder: &Path) -> SqlxStore {
    let Ok(schema) = std::fs::read_to_string(folder.join(SCHEMA)) else {
        let opened = SqlxStore::open_sqlite(folder.join("test.db"), SqliteOptions::default()).await;
        return opened.expect("the store opens");
    };
    let server = std::env::var("ENROLLMENT_TEST_POSTGRES");
    let server = server.expect("a cluster for tests: run this by `scripts/postgres run cargo …`");
    let opened = SqlxStore::open_postgres(&server, PostgresOptions { schema, ..PostgresOptions::default() }).await;
    opened.expect("the store opens")
}

fn make_ring(folder: &Path) {
    let ring = KeyRing::generate(SystemClock.now(), &SystemEntropy);
    std::fs::write(folder.join(KEY_FILE), ring.to_text().as_bytes()).expect("the folder is writable");
}
