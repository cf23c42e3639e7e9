//! What an enrollee is shown.

use enrollment_core::domain::location::FactorKind;
use enrollment_core::domain::policy::Policy;
use enrollment_core::domain::requirement::Requirement;
use enrollment_core::domain::settings::Settings;
use enrollment_core::secret::{PasswordRules, qr_svg};
use enrollment_core::service::enrollee::{Contact, DeviceConfig, DeviceView, Person, SessionState, Whose};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::words::{DEVICE_STEPS, FRONT_ENDS, MFA_MODES};

/// Where a session stands.
#[derive(Serialize, ToSchema)]
pub(super) struct SessionStateDto {
    /// What the enrollment is for: `onboarding`, `device`, `factor` or `network_device`.
    purpose: &'static str,
    /// The first instant at which nothing more is done in the session (RFC 3339, UTC).
    #[schema(format = DateTime)]
    deadline: String,
    /// The user's own data; `null`: the enrollment is a machine's.
    user: Option<PersonDto>,
    /// The machine; `null`: the enrollment is a person's.
    machine: Option<OwnMachineDto>,
    /// Whom to ask: the administrator who started it.
    initiator: Option<ContactDto>,
    /// What is still missing before it completes: `profile`, `password`, `password_length`, `mfa`, `device`.
    missing: Vec<&'static str>,
    /// What may be done beyond.
    optional: Vec<&'static str>,
    /// Kinds of second factor that can be set up here and count: `totp`, `email`.
    mfa_methods: Vec<&'static str>,
    /// Whether a second factor is verified.
    mfa_verified: bool,
    /// The settings that matter to the enrollee.
    settings: SessionSettingsDto,
    /// The device that was added.
    device: Option<OwnDeviceDto>,
    /// Whether the enrollment is complete.
    completed: bool,
}

/// The user's own data.
#[derive(Serialize, ToSchema)]
struct PersonDto {
    /// The name to sign in with.
    username: String,
    /// First name.
    first_name: String,
    /// Last name.
    last_name: String,
    /// E-mail address.
    email: Option<String>,
    /// Phone number, as corrected.
    phone: Option<String>,
}

/// A machine that nobody sits at.
#[derive(Serialize, ToSchema)]
struct OwnMachineDto {
    /// Its name.
    name: String,
}

/// Whom to ask.
#[derive(Serialize, ToSchema)]
struct ContactDto {
    /// Their name.
    name: String,
    /// E-mail address.
    email: Option<String>,
    /// Phone number.
    phone: Option<String>,
}

/// The settings that matter to the enrollee.
#[derive(Serialize, ToSchema)]
struct SessionSettingsDto {
    /// Whose instance it is.
    organization: String,
    /// The product's name.
    product: String,
    /// Whom to ask for help.
    support_contact: String,
    /// Whether a device is added: `mandatory`, `optional` or `administrators_only`.
    device_step: &'static str,
    /// Which front end an invitation leads to: `browser`, `desktop` or `both`.
    front_end: &'static str,
    /// How long a password must and may be, in characters.
    password: PasswordLengthsDto,
    /// Whether the server makes a key pair when asked.
    server_made_keys: bool,
}

/// How long a password must and may be, in characters.
#[derive(Serialize, ToSchema)]
struct PasswordLengthsDto {
    /// The least beside a second factor.
    min_with_mfa: u32,
    /// The least of one that stands alone.
    min_alone: u32,
    /// The most.
    max: u32,
}

/// A device, as its owner sees it.
#[derive(Serialize, ToSchema)]
pub(super) struct OwnDeviceDto {
    /// Which one.
    id: Uuid,
    /// The same as an integer below 2^53.
    number: i64,
    /// Its name.
    name: String,
    /// Its WireGuard public key.
    public_key: String,
    /// When it was added (RFC 3339, UTC).
    #[schema(format = DateTime)]
    created: String,
}

