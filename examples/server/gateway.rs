//! The gateways' side: one wg-quick file per location in the data folder.

use std::fs::DirBuilder;
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use enrollment::core::id::LocationId;
use enrollment::core::port::{Observation, PeerChange, PeerProvisioner, ProvisionError};
use enrollment::wireguard::WgQuickFile;
use tokio::time::timeout;

use super::config::Config;
use super::{Error, data};

/// The files of all locations, in `DATA/wireguard`.
pub(crate) fn file(config: &Config) -> WgQuickFile {
    WgQuickFile::new(config.data.join("wireguard"))
}

/// What puts peers in force.
pub(crate) fn provisioner(config: &Config) -> Arc<dyn PeerProvisioner> {
    Arc::new(Bounded(file(config)))
}

/// How long a gateway may take to answer.
const PATIENCE: Duration = Duration::from_secs(25);

/// Gives up on a gateway that hangs, for now: what is to be done at the others does not wait for it.
#[derive(Debug)]
struct Bounded(WgQuickFile);

#[async_trait]
impl PeerProvisioner for Bounded {
    async fn apply(&self, at: LocationId, changes: &[PeerChange]) -> Vec<Result<(), ProvisionError>> {
        let late = |_| changes.iter().map(|_| Err(no_answer())).collect();
        timeout(PATIENCE, self.0.apply(at, changes)).await.unwrap_or_else(late)
    }

    async fn observe(&self, at: LocationId) -> Result<Observation, ProvisionError> {
        timeout(PATIENCE, self.0.observe(at)).await.unwrap_or_else(|_| Err(no_answer()))
    }
}

fn no_answer() -> ProvisionError {
    ProvisionError::transient("the gateway did not answer in time")
}

/// Puts the gateway's section into a new file; one that exists is left alone.
pub(crate) fn write_interface(path: &Path, section: &str) -> Result<(), Error> {
    if let Some(folder) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    data::write_new_private(path, section.as_bytes()).or_else(|error| match error.kind() {
        // The worker may have been faster; whoever set the file up knows what to do with `location gateway`.
        ErrorKind::AlreadyExists => Ok(()),
        _ => Err(error.into()),
    })
}
