//! Adding the device.

use super::step::Open;
use super::{DeviceConfig, DeviceView, Enrollee, roomy};
use crate::domain::attachment::Attachment;
use crate::domain::command::{Changed, Command, Decision, Effect, Step};
use crate::domain::device::{Device, PublicKey};
use crate::domain::enrollment::{Enrollment, Purpose};
use crate::domain::rejection::Rejection;
use crate::domain::text::DeviceName;
use crate::domain::{decide, device_offered, session_opens};
use crate::id::{DeviceId, EnrollmentId};
use crate::record::{Record, UniqueName};
use crate::secret::{PollingToken, PrivateKey, SessionSecret};
use crate::service::circumstances::World;
use crate::service::devices::Entry;
use crate::service::turn::{Draft, TURNS, Written};
use crate::service::{Answer, Failure, Origin, operation};

/// Where the device's key comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceKey {
    /// Made by the enrollee; the server never sees the private half.
    Given(PublicKey),
    /// To be made here, where the policy allows it (REQ-8): the same for the same session and name.
    MakeHere,
}

/// A device to be added.
#[derive(Debug, Clone)]
pub struct DeviceRequest {
    /// Its name.
    pub name: DeviceName,
    /// Its key.
    pub key: DeviceKey,
}

/// A device that was added, and what it needs to connect.
#[derive(Debug)]
pub struct NewDeviceKey {
    /// The device.
    pub device: DeviceView,
    /// One configuration per location.
    pub configs: Vec<DeviceConfig>,
    /// The private key, when it was made here: shown to this session only, kept nowhere.
    pub private_key: Option<PrivateKey>,
}

/// A device that was added, with the world in which it was.
pub(super) struct Staged {
    pub(super) new: NewDeviceKey,
    pub(super) polling: Option<PollingToken>,
    pub(super) world: World,
}

/// The key of one attempt.
struct Pair {
    public: PublicKey,
    private: Option<PrivateKey>,
}