/// What a device needs to connect to one location.
#[derive(Serialize, ToSchema)]
pub(super) struct ConfigDto {
    /// The location's name.
    location: String,
    /// Which one.
    location_id: Uuid,
    /// The same as an integer below 2^53.
    number: i64,
    /// A wg-quick file. Without a private key of the server's making it has one marked line to fill in.
    config: String,
    /// The file as a QR code (SVG), when it is complete.
    #[serde(skip_serializing_if = "Option::is_none")]
    qr_svg: Option<String>,
    /// Where the gateway is.
    endpoint: String,
    /// The gateway's public key.
    public_key: String,
    /// The device's addresses.
    addresses: Vec<String>,
    /// What goes into the tunnel.
    allowed_ips: Vec<String>,
    /// DNS servers and search domains.
    dns: Vec<String>,
    /// Seconds between keepalive packets; 0: none.
    keepalive: u16,
    /// Bytes.
    mtu: Option<u16>,
    /// Whether connecting asks for a second factor: `disabled`, `internal` or `external`.
    mfa: &'static str,
}

impl SessionStateDto {
    pub(super) fn new(state: SessionState, policy: &Policy) -> Self {
        // Without `..`: what the core comes to show is shown here or left out on purpose.
        let SessionState {
            purpose,
            deadline,
            whose,
            initiator,
            missing,
            optional,
            factors,
            mfa_verified,
            settings,
            device,
            completed,
        } = state;
        let (user, machine) = match whose {
            Whose::Person(person) => (Some(person.into()), None),
            Whose::Machine(name) => (None, Some(OwnMachineDto { name: name.into() })),
        };
        let codes = |requirements: Vec<Requirement>| requirements.into_iter().map(Requirement::code).collect();
        Self {
            purpose: purpose.as_str(),
            deadline: deadline.to_string(),
            user,
            machine,
            initiator: initiator.map(ContactDto::from),
            missing: codes(missing),
            optional: codes(optional),
            mfa_methods: factors.into_iter().map(FactorKind::as_str).collect(),
            mfa_verified,
            settings: SessionSettingsDto::new(settings, policy),
            device: device.map(OwnDeviceDto::from),
            completed,
        }
    }
}

impl From<Person> for PersonDto {
    fn from(person: Person) -> Self {
        let Person { username, first_name, last_name, email, phone, administrator: _ } = person;
        Self {
            username: username.to_string(),
            first_name: first_name.into(),
            last_name: last_name.into(),
            email: email.map(Into::into),
            phone: phone.map(Into::into),
        }
    }
}

impl From<Contact> for ContactDto {
    fn from(contact: Contact) -> Self {
        let Contact { name, email, phone } = contact;
        Self { name, email: email.map(Into::into), phone: phone.map(Into::into) }
    }
}

impl SessionSettingsDto {
    fn new(settings: Settings, policy: &Policy) -> Self {
        let PasswordRules { min_with_mfa, min_alone, max } = policy.password;
        Self {
            organization: settings.organization.into(),
            product: settings.product.into(),
            support_contact: settings.support_contact.into(),
            device_step: DEVICE_STEPS.word(settings.device_step),
            front_end: FRONT_ENDS.word(settings.front_end),
            password: PasswordLengthsDto { min_with_mfa, min_alone, max },
            server_made_keys: policy.server_made_keys,
        }
    }
}

impl From<DeviceView> for OwnDeviceDto {
    fn from(device: DeviceView) -> Self {
        let DeviceView { id, number, name, public_key, created } = device;
        Self {
            id: id.uuid(),
            number: number.get(),
            name: name.into(),
            public_key: public_key.to_string(),
            created: created.to_string(),
        }
    }
}

impl ConfigDto {
    /// A configuration, complete when the private key is at hand.
    pub(super) fn new(config: DeviceConfig, private_key: Option<&str>) -> Self {
        let DeviceConfig { location, number, name, client, addresses, mfa } = config;
        let file = client.file(private_key);
        Self {
            location: name.into(),
            location_id: location.uuid(),
            number: number.get(),
            // A file too long for a QR code is still a file.
            qr_svg: private_key.and_then(|_| qr_svg(&file).ok()),
            config: file,
            endpoint: client.endpoint,
            public_key: client.peer_public_key.to_string(),
            addresses: addresses.iter().map(ToString::to_string).collect(),
            allowed_ips: client.allowed_ips.iter().map(ToString::to_string).collect(),
            dns: client.dns,
            keepalive: client.keepalive,
            mtu: client.mtu,
            mfa: MFA_MODES.word(mfa),
        }
    }
}
