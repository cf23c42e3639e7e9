//! What an enrollee sees of their enrollment.

use std::collections::BTreeSet;

use std::net::IpAddr;

use super::Enrollee;
use crate::domain::attachment::Attachment;
use crate::domain::config::ClientConfig;
use crate::domain::contact::{Email, Phone};
use crate::domain::device::{Device, PublicKey};
use crate::domain::enrollment::{Enrollment, Phase, Purpose, Work};
use crate::domain::location::{FactorKind, Location, MfaMode};
use crate::domain::machine::MachineName;
use crate::domain::rejection::Rejection;
use crate::domain::requirement::Requirement;
use crate::domain::settings::Settings;
use crate::domain::text::{DeviceName, LocationName, PersonName};
use crate::domain::user::User;
use crate::domain::username::Username;
use crate::id::{DeviceId, LocationId, Number};
use crate::record::{Kind, RowKey, Stored};
use crate::service::Failure;
use crate::service::circumstances::World;
use crate::time::Timestamp;

/// Where a session stands. API, wizard and clients all show exactly this (REQ-2).
#[derive(Debug, Clone)]
pub struct SessionState {
    /// What the enrollment is for.
    pub purpose: Purpose,
    /// The first instant at which nothing more is done in the session; absolute, so that a client can count down
    /// (TOK-9).
    pub deadline: Timestamp,
    /// Whose it is.
    pub whose: Whose,
    /// Whom to ask: the administrator who started it, as they are now (REQ-1, INV-7).
    pub initiator: Option<Contact>,
    /// What is still missing, in the order in which it is shown.
    pub missing: Vec<Requirement>,
    /// What may be done beyond.
    pub optional: Vec<Requirement>,
    /// Kinds of factor that can be set up and that count for this user.
    pub factors: Vec<FactorKind>,
    /// Whether a factor is verified in this enrollment.
    pub mfa_verified: bool,
    /// The settings in force.
    pub settings: Settings,
    /// The device that was added.
    pub device: Option<DeviceView>,
    /// Whether the enrollment is complete.
    pub completed: bool,
}

/// Whose an enrollment is.
#[derive(Debug, Clone)]
pub enum Whose {
    /// A person's.
    Person(Person),
    /// A machine's, of this name.
    Machine(MachineName),
}

impl SessionState {
    /// The person whose it is.
    ///
    /// # Errors
    /// [`Rejection::ForMachine`] when it is a machine's.
    pub fn person(&self) -> Result<&Person, Rejection> {
        match &self.whose {
            Whose::Person(person) => Ok(person),
            Whose::Machine(_) => Err(Rejection::ForMachine),
        }
    }
}

/// The user's own data.
#[derive(Debug, Clone)]
pub struct Person {
    /// Username.
    pub username: Username,
    /// First name.
    pub first_name: PersonName,
    /// Last name.
    pub last_name: PersonName,
    /// Address.
    pub email: Option<Email>,
    /// Phone number, as corrected.
    pub phone: Option<Phone>,
    /// Whether they have an administrator's role, for which an authenticator app alone counts.
    pub administrator: bool,
}

/// Whom to ask.
#[derive(Debug, Clone)]
pub struct Contact {
    /// First and last name, or the username where there is none.
    pub name: String,
    /// Address.
    pub email: Option<Email>,
    /// Phone number.
    pub phone: Option<Phone>,
}

/// A device, as its owner sees it.
#[derive(Debug, Clone)]
pub struct DeviceView {
    /// Which one.
    pub id: DeviceId,
    /// The same for protocols that speak int64.
    pub number: Number,
    /// Its name.
    pub name: DeviceName,
    /// Its key.
    pub public_key: PublicKey,
    /// When it was added.
    pub created: Timestamp,
}

/// What a device needs to connect to one location.
#[derive(Debug, Clone)]
pub struct DeviceConfig {
    /// Which location.
    pub location: LocationId,
    /// The same for protocols that speak int64.
    pub number: Number,
    /// Its name.
    pub name: LocationName,
    /// Its parts.
    pub client: ClientConfig,
    /// The addresses of the device.
    pub addresses: Vec<IpAddr>,
    /// Whether connecting asks for a second factor.
    pub mfa: MfaMode,
}

