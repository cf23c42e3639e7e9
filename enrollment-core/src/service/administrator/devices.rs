//! Devices of users, and how far their peers are.

use std::net::IpAddr;

use super::{Administrator, doer};
use crate::domain::attachment::{Attachment, PeerState};
use crate::domain::device::Device;
use crate::domain::event::Event;
use crate::domain::rejection::Rejection;
use crate::domain::role::Permission;
use crate::domain::user::User;
use crate::id::{AttachmentId, DeviceId, LocationId, UserId};
use crate::record::{IndexName, Kind, RowKey, Stored};
use crate::service::enrollee::DeviceView;
use crate::service::turn::{Draft, TURNS, Written};
use crate::service::{Answer, Failure, Principal, operation};

/// A device, and how far its peers are (DEV-5).
#[derive(Debug, Clone)]
pub struct DeviceReport {
    /// The device.
    pub device: DeviceView,
    /// How far it is: the most urgent of its attachments.
    pub status: PeerStatus,
    /// One per location.
    pub attachments: Vec<AttachmentView>,
}

/// A device in a location.
#[derive(Debug, Clone)]
pub struct AttachmentView {
    /// Which one.
    pub id: AttachmentId,
    /// Where.
    pub location: LocationId,
    /// Its addresses there.
    pub addresses: Vec<IpAddr>,
    /// How far it is.
    pub status: PeerStatus,
    /// Why the last try failed; it is tried again.
    pub failure: Option<String>,
}

/// How far the gateway is from what is intended; the later, the more urgent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PeerStatus {
    /// Taken out of force, as intended.
    Removed,
    /// In force, as intended.
    Applied,
    /// Waits for its enrollment; the gateway knows nothing.
    Staged,
    /// The gateway is to be told.
    Pending,
    /// Telling the gateway failed, and is tried again.
    Failed,
}

impl PeerStatus {
    /// The stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Removed => "removed",
            Self::Applied => "applied",
            Self::Staged => "staged",
            Self::Pending => "pending",
            Self::Failed => "failed",
        }
    }

    pub(super) const fn of(attachment: &Attachment) -> Self {
        match attachment.state {
            PeerState::Staged => Self::Staged,
            PeerState::Applied => Self::Applied,
            PeerState::Gone => Self::Removed,
            PeerState::Intended | PeerState::Removing if attachment.failure.is_some() => Self::Failed,
            PeerState::Intended | PeerState::Removing => Self::Pending,
        }
    }
}

impl DeviceReport {
    /// A device, and how far its peers are.
    pub(super) fn new(device: &Device, attachments: impl IntoIterator<Item = Attachment>) -> Self {
        let attachments: Vec<AttachmentView> = attachments.into_iter().map(AttachmentView::from).collect();
        let without = if device.staged { PeerStatus::Staged } else { PeerStatus::Applied };
        let status = attachments.iter().map(|attachment| attachment.status).max().unwrap_or(without);
        Self { device: DeviceView::from(device), status, attachments }
    }
}

impl Administrator<'_> {
    /// The devices of a user by time of making.
    ///
    /// # Errors
    /// [`Rejection::NotFound`].
    pub fn devices_of<'a>(&'a self, by: &'a Principal, user: UserId) -> Answer<'a, Vec<DeviceReport>> {
        operation("administrator.devices_of", async move {
            let about = RowKey::new(Kind::User, user.uuid());
            self.audited(by, "devices", about, self.try_devices_of(by, user)).await
        })
    }

    /// Removes a device: its peers go out of force, and its addresses rest before anybody else gets one (DEV-2, DEV-5).
    ///
    /// # Errors
    /// [`Rejection::NotFound`]; [`Rejection::DeviceStaged`] for one that waits for its enrollment;
    /// [`Rejection::MachineDevice`] for a machine's, which goes with its machine.
    pub fn remove_device<'a>(&'a self, by: &'a Principal, id: DeviceId) -> Answer<'a, ()> {
        operation("administrator.remove_device", async move {
            let about = RowKey::new(Kind::Device, id.uuid());
            self.audited(by, "remove_device", about, self.try_remove_device(by, id)).await
        })
    }

    async fn try_devices_of(&self, by: &Principal, user: UserId) -> Result<Vec<DeviceReport>, Failure> {
        by.demand(Permission::ReadUsers)?;
        if self.service.read::<User>(user.uuid()).await?.is_none() {
            return Err(Rejection::NotFound { what: "user" }.into());
        }
        let mut reports = Vec::new();
        for device in self.service.all::<Device>(IndexName::DevicesByOwner, user.to_string()).await? {
            let attachments = self.service.attachments(device.record.id).await?;
            reports.push(DeviceReport::new(&device.record, attachments.into_iter().map(|stored| stored.record)));
        }
        Ok(reports)
    }

    async fn try_remove_device(&self, by: &Principal, id: DeviceId) -> Result<(), Failure> {
        by.demand(Permission::ManageUsers)?;
        for _ in 0..TURNS {
            let device = self.service.read::<Device>(id.uuid()).await?.ok_or(Rejection::NotFound { what: "device" })?;
            let owner = device.record.owner.user().ok_or(Rejection::MachineDevice)?;
            let owner = self.service.read::<User>(owner.uuid()).await?;
            by.demand_rank(owner.and_then(|owner| owner.record.role))?;
            if device.record.staged {
                return Err(Rejection::DeviceStaged.into());
            }
            let mut draft = Draft::new(self.service.now());
            self.take_away(&mut draft, by, &device).await?;
            if let Written::Applied = self.write(by, draft).await? {
                return Ok(());
            }
        }
        Err(Failure::Busy)
    }

    /// Adds the end of a device to a draft: its peers go out of force, and its addresses rest once they have.
    pub(super) async fn take_away(
        &self,
        draft: &mut Draft,
        by: &Principal,
        device: &Stored<Device>,
    ) -> Result<(), Failure> {
        for attachment in self.service.attachments(device.record.id).await? {
            match attachment.record.state {
                // Intended anew also where it is on its way out: the worker, who leaves a trace of devices that
                // exist, then reads again.
                PeerState::Intended | PeerState::Applied | PeerState::Removing => {
                    self.service.intend(draft, &attachment, PeerState::Removing)?;
                }
                PeerState::Staged | PeerState::Gone => {
                    self.service.let_addresses_rest(draft, &attachment.record).await?;
                    draft.ops.push(attachment.delete());
                }
            }
        }
        draft.ops.push(device.delete());
        self.service.audit(draft, doer(by), device.key(), device.version, Event::DeviceRemoved);
        Ok(())
    }
}

impl From<Attachment> for AttachmentView {
    fn from(attachment: Attachment) -> Self {
        Self {
            id: attachment.id,
            location: attachment.location,
            status: PeerStatus::of(&attachment),
            addresses: attachment.addresses,
            failure: attachment.failure,
        }
    }
}
