//! Machines that nobody sits at: a device made beforehand, which lacks nothing but its key (INV-10).

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::location::{Location, MfaMode};
use super::text::DeviceName;
use super::username::Username;
use crate::id::{AttachmentId, DeviceId, EnrollmentId, LocationId, MachineId};
use crate::time::Timestamp;

/// A machine: one named device in one location, with its addresses. Whoever redeems its token supplies its key and
/// nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Which one.
    pub id: MachineId,
    /// Its name; unique in its location.
    pub name: MachineName,
    /// The one location it is in.
    pub location: LocationId,
    /// What its addresses are held for: its attachment, as soon as there is a key.
    pub attachment: AttachmentId,
    /// One address per pool of the location. They are its own until it is removed, whatever becomes of its enrollment.
    pub addresses: Vec<IpAddr>,
    /// Its latest enrollment.
    pub enrollment: EnrollmentId,
    /// The device that it became when it supplied its key.
    pub device: Option<DeviceId>,
    /// When it was added.
    pub created: Timestamp,
}

/// A machine's name: 1 to 64 characters, spelled as usernames are, so that `Build-01` and `build-01` are one and lists
/// find people and machines alike by how their names begin.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MachineName(Username);

/// The text is not a machine's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a machine's name has 1 to 64 letters, digits or . _ - + @ and starts with a letter or a digit")]
pub struct InvalidMachineName;

impl MachineName {
    /// The longest name, in characters: that of a device.
    pub const LONGEST: usize = 64;

    /// The spelling.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The name as lists show it, among those of people.
    #[must_use]
    pub const fn listed(&self) -> &Username {
        &self.0
    }

    /// The name of the machine's device.
    #[must_use]
    #[allow(clippy::expect_used, reason = "a name of a machine is a line of 1 to 64 letters, digits and a few signs")]
    pub fn device(&self) -> DeviceName {
        self.as_str().parse().expect("a machine's name fits a device")
    }
}

impl FromStr for MachineName {
    type Err = InvalidMachineName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let name: Username = text.parse().map_err(|_| InvalidMachineName)?;
        if name.as_str().chars().count() <= Self::LONGEST { Ok(Self(name)) } else { Err(InvalidMachineName) }
    }
}

impl TryFrom<String> for MachineName {
    type Error = InvalidMachineName;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<MachineName> for String {
    fn from(name: MachineName) -> Self {
        name.0.into()
    }
}

impl fmt::Display for MachineName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for MachineName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MachineName({})", self.as_str())
    }
}

impl Location {
    /// Whether machines can be here: only where connecting asks for no second factor, which no machine has. Groups are of
    /// people; an administrator who adds a machine has decided that it reaches the location.
    #[must_use]
    pub fn takes_machines(&self) -> bool {
        self.mfa == MfaMode::Disabled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_one_spelling_and_fit_a_device() {
        let name: MachineName = " Build-01 ".parse().expect("a name");
        assert_eq!((name.as_str(), name.device().as_str()), ("build-01", "build-01"));
        let longest = "ß".repeat(MachineName::LONGEST).parse::<MachineName>().expect("64 characters");
        assert_eq!(longest.device().as_str(), longest.as_str());
        for bad in ["", "-a", "a b", "a\0", "a/b", "<b>", &"a".repeat(65), "\u{202e}a"] {
            assert!(bad.parse::<MachineName>().is_err(), "{bad:?}");
        }
    }
}
