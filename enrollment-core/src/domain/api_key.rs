//! API keys: how programs act as administrators.

use serde::{Deserialize, Serialize};

use super::role::Role;
use super::text::Label;
use crate::id::{ApiKeyId, UserId};
use crate::secret::Digest;
use crate::time::Timestamp;

/// A key with a role. Its secret is shown once; here is only the digest.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ApiKey {
    /// Which one.
    pub id: ApiKeyId,
    /// What it is for, for people.
    pub name: Label,
    /// The digest of its secret.
    pub digest: Digest,
    /// What it may do.
    pub role: Role,
    /// The administrator it acts for: the initiator of what it starts. It works as long as they are active, and never
    /// with more than their role.
    pub user: Option<UserId>,
    /// When it was made.
    pub created: Timestamp,
    /// When it was revoked.
    pub revoked: Option<Timestamp>,
}
