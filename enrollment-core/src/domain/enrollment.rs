//! The aggregate: one invitation and everything that happens under it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::contact::Phone;
use super::location::FactorKind;
use super::mail::Sending;
use super::owner::Owner;
use super::user::{ChosenPassword, TotpFactor, kinds};
use super::username::Username;
use crate::id::{DeviceId, EnrollmentId, UserId};
use crate::secret::{Digest, KeyedDigest, Sealed, TokenSeed};
use crate::time::{Span, Timestamp};

/// What an enrollment is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// A new user.
    Onboarding,
    /// An enrolled user adds a device.
    Device,
    /// A user with a password sets up MFA.
    Factor,
    /// A machine supplies the key of the device that was made for it.
    NetworkDevice,
}

impl Purpose {
    /// Those for which an enrollment is a person's.
    pub const OF_PEOPLE: [Self; 3] = [Self::Onboarding, Self::Device, Self::Factor];

    /// The stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Onboarding => "onboarding",
            Self::Device => "device",
            Self::Factor => "factor",
            Self::NetworkDevice => "network_device",
        }
    }
}

/// One invitation and everything that happens under it, until it is completed, revoked, expired or locked.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Enrollment {
    /// Which one.
    pub id: EnrollmentId,
    /// What it is for.
    pub purpose: Purpose,
    /// For whom.
    pub subject: Owner,
    /// Under which name lists show it: the user's or the machine's when it was issued.
    pub username: Username,
    /// The administrator who started it, if a person did (INV-7).
    pub initiator: Option<UserId>,
    /// When it was issued.
    pub created: Timestamp,
    /// The first instant at which its token opens nothing.
    pub expires: Timestamp,
    /// What was agreed when it was issued; later settings do not touch it.
    pub terms: Terms,
    /// One more with every rotation of the token.
    pub generation: u32,
    /// The digest of the token of this generation.
    pub token: Digest,
    /// From which the token can be derived again; wiped when nothing can come of it any more.
    pub seed: Option<TokenSeed>,
    /// Digests of the tokens of earlier generations, so that their holders hear what became of them.
    pub past_tokens: Vec<Digest>,
    /// How many sessions this generation's token opened.
    pub sessions: u32,
    /// How many session secrets were made; each is derived from its own serial.
    pub serial: u32,
    /// Digests of fenced sessions, the latest [`PAST_SESSIONS`].
    pub past_sessions: Vec<Digest>,
    /// Wrong codes so far; never decreases (I5).
    pub wrong_codes: u32,
    /// Codes by e-mail made so far, each with the next number; never decreases.
    #[serde(default)]
    pub email_codes: u32,
    /// How often a new holder of the token took the session over (TOK-5).
    pub takeovers: u32,
    /// Why the last completion was refused (REQ-10).
    pub last_refusal: Option<Refusal>,
    /// How its link gets to the person.
    #[serde(default)]
    pub sending: Sending,
    /// Where it stands.
    pub phase: Phase,
}

/// How many fenced sessions are remembered: enough for every holder to hear why their session ended, few enough that
/// nobody can grow a record without end.
pub const PAST_SESSIONS: usize = 16;

/// What was agreed when an enrollment was issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// How long a token is valid from its making, the first one and every one that replaces it.
    pub validity: Span,
    /// How long a session lasts.
    pub session: Span,
    /// How many sessions a token opens.
    pub max_sessions: u32,
    /// At how many wrong codes it locks.
    pub wrong_codes: u32,
    /// How many passwords can be submitted in one session.
    pub passwords: u32,
}

/// Where an enrollment stands. Expiry is not a phase: it is derived from the clock.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// No session has begun.
    Invited,
    /// A session has begun; its deadline may have passed.
    InSession(Box<Session>),
    /// Done.
    Completed(Completed),
    /// Over without completion.
    Closed(Closed),
}

/// A session: what redeeming the token opened.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Session {
    /// The digest of its secret.
    pub digest: Digest,
    /// The serial its secret was made with.
    pub serial: u32,
    /// When it began.
    pub started: Timestamp,
    /// The first instant at which nothing more is done in it.
    pub deadline: Timestamp,
    /// Passwords submitted so far.
    pub passwords: u32,
    /// Codes sent by e-mail so far.
    #[serde(default)]
    pub email_codes: u32,
    /// What its holder has done.
    pub work: Work,
    /// What an earlier holder chose; comes back only to whoever proves to be that holder (TOK-5).
    pub held: Option<Held>,
}

