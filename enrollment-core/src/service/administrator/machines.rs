//! Machines: adding them to a location, giving them a new token, removing them (INV-10).

use std::net::IpAddr;

use super::{Administrator, Delivery, DeviceReport, Issued, Listing, PageRequest, StartEnrollment, doer};
use crate::domain::attachment::Attachment;
use crate::domain::device::Device;
use crate::domain::enrollment::{Closure, Enrollment, Purpose};
use crate::domain::event::Event;
use crate::domain::location::Location;
use crate::domain::machine::{Machine, MachineName};
use crate::domain::rejection::Rejection;
use crate::domain::role::Permission;
use crate::id::{AttachmentId, EnrollmentId, LocationId, MachineId};
use crate::port::Scan;
use crate::record::{IndexName, Kind, RowKey, Stored, UniqueName, Version, new_row};
use crate::service::circumstances::{Rows, record};
use crate::service::turn::{Draft, TURNS, Written};
use crate::service::{Answer, Failure, Principal, operation};
use crate::time::{Span, Timestamp};

/// A machine to be added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMachine {
    /// Its name; unique in its location.
    pub name: MachineName,
    /// How long its token is valid, inside the policy's bounds; `None`: as the settings say (INV-8).
    pub validity: Option<Span>,
}

/// A machine that was added.
#[derive(Debug)]
pub struct CreatedMachine {
    /// The machine.
    pub machine: MachineView,
    /// Its token and what to run there: shown here only.
    pub issued: Issued,
}

/// A machine, as administrators see it. No secret is part of it.
#[derive(Debug, Clone)]
pub struct MachineView {
    /// Which one.
    pub id: MachineId,
    /// Its name.
    pub name: MachineName,
    /// The one location it is in.
    pub location: LocationId,
    /// Its addresses there. They are its own until it is removed.
    pub addresses: Vec<IpAddr>,
    /// When it was added.
    pub created: Timestamp,
    /// How far it is.
    pub stage: MachineStage,
    /// Its latest enrollment, which may be gone.
    pub enrollment: EnrollmentId,
    /// The first instant at which its token opens nothing, while it waits to be redeemed.
    pub expires_at: Option<Timestamp>,
    /// Its device and how far that one's peer is, once it has supplied its key.
    pub device: Option<DeviceReport>,
}

/// How far a machine is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MachineStage {
    /// Its token waits to be redeemed.
    Invited,
    /// Its token opens nothing any more: it expired, was opened as often as it may, or was withdrawn. Another can be
    /// issued.
    Uninvited,
    /// It has supplied its key.
    Enrolled,
}

impl MachineStage {
    /// The stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Invited => "invited",
            Self::Uninvited => "uninvited",
            Self::Enrolled => "enrolled",
        }
    }
}

