//! The published suite, on a wg-quick file that an administrator began.

use std::sync::Arc;

use async_trait::async_trait;
use enrollment_core::id::LocationId;
use enrollment_core::port::PeerProvisioner;
use enrollment_testkit::provisioner::{BoxError, ProvisionerFactory};
use enrollment_wireguard::WgQuickFile;
use tempfile::TempDir;
use uuid::uuid;

struct Files;

#[async_trait]
impl ProvisionerFactory for Files {
    type Gateway = TempDir;

    async fn create(&self) -> Result<TempDir, BoxError> {
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join("wg0.conf"), "[Interface]\nPrivateKey = x\n")?;
        Ok(folder)
    }

    async fn open(&self, folder: &TempDir) -> Result<Arc<dyn PeerProvisioner>, BoxError> {
        let file = folder.path().join("wg0.conf");
        Ok(Arc::new(WgQuickFile::new(folder.path()).with_file(self.location(), file)))
    }

    fn location(&self) -> LocationId {
        LocationId::from_uuid(uuid!("0190b0f0-0000-7000-8000-0123456789ab"))
    }
}

enrollment_testkit::provisioner_conformance!(Files);
