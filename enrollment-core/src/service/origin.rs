//! Who asks, and from where.

use std::net::IpAddr;

use crate::domain::audit::Actor;
use crate::domain::rejection::Rejection;
use crate::domain::role::{Permission, Role};
use crate::id::UserId;

/// Where a request came from, as far as the host believes it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Origin {
    /// The address of the client, not of a proxy.
    pub source: Option<IpAddr>,
}

/// An authenticated administrator. The host makes it; nothing here is permissive by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Principal {
    /// Who it is, for the audit log.
    pub actor: Actor,
    /// What they may do; a user without a role adds devices of their own and nothing else (INV-9).
    pub role: Option<Role>,
    /// The user they are or act for: the initiator of what they start.
    pub user: Option<UserId>,
    /// Where they are.
    pub origin: Origin,
    /// As of which of the user's sign-ins they were let in, where a session of this library did it: what they change takes
    /// effect only while nothing has ended their sessions. `None` where the host vouches for them. A key of this library
    /// is looked at again in any case.
    pub epoch: Option<u32>,
}

impl Principal {
    /// Somebody with the server's command line: whoever reads the key ring and the database may do everything.
    #[must_use]
    pub const fn command_line() -> Self {
        Self {
            actor: Actor::CommandLine,
            role: Some(Role::Owner),
            user: None,
            origin: Origin { source: None },
            epoch: None,
        }
    }

    /// Whether their role allows something.
    ///
    /// # Errors
    /// [`Rejection::Forbidden`] when it does not.
    pub const fn demand(&self, permission: Permission) -> Result<(), Rejection> {
        match self.role {
            Some(role) if role.may(permission) => Ok(()),
            _ => Err(Rejection::Forbidden),
        }
    }

    /// Whether they may act upon somebody with the role `of` (ADM-7).
    ///
    /// # Errors
    /// [`Rejection::Outranked`] when that role stands above theirs.
    pub fn demand_rank(&self, of: Option<Role>) -> Result<(), Rejection> {
        let outranked = self.role.map_or(of.is_some(), |role| role.is_outranked_by(of));
        if outranked { Err(Rejection::Outranked) } else { Ok(()) }
    }
}
