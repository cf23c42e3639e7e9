//! What a machine does that nobody sits at: it supplies its key, and keeps its configuration up to date (INV-10).

use super::state::DeviceConfig;
use super::step::may_read;
use super::{ClientDevice, Contact, DeviceView, Enrollee, SessionState, Whose};
use crate::domain::attachment::{Attachment, PeerState};
use crate::domain::audit::Actor;
use crate::domain::command::{Changed, Command, Decision, Step};
use crate::domain::decide;
use crate::domain::device::{Device, PublicKey};
use crate::domain::enrollment::{Enrollment, Phase};
use crate::domain::event::Event;
use crate::domain::machine::Machine;
use crate::domain::rejection::Rejection;
use crate::domain::requirement::Requirement;
use crate::domain::text::DeviceName;
use crate::id::{DeviceId, MachineId, Number};
use crate::record::{Stored, UniqueName, new_row};
use crate::secret::{PollingToken, SessionSecret};
use crate::service::machine_world::MachineWorld;
use crate::service::turn::{Doer, Draft, TURNS, Written};
use crate::service::{Answer, Failure, Origin, operation};
use crate::time::Timestamp;

/// A machine's session and its world.
struct AtMachine<'a> {
    stored: &'a Stored<Enrollment>,
    world: &'a MachineWorld,
    doer: Doer,
    now: Timestamp,
}