impl Administrator<'_> {
    /// Adds a machine to a location, with its name and its addresses, and shows its token this once. All that is left to
    /// whoever redeems the token is to supply the public key (INV-10).
    ///
    /// # Errors
    /// [`Rejection::NotFound`], [`Rejection::LocationAsksForFactor`], [`Rejection::MachineNameTaken`],
    /// [`Rejection::AddressesExhausted`], [`Rejection::OutOfRange`], [`Rejection::Forbidden`]; nothing is created.
    pub fn create_machine<'a>(
        &'a self,
        by: &'a Principal,
        at: LocationId,
        new: NewMachine,
    ) -> Answer<'a, CreatedMachine> {
        operation("administrator.create_machine", async move {
            let about = RowKey::new(Kind::Location, at.uuid());
            self.audited(by, "create_machine", about, self.try_create_machine(by, at, &new)).await
        })
    }

    /// Gives a machine that has not supplied its key another token, shown this once. The one before is dead, and so is
    /// its session; name and addresses stay.
    ///
    /// # Errors
    /// [`Rejection::NotFound`], [`Rejection::MachineEnrolled`], [`Rejection::OutOfRange`], [`Rejection::Forbidden`].
    pub fn reissue_machine<'a>(
        &'a self,
        by: &'a Principal,
        id: MachineId,
        validity: Option<Span>,
    ) -> Answer<'a, Issued> {
        operation("administrator.reissue_machine", async move {
            self.audited(by, "reissue_machine", key(id), self.try_reissue_machine(by, id, validity)).await
        })
    }

    /// Removes a machine: its token and its session are dead, its peer goes out of force, and its polling token opens
    /// nothing. Addresses that were in force rest; those that nobody ever used are free at once.
    ///
    /// # Errors
    /// [`Rejection::NotFound`], [`Rejection::Forbidden`].
    pub fn remove_machine<'a>(&'a self, by: &'a Principal, id: MachineId) -> Answer<'a, ()> {
        operation("administrator.remove_machine", async move {
            self.audited(by, "remove_machine", key(id), self.try_remove_machine(by, id)).await
        })
    }

    /// A machine.
    ///
    /// # Errors
    /// [`Rejection::NotFound`], [`Rejection::Forbidden`].
    pub fn machine<'a>(&'a self, by: &'a Principal, id: MachineId) -> Answer<'a, MachineView> {
        operation("administrator.machine", async move {
            self.audited(by, "machine", key(id), async {
                by.demand(Permission::ReadLocations)?;
                let stored = self.stored_machine(id).await?;
                let rows = self.service.rows(keys_of(&stored.record)).await?;
                self.machine_view(stored.record, &rows)
            })
            .await
        })
    }

    /// The machines of a location by name, page by page.
    ///
    /// # Errors
    /// [`Rejection::NotFound`], [`Rejection::Forbidden`]; when cursor or limit do not fit.
    pub fn machines<'a>(
        &'a self,
        by: &'a Principal,
        at: LocationId,
        page: &'a PageRequest,
    ) -> Answer<'a, Listing<MachineView>> {
        operation("administrator.machines", async move {
            let about = RowKey::new(Kind::Location, at.uuid());
            self.audited(by, "machines", about, self.try_machines(by, at, page)).await
        })
    }

    async fn try_create_machine(
        &self,
        by: &Principal,
        at: LocationId,
        new: &NewMachine,
    ) -> Result<CreatedMachine, Failure> {
        by.demand(Permission::ManageMachines)?;
        let start = start(new.validity);
        self.demand_validity(&start)?;
        for _ in 0..TURNS {
            let location = self.service.read::<Location>(at.uuid()).await?;
            let location = location.ok_or(Rejection::NotFound { what: "location" })?;
            if !location.record.takes_machines() {
                return Err(Rejection::LocationAsksForFactor.into());
            }
            let settings = self.service.settings().await?;
            let mut draft = Draft::new(self.service.now());
            // The location's row moves with it. Holding it would not do: a change that asks for a second factor there,
            // and has looked for machines before this one came, would then miss it.
            draft.ops.push(location.put(&location.record));
            self.service.audit(&mut draft, doer(by), location.key(), location.version, Event::MachineCreated);
            let id = MachineId::new(draft.now, self.service.entropy());
            let attachment = AttachmentId::new(draft.now, self.service.entropy());
            let addresses = self.service.claim_addresses(&mut draft, &location.record, attachment, &[]).await?;
            let issued = self.issue_for(&mut draft, by, (id.into(), new.name.listed()), &settings, &start)?;
            let machine = Machine {
                id,
                name: new.name.clone(),
                location: at,
                attachment,
                addresses,
                enrollment: issued.id,
                device: None,
                created: draft.now,
            };
            draft.ops.push(new_row(&machine));
            self.service.audit(&mut draft, doer(by), key(id), Version::FIRST, Event::MachineCreated);
            match self.write(by, draft).await? {
                Written::Applied => {
                    let expires_at = Some(issued.expires_at);
                    let machine = MachineView::new(machine, MachineStage::Invited, expires_at, None);
                    return Ok(CreatedMachine { machine, issued });
                }
                Written::Taken(taken) if taken.name == UniqueName::MachineName => {
                    return Err(Rejection::MachineNameTaken.into());
                }
                Written::Stale | Written::Taken(_) | Written::LeaseLost => {}
            }
        }
        Err(Failure::Busy)
    }

    async fn try_reissue_machine(
        &self,
        by: &Principal,
        id: MachineId,
        validity: Option<Span>,
    ) -> Result<Issued, Failure> {
        by.demand(Permission::ManageMachines)?;
        let start = start(validity);
        self.demand_validity(&start)?;
        for _ in 0..TURNS {
            let stored = self.stored_machine(id).await?;
            let machine = &stored.record;
            if machine.device.is_some() {
                return Err(Rejection::MachineEnrolled.into());
            }
            let settings = self.service.settings().await?;
            let mut draft = Draft::new(self.service.now());
            self.close_open(&mut draft, by, id, Closure::Restarted).await?;
            let issued = self.issue_for(&mut draft, by, (id.into(), machine.name.listed()), &settings, &start)?;
            draft.ops.push(stored.put(&Machine { enrollment: issued.id, ..machine.clone() }));
            self.service.audit(&mut draft, doer(by), stored.key(), stored.version, Event::EnrollmentIssued);
            if let Written::Applied = self.write(by, draft).await? {
                return Ok(issued);
            }
        }
        Err(Failure::Busy)
    }

    async fn try_remove_machine(&self, by: &Principal, id: MachineId) -> Result<(), Failure> {
        by.demand(Permission::ManageMachines)?;
        for _ in 0..TURNS {
            let stored = self.stored_machine(id).await?;
            let machine = &stored.record;
            let mut draft = Draft::new(self.service.now());
            self.close_open(&mut draft, by, id, Closure::Revoked).await?;
            match self.device_of(machine).await? {
                Some(device) => self.take_away(&mut draft, by, &device).await?,
                // Nobody ever used its addresses, so they need no rest.
                None => {
                    let assignments = self.service.assignments(machine.location, &machine.addresses).await?;
                    draft.ops.extend(assignments.iter().map(Stored::delete));
                }
            }
            draft.ops.push(stored.delete());
            self.service.audit(&mut draft, doer(by), stored.key(), stored.version, Event::MachineRemoved);
            if let Written::Applied = self.write(by, draft).await? {
                return Ok(());
            }
        }
        Err(Failure::Busy)
    }

    async fn try_machines(
        &self,
        by: &Principal,
        at: LocationId,
        page: &PageRequest,
    ) -> Result<Listing<MachineView>, Failure> {
        by.demand(Permission::ReadLocations)?;
        if self.service.read::<Location>(at.uuid()).await?.is_none() {
            return Err(Rejection::NotFound { what: "location" }.into());
        }
        let page = self.service.store().scan(&page.scan(IndexName::MachinesByLocation, at.to_string())?).await?;
        let machines = page.rows.iter().map(|row| Ok(Stored::<Machine>::read(row)?.record));
        let machines: Vec<Machine> = machines.collect::<Result<_, Failure>>()?;
        let rows = self.service.rows(machines.iter().flat_map(keys_of)).await?;
        let items = machines.into_iter().map(|machine| self.machine_view(machine, &rows)).collect::<Result<_, _>>()?;
        Ok(Listing { items, next: page.next.as_ref().and_then(super::listing::text) })
    }

    /// Refuses what no machine can live with, where there is one.
    pub(super) async fn demand_no_machines(&self, at: LocationId) -> Result<(), Failure> {
        let any = Scan::all(IndexName::MachinesByLocation, at.to_string(), 1);
        if self.service.store().scan(&any).await?.rows.is_empty() {
            Ok(())
        } else {
            Err(Rejection::MachinesPresent.into())
        }
    }

    async fn stored_machine(&self, id: MachineId) -> Result<Stored<Machine>, Failure> {
        let stored = self.service.read::<Machine>(id.uuid()).await?;
        Ok(stored.ok_or(Rejection::NotFound { what: "machine" })?)
    }

    async fn device_of(&self, machine: &Machine) -> Result<Option<Stored<Device>>, Failure> {
        match machine.device {
            Some(device) => self.service.read(device.uuid()).await,
            None => Ok(None),
        }
    }

    /// Adds the end of a machine's open enrollment to a draft, if it has one.
    async fn close_open(&self, draft: &mut Draft, by: &Principal, id: MachineId, why: Closure) -> Result<(), Failure> {
        let open = Enrollment::open_key(id, Purpose::NetworkDevice);
        if let Some(open) = self.service.find::<Enrollment>(&open).await? {
            self.close(draft, by, &open, why).await?;
        }
        Ok(())
    }

    /// A machine with what is told of it, of rows that were read by its keys.
    fn machine_view(&self, machine: Machine, rows: &Rows) -> Result<MachineView, Failure> {
        let device = machine.device.map(|id| record::<Device>(rows, id.uuid())).transpose()?.flatten();
        if let Some(device) = device {
            let attachment = record::<Attachment>(rows, machine.attachment.uuid())?;
            let report = DeviceReport::new(&device, attachment);
            return Ok(MachineView::new(machine, MachineStage::Enrolled, None, Some(report)));
        }
        let now = self.service.now();
        let enrollment = record::<Enrollment>(rows, machine.enrollment.uuid())?;
        let waiting = enrollment.filter(|enrollment| self.opens(enrollment, now));
        let expires_at = waiting.map(|enrollment| enrollment.expires);
        let stage = if expires_at.is_some() { MachineStage::Invited } else { MachineStage::Uninvited };
        Ok(MachineView::new(machine, stage, expires_at, None))
    }
}

impl MachineView {
    fn new(machine: Machine, stage: MachineStage, expires_at: Option<Timestamp>, device: Option<DeviceReport>) -> Self {
        let Machine { id, name, location, attachment: _, addresses, enrollment, device: _, created } = machine;
        Self { id, name, location, addresses, created, stage, enrollment, expires_at, device }
    }
}

/// What is told of a machine beside itself: its device and the one attachment that has, or the enrollment that is to give
/// it one.
fn keys_of(machine: &Machine) -> Vec<RowKey> {
    match machine.device {
        Some(device) => {
            vec![RowKey::new(Kind::Device, device.uuid()), RowKey::new(Kind::Attachment, machine.attachment.uuid())]
        }
        None => vec![RowKey::new(Kind::Enrollment, machine.enrollment.uuid())],
    }
}

const fn key(id: MachineId) -> RowKey {
    RowKey::new(Kind::Machine, id.uuid())
}

/// A machine's enrollment is handed over: there is nobody to write to.
const fn start(validity: Option<Span>) -> StartEnrollment {
    StartEnrollment {
        purpose: Purpose::NetworkDevice,
        delivery: Delivery::Manual,
        email: None,
        validity,
        wording: None,
    }
}
