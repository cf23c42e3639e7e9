//! What a client on the enrollee's device asks beyond the steps: it shows more at once, keeps its device's configuration
//! up to date long after the session, and registers a phone's key.

use super::device::Staged;
use super::state::{device_of, stored_device};
use super::step::Open;
use super::{
    BeginRequest, Begun, Completion, DeviceConfig, DeviceRequest, DeviceView, Enrollee, NewDeviceKey, Onboarding,
    SessionState,
};
use crate::domain::attachment::Attachment;
use crate::domain::contact::Phone;
use crate::domain::device::{Device, PublicKey};
use crate::domain::enrollment::{Enrollment, Phase, Purpose};
use crate::domain::event::Event;
use crate::domain::mobile_key::MobileKey;
use crate::domain::owner::Owner;
use crate::domain::rejection::Rejection;
use crate::domain::settings::Settings;
use crate::domain::text::DeviceName;
use crate::domain::user::User;
use crate::domain::username::Username;
use crate::id::Number;
use crate::record::{IndexName, Stored, TemplateText, UniqueKey, UniqueName};
use crate::secret::{Password, PollingToken, SessionSecret};
use crate::service::circumstances::World;
use crate::service::texts::ONBOARDING;
use crate::service::turn::{Draft, TURNS, Written};
use crate::service::{Answer, Failure, Origin, operation};
use crate::time::Timestamp;

/// What the audit log calls it.
const ACTIVATE: &str = "activate";

/// What a client shows of a session, and keeps of its user.
#[derive(Debug, Clone)]
pub struct ClientView {
    /// Where the session stands.
    pub state: SessionState,
    /// What it keeps of the user; `None`: the session is a machine's.
    pub account: Option<ClientAccount>,
    /// The onboarding message, to be shown at the end; empty for a machine.
    pub onboarding: Onboarding,
}

/// What a client keeps of its user.
#[derive(Debug, Clone)]
pub struct ClientAccount {
    /// The user, for protocols that speak int64.
    pub number: Number,
    /// Whether they have completed their onboarding.
    pub enrolled: bool,
    /// Whether they have an administrator's role.
    pub administrator: bool,
    /// The names of the devices they have.
    pub devices: Vec<DeviceName>,
}

/// A session that a client opened.
#[derive(Debug)]
pub struct ClientBegun {
    /// Its secret, shown here only.
    pub session: SessionSecret,
    /// What the client shows.
    pub view: ClientView,
}

/// A device as its client keeps it: whose it is, and what it needs to connect.
#[derive(Debug)]
pub struct ClientDevice {
    /// The device.
    pub device: DeviceView,
    /// Its owner, for protocols that speak int64; a machine is known by its device's own number.
    pub owner: Number,
    /// Its owner's name.
    pub username: Username,
    /// The settings in force.
    pub settings: Settings,
    /// One configuration per location.
    pub configs: Vec<DeviceConfig>,
    /// With what it asks for them again; shown to the holder of the session in which it was made, and to nobody else.
    pub polling: Option<PollingToken>,
}

impl ClientDevice {
    fn new(device: DeviceView, world: &World, configs: Vec<DeviceConfig>, polling: Option<PollingToken>) -> Self {
        let User { number, username, .. } = &world.user.record;
        Self { device, owner: *number, username: username.clone(), settings: world.settings.clone(), configs, polling }
    }
}

