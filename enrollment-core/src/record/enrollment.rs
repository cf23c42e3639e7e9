//! Rows of enrollments.

use uuid::Uuid;

use super::codec::Record;
use super::key::{IndexKey, IndexName, Kind, UniqueKey, UniqueName};
use crate::domain::enrollment::{Enrollment, Phase, Purpose};
use crate::domain::owner::Owner;

impl Enrollment {
    /// The unique key of the one open enrollment of a user or machine, and purpose (INV-5).
    #[must_use]
    pub fn open_key(subject: impl Into<Owner>, purpose: Purpose) -> UniqueKey {
        let subject: Owner = subject.into();
        UniqueKey::new(UniqueName::OpenEnrollment, format!("{subject}/{}", purpose.as_str()))
    }

    /// The part of the lists it stands in: `open`, `completed` or `closed`.
    #[must_use]
    pub const fn standing(&self) -> &'static str {
        match self.phase {
            Phase::Invited | Phase::InSession(_) => "open",
            Phase::Completed(_) => "completed",
            Phase::Closed(_) => "closed",
        }
    }
}

impl Record for Enrollment {
    const KIND: Kind = Kind::Enrollment;

    fn row_id(&self) -> Uuid {
        self.id.uuid()
    }

    fn unique(&self) -> Vec<UniqueKey> {
        let mut keys = vec![UniqueKey::new(UniqueName::Token, self.token)];
        keys.extend(self.past_tokens.iter().map(|digest| UniqueKey::new(UniqueName::PastToken, *digest)));
        keys.extend(self.past_sessions.iter().map(|digest| UniqueKey::new(UniqueName::PastSession, *digest)));
        let session = match &self.phase {
            Phase::InSession(session) => Some(session.digest),
            Phase::Completed(completed) => Some(completed.session),
            Phase::Invited | Phase::Closed(_) => None,
        };
        keys.extend(session.map(|digest| UniqueKey::new(UniqueName::Session, digest)));
        if self.is_open() {
            keys.push(Self::open_key(self.subject, self.purpose));
        }
        keys
    }

    fn index(&self) -> Vec<IndexKey> {
        let standing = self.standing();
        let mut keys = vec![
            IndexKey::new(IndexName::EnrollmentsByCreated, standing, self.created.micros()),
            IndexKey::new(IndexName::EnrollmentsByExpiry, standing, self.expires.micros()),
            IndexKey::new(IndexName::EnrollmentsByUsername, standing, self.username.as_str()),
            IndexKey::new(IndexName::EnrollmentsBySubject, self.subject.to_string(), self.created.micros()),
        ];
        if !self.reserved_devices().is_empty() {
            keys.push(IndexKey::new(IndexName::EnrollmentsReserving, "", self.ends().micros()));
        }
        keys
    }
}
