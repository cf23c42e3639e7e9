//! Reading what a machine's enrollment is judged against.

use super::{Failure, Service};
use crate::domain::device::Device;
use crate::domain::enrollment::Enrollment;
use crate::domain::location::Location;
use crate::domain::machine::Machine;
use crate::domain::owner::Owner;
use crate::domain::rejection::Rejection;
use crate::domain::settings::Settings;
use crate::domain::user::User;
use crate::id::{MachineId, UserId};
use crate::port::Op;
use crate::record::{Guard, Kind, RowKey, Stored, Version};

/// What one snapshot said of a machine, its location and the settings.
#[derive(Debug)]
pub(crate) struct MachineWorld {
    pub(crate) machine: Stored<Machine>,
    pub(crate) location: Location,
    locations_version: Option<Version>,
    pub(crate) settings: Settings,
    /// The administrator who started the enrollment, as they are now.
    pub(crate) initiator: Option<User>,
    /// The machine's device, once it has supplied its key.
    pub(crate) device: Option<Stored<Device>>,
}

impl MachineWorld {
    /// The step that holds the location as it was read.
    pub(crate) fn holds(&self) -> Op {
        Op::Check { key: Guard::Locations.key(), version: self.locations_version }
    }
}

impl Service {
    /// The world of a machine's enrollment; `gone` when the machine was removed.
    pub(crate) async fn world_of_machine(
        &self,
        enrollment: &Enrollment,
        gone: Rejection,
    ) -> Result<MachineWorld, Failure> {
        let Owner::Machine { machine } = enrollment.subject else {
            return Err(Failure::Broken("a person's enrollment was taken for a machine's".into()));
        };
        Ok(self.machine_world(machine, enrollment.initiator).await?.ok_or(gone)?)
    }

    /// The world of a machine, if there is such a machine.
    pub(crate) async fn machine_world(
        &self,
        machine: MachineId,
        initiator: Option<UserId>,
    ) -> Result<Option<MachineWorld>, Failure> {
        let initiator = initiator.map(|user| RowKey::new(Kind::User, user.uuid()));
        let machine = RowKey::new(Kind::Machine, machine.uuid());
        let guard = Guard::Locations.key();
        let keys: Vec<_> = [Some(machine), Some(Settings::KEY), Some(guard), initiator].into_iter().flatten().collect();
        let rows = self.store().get(&keys).await?;
        let row = |key: RowKey| rows.iter().flatten().find(|row| row.key == key);
        let Some(machine) = row(machine).map(Stored::<Machine>::read).transpose()? else { return Ok(None) };
        let (settings, _) = self.settings_of(row(Settings::KEY).cloned())?;
        let locations_version = row(guard).map(|row| row.version);
        let initiator = initiator.and_then(row).map(Stored::<User>::read).transpose()?;
        let locations = self.locations_at(locations_version).await?;
        let location = locations.iter().find(|location| location.id == machine.record.location).cloned();
        let location = location.ok_or_else(|| Failure::Broken("a machine's location is gone".into()))?;
        let device = match machine.record.device {
            Some(device) => self.read::<Device>(device.uuid()).await?,
            None => None,
        };
        Ok(Some(MachineWorld {
            machine,
            location,
            locations_version,
            settings,
            initiator: initiator.map(|stored| stored.record),
            device,
        }))
    }
}
