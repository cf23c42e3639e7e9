//! The provisioner.

use std::collections::BTreeMap;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use enrollment_core::id::LocationId;
use enrollment_core::port::{Observation, PeerChange, PeerProvisioner, ProvisionError};

use crate::configuration::{Configuration, Malformed};
use crate::replace::{self, Exclusive};

/// Keeps the peers of each location in a wg-quick file of its own.
///
/// # Guarantees
/// * Only the block between `# BEGIN enrollment` and `# END enrollment` is ever written. Everything else, the
///   `[Interface]` section and other people's peers included, keeps its bytes. A change of a peer that stands outside
///   the block, or that would take its address, is refused; [`observe`](PeerProvisioner::observe) reports it.
/// * A change is on the disk when `apply` returns, and a power failure leaves the old file or the new one. When
///   nothing changes nothing is written.
/// * Several processes can share a file: each change is made under an advisory lock on a file beside it.
/// * A file that cannot be understood is left alone; the error names file and line.
///
/// Here "in force" means that the file says so; see the [crate](crate) for how the gateway takes it over.
/// Of allowed IPs that are networks and not single addresses `observe` says nothing.
#[derive(Debug)]
pub struct WgQuickFile {
    folder: PathBuf,
    files: BTreeMap<LocationId, PathBuf>,
}

impl WgQuickFile {
    /// One file for each location in `folder`, which is made when first needed, for its owner only.
    ///
    /// A file is called `wg-` and the last 12 digits of the location's id, since wg-quick takes the name for that of
    /// the interface, which has at most 15 characters. [`Self::path`] says what it is.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), files: BTreeMap::new() }
    }

    /// The same, with another file for one location, such as `/etc/wireguard/wg0.conf`.
    #[must_use]
    pub fn with_file(mut self, location: LocationId, path: impl Into<PathBuf>) -> Self {
        self.files.insert(location, path.into());
        self
    }

    /// The file of a location.
    #[must_use]
    pub fn path(&self, location: LocationId) -> PathBuf {
        self.files.get(&location).cloned().unwrap_or_else(|| {
            let id = location.uuid().simple().to_string();
            self.folder.join(format!("wg-{}.conf", &id[id.len() - 12..]))
        })
    }
}

#[async_trait]
impl PeerProvisioner for WgQuickFile {
    async fn apply(&self, at: LocationId, changes: &[PeerChange]) -> Vec<Result<(), ProvisionError>> {
        let (path, wanted) = (self.path(at), changes.to_vec());
        // A folder that somebody else named is theirs to make.
        let folder = (!self.files.contains_key(&at)).then(|| self.folder.clone());
        let done = tokio::task::spawn_blocking(move || {
            if let Some(folder) = folder {
                DirBuilder::new()
                    .recursive(true)
                    .mode(0o700)
                    .create(&folder)
                    .map_err(|error| Failure::io(&folder, error))?;
            }
            apply(at, &path, &wanted)
        });
        match done.await {
            Ok(Ok(results)) => results,
            Ok(Err(failure)) => changes.iter().map(|_| Err(failure.error())).collect(),
            Err(lost) => changes.iter().map(|_| Err(ProvisionError::transient(lost.to_string()))).collect(),
        }
    }

    async fn observe(&self, at: LocationId) -> Result<Observation, ProvisionError> {
        let path = self.path(at);
        // No lock: the file is only ever replaced, so a reader finds one whole version of it.
        let read = tokio::task::spawn_blocking(move || {
            let content = replace::read(&path).map_err(|error| Failure::io(&path, error))?;
            let peers = take_apart(at, &path, content.as_deref())?.peers();
            peers.map_err(|cause| Failure::Malformed { path, cause })
        });
        let peers = read.await.map_err(|lost| ProvisionError::transient("reading was cut short").caused_by(lost))?;
        peers.map(Observation::Peers).map_err(|failure: Failure| failure.error())
    }
}

fn apply(at: LocationId, path: &Path, changes: &[PeerChange]) -> Result<Vec<Result<(), ProvisionError>>, Failure> {
    let file = Exclusive::acquire(path).map_err(|error| Failure::io(path, error))?;
    let content = file.read().map_err(|error| Failure::io(path, error))?;
    let mut configuration = take_apart(at, path, content.as_deref())?;
    let mut changed = false;
    let results = changes
        .iter()
        .map(|change| {
            let outcome = match change {
                PeerChange::Ensure(spec) => configuration.ensure(spec),
                PeerChange::Remove(key) => configuration.remove(key),
            };
            let refused = |foreign| ProvisionError::permanent(format!("{}: {foreign}", path.display()));
            outcome.map(|it| changed |= it).map_err(refused)
        })
        .collect();
    if changed {
        file.replace(|new| configuration.write_to(new)).map_err(|error| Failure::io(path, error))?;
    }
    Ok(results)
}

fn take_apart<'a>(at: LocationId, path: &Path, content: Option<&'a [u8]>) -> Result<Configuration<'a>, Failure> {
    match content {
        None => Ok(Configuration::empty(at)),
        Some(content) => {
            Configuration::parse(at, content).map_err(|cause| Failure::Malformed { path: path.to_owned(), cause })
        }
    }
}

/// Why a whole call failed; each of its changes answers with it.
#[derive(Debug)]
enum Failure {
    Io { path: PathBuf, cause: Arc<io::Error> },
    Malformed { path: PathBuf, cause: Malformed },
}

impl Failure {
    fn io(path: &Path, cause: io::Error) -> Self {
        Self::Io { path: path.to_owned(), cause: Arc::new(cause) }
    }

    fn error(&self) -> ProvisionError {
        match self {
            // Space, rights and folders come back without a change of what was asked for.
            Self::Io { path, cause } => {
                ProvisionError::transient(format!("{} cannot be read or written", path.display()))
                    .caused_by(Arc::clone(cause))
            }
            Self::Malformed { path, cause } => {
                ProvisionError::permanent(format!("{}, {cause}", path.display())).caused_by(cause.clone())
            }
        }
    }
}
