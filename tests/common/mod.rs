//! A service with passwords that cost nothing.

use std::path::Path;
use std::sync::Arc;

use enrollment::core::port::{Clock, SystemEntropy};
use enrollment::core::secret::{Argon2Params, HashingOptions, KeyRing};
use enrollment::core::service::{Instance, ServiceBuilder};
use enrollment::sqlx::SqlxStore;

/// The service of one process on this database, with the ring of this file.
pub(crate) fn service(store: SqlxStore, key_file: &Path, clock: Arc<dyn Clock>) -> ServiceBuilder {
    let ring = std::fs::read_to_string(key_file).expect("the ring lies there");
    let ring = KeyRing::from_text(&ring).expect("the ring is whole");
    let cheap = Argon2Params { m_kib: 8, t: 1, p: 1 };
    let instance = Instance { url: "https://vpn.example.test".to_owned(), version: "0".to_owned() };
    ServiceBuilder::new(Arc::new(store), clock, Arc::new(SystemEntropy), Arc::new(ring), instance)
        .hashing(HashingOptions { params: cheap, limit: cheap, threads: 2, queue: 4096 })
}
