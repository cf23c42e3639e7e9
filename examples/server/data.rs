//! The data folder: database, key ring, and the service made from them.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::Arc;

use enrollment::core::port::{Clock as _, Notifier, Scan, Store as _, SystemClock, SystemEntropy};
use enrollment::core::record::IndexName;
use enrollment::core::secret::{Argon2Params, HashingOptions};
use enrollment::core::service::{Instance, Service, ServiceBuilder, survey};
use enrollment::sqlx::{PostgresOptions, SqliteOptions, SqlxStore};
use tokio::sync::Notify;

use super::config::{Config, Database};
use super::key_file::KeyFile;
use super::mail::Smtp;
use super::metrics::Metrics;
use super::{Error, clock, keys};

/// The opened data folder.
pub(crate) struct Opened {
    pub(crate) store: Arc<SqlxStore>,
    pub(crate) service: Service,
    /// Rung when a change queued work.
    pub(crate) bells: Bells,
    /// What sends mail, where it is configured.
    pub(crate) notifier: Option<Arc<dyn Notifier>>,
    /// Where the key ring lies.
    pub(crate) keys: KeyFile,
    /// What is counted from here on.
    pub(crate) metrics: Metrics,
}

/// One bell for each worker that need not wait for its next turn: a bell wakes one sleeper.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bells {
    pub(crate) peers: Arc<Notify>,
    pub(crate) mail: Arc<Notify>,
    /// Rung when a record names a key that is not known here yet.
    pub(crate) keys: Arc<Notify>,
}

/// Opens database and key ring, making both at the first start.
pub(crate) async fn open(config: &Config) -> Result<Opened, Error> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&config.data)
        .map_err(|error| format!("{}: {error}", config.data.display()))?;
    let keys = KeyFile::new(&config.key_file);
    let (ring, store) = match &config.database {
        Database::Sqlite(path) => {
            // Made before the database: whoever is killed in between starts anew.
            let ring = if path.exists() { keys.read()? } else { Some(keys.read_or_make()?) };
            (ring, SqlxStore::open_sqlite(path, SqliteOptions::default()).await?)
        }
        Database::Postgres(url) => {
            let store = SqlxStore::open_postgres(url, PostgresOptions::default()).await?;
            clock::demand_same_time(&store).await?;
            let anybody = store.scan(&Scan::all(IndexName::UsersByUsername, "", 1)).await?;
            let ring = if anybody.rows.is_empty() { Some(keys.read_or_make()?) } else { keys.read()? };
            (ring, store)
        }
    };
    let Some(ring) = ring else { return Err(lost_ring(&store, &keys).await) };
    let store = Arc::new(store);
    let metrics = Metrics::new();
    let bells = Bells::default();
    let ring_bells = bells.clone();
    let key_bell = Arc::clone(&bells.keys);
    let notifier = config.smtp.as_ref().map(Smtp::notifier).transpose()?;
    let instance = Instance { url: config.public_url.clone(), version: env!("CARGO_PKG_VERSION").to_owned() };
    let params = Argon2Params { m_kib: config.hashing.memory_kib, t: config.hashing.passes, p: 1 };
    let budget = u64::from(config.hashing.budget_mib) * 1024 * 1024;
    let service = ServiceBuilder::new(
        metrics.store(Arc::<SqlxStore>::clone(&store)),
        Arc::new(SystemClock),
        Arc::new(SystemEntropy),
        Arc::new(ring),
        instance,
    )
    .policy(config.policy.clone())
    .hashing(HashingOptions::new(params, budget))
    .on_unknown_key(Arc::new(move |_| key_bell.notify_one()))
    .channels(notifier.as_ref().map_or(&[], |notifier| notifier.channels()))
    .bell(Arc::new(move || {
        ring_bells.peers.notify_one();
        ring_bells.mail.notify_one();
    }))
    .build()?;
    keys::hold_against_the_database(&service, &keys).await?;
    Ok(Opened { store, service, bells, notifier, keys, metrics })
}

/// Why nothing can be served without the key ring: what would be lost. A new ring would hide that.
async fn lost_ring(store: &SqlxStore, keys: &KeyFile) -> Error {
    let path = keys.path().display();
    let lost = match survey(store, SystemClock.now()).await {
        Ok(uses) => {
            uses.0.into_iter().map(|(key, uses)| format!("Lost without key {key}: {uses}. ")).collect::<String>()
        }
        Err(error) => return error.into(),
    };
    format!(
        "the key ring {path} is missing, but the database is in use. {lost}Put the file back, or name it with --key-file"
    )
    .into()
}

/// Writes a file that only its owner can read, durably.
pub(crate) fn write_private(path: &Path, content: &[u8]) -> std::io::Result<()> {
    write_with(OpenOptions::new().create(true).truncate(true), path, content)
}

/// The same for a file that must not exist yet.
pub(crate) fn write_new_private(path: &Path, content: &[u8]) -> std::io::Result<()> {
    write_with(OpenOptions::new().create_new(true), path, content)
}

fn write_with(options: &mut OpenOptions, path: &Path, content: &[u8]) -> std::io::Result<()> {
    let mut file = options.write(true).mode(0o600).open(path)?;
    file.write_all(content)?;
    file.sync_all()
}
