//! The names under which rows are found: kinds, unique keys and index keys.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A text that names no known kind, unique key or index.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown name {0:?}: the record was written by a later version")]
pub struct UnknownName(pub String);

macro_rules! names {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$vdoc])* #[serde(rename = $text)] $variant,)*
        }

        impl $name {
            /// Every value, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The stable text: lower case ASCII and underscores, fit for the name of a table or column.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = UnknownName;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::ALL.iter().copied().find(|name| name.as_str() == text).ok_or_else(|| UnknownName(text.to_owned()))
            }
        }
    };
}
pub(crate) use names;

names! {
    /// What a row is. A new kind is not a new guarantee: a store treats all alike.
    Kind {
        /// A person.
        User = "users",
        /// An invitation and what happens under it.
        Enrollment = "enrollments",
        /// A VPN network.
        Location = "locations",
        /// A WireGuard public key.
        Device = "devices",
        /// A device in a location.
        Attachment = "attachments",
        /// An address of a location's pool, in use or resting.
        Address = "addresses",
        /// A tiny row that stands for a set: by its version (see [`super::Guard`]), or by what is left to be done about it.
        Guard = "guards",
        /// What an administrator chose.
        Settings = "settings",
        /// A text of an administrator's own.
        Template = "templates",
        /// An administrator's key for the API.
        ApiKey = "api_keys",
        /// One entry of the audit log.
        Audit = "audit",
        /// The head of the audit chain, and one signed batch of it.
        Seal = "seals",
        /// A message from the change that causes it to its end.
        Mail = "mails",
        /// A channel that takes nothing from us.
        Pause = "pauses",
        /// An administrator's session.
        AdminSession = "admin_sessions",
        /// Where answers came from when somebody signed in, and how many were wrong.
        Place = "sign_in_places",
        /// An unattended machine.
        Machine = "machines",
    }
}

names! {
    /// Which unique key. Two rows never hold the same value under one name.
    UniqueName {
        /// Normalized username.
        Username = "username",
        /// Public integer of a user.
        UserNumber = "user_number",
        /// Digest of the token that opens an enrollment.
        Token = "token",
        /// Digests of tokens of earlier generations; a row may hold several.
        PastToken = "past_token",
        /// Digest of the session in force.
        Session = "session",
        /// Digests of fenced and finished sessions; a row may hold several.
        PastSession = "past_session",
        /// One open enrollment per user or machine, and purpose.
        OpenEnrollment = "open_enrollment",
        /// Name of a location, in lower case.
        LocationName = "location_name",
        /// Public integer of a location.
        LocationNumber = "location_number",
        /// WireGuard public key, canonical Base64.
        PublicKey = "public_key",
        /// Public integer of a device.
        DeviceNumber = "device_number",
        /// Owner and device name in lower case.
        DeviceName = "device_name",
        /// Digest of the token with which a device asks for its configuration again.
        PollingToken = "polling_token",
        /// Device and location.
        DeviceLocation = "device_location",
        /// Location and address.
        LocationAddress = "location_address",
        /// Digest of an API key.
        ApiKeyDigest = "api_key_digest",
        /// Position in the audit chain.
        AuditNumber = "audit_number",
        /// Digest of an administrator's session.
        AdminSessionDigest = "admin_session_digest",
        /// Location and name of a machine.
        MachineName = "machine_name",
    }
}

impl UniqueName {
    /// The kind whose rows hold this key.
    #[must_use]
    pub const fn kind(self) -> Kind {
        match self {
            Self::Username | Self::UserNumber => Kind::User,
            Self::Token | Self::PastToken | Self::Session | Self::PastSession | Self::OpenEnrollment => {
                Kind::Enrollment
            }
            Self::LocationName | Self::LocationNumber => Kind::Location,
            Self::PublicKey | Self::DeviceNumber | Self::DeviceName | Self::PollingToken => Kind::Device,
            Self::DeviceLocation => Kind::Attachment,
            Self::LocationAddress => Kind::Address,
            Self::ApiKeyDigest => Kind::ApiKey,
            Self::AuditNumber => Kind::Audit,
            Self::AdminSessionDigest => Kind::AdminSession,
            Self::MachineName => Kind::Machine,
        }
    }

    /// Whether one row may hold several values under this name. All other names: at most one per row.
    #[must_use]
    pub const fn is_many(self) -> bool {
        matches!(self, Self::PastToken | Self::PastSession)
    }

    /// The type of every value under this name.
    #[must_use]
    pub const fn value_type(self) -> ValueType {
        match self {
            Self::UserNumber | Self::LocationNumber | Self::DeviceNumber | Self::AuditNumber => ValueType::Int,
            _ => ValueType::Text,
        }
    }
}

