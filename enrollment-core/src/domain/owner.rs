//! Whose an enrollment or a device is: a person's, or a machine's that nobody sits at.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::id::{MachineId, UserId};

/// Who owns a device, and for whom an enrollment is.
///
/// A user is written as their bare id, as every owner was before there were machines; a machine as `{"machine": id}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Owner {
    /// A person.
    User(UserId),
    /// An unattended machine.
    Machine {
        /// Which one.
        machine: MachineId,
    },
}

impl Owner {
    /// The machine `id`.
    #[must_use]
    pub const fn machine(id: MachineId) -> Self {
        Self::Machine { machine: id }
    }

    /// The user, if it is one.
    #[must_use]
    pub const fn user(self) -> Option<UserId> {
        match self {
            Self::User(user) => Some(user),
            Self::Machine { .. } => None,
        }
    }

    /// The id, whosever it is. Ids are random, so that no user has a machine's.
    #[must_use]
    pub const fn uuid(self) -> Uuid {
        match self {
            Self::User(user) => user.uuid(),
            Self::Machine { machine } => machine.uuid(),
        }
    }
}

impl From<UserId> for Owner {
    fn from(user: UserId) -> Self {
        Self::User(user)
    }
}

impl From<MachineId> for Owner {
    fn from(machine: MachineId) -> Self {
        Self::machine(machine)
    }
}

impl PartialEq<UserId> for Owner {
    fn eq(&self, user: &UserId) -> bool {
        self.user() == Some(*user)
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.uuid(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Records of before there were machines say a bare id, and are written as they were.
    #[test]
    fn a_user_is_written_as_ever_and_a_machine_apart() {
        let id = Uuid::from_u128(7);
        let cases = [
            (Owner::User(UserId::from_uuid(id)), format!("\"{id}\"")),
            (Owner::machine(MachineId::from_uuid(id)), format!("{{\"machine\":\"{id}\"}}")),
        ];
        for (owner, json) in cases {
            assert_eq!(serde_json::to_string(&owner).expect("plain data"), json);
            assert_eq!(serde_json::from_str::<Owner>(&json).expect("the same"), owner);
            assert_eq!(owner.to_string(), id.to_string());
        }
    }
}