impl Enrollee<'_> {
    /// Opens or continues a session as [`Enrollee::begin`] does, and shows it as [`Enrollee::client_view`] does.
    ///
    /// # Errors
    /// As [`Enrollee::begin`].
    pub fn begin_client<'a>(&'a self, request: &'a BeginRequest, origin: Origin) -> Answer<'a, ClientBegun> {
        operation("enrollee.begin_client", async move {
            let Begun { session, state: _ } = self.begin(request, origin).await?;
            let view = self.client_view(&session, origin).await.map_err(Failure::after_the_change)?;
            Ok(ClientBegun { session, view })
        })
    }

    /// Chooses the password, confirms the data and completes: all that clients leave to their last call. Each of the
    /// three changes can be repeated, so that a call that was cut off is made good by the same call again; once complete,
    /// the same session with the same password and phone gets the same answer, and nothing changes.
    ///
    /// # Errors
    /// As [`Enrollee::choose_password`], [`Enrollee::confirm_profile`] and [`Enrollee::complete`]. What was chosen before
    /// the refusal stands, and the session lives on. A refusal is told of as [`Enrollee::activation_refused`] does.
    /// [`Rejection::AlreadyCompleted`] with another password or phone than it was completed with. Such a password counts
    /// as one of a sign-in that failed, and past some of them none is heard for a while: [`Rejection::TooMany`].
    pub fn activate<'a>(
        &'a self,
        session: &'a SessionSecret,
        password: Password,
        phone: Option<Phone>,
        origin: Origin,
    ) -> Answer<'a, Completion> {
        operation("enrollee.activate", async move {
            let found = self.by_session(session.digest(), origin, Some(ACTIVATE)).await?;
            if let Phase::Completed(_) = found.record.phase {
                return self.activated(found, session, &password, phone.as_ref(), origin).await;
            }
            match self.choose(session, password, phone, origin).await {
                Ok(()) => self.complete(session, origin).await.map_err(Failure::after_the_change),
                Err(Failure::Rejected(first)) => {
                    self.activation_refused(session, origin).await.map_err(Failure::after_the_change)?;
                    Err(first.into())
                }
                Err(failure) => Err(failure),
            }
        })
    }

    /// What activating said, for whoever repeats it.
    async fn activated(
        &self,
        found: Stored<Enrollment>,
        session: &SessionSecret,
        password: &Password,
        phone: Option<&Phone>,
        origin: Origin,
    ) -> Result<Completion, Failure> {
        let open = self.open_found(found, origin, Some(ACTIVATE), &[TemplateText::key(ONBOARDING)]).await?;
        self.readable(&open, session.digest(), self.service.now(), Some(ACTIVATE)).await?;
        let user = &open.world.user.record;
        let chosen = open.stored.record.purpose == Purpose::Onboarding;
        let same = chosen && phone.is_none_or(|phone| user.phone.as_ref() == Some(phone));
        let sign_in = self.service.sign_in();
        if same && sign_in.is_password_of(user.id, password, origin, ACTIVATE, Rejection::InvalidSession).await? {
            return self.completed(session, &open).await;
        }
        Err(self.refuse(&open, ACTIVATE, Rejection::AlreadyCompleted).await)
    }

    async fn choose(
        &self,
        session: &SessionSecret,
        password: Password,
        phone: Option<Phone>,
        origin: Origin,
    ) -> Result<(), Failure> {
        // First what can be refused or overloaded before anything changed.
        self.choose_password(session, password, origin).await?;
        self.confirm_profile(session, phone, origin).await.map_err(Failure::after_the_change)?;
        Ok(())
    }

    /// Puts down that [`Enrollee::activate`] was refused, or could not even be asked, while its client shows that all is
    /// done: what the session lacks is written down and told as a refused completion is (REQ-10). A session that lacks
    /// nothing is left as it is: completing would put an earlier choice in force just when a later one was refused.
    ///
    /// # Errors
    /// When it cannot be written. A session that is not in force is none: nobody waits for it.
    pub fn activation_refused<'a>(&'a self, session: &'a SessionSecret, origin: Origin) -> Answer<'a, ()> {
        operation("enrollee.activation_refused", async move {
            let refused = match self.session(session, origin).await {
                Ok(state) if state.missing.is_empty() => return Ok(()),
                Ok(_) => self.complete(session, origin).await.map(|_| ()),
                Err(failure) => Err(failure),
            };
            match refused {
                Err(Failure::Rejected(_)) => Ok(()),
                other => other,
            }
        })
    }

    /// What a client shows of the session; as [`Enrollee::session`], it changes nothing.
    ///
    /// # Errors
    /// As [`Enrollee::session`].
    pub fn client_view<'a>(&'a self, session: &'a SessionSecret, origin: Origin) -> Answer<'a, ClientView> {
        operation("enrollee.client_view", async move {
            let found = self.by_session(session.digest(), origin, None).await?;
            if found.record.user().is_none() {
                let state = self.machine_session(session, &found).await?;
                return Ok(ClientView { state, account: None, onboarding: Onboarding::default() });
            }
            let open = self.open_found(found, origin, None, &[TemplateText::key(ONBOARDING)]).await?;
            self.readable(&open, session.digest(), self.service.now(), None).await?;
            let own = device_of(&open.stored.record);
            let user = &open.world.user.record;
            let devices = self.service.all::<Device>(IndexName::DevicesByOwner, user.id.to_string()).await?;
            // What the session itself has staged can be staged again under its name.
            let others = devices.into_iter().filter(|device| Some(device.record.id) != own || !device.record.staged);
            Ok(ClientView {
                state: self.state(&open.stored.record, &open.world)?,
                account: Some(ClientAccount {
                    number: user.number,
                    enrolled: user.is_enrolled(),
                    administrator: user.role.is_some(),
                    devices: others.map(|device| device.record.name).collect(),
                }),
                onboarding: self.service.onboarding(&open.world),
            })
        })
    }

    /// Adds the device as [`Enrollee::set_device`] does, with a token that opens its configuration once the enrollment
    /// is complete. Repeated, the answer is the same, the token included.
    ///
    /// # Errors
    /// As [`Enrollee::set_device`].
    pub fn set_client_device<'a>(
        &'a self,
        session: &'a SessionSecret,
        request: &'a DeviceRequest,
        origin: Origin,
    ) -> Answer<'a, ClientDevice> {
        operation("enrollee.set_client_device", async move {
            let Staged { new, polling, world } = self.stage_device(session, request, true, origin).await?;
            let NewDeviceKey { device, configs, private_key: _ } = new;
            Ok(ClientDevice::new(device, &world, configs, polling))
        })
    }

    /// The configuration of a device that the session's user has, with a polling token in place of the one before.
    /// Neither consumes nor completes anything. Repeated in the same session, the answer is the same. After completion
    /// only the device that the session made gets a token; of any other the one before stays, and is not shown.
    ///
    /// # Errors
    /// [`Rejection::StepNotOffered`] for [`Purpose::Factor`], which is about no device (REQ-9); [`Rejection::NotFound`]
    /// for a device that is not the user's, or that another session has staged.
    pub fn refresh_device<'a>(
        &'a self,
        session: &'a SessionSecret,
        key: &'a PublicKey,
        origin: Origin,
    ) -> Answer<'a, ClientDevice> {
        operation("enrollee.refresh_device", self.try_refresh_device(session, key, origin))
    }

    async fn try_refresh_device(
        &self,
        session: &SessionSecret,
        key: &PublicKey,
        origin: Origin,
    ) -> Result<ClientDevice, Failure> {
        const OPERATION: &str = "refresh_device";
        for _ in 0..TURNS {
            let open = self.open(session, origin, Some(OPERATION)).await?;
            let now = self.service.now();
            self.readable(&open, session.digest(), now, Some(OPERATION)).await?;
            let enrollment = &open.stored.record;
            if enrollment.purpose == Purpose::Factor {
                return Err(self.refuse(&open, OPERATION, Rejection::StepNotOffered).await);
            }
            let Some(stored) = self.own_device(&open, key).await? else {
                return Err(self.refuse(&open, OPERATION, Rejection::NotFound { what: "device" }).await);
            };
            let configs = self.configs_of(&stored.record, &open.world).await?;
            let view = DeviceView::from(&stored.record);
            let known = self.polling_token(session, &stored.record);
            let may_issue =
                !matches!(enrollment.phase, Phase::Completed(_)) || device_of(enrollment) == Some(stored.record.id);
            if known.is_some() || !may_issue {
                return Ok(ClientDevice::new(view, &open.world, configs, known));
            }
            if let Some(token) = self.issue_polling_token((&open, now), session, &stored).await? {
                return Ok(ClientDevice::new(view, &open.world, configs, Some(token)));
            }
        }
        Err(Failure::Busy)
    }

    /// The configuration of the device whose polling token this is, as it is now. Changes nothing.
    ///
    /// # Errors
    /// [`Rejection::InvalidPollingToken`] for a token that is nobody's or no longer, while the device is staged, and
    /// while its owner is disabled. A machine's goes with the machine.
    pub fn poll<'a>(&'a self, token: &'a PollingToken) -> Answer<'a, ClientDevice> {
        operation("enrollee.poll", async move {
            let refused = || Failure::from(Rejection::InvalidPollingToken);
            let key = UniqueKey::new(UniqueName::PollingToken, token.digest());
            let device = self.service.find::<Device>(&key).await?.ok_or_else(refused)?.record;
            let owner = match device.owner {
                Owner::User(user) => user,
                Owner::Machine { machine } => return self.poll_machine(machine, &device).await,
            };
            let world = self.service.world_of(owner, None, &[]).await?.ok_or_else(refused)?;
            if device.staged || !world.user.record.is_active() {
                return Err(refused());
            }
            let configs = self.configs_of(&device, &world).await?;
            Ok(ClientDevice::new(DeviceView::from(&device), &world, configs, None))
        })
    }

    /// Registers the key with which the session's own device, a phone, approves. The first one stays; registering it
    /// again changes nothing.
    ///
    /// # Errors
    /// [`Rejection::NotFound`] unless `device` is the key of the device that this session added;
    /// [`Rejection::MobileKeyTaken`] when it has another mobile key.
    pub fn register_mobile_key<'a>(
        &'a self,
        session: &'a SessionSecret,
        device: &'a PublicKey,
        key: MobileKey,
        origin: Origin,
    ) -> Answer<'a, ()> {
        operation("enrollee.register_mobile_key", self.try_register_mobile_key(session, device, key, origin))
    }

    async fn try_register_mobile_key(
        &self,
        session: &SessionSecret,
        of: &PublicKey,
        key: MobileKey,
        origin: Origin,
    ) -> Result<(), Failure> {
        const OPERATION: &str = "mobile_key";
        for _ in 0..TURNS {
            let open = self.open(session, origin, Some(OPERATION)).await?;
            let now = self.service.now();
            self.readable(&open, session.digest(), now, Some(OPERATION)).await?;
            let own = stored_device(&open.stored.record, &open.world)?;
            let Some(stored) = own.filter(|own| own.record.public_key == *of) else {
                return Err(self.refuse(&open, OPERATION, Rejection::NotFound { what: "device" }).await);
            };
            match stored.record.mobile_key {
                Some(present) if present == key => return Ok(()),
                Some(_) => return Err(self.refuse(&open, OPERATION, Rejection::MobileKeyTaken).await),
                None => {}
            }
            let next = Device { mobile_key: Some(key), ..stored.record.clone() };
            if self.write_device((&open, now), &stored, &next, Event::MobileKeyRegistered).await? {
                return Ok(());
            }
        }
        Err(Failure::Busy)
    }

    /// The device with this key, if it is the user's, and one that they have or that this session has staged.
    async fn own_device(&self, open: &Open, key: &PublicKey) -> Result<Option<Stored<Device>>, Failure> {
        let key = UniqueKey::new(UniqueName::PublicKey, key.to_string());
        let found = self.service.find::<Device>(&key).await?;
        let enrollment = &open.stored.record;
        let is_own = |device: &Device| {
            device.owner == enrollment.subject && (!device.staged || Some(device.id) == device_of(enrollment))
        };
        Ok(found.filter(|found| is_own(&found.record)))
    }

    /// What a device needs to connect wherever it is, or is to be, a peer.
    async fn configs_of(&self, device: &Device, world: &World) -> Result<Vec<DeviceConfig>, Failure> {
        let attachments = self.service.attachments(device.id).await?;
        let counts = |attachment: &&Attachment| device.staged || attachment.state.intended() == Some(true);
        Ok(Self::configs(world, attachments.iter().map(|stored| &stored.record).filter(counts)))
    }

    /// The device's polling token, if it was made in this session.
    pub(super) fn polling_token(&self, session: &SessionSecret, device: &Device) -> Option<PollingToken> {
        let ring = self.service.ring();
        ring.polling_tokens(session, &device.public_key).find(|token| device.polling == Some(token.digest()))
    }

    /// Gives the device a polling token of this session, in place of the one before. `None`: the device, the session or
    /// its user is no longer as it was read.
    pub(super) async fn issue_polling_token(
        &self,
        at: (&Open, Timestamp),
        session: &SessionSecret,
        stored: &Stored<Device>,
    ) -> Result<Option<PollingToken>, Failure> {
        let token = self.service.ring().polling_tokens(session, &stored.record.public_key).next();
        let next = Device { polling: token.as_ref().map(PollingToken::digest), ..stored.record.clone() };
        let written = self.write_device(at, stored, &next, Event::PollingTokenIssued).await?;
        Ok(token.filter(|_| written))
    }

    /// Writes a device that a session changes, as long as that session and its user stand as they were read. Says
    /// whether it did.
    async fn write_device(
        &self,
        (open, now): (&Open, Timestamp),
        stored: &Stored<Device>,
        next: &Device,
        event: Event,
    ) -> Result<bool, Failure> {
        let mut draft = Draft::new(now);
        draft.ops.extend([stored.put(next), open.stored.check(), open.world.user.check()]);
        self.service.audit(&mut draft, open.doer, stored.key(), stored.version, event);
        Ok(matches!(self.service.write(draft).await?, Written::Applied))
    }
}