names! {
    /// Which index. A row holds at most one key per name, and is found by [`crate::port::Scan`] through it.
    IndexName {
        /// Users by username.
        UsersByUsername = "users_by_username",
        /// Enrollments of one standing (`open`, `completed`, `closed`) by time of issue.
        EnrollmentsByCreated = "enrollments_by_created",
        /// Enrollments of one standing by expiry.
        EnrollmentsByExpiry = "enrollments_by_expiry",
        /// Enrollments of one standing by username.
        EnrollmentsByUsername = "enrollments_by_username",
        /// Enrollments of one user or machine by time of issue.
        EnrollmentsBySubject = "enrollments_by_subject",
        /// Enrollments that hold a staged device, by the instant at which nothing can complete them any more.
        EnrollmentsReserving = "enrollments_reserving",
        /// Locations by name.
        LocationsByName = "locations_by_name",
        /// Devices of one owner by time of making.
        DevicesByOwner = "devices_by_owner",
        /// Attachments of one device by location.
        AttachmentsByDevice = "attachments_by_device",
        /// Attachments of one location by device.
        AttachmentsByLocation = "attachments_by_location",
        /// Addresses of one pool in numeric order.
        AddressesByPool = "addresses_by_pool",
        /// API keys by time of making.
        ApiKeysByCreated = "api_keys_by_created",
        /// Audit entries: `unsealed` ones by time, `sealed` ones by position in the chain.
        AuditChain = "audit_chain",
        /// Audit entries by time.
        AuditByTime = "audit_by_time",
        /// Audit entries of one subject by the subject's version.
        AuditBySubject = "audit_by_subject",
        /// Signed batches by their last entry's position.
        SealsByNumber = "seals_by_number",
        /// Mails of one standing (`queue`, `sent`, `dead`, `obsolete`) by the time since which they stand there.
        MailsByState = "mails_by_state",
        /// Mails that concern one user by time of queueing.
        MailsByUser = "mails_by_user",
        /// Mails about one enrollment by time of queueing.
        MailsByEnrollment = "mails_by_enrollment",
        /// Administrators' sessions of one user by their beginning.
        AdminSessionsByUser = "admin_sessions_by_user",
        /// Administrators' sessions by the instant at which they are over, however much they are used.
        AdminSessionsByEnd = "admin_sessions_by_end",
        /// Places of one user by the time of the last answer.
        SignInPlacesByUser = "sign_in_places_by_user",
        /// Places that are forgotten some time, by the time of the last answer.
        SignInPlacesPassing = "sign_in_places_passing",
        /// Machines of one location by name.
        MachinesByLocation = "machines_by_location",
    }
}

impl IndexName {
    /// The kind whose rows hold this key.
    #[must_use]
    pub const fn kind(self) -> Kind {
        match self {
            Self::UsersByUsername => Kind::User,
            Self::EnrollmentsByCreated
            | Self::EnrollmentsByExpiry
            | Self::EnrollmentsByUsername
            | Self::EnrollmentsBySubject
            | Self::EnrollmentsReserving => Kind::Enrollment,
            Self::LocationsByName => Kind::Location,
            Self::DevicesByOwner => Kind::Device,
            Self::AttachmentsByDevice | Self::AttachmentsByLocation => Kind::Attachment,
            Self::AddressesByPool => Kind::Address,
            Self::ApiKeysByCreated => Kind::ApiKey,
            Self::AuditChain | Self::AuditByTime | Self::AuditBySubject => Kind::Audit,
            Self::SealsByNumber => Kind::Seal,
            Self::MailsByState | Self::MailsByUser | Self::MailsByEnrollment => Kind::Mail,
            Self::AdminSessionsByUser | Self::AdminSessionsByEnd => Kind::AdminSession,
            Self::SignInPlacesByUser | Self::SignInPlacesPassing => Kind::Place,
            Self::MachinesByLocation => Kind::Machine,
        }
    }

    /// The type of every [`IndexKey::at`] under this name.
    #[must_use]
    pub const fn value_type(self) -> ValueType {
        match self {
            Self::UsersByUsername
            | Self::EnrollmentsByUsername
            | Self::LocationsByName
            | Self::AttachmentsByDevice
            | Self::AttachmentsByLocation
            | Self::AddressesByPool
            | Self::MachinesByLocation => ValueType::Text,
            _ => ValueType::Int,
        }
    }
}

/// The type of a key's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueType {
    /// [`KeyValue::Int`]
    Int,
    /// [`KeyValue::Text`]
    Text,
}

/// The value of a key. Integers order by value, texts by their UTF-8 bytes. All values under one name are of one type.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum KeyValue {
    /// An integer.
    Int(i64),
    /// A text without NUL, at most 1,024 bytes.
    Text(String),
}

impl From<i64> for KeyValue {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<String> for KeyValue {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl From<&str> for KeyValue {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

/// A value that no other row holds under the same name (G4).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct UniqueKey {
    /// Which key.
    pub name: UniqueName,
    /// Its value.
    pub value: KeyValue,
}

impl UniqueKey {
    /// `value` under `name`.
    #[must_use]
    pub fn new(name: UniqueName, value: impl Into<KeyValue>) -> Self {
        Self { name, value: value.into() }
    }
}

/// Where a row stands in an index: in the part `within`, at the place `at`; rows at one place are ordered by row id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct IndexKey {
    /// Which index.
    pub name: IndexName,
    /// Which part of it; empty where the index has one part.
    pub within: String,
    /// The place inside the part.
    pub at: KeyValue,
}

impl IndexKey {
    /// The place `at` in the part `within` of `name`.
    #[must_use]
    pub fn new(name: IndexName, within: impl Into<String>, at: impl Into<KeyValue>) -> Self {
        Self { name, within: within.into(), at: at.into() }
    }
}

/// Which row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RowKey {
    /// What it is.
    pub kind: Kind,
    /// Which one.
    pub id: Uuid,
}

impl RowKey {
    /// The row `id` of `kind`.
    #[must_use]
    pub const fn new(kind: Kind, id: Uuid) -> Self {
        Self { kind, id }
    }
}

impl fmt::Display for RowKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.id)
    }
}

impl KeyValue {
    /// Which type it is.
    #[must_use]
    pub const fn value_type(&self) -> ValueType {
        match self {
            Self::Int(_) => ValueType::Int,
            Self::Text(_) => ValueType::Text,
        }
    }
}
