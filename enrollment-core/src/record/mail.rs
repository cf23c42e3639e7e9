//! Rows of mails and of the pauses of channels.

use uuid::Uuid;

use super::codec::Record;
use super::key::{IndexKey, IndexName, Kind, RowKey};
use crate::domain::mail::{Mail, MailState, Pause};
use crate::port::Channel;

impl Record for Mail {
    const KIND: Kind = Kind::Mail;

    fn row_id(&self) -> Uuid {
        self.id.uuid()
    }

    fn index(&self) -> Vec<IndexKey> {
        let since = match &self.state {
            MailState::Queued | MailState::Retrying { .. } => self.queued,
            MailState::Sent { at, .. } | MailState::Dead { at, .. } | MailState::Obsolete { at, .. } => *at,
        };
        let mut keys = vec![IndexKey::new(IndexName::MailsByState, self.state.standing().as_str(), since.micros())];
        keys.extend(
            self.user.map(|user| IndexKey::new(IndexName::MailsByUser, user.to_string(), self.queued.micros())),
        );
        keys.extend(
            self.enrollment.map(|id| IndexKey::new(IndexName::MailsByEnrollment, id.to_string(), self.queued.micros())),
        );
        keys
    }
}

impl Pause {
    /// The row of a channel's pause.
    #[must_use]
    pub fn key(channel: Channel) -> RowKey {
        let id = match channel {
            Channel::Email => 1,
            Channel::Sms => 2,
            Channel::Peer => 3,
            Channel::Event => 4,
            Channel::Upkeep => 5,
        };
        RowKey::new(Kind::Pause, Uuid::from_u128(id))
    }
}

impl Record for Pause {
    const KIND: Kind = Kind::Pause;

    fn row_id(&self) -> Uuid {
        Self::key(self.channel).id
    }
}
