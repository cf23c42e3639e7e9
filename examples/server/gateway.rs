//! The gateways' side: one wg-quick file per location in the data folder.

use std::sync::Arc;

use enrollment::core::port::PeerProvisioner;
use enrollment::wireguard::WgQuickFile;

use super::config::Config;

/// Keeps the peers of every location in `DATA/wireguard`.
pub(crate) fn provisioner(config: &Config) -> Arc<dyn PeerProvisioner> {
    Arc::new(WgQuickFile::new(config.data.join("wireguard")))
}