impl Enrollee<'_> {
    /// Adds the device, in place of the one added before. It gets its addresses now and becomes a peer only when the
    /// enrollment completes (DEV-3); for [`Purpose::Device`] that is in this same change.
    ///
    /// The same name and key again change nothing and return the same configurations. A device that an earlier holder
    /// of the token staged under this name or key goes, so that nobody is stuck who opens the link in another browser.
    ///
    /// # Errors
    /// [`Rejection::PublicKeyTaken`], [`Rejection::DeviceNameTaken`], [`Rejection::AddressesExhausted`],
    /// [`Rejection::NoLocation`], [`Rejection::StepNotOffered`]; nothing is left behind.
    pub fn set_device<'a>(
        &'a self,
        session: &'a SessionSecret,
        request: &'a DeviceRequest,
        origin: Origin,
    ) -> Answer<'a, NewDeviceKey> {
        operation(
            "enrollee.set_device",
            async move { Ok(self.stage_device(session, request, false, origin).await?.new) },
        )
    }

    /// Adds the device, with a polling token where `polls`. A device that is there already gets one, too, as long as the
    /// session lives.
    pub(super) async fn stage_device(
        &self,
        session: &SessionSecret,
        request: &DeviceRequest,
        polls: bool,
        origin: Origin,
    ) -> Result<Staged, Failure> {
        const OPERATION: &str = "device";
        for _ in 0..TURNS {
            let found = self.by_session(session.digest(), origin, Some(OPERATION)).await?;
            if found.record.user().is_none() {
                let reason = "this machine's device has its name already; leave it empty".to_owned();
                let named = Rejection::InvalidField { field: "name", reason };
                return Err(self.refuse_known(&found, origin, Some(OPERATION), named).await);
            }
            let open = self.open_found(found, origin, Some(OPERATION), &[]).await?;
            let now = self.service.now();
            let enrollment = &open.stored.record;
            let live = session_opens(enrollment, session.digest(), now).map(|_| ());
            if let Err(rejection) = &live
                && *rejection != Rejection::AlreadyCompleted
            {
                return Err(self.refuse(&open, OPERATION, rejection.clone()).await);
            }
            let present = super::state::stored_device(enrollment, &open.world)?;
            let present_device = present.as_ref().map(|stored| &stored.record);
            let pair = match self.pair(session, enrollment.id, request, present_device) {
                Ok(pair) => pair,
                Err(rejection) => {
                    return Err(self.refuse(&open, OPERATION, live.err().unwrap_or(rejection)).await);
                }
            };
            let replaced = match present_device {
                None => Vec::new(),
                Some(device) => self.service.attachments(device.id).await?,
            };
            let replaced: Vec<Attachment> = replaced.into_iter().map(|stored| stored.record).collect();
            let is_asked = |device: &Device| device.name == request.name && device.public_key == pair.public;
            if let Some(stored) = present.filter(|present| is_asked(&present.record)) {
                self.readable(&open, session.digest(), now, Some(OPERATION)).await?;
                let mut polling = self.polling_token(session, &stored.record).filter(|_| polls);
                // Staged by the session that this one continues, or without a token.
                if polls && polling.is_none() && live.is_ok() {
                    polling = self.issue_polling_token((&open, now), session, &stored).await?;
                    if polling.is_none() {
                        continue;
                    }
                }
                let new = pair.answer(&stored.record, Self::configs(&open.world, &replaced));
                return Ok(Staged { new, polling, world: open.world });
            }
            let offered = device_offered(enrollment.purpose, &open.world.circumstances(self.service));
            if let Err(rejection) = live.and(offered) {
                return Err(self.refuse(&open, OPERATION, rejection).await);
            }
            let polling = if polls { self.service.ring().polling_tokens(session, &pair.public).next() } else { None };
            let mut draft = Draft::new(now);
            let entry = Entry {
                name: request.name.clone(),
                public_key: pair.public,
                enrollment: enrollment.id,
                polling: polling.as_ref().map(PollingToken::digest),
                at_once: enrollment.purpose == Purpose::Device,
                in_place_of: replaced.iter().map(|attachment| attachment.id).collect(),
            };
            let new = match self.service.add_device(&mut draft, &open.world, entry).await {
                Ok(new) => new,
                Err(Failure::Rejected(rejection)) => return Err(self.refuse(&open, OPERATION, rejection).await),
                Err(failure) => return Err(failure),
            };
            let displaces = match waiting(enrollment) {
                None => false,
                Some(id) => {
                    self.service.read::<Device>(id.uuid()).await?.is_some_and(|old| clash(&old.record, &new.device))
                }
            };
            let changed = match self.decide_device(&open, session, (new.device.id, displaces), now) {
                Ok(changed) => changed,
                Err(rejection) => return Err(self.refuse(&open, OPERATION, rejection).await),
            };
            let Open { stored, world, doer } = &open;
            let added = self.service.add_changed(&mut draft, *doer, stored, Some(world), changed).await?;
            draft.ops.extend(world.holds());
            match self.service.write(draft).await? {
                Written::Applied => {
                    added.outcome?;
                    let new = pair.answer(&new.device, Self::configs(&open.world, &new.attachments));
                    return Ok(Staged { new, polling, world: open.world });
                }
                Written::Taken(key) if key.name == UniqueName::PublicKey => {
                    return Err(self.refuse(&open, OPERATION, Rejection::PublicKeyTaken).await);
                }
                Written::Taken(key) if key.name == UniqueName::DeviceName => {
                    return Err(self.refuse(&open, OPERATION, Rejection::DeviceNameTaken).await);
                }
                Written::Stale | Written::Taken(_) | Written::LeaseLost => {}
            }
        }
        Err(Failure::Busy)
    }

    /// Stages the device and, where that is all there is to do, completes in the same breath.
    fn decide_device(
        &self,
        open: &Open,
        session: &SessionSecret,
        (device, displaces): (DeviceId, bool),
        now: crate::time::Timestamp,
    ) -> Result<Changed, Rejection> {
        let circumstances = open.world.circumstances(self.service);
        let enrollment = &open.stored.record;
        let command = |step| Command::Step { session: session.digest(), step };
        let decision = decide(enrollment, command(Step::StageDevice { device, displaces, circumstances }), now)?;
        // Where adding the device completes, there is always room.
        let completes = enrollment.purpose == Purpose::Device;
        let decision = if completes { decision } else { roomy(&open.stored, decision, now)? };
        let staged = match decision {
            Decision::Changed(changed) => *changed,
            // The device is new, so staging it always changes something.
            Decision::Unchanged(_) => return Err(Rejection::AlreadyCompleted),
        };
        if !completes {
            return Ok(staged);
        }
        match decide(&staged.next, command(Step::Complete(circumstances)), now)? {
            Decision::Changed(mut completed) => {
                // The new device is written as a peer already; there is nothing staged to promote.
                completed.effects.retain(|effect| !matches!(effect, Effect::PromoteDevice(id) if *id == device));
                completed.effects.extend(staged.effects);
                Ok(*completed)
            }
            Decision::Unchanged(_) => Err(Rejection::AlreadyCompleted),
        }
    }

    /// The key of the device. One that is made here is the present device's, as long as a key of the ring gives it.
    fn pair(
        &self,
        session: &SessionSecret,
        enrollment: EnrollmentId,
        request: &DeviceRequest,
        present: Option<&Device>,
    ) -> Result<Pair, Rejection> {
        match request.key {
            DeviceKey::Given(public) => Ok(Pair { public, private: None }),
            DeviceKey::MakeHere if self.service.policy().server_made_keys => {
                let ring = self.service.ring();
                let pairs = ring.device_pairs(session, enrollment, &request.name);
                let pairs = pairs.collect::<Result<Vec<_>, _>>().map_err(|_| Rejection::PublicKeyNeeded)?;
                let known = |(_, public): &(_, PublicKey)| present.is_some_and(|present| present.public_key == *public);
                let at = pairs.iter().position(known).unwrap_or_default();
                let pair = pairs.into_iter().nth(at);
                let (private, public) = pair.ok_or(Rejection::PublicKeyNeeded)?;
                Ok(Pair { public, private: Some(private) })
            }
            DeviceKey::MakeHere => Err(Rejection::PublicKeyNeeded),
        }
    }
}

