//! Rows of backfills and of what was found at gateways. Both stand for a set (the devices that lack addresses at a
//! location, the peers nobody intends there), so they are rows of guards, found by their location alone.

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::codec::Record;
use super::key::{Kind, RowKey};
use crate::domain::upkeep::{Backfill, Watch};
use crate::id::LocationId;

/// A row per location and purpose.
fn row_id(purpose: &str, location: LocationId) -> Uuid {
    let digest: [u8; 32] =
        Sha256::new().chain_update(purpose).chain_update(location.uuid().as_bytes()).finalize().into();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

impl Backfill {
    /// The row of a location's backfill.
    #[must_use]
    pub fn key(location: LocationId) -> RowKey {
        RowKey::new(Kind::Guard, row_id("backfill", location))
    }
}

impl Record for Backfill {
    const KIND: Kind = Kind::Guard;

    fn row_id(&self) -> Uuid {
        Self::key(self.location).id
    }
}

impl Watch {
    /// The row of what was found at a location's gateway.
    #[must_use]
    pub fn key(location: LocationId) -> RowKey {
        RowKey::new(Kind::Guard, row_id("watch", location))
    }
}

impl Record for Watch {
    const KIND: Kind = Kind::Guard;

    fn row_id(&self) -> Uuid {
        Self::key(self.location).id
    }
}