impl DeviceConfig {
    pub(super) fn new(location: &Location, attachment: &Attachment) -> Self {
        Self {
            location: location.id,
            number: location.number,
            name: location.name.clone(),
            client: ClientConfig {
                addresses: attachment.addresses.clone(),
                dns: location.dns.iter().map(ToString::to_string).collect(),
                mtu: location.mtu,
                peer_public_key: location.public_key,
                allowed_ips: location.allowed_ips.clone(),
                endpoint: location.endpoint.to_string(),
                keepalive: location.keepalive,
            },
            addresses: attachment.addresses.clone(),
            mfa: location.mfa,
        }
    }
}

impl Contact {
    pub(super) fn of(user: &User) -> Self {
        let name = format!("{} {}", user.first_name, user.last_name);
        let name = match name.trim() {
            "" => user.username.to_string(),
            name => name.to_owned(),
        };
        Self { name, email: user.email.clone(), phone: user.phone.clone() }
    }
}

impl From<&Device> for DeviceView {
    fn from(device: &Device) -> Self {
        Self {
            id: device.id,
            number: device.number,
            name: device.name.clone(),
            public_key: device.public_key,
            created: device.created,
        }
    }
}

/// The device that its session added.
pub(super) fn device_of(enrollment: &Enrollment) -> Option<DeviceId> {
    match &enrollment.phase {
        Phase::InSession(session) => session.work.device,
        Phase::Completed(completed) => completed.device,
        Phase::Invited | Phase::Closed(_) => None,
    }
}

/// The row of the enrollment's device, to be read together with everything else.
pub(super) fn device_key(enrollment: &Enrollment) -> Option<RowKey> {
    device_of(enrollment).map(|id| RowKey::new(Kind::Device, id.uuid()))
}

/// The enrollment's device, out of the world read with its [`device_key`].
pub(super) fn device(enrollment: &Enrollment, world: &World) -> Result<Option<Device>, Failure> {
    Ok(stored_device(enrollment, world)?.map(|stored| stored.record))
}

/// The same with its version.
pub(super) fn stored_device(enrollment: &Enrollment, world: &World) -> Result<Option<Stored<Device>>, Failure> {
    let row = device_key(enrollment).and_then(|key| world.row(key));
    Ok(row.map(Stored::read).transpose()?)
}

impl Enrollee<'_> {
    /// What the enrollee sees, from an enrollment and the world read with its [`device_key`].
    pub(super) fn state(&self, enrollment: &Enrollment, world: &World) -> Result<SessionState, Failure> {
        let circumstances = world.circumstances(self.service);
        let user = &world.user.record;
        let nothing = Work::default();
        let (work, deadline, completed) = match &enrollment.phase {
            Phase::InSession(session) => (&session.work, session.deadline, false),
            Phase::Completed(completed) => (&nothing, completed.deadline, true),
            Phase::Invited | Phase::Closed(_) => (&nothing, enrollment.expires, false),
        };
        let corrected = work.profile.as_ref().and_then(|profile| profile.phone.clone());
        let requirements = circumstances.requirements(enrollment.purpose);
        // A factor that no location accepts is not what is asked for.
        let counts = |verified: &BTreeSet<_>| !verified.is_disjoint(&requirements.factors);
        Ok(SessionState {
            purpose: enrollment.purpose,
            deadline,
            whose: Whose::Person(Person {
                username: user.username.clone(),
                first_name: user.first_name.clone(),
                last_name: user.last_name.clone(),
                email: user.email.clone(),
                phone: corrected.or_else(|| user.phone.clone()),
                administrator: user.role.is_some(),
            }),
            initiator: world.initiator.as_ref().map(Contact::of),
            missing: if completed { Vec::new() } else { circumstances.missing(enrollment.purpose, work) },
            optional: requirements.optional.into_iter().collect(),
            mfa_verified: counts(&work.factors()) || (completed && !user.credentials.factors().is_empty()),
            factors: requirements.factors.into_iter().collect(),
            settings: world.settings.clone(),
            device: device(enrollment, world)?.as_ref().map(DeviceView::from),
            completed,
        })
    }

    /// The configurations of attachments, by location's name.
    pub(super) fn configs<'a>(
        world: &World,
        attachments: impl IntoIterator<Item = &'a Attachment>,
    ) -> Vec<DeviceConfig> {
        let mut configs: Vec<DeviceConfig> = attachments
            .into_iter()
            .filter_map(|attachment| {
                let location = world.locations.iter().find(|location| location.id == attachment.location)?;
                Some(DeviceConfig::new(location, attachment))
            })
            .collect();
        configs.sort_by(|a, b| a.name.cmp(&b.name));
        configs
    }
}
