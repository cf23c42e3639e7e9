//! Roles of administrators: what each may do, and to whom.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An administrator's role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything, and the only one who manages administrators.
    Owner,
    /// Everything else.
    Administrator,
    /// The policy of inline applications.
    ApplicationManager,
    /// Users, their enrollments, the pending list.
    UserManager,
    /// Sends and resends to people who exist, at the address on file, without seeing the token.
    HelpDesk,
}

/// Something an administrator does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Permission {
    /// Reading users, devices and the pending list.
    ReadUsers,
    /// Creating, changing and disabling users.
    ManageUsers,
    /// Giving, changing and taking roles; API keys.
    ManageAdministrators,
    /// Starting an enrollment and seeing its token.
    StartEnrollment,
    /// Having an invitation sent to the address on file, without seeing it.
    SendEnrollment,
    /// Revoking an enrollment.
    RevokeEnrollment,
    /// Reading locations.
    ReadLocations,
    /// Creating and changing locations.
    ManageLocations,
    /// Adding machines to locations, and removing them.
    ManageMachines,
    /// Reading settings and templates.
    ReadSettings,
    /// Changing settings and templates.
    ManageSettings,
    /// Reading and verifying the audit log.
    ReadAudit,
}

impl Permission {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::ReadUsers,
        Self::ManageUsers,
        Self::ManageAdministrators,
        Self::StartEnrollment,
        Self::SendEnrollment,
        Self::RevokeEnrollment,
        Self::ReadLocations,
        Self::ManageLocations,
        Self::ManageMachines,
        Self::ReadSettings,
        Self::ManageSettings,
        Self::ReadAudit,
    ];
}

impl Role {
    /// All of them, highest first.
    pub const ALL: [Self; 5] =
        [Self::Owner, Self::Administrator, Self::ApplicationManager, Self::UserManager, Self::HelpDesk];

    /// The stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Administrator => "administrator",
            Self::ApplicationManager => "application_manager",
            Self::UserManager => "user_manager",
            Self::HelpDesk => "help_desk",
        }
    }

    /// The permission table (ADM-7). [`Permission::SendEnrollment`] of the help desk holds only where the settings
    /// allow it.
    #[must_use]
    pub const fn may(self, permission: Permission) -> bool {
        use Permission as P;
        match self {
            Self::Owner => true,
            Self::Administrator => !matches!(permission, P::ManageAdministrators),
            Self::ApplicationManager => matches!(permission, P::ReadSettings),
            Self::UserManager => matches!(
                permission,
                P::ReadUsers
                    | P::ManageUsers
                    | P::StartEnrollment
                    | P::SendEnrollment
                    | P::RevokeEnrollment
                    | P::ReadLocations
            ),
            Self::HelpDesk => matches!(permission, P::ReadUsers | P::SendEnrollment),
        }
    }

    /// The higher outranks the lower. Application managers and user managers are equals.
    const fn rank(self) -> u8 {
        match self {
            Self::Owner => 4,
            Self::Administrator => 3,
            Self::ApplicationManager | Self::UserManager => 2,
            Self::HelpDesk => 1,
        }
    }

    /// Whether somebody with the role `of` stands above this one: nobody acts upon a user who outranks them. A user
    /// without a role is outranked by every administrator and outranks none.
    #[must_use]
    pub fn is_outranked_by(self, of: Option<Self>) -> bool {
        of.is_some_and(|other| other.rank() > self.rank())
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a role is one of owner, administrator, application_manager, user_manager, help_desk")]
pub struct InvalidRole;

impl std::str::FromStr for Role {
    type Err = InvalidRole;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or(InvalidRole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ADM-7: the whole table, written out, so that a change to it is seen.
    #[test]
    fn the_permission_table() {
        let table: Vec<String> = Permission::ALL
            .into_iter()
            .map(|permission| {
                let marks: String = Role::ALL.into_iter().map(|r| if r.may(permission) { 'x' } else { '.' }).collect();
                format!("{marks} {permission:?}")
            })
            .collect();
        assert_eq!(
            table,
            [
                "xx.xx ReadUsers",
                "xx.x. ManageUsers",
                "x.... ManageAdministrators",
                "xx.x. StartEnrollment",
                "xx.xx SendEnrollment",
                "xx.x. RevokeEnrollment",
                "xx.x. ReadLocations",
                "xx... ManageLocations",
                "xx... ManageMachines",
                "xxx.. ReadSettings",
                "xx... ManageSettings",
                "xx... ReadAudit",
            ]
        );
    }

    /// ADM-7
    #[test]
    fn nobody_acts_upon_a_user_who_outranks_them() {
        assert!(Role::Administrator.is_outranked_by(Some(Role::Owner)));
        assert!(Role::HelpDesk.is_outranked_by(Some(Role::UserManager)));
        assert!(!Role::UserManager.is_outranked_by(Some(Role::ApplicationManager)));
        assert!(!Role::Owner.is_outranked_by(Some(Role::Owner)));
        assert!(!Role::HelpDesk.is_outranked_by(None));
    }
}
