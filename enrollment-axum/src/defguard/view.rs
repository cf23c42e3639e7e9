//! What clients are shown: every member is there, whatever its value.

use enrollment_core::domain::location::{FactorKind, MfaMode};
use enrollment_core::domain::requirement::Requirement;
use enrollment_core::domain::settings::{DeviceStep, FrontEnd, Settings};
use enrollment_core::domain::text::DeviceName;
use enrollment_core::secret::Digest;
use enrollment_core::service::enrollee::{
    ClientAccount, ClientDevice, ClientView, Contact, DeviceConfig, DeviceView, Whose,
};
use serde::Serialize;
use uuid::Uuid;

/// An opened session.
#[derive(Serialize)]
pub(super) struct StartDto {
    admin: Option<AdminDto>,
    user: Option<UserDto>,
    deadline_timestamp: i64,
    final_page_content: String,
    instance: InstanceDto,
    settings: SettingsDto,
}

#[derive(Serialize)]
struct AdminDto {
    name: String,
    phone_number: Option<String>,
    email: String,
}

#[derive(Serialize)]
struct UserDto {
    first_name: String,
    last_name: String,
    login: String,
    email: String,
    phone_number: Option<String>,
    is_active: bool,
    device_names: Vec<String>,
    enrolled: bool,
    is_admin: bool,
}

#[derive(Serialize)]
struct InstanceDto {
    id: Uuid,
    name: String,
    url: String,
    proxy_url: String,
    username: String,
    enterprise_enabled: bool,
    disable_all_traffic: bool,
    openid_display_name: Option<String>,
    client_traffic_policy: i32,
}

#[derive(Serialize)]
struct SettingsDto {
    vpn_setup_optional: bool,
    only_client_activation: bool,
    admin_device_management: bool,
    smtp_configured: bool,
    mfa_required: bool,
}

/// A device with its configurations.
#[derive(Serialize)]
pub(super) struct DeviceConfigDto {
    device: DeviceDto,
    configs: Vec<ConfigDto>,
    instance: InstanceDto,
    token: Option<String>,
}

#[derive(Serialize)]
struct DeviceDto {
    id: i64,
    name: String,
    pubkey: String,
    user_id: i64,
    created_at: i64,
}

#[derive(Serialize)]
struct ConfigDto {
    network_id: i64,
    network_name: String,
    config: String,
    endpoint: String,
    assigned_ip: String,
    pubkey: String,
    allowed_ips: String,
    dns: Option<String>,
    mfa_enabled: bool,
    keepalive_interval: i64,
    location_mfa_mode: i32,
    service_location_mode: i32,
}

impl StartDto {
    pub(super) fn new(view: ClientView, url: &str) -> Self {
        let ClientView { state, account, onboarding } = view;
        let mandatory = |requirement| state.missing.contains(&requirement);
        let settings = SettingsDto {
            vpn_setup_optional: !mandatory(Requirement::Device),
            only_client_activation: state.settings.front_end == FrontEnd::Desktop,
            admin_device_management: state.settings.device_step == DeviceStep::AdministratorsOnly,
            // What clients ask this for: whether to offer codes by e-mail.
            smtp_configured: state.factors.contains(&FactorKind::Email),
            mfa_required: mandatory(Requirement::Mfa),
        };
        let name = match &state.whose {
            Whose::Person(person) => person.username.as_str(),
            Whose::Machine(name) => name.as_str(),
        };
        let instance = InstanceDto::new(&state.settings, name, url);
        Self {
            admin: state.initiator.map(AdminDto::from),
            instance,
            user: UserDto::new(state.whose, account),
            deadline_timestamp: state.deadline.seconds(),
            final_page_content: onboarding.markdown,
            settings,
        }
    }
}

impl UserDto {
    /// A machine has none.
    fn new(whose: Whose, account: Option<ClientAccount>) -> Option<Self> {
        let (Whose::Person(user), Some(account)) = (whose, account) else { return None };
        let ClientAccount { number: _, enrolled, administrator, devices } = account;
        Some(Self {
            first_name: user.first_name.into(),
            last_name: user.last_name.into(),
            login: user.username.to_string(),
            email: user.email.map(Into::into).unwrap_or_default(),
            phone_number: user.phone.map(Into::into),
            // Nobody else has a session.
            is_active: true,
            device_names: devices.into_iter().map(DeviceName::into).collect(),
            enrolled,
            is_admin: administrator,
        })
    }
}

impl From<Contact> for AdminDto {
    fn from(contact: Contact) -> Self {
        let Contact { name, email, phone } = contact;
        Self { name, phone_number: phone.map(Into::into), email: email.map(Into::into).unwrap_or_default() }
    }
}

/// By what clients tell instances apart: made of the address at which they reach it, so that every process says the same.
fn instance_id(url: &str) -> Uuid {
    let digest = Digest::of(format!("instance {url}").as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest.as_bytes()[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

impl InstanceDto {
    fn new(settings: &Settings, username: &str, url: &str) -> Self {
        let name =
            [settings.organization.as_str(), settings.product.as_str()].into_iter().find(|name| !name.is_empty());
        let with_slash = format!("{url}/");
        Self {
            id: instance_id(url),
            name: name.unwrap_or("VPN").to_owned(),
            url: with_slash.clone(),
            proxy_url: with_slash,
            username: username.to_owned(),
            // Otherwise clients do not ask for changes of their configuration.
            enterprise_enabled: true,
            disable_all_traffic: false,
            openid_display_name: None,
            client_traffic_policy: 0,
        }
    }
}

impl DeviceConfigDto {
    pub(super) fn new(made: ClientDevice, url: &str) -> Self {
        let ClientDevice { device, owner, username, settings, configs, polling } = made;
        let DeviceView { id: _, number, name, public_key, created } = device;
        Self {
            device: DeviceDto {
                id: number.get(),
                name: name.into(),
                pubkey: public_key.to_string(),
                user_id: owner.get(),
                created_at: created.seconds(),
            },
            configs: configs.into_iter().map(ConfigDto::from).collect(),
            instance: InstanceDto::new(&settings, username.as_str(), url),
            token: polling.map(|token| token.expose().to_owned()),
        }
    }
}

impl From<DeviceConfig> for ConfigDto {
    fn from(config: DeviceConfig) -> Self {
        let DeviceConfig { location: _, number, name, client, addresses, mfa } = config;
        Self {
            network_id: number.get(),
            network_name: name.into(),
            config: client.file(None),
            assigned_ip: list(&addresses),
            pubkey: client.peer_public_key.to_string(),
            allowed_ips: list(&client.allowed_ips),
            dns: (!client.dns.is_empty()).then(|| list(&client.dns)),
            endpoint: client.endpoint,
            mfa_enabled: mfa != MfaMode::Disabled,
            keepalive_interval: client.keepalive.into(),
            location_mfa_mode: match mfa {
                MfaMode::Disabled => 1,
                MfaMode::Internal => 2,
                MfaMode::External => 3,
            },
            // No location is entered before somebody signs in to their machine.
            service_location_mode: 1,
        }
    }
}

/// With commas and without spaces, as clients split it.
fn list<T: ToString>(items: &[T]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}
