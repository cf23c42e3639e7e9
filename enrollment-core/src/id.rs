//! Identifiers: UUIDs of version 7 inside, small random integers for protocols that speak int64.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::port::Entropy;
use crate::time::Timestamp;

/// A UUID of version 7 (RFC 9562): ordered by time of making, 74 random bits.
#[must_use]
pub fn new_uuid(now: Timestamp, entropy: &dyn Entropy) -> Uuid {
    let mut random = [0; 10];
    entropy.fill(&mut random);
    let millis = u64::try_from(now.micros().div_euclid(1000)).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A new identifier; see [`new_uuid`].
            #[must_use]
            pub fn new(now: Timestamp, entropy: &dyn Entropy) -> Self {
                Self(new_uuid(now, entropy))
            }

            /// The identifier with this value, read from a record or a request.
            #[must_use]
            pub const fn from_uuid(value: Uuid) -> Self {
                Self(value)
            }

            /// The value.
            #[must_use]
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }
    )*};
}

ids! {
    /// A person in the directory.
    UserId;
    /// One invitation and everything that happens under it.
    EnrollmentId;
    /// One VPN network.
    LocationId;
    /// One WireGuard public key of one owner.
    DeviceId;
    /// A device in a location.
    AttachmentId;
    /// An unattended machine.
    MachineId;
    /// An administrator's key for the API.
    ApiKeyId;
    /// An administrator's session.
    AdminSessionId;
    /// Where answers come from when somebody signs in.
    PlaceId;
    /// One entry of the audit log.
    AuditId;
    /// One entry of the outbox; the message id of the mail it may become.
    OutboxId;
    /// One change to the store; repeating it applies nothing twice.
    ChangeId;
}

/// A random integer in \[1, 2^53), unique among users, locations or devices, for protocols whose identifiers are
/// int64 and pass through JavaScript.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct Number(i64);

/// The integer is not in \[1, 2^53).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an integer from 1 to 9007199254740991")]
pub struct InvalidNumber;

impl Number {
    /// A random number; the store's unique key refuses the rare repetition.
    #[must_use]
    pub fn new(entropy: &dyn Entropy) -> Self {
        loop {
            let mut bytes = [0; 8];
            entropy.fill(&mut bytes);
            let value = i64::from_le_bytes(bytes) & ((1 << 53) - 1);
            if let Ok(number) = Self::try_from(value) {
                return number;
            }
        }
    }

    /// The value.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }
}

impl TryFrom<i64> for Number {
    type Error = InvalidNumber;

    fn try_from(value: i64) -> Result<Self, Self::Error> {
        if (1..1 << 53).contains(&value) { Ok(Self(value)) } else { Err(InvalidNumber) }
    }
}

impl From<Number> for i64 {
    fn from(number: Number) -> Self {
        number.0
    }
}
