//! Attachments: a device in a location, and what the gateway should know of it.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::device::PublicKey;
use crate::id::{AttachmentId, DeviceId, LocationId};

/// Where an attachment stands between wish and world.
///
/// ```text
/// Staged ──▶ Intended ──▶ Applied
///    │           │           │
///    │           ▼           ▼
///    └────▶    (row deleted) ◀── Removing
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PeerState {
    /// Addresses are reserved; the gateway knows nothing.
    Staged,
    /// The gateway shall have the peer.
    Intended,
    /// The gateway has the peer.
    Applied,
    /// The gateway shall no longer have the peer.
    Removing,
    /// The gateway has no such peer any more.
    Gone,
}

impl PeerState {
    /// Whether the peer shall be in force: `None` while the gateway is not to hear of it at all.
    #[must_use]
    pub const fn intended(self) -> Option<bool> {
        match self {
            Self::Staged | Self::Gone => None,
            Self::Intended | Self::Applied => Some(true),
            Self::Removing => Some(false),
        }
    }
}

/// A device in a location.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// Which one.
    pub id: AttachmentId,
    /// The device.
    pub device: DeviceId,
    /// The location.
    pub location: LocationId,
    /// The device's key, so that the peer can be removed whatever becomes of the device.
    pub public_key: PublicKey,
    /// One address per pool of the location.
    pub addresses: Vec<IpAddr>,
    /// Where it stands.
    pub state: PeerState,
    /// One more with every new intention: what was done for an older one settles nothing.
    pub generation: u64,
    /// Why the last try to apply it failed, for people.
    pub failure: Option<String>,
}

impl Attachment {
    /// The same attachment with a new intention.
    #[must_use]
    pub fn intend(mut self, state: PeerState) -> Self {
        self.state = state;
        self.generation += 1;
        self.failure = None;
        self
    }
}
