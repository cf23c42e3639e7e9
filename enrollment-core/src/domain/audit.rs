//! Audit entries: who did what to whom, from where, when.

use std::net::IpAddr;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::event::Event;
use crate::id::{ApiKeyId, AuditId, EnrollmentId, UserId};
use crate::port::Entropy;
use crate::record::{Kind, RowKey, Version};
use crate::secret::Digest;
use crate::time::Timestamp;

/// Who did it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", content = "id", rename_all = "snake_case")]
pub enum Actor {
    /// An administrator who signed in.
    User(UserId),
    /// A program or person with an API key.
    ApiKey(ApiKeyId),
    /// Whoever holds the token or session of this enrollment.
    Enrollee(EnrollmentId),
    /// Somebody who is signing in, and has not shown yet who they are.
    Visitor,
    /// Whoever has the server's command line.
    CommandLine,
    /// The system itself.
    System,
}

/// To whom or what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Subject {
    /// The kind of record, under its stable name.
    pub kind: Kind,
    /// Which one.
    pub id: Uuid,
}

impl Subject {
    /// Whether every change to a record of its kind carries an entry of this same subject. Devices, attachments and
    /// addresses change under an enrollment's entry; a text may be removed and made again, so that its versions start
    /// anew.
    #[must_use]
    pub const fn is_counted(&self) -> bool {
        matches!(self.kind, Kind::User | Kind::Enrollment | Kind::Location | Kind::Machine | Kind::Settings)
    }
}

impl From<RowKey> for Subject {
    fn from(key: RowKey) -> Self {
        Self { kind: key.kind, id: key.id }
    }
}

/// What can be erased without breaking the chain: the chain covers its digest only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Details {
    /// Where the request came from.
    pub source: Option<IpAddr>,
    /// Random, so that erased details cannot be guessed from their digest; hex.
    salt: String,
}

impl Details {
    /// These details, with a fresh salt.
    #[must_use]
    pub fn new(source: Option<IpAddr>, entropy: &dyn Entropy) -> Self {
        let mut salt = [0; 16];
        entropy.fill(&mut salt);
        Self { source, salt: HEXLOWER.encode(&salt) }
    }

    /// What the chain covers.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let source = self.source.map(|address| address.to_string()).unwrap_or_default();
        Digest::of(format!("{}/{source}", self.salt).as_bytes())
    }
}

/// One entry of the audit log, written in the change it tells of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// Which one.
    pub id: AuditId,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: Actor,
    /// Upon whom or what.
    pub subject: Subject,
    /// The subject's version after the change; with a refusal, the one it was refused at. Changes count without gaps,
    /// so a missing one shows.
    pub subject_version: Version,
    /// What.
    pub event: Event,
    /// The digest of `details`.
    pub details_digest: Digest,
    /// What can be erased.
    pub details: Option<Details>,
    /// Its place in the chain, once sealed.
    pub sealed: Option<Link>,
}

impl AuditEntry {
    /// Whether the details are the ones that were written, or erased.
    #[must_use]
    pub fn details_fit(&self) -> bool {
        self.details.as_ref().is_none_or(|details| details.digest() == self.details_digest)
    }
}

/// A place in the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Position, from 1, without gaps.
    pub number: i64,
    /// The chain's digest up to and with this entry.
    pub chain: Digest,
}
