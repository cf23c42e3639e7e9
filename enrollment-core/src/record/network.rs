//! Rows of locations, devices, attachments and addresses.

use uuid::Uuid;

use super::codec::Record;
use super::key::{IndexKey, IndexName, Kind, UniqueKey, UniqueName};
use crate::domain::address::{Assignment, Pool, sortable};
use crate::domain::attachment::Attachment;
use crate::domain::device::Device;
use crate::domain::location::Location;
use crate::domain::machine::Machine;
use crate::id::LocationId;

impl Record for Location {
    const KIND: Kind = Kind::Location;

    fn row_id(&self) -> Uuid {
        self.id.uuid()
    }

    fn unique(&self) -> Vec<UniqueKey> {
        vec![
            UniqueKey::new(UniqueName::LocationName, self.name.as_str().to_lowercase()),
            UniqueKey::new(UniqueName::LocationNumber, self.number.get()),
        ]
    }

    fn index(&self) -> Vec<IndexKey> {
        vec![IndexKey::new(IndexName::LocationsByName, "", self.name.as_str().to_lowercase())]
    }
}

impl Record for Device {
    const KIND: Kind = Kind::Device;

    fn row_id(&self) -> Uuid {
        self.id.uuid()
    }

    fn unique(&self) -> Vec<UniqueKey> {
        let mut keys = vec![
            UniqueKey::new(UniqueName::PublicKey, self.public_key.to_string()),
            UniqueKey::new(UniqueName::DeviceNumber, self.number.get()),
            UniqueKey::new(UniqueName::DeviceName, format!("{}/{}", self.owner, self.name.as_str().to_lowercase())),
        ];
        keys.extend(self.polling.map(|digest| UniqueKey::new(UniqueName::PollingToken, digest)));
        keys
    }

    fn index(&self) -> Vec<IndexKey> {
        vec![IndexKey::new(IndexName::DevicesByOwner, self.owner.to_string(), self.created.micros())]
    }
}

impl Record for Attachment {
    const KIND: Kind = Kind::Attachment;

    fn row_id(&self) -> Uuid {
        self.id.uuid()
    }

    fn unique(&self) -> Vec<UniqueKey> {
        vec![UniqueKey::new(UniqueName::DeviceLocation, format!("{}/{}", self.device, self.location))]
    }

    fn index(&self) -> Vec<IndexKey> {
        vec![
            IndexKey::new(IndexName::AttachmentsByDevice, self.device.to_string(), self.location.to_string()),
            IndexKey::new(IndexName::AttachmentsByLocation, self.location.to_string(), self.device.to_string()),
        ]
    }
}

impl Record for Machine {
    const KIND: Kind = Kind::Machine;

    fn row_id(&self) -> Uuid {
        self.id.uuid()
    }

    fn unique(&self) -> Vec<UniqueKey> {
        vec![UniqueKey::new(UniqueName::MachineName, format!("{}/{}", self.location, self.name))]
    }

    fn index(&self) -> Vec<IndexKey> {
        vec![IndexKey::new(IndexName::MachinesByLocation, self.location.to_string(), self.name.as_str())]
    }
}

impl Assignment {
    /// The part of the index that one pool's addresses stand in.
    #[must_use]
    pub fn pool_part(location: LocationId, pool: Pool) -> String {
        format!("{location}/{pool}")
    }
}

impl Record for Assignment {
    const KIND: Kind = Kind::Address;

    fn row_id(&self) -> Uuid {
        Self::row_id(self.location, self.address)
    }

    fn unique(&self) -> Vec<UniqueKey> {
        vec![UniqueKey::new(UniqueName::LocationAddress, format!("{}/{}", self.location, self.address))]
    }

    fn index(&self) -> Vec<IndexKey> {
        vec![IndexKey::new(
            IndexName::AddressesByPool,
            Self::pool_part(self.location, self.pool),
            sortable(self.address),
        )]
    }
}