impl Enrollee<'_> {
    /// Supplies the key of a machine's device, which completes its enrollment: the device, made beforehand with its name,
    /// its location and its addresses, becomes a peer in this same change. Nothing else of it can be chosen here.
    ///
    /// The same key again from the same session changes nothing and returns the same, the polling token included.
    ///
    /// # Errors
    /// [`Rejection::InvalidField`] for a person's enrollment, whose device needs a name;
    /// [`Rejection::PublicKeyTaken`]; [`Rejection::AlreadyCompleted`] when another key was supplied before;
    /// [`Rejection::LocationAsksForFactor`].
    pub fn set_machine_key<'a>(
        &'a self,
        session: &'a SessionSecret,
        key: &'a PublicKey,
        origin: Origin,
    ) -> Answer<'a, ClientDevice> {
        operation("enrollee.set_machine_key", self.try_set_machine_key(session, key, origin))
    }

    async fn try_set_machine_key(
        &self,
        session: &SessionSecret,
        key: &PublicKey,
        origin: Origin,
    ) -> Result<ClientDevice, Failure> {
        const OPERATION: Option<&str> = Some("device");
        for _ in 0..TURNS {
            let stored = self.by_session(session.digest(), origin, OPERATION).await?;
            if stored.record.user().is_some() {
                return Err(self.refuse_known(&stored, origin, OPERATION, name_needed()).await);
            }
            let world = self.service.world_of_machine(&stored.record, Rejection::TokenRevoked).await?;
            let now = self.service.now();
            let made = world.device.as_ref().map(|device| &device.record).filter(|device| device.public_key == *key);
            if let Some(device) = made
                && may_read(&stored.record, session.digest(), now).is_ok()
            {
                let polling = self.polling_token(session, device);
                return self.machine_device(device, &world, polling).await;
            }
            let doer = Doer { actor: Actor::Enrollee(stored.record.id), origin };
            let at = AtMachine { stored: &stored, world: &world, doer, now };
            let changed = match self.decide_key(&at, session) {
                Ok(changed) => changed,
                Err(rejection) => return Err(self.refuse_known(&stored, origin, OPERATION, rejection).await),
            };
            let polling = self.service.ring().polling_tokens(session, key).next();
            match self.write_key(&at, changed, key, polling.as_ref()).await? {
                (Written::Applied, device, attachment) => {
                    let configs = vec![DeviceConfig::new(&world.location, &attachment)];
                    return Ok(ClientDevice::of_machine(&device, &world, configs, polling));
                }
                (Written::Taken(taken), ..) if taken.name == UniqueName::PublicKey => {
                    return Err(self.refuse_known(&stored, origin, OPERATION, Rejection::PublicKeyTaken).await);
                }
                (Written::Stale | Written::Taken(_) | Written::LeaseLost, ..) => {}
            }
        }
        Err(Failure::Busy)
    }

    fn decide_key(&self, at: &AtMachine<'_>, session: &SessionSecret) -> Result<Changed, Rejection> {
        let device = DeviceId::new(at.now, self.service.entropy());
        let command = Command::Step { session: session.digest(), step: Step::SupplyKey { device } };
        let decision = decide(&at.stored.record, command, at.now)?;
        // Judged in the change that makes the peer, as a second factor is for people (REQ-3).
        if !at.world.location.takes_machines() {
            return Err(Rejection::LocationAsksForFactor);
        }
        match decision {
            Decision::Changed(changed) => Ok(*changed),
            Decision::Unchanged(_) => Err(Rejection::AlreadyCompleted),
        }
    }

    /// Writes device, peer and completion together. The addresses are the machine's since it was added.
    async fn write_key(
        &self,
        at: &AtMachine<'_>,
        changed: Changed,
        key: &PublicKey,
        polling: Option<&PollingToken>,
    ) -> Result<(Written, Device, Attachment), Failure> {
        let AtMachine { stored, world, doer, now } = *at;
        let machine = &world.machine.record;
        let Phase::Completed(completed) = &changed.next.phase else {
            return Err(Failure::Broken("a key that completes nothing".into()));
        };
        let id = completed.device.ok_or_else(|| Failure::Broken("a key without a device".into()))?;
        let device = Device {
            id,
            number: Number::new(self.service.entropy()),
            owner: machine.id.into(),
            name: machine.name.device(),
            public_key: *key,
            enrollment: Some(stored.record.id),
            staged: false,
            created: now,
            polling: polling.map(PollingToken::digest),
            mobile_key: None,
        };
        let attachment = Attachment {
            id: machine.attachment,
            device: id,
            location: machine.location,
            public_key: *key,
            addresses: machine.addresses.clone(),
            state: PeerState::Intended,
            generation: 1,
            failure: None,
        };
        let mut draft = Draft::new(now);
        draft.ops.extend([
            new_row(&device),
            new_row(&attachment),
            world.machine.put(&Machine { device: Some(id), ..machine.clone() }),
            world.holds(),
        ]);
        self.service.tell_worker(&mut draft, &attachment)?;
        self.service.add_changed(&mut draft, doer, stored, None, changed).await?;
        self.service.audit(&mut draft, doer, world.machine.key(), world.machine.version, Event::EnrollmentCompleted);
        Ok((self.service.write(draft).await?, device, attachment))
    }

    /// Where a machine's session stands.
    pub(super) async fn machine_session(
        &self,
        session: &SessionSecret,
        found: &Stored<Enrollment>,
    ) -> Result<SessionState, Failure> {
        may_read(&found.record, session.digest(), self.service.now())?;
        self.machine_state(&found.record).await
    }

    /// What the holder of a machine's session sees.
    pub(super) async fn machine_state(&self, enrollment: &Enrollment) -> Result<SessionState, Failure> {
        let world = self.service.world_of_machine(enrollment, Rejection::TokenRevoked).await?;
        let (deadline, completed) = match &enrollment.phase {
            Phase::InSession(session) => (session.deadline, false),
            Phase::Completed(completed) => (completed.deadline, true),
            Phase::Invited | Phase::Closed(_) => (enrollment.expires, false),
        };
        Ok(SessionState {
            purpose: enrollment.purpose,
            deadline,
            whose: Whose::Machine(world.machine.record.name.clone()),
            initiator: world.initiator.as_ref().map(Contact::of),
            missing: if completed { Vec::new() } else { vec![Requirement::Device] },
            optional: Vec::new(),
            factors: Vec::new(),
            mfa_verified: false,
            device: world.device.as_ref().map(|device| DeviceView::from(&device.record)),
            settings: world.settings,
            completed,
        })
    }

    /// The configuration of a machine's device, as it is now.
    pub(super) async fn poll_machine(&self, machine: MachineId, device: &Device) -> Result<ClientDevice, Failure> {
        let world = self.service.machine_world(machine, None).await?;
        let world = world.ok_or(Rejection::InvalidPollingToken)?;
        self.machine_device(device, &world, None).await
    }

    async fn machine_device(
        &self,
        device: &Device,
        world: &MachineWorld,
        polling: Option<PollingToken>,
    ) -> Result<ClientDevice, Failure> {
        let attachments = self.service.attachments(device.id).await?;
        let in_force = attachments.iter().filter(|stored| stored.record.state.intended() == Some(true));
        let configs = in_force.map(|stored| DeviceConfig::new(&world.location, &stored.record)).collect();
        Ok(ClientDevice::of_machine(device, world, configs, polling))
    }
}

impl ClientDevice {
    fn of_machine(
        device: &Device,
        world: &MachineWorld,
        configs: Vec<DeviceConfig>,
        polling: Option<PollingToken>,
    ) -> Self {
        Self {
            device: DeviceView::from(device),
            owner: device.number,
            username: world.machine.record.name.listed().clone(),
            settings: world.settings.clone(),
            configs,
            polling,
        }
    }
}

/// What a person hears who names no device.
fn name_needed() -> Rejection {
    Rejection::InvalidField { field: "name", reason: DeviceName::LENGTH.to_string() }
}