/// What a holder has done towards completion. It lives here only: the user's own record has none of it before.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Work {
    /// The confirmed profile.
    pub profile: Option<Profile>,
    /// The chosen password.
    pub password: Option<ChosenPassword>,
    /// A TOTP secret that was shown and is not verified yet.
    pub offered_totp: Option<Sealed>,
    /// The verified authenticator app.
    pub totp: Option<TotpFactor>,
    /// A code that was sent by e-mail and not entered yet. It stays with whoever asked for it: no other holder gets it,
    /// nor does it wait for them.
    #[serde(default)]
    pub email_code: Option<EmailCode>,
    /// Such a code was entered: codes by e-mail are a verified factor.
    #[serde(default)]
    pub email: bool,
    /// The recovery codes handed out.
    pub recovery: Vec<KeyedDigest>,
    /// The staged device.
    pub device: Option<DeviceId>,
}

impl Work {
    /// Whether it holds anything that its holder chose and no other may complete with (I13).
    #[must_use]
    pub fn has_choices(&self) -> bool {
        self.password.is_some() || self.offered_totp.is_some() || self.has_factor() || self.device.is_some()
    }

    /// The kinds of factor that are verified.
    #[must_use]
    pub fn factors(&self) -> BTreeSet<FactorKind> {
        kinds(self.totp.as_ref(), self.email)
    }

    /// Whether a factor is verified.
    #[must_use]
    pub const fn has_factor(&self) -> bool {
        self.totp.is_some() || self.email
    }
}

/// A code that was sent by e-mail (MFA-2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EmailCode {
    /// Which of its enrollment's codes it is, from 1.
    pub number: u32,
    /// How many digits it has.
    pub digits: u32,
    /// From which it is derived when the mail is made.
    pub seed: TokenSeed,
    /// What an entered code is compared with.
    pub digest: KeyedDigest,
    /// When it was made.
    pub made: Timestamp,
    /// The first instant at which it is worth nothing.
    pub expires: Timestamp,
}

/// Data the person confirmed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// The corrected phone number; `None` leaves the one on file.
    pub phone: Option<Phone>,
}

/// What an earlier holder chose.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Held {
    /// The digest of that holder's session secret.
    pub by: Digest,
    /// The serial of that secret.
    pub serial: u32,
    /// What they chose.
    pub work: Work,
}

/// A completed enrollment. Its session may still read until its deadline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Completed {
    /// When.
    pub at: Timestamp,
    /// The digest of the session that completed it.
    pub session: Digest,
    /// The first instant at which that session reads nothing more.
    pub deadline: Timestamp,
    /// The device that came by it.
    pub device: Option<DeviceId>,
}

/// An enrollment that ended without completion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closed {
    /// When.
    pub at: Timestamp,
    /// Why.
    pub why: Closure,
}

/// Why an enrollment ended without completion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Closure {
    /// An administrator revoked it.
    Revoked,
    /// Another was issued in its place.
    Restarted,
    /// Too many wrong codes.
    Locked,
    /// The user was disabled.
    UserDisabled,
    /// Its holder said it was not meant for them (TOK-10).
    Reported,
}

/// A refused completion, for the pending list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// When.
    pub at: Timestamp,
    /// The codes of what was missing.
    pub missing: Vec<String>,
}

impl Enrollment {
    /// The user it is for; `None`: it is for a machine.
    #[must_use]
    pub const fn user(&self) -> Option<UserId> {
        self.subject.user()
    }

    /// Whether it can still lead anywhere, the clock aside: neither completed nor closed.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Invited | Phase::InSession(_))
    }

    /// The session, if one has begun and it is not completed or closed.
    #[must_use]
    pub const fn session(&self) -> Option<&Session> {
        match &self.phase {
            Phase::InSession(session) => Some(session),
            _ => None,
        }
    }

    /// How many more sessions its token opens, the clock aside.
    #[must_use]
    pub const fn sessions_left(&self) -> u32 {
        self.terms.max_sessions.saturating_sub(self.sessions)
    }

    /// Whether a holder of the token could be in a session at `now`: in the one that lives, or in another that the
    /// terms allow. Whether the token itself still opens anything is for [`super::token_opens`] to say.
    #[must_use]
    pub fn may_begin(&self, now: Timestamp) -> bool {
        self.session().is_some_and(|session| now < session.deadline) || self.sessions_left() > 0
    }

    /// The first instant at which nothing can come of it any more.
    #[must_use]
    pub fn ends(&self) -> Timestamp {
        match self.session() {
            None => self.expires,
            Some(last) if self.sessions_left() == 0 => last.deadline,
            Some(session) => session.deadline.max(self.expires),
        }
    }

    /// The devices whose addresses it reserves.
    #[must_use]
    pub fn reserved_devices(&self) -> Vec<DeviceId> {
        let Some(session) = self.session() else { return Vec::new() };
        let held = session.held.as_ref().and_then(|held| held.work.device);
        session.work.device.into_iter().chain(held).collect()
    }
}