impl Enrollee<'_> {
    /// The private key of the enrollment's device, if it was made here for this session.
    pub(super) fn made_here(
        &self,
        session: &SessionSecret,
        enrollment: &Enrollment,
        world: &World,
    ) -> Result<Option<PrivateKey>, Failure> {
        if !self.service.policy().server_made_keys {
            return Ok(None);
        }
        let Some(device) = super::state::device(enrollment, world)? else { return Ok(None) };
        let ring = self.service.ring();
        let mut pairs = ring.device_pairs(session, enrollment.id, &device.name).filter_map(Result::ok);
        Ok(pairs.find(|(_, public)| *public == device.public_key).map(|(private, _)| private))
    }
}

impl Pair {
    fn answer(self, device: &Device, configs: Vec<DeviceConfig>) -> NewDeviceKey {
        NewDeviceKey { device: DeviceView::from(device), configs, private_key: self.private }
    }
}

/// The device that an earlier holder staged.
fn waiting(enrollment: &Enrollment) -> Option<DeviceId> {
    enrollment.session()?.held.as_ref()?.work.device
}

/// Whether only one of the two can be: they share a key or a name.
fn clash(one: &Device, other: &Device) -> bool {
    let taken = one.unique();
    other.unique().iter().any(|key| taken.contains(key))
}
