//! The data folder: database, key ring, and the service made from them.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use enrollment::core::port::{Clock as _, Entropy as _, Notifier, Scan, Store as _, SystemClock, SystemEntropy};
use enrollment::core::record::IndexName;
use enrollment::core::secret::{Argon2Params, HashingOptions, KeyRing};
use enrollment::core::service::{Instance, Service, ServiceBuilder};
use enrollment::sqlx::{PostgresOptions, SqliteOptions, SqlxStore};
use tokio::sync::Notify;

use super::Error;
use super::config::{Config, Database};
use super::mail::Smtp;

/// By how much clocks of processes on one database may differ.
const MAX_SKEW: Duration = Duration::from_secs(5);

/// The opened data folder.
pub(crate) struct Opened {
    pub(crate) store: Arc<SqlxStore>,
    pub(crate) service: Service,
    /// Rung when a change queued work.
    pub(crate) bells: Bells,
    /// What sends mail, where it is configured.
    pub(crate) notifier: Option<Arc<dyn Notifier>>,
}

/// One bell for each worker that need not wait for its next turn: a bell wakes one sleeper.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bells {
    pub(crate) peers: Arc<Notify>,
    pub(crate) mail: Arc<Notify>,
}

/// Opens database and key ring, making both at the first start.
pub(crate) async fn open(config: &Config) -> Result<Opened, Error> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&config.data)
        .map_err(|error| format!("{}: {error}", config.data.display()))?;
    let (ring, store) = match &config.database {
        Database::Sqlite(path) => {
            let ring = key_ring(&config.key_file, path.exists())?;
            (ring, SqlxStore::open_sqlite(path, SqliteOptions::default()).await?)
        }
        Database::Postgres(url) => {
            let store = SqlxStore::open_postgres(url, PostgresOptions::default()).await?;
            demand_same_time(&store).await?;
            let anybody = store.scan(&Scan::all(IndexName::UsersByUsername, "", 1)).await?;
            (key_ring(&config.key_file, !anybody.rows.is_empty())?, store)
        }
    };
    let store = Arc::new(store);
    let bells = Bells::default();
    let ring_bells = bells.clone();
    let notifier = config.smtp.as_ref().map(Smtp::notifier).transpose()?;
    let instance = Instance { url: config.public_url.clone(), version: env!("CARGO_PKG_VERSION").to_owned() };
    let params = Argon2Params { m_kib: config.hashing.memory_kib, t: config.hashing.passes, p: 1 };
    let budget = u64::from(config.hashing.budget_mib) * 1024 * 1024;
    let service = ServiceBuilder::new(
        Arc::<SqlxStore>::clone(&store),
        Arc::new(SystemClock),
        Arc::new(SystemEntropy),
        Arc::new(ring),
        instance,
    )
    .policy(config.policy.clone())
    .hashing(HashingOptions::new(params, budget))
    .channels(notifier.as_ref().map_or(&[], |notifier| notifier.channels()))
    .bell(Arc::new(move || {
        ring_bells.peers.notify_one();
        ring_bells.mail.notify_one();
    }))
    .build()?;
    Ok(Opened { store, service, bells, notifier })
}

/// Processes that share a database compare each other's times: leases and deadlines hold only as far as clocks agree.
async fn demand_same_time(store: &SqlxStore) -> Result<(), Error> {
    let apart = store.clock_offset(&SystemClock).await?.map(|offset| offset.at_least()).unwrap_or_default();
    if apart > MAX_SKEW {
        return Err(format!("this machine's clock and the database's are {apart:?} apart: set them right first").into());
    }
    Ok(())
}

/// The key ring of this instance. Made at the first start only: with a database in use but without its ring nothing could
/// be opened any more, and a new ring would hide that.
fn key_ring(path: &Path, in_use: bool) -> Result<KeyRing, Error> {
    match fs::read_to_string(path) {
        Ok(text) => {
            let mode = fs::metadata(path)?.permissions().mode();
            if mode & 0o077 != 0 {
                return Err(format!("{}: others can read it; run chmod 600 on it", path.display()).into());
            }
            KeyRing::from_text(&text).map_err(|error| format!("{}: {error}", path.display()).into())
        }
        Err(error) if error.kind() == ErrorKind::NotFound && in_use => Err(format!(
            "the key ring {} is missing, but the database is in use. Without its ring open invitations and \
             authenticator apps are lost. Put the file back, or name it with --key-file",
            path.display()
        )
        .into()),
        Err(error) if error.kind() == ErrorKind::NotFound => make_key_ring(path),
        Err(error) => Err(format!("{}: {error}", path.display()).into()),
    }
}

fn make_key_ring(path: &Path) -> Result<KeyRing, Error> {
    let ring = KeyRing::generate(SystemClock.now(), &SystemEntropy);
    let mut nonce = [0; 8];
    SystemEntropy.fill(&mut nonce);
    let draft = path.with_extension(format!("{:016x}.new", u64::from_le_bytes(nonce)));
    let written = write_private(&draft, ring.to_text().as_bytes());
    // A link fails when the name exists: of two servers that start at once, one makes the ring and both read it.
    let linked = written.and_then(|()| fs::hard_link(&draft, path));
    fs::remove_file(&draft)?;
    match linked {
        Ok(()) => Ok(ring),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(KeyRing::from_text(&fs::read_to_string(path)?)?),
        Err(error) => Err(format!("{}: {error}", path.display()).into()),
    }
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
