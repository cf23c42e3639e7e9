//! Signing in: who may, what slows down who guesses, and how long a session lasts.
//!
//! A wrong answer is counted for the user, the factor and the *place* it came from. A browser that its user has signed
//! in with before is a place of its own; all others are one place together. So whoever guesses from elsewhere is slowed
//! and stopped, and never stops the browser of the person they guess about (`docs/adr/0018-signing-in.md`).

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::rejection::Rejection;
use super::user::{ChosenPassword, User};
use crate::id::{AdminSessionId, PlaceId, UserId};
use crate::secret::{Digest, Sealed};
use crate::time::Timestamp;

/// Wrong answers in a row that cost no waiting: anybody mistypes.
const FREE: u32 = 2;
/// The wait after the first wrong answer beyond those; it doubles with each further one.
const FIRST_WAIT: Duration = Duration::from_secs(30);
/// The longest wait.
const LONGEST_WAIT: Duration = Duration::from_secs(3_600);
/// Wrong answers in a row after which no other is heard (NIST SP 800-63B-4, section 3.2.2).
pub const HARD_STOP: u32 = 100;

/// How long the answer for the second step may take.
pub const SECOND_STEP: Duration = Duration::from_secs(5 * 60);
/// A session that is not used for so long is over.
pub const IDLE: Duration = Duration::from_secs(15 * 60);
/// A session is over so long after its sign-in, however much it is used.
pub const ABSOLUTE: Duration = Duration::from_secs(8 * 3_600);
/// Use is written down when it was last written so long ago, so that not every request is a write. A session may
/// end this much sooner after its last use than [`IDLE`] says, and never later.
pub const USE_NOTED_EVERY: Duration = Duration::from_secs(60);
/// A browser that nobody signed in with for so long is like any other.
pub const KNOWN_FOR: Duration = Duration::from_secs(90 * 86_400);
/// How long an offered authenticator app may take to be confirmed.
pub const OFFER: Duration = Duration::from_secs(10 * 60);
/// With so many wrong codes an offered authenticator app is dropped.
pub const OFFER_TRIES: u32 = 3;

/// What somebody shows to sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Means {
    /// The password.
    Password,
    /// A code of the authenticator app.
    Totp,
    /// A recovery code.
    Recovery,
}

impl Means {
    /// The stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Totp => "totp",
            Self::Recovery => "recovery_code",
        }
    }
}

/// Wrong answers in a row by one means.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tries {
    /// How many.
    pub failures: u32,
    /// When the last one was.
    pub last: Option<Timestamp>,
}

impl Tries {
    /// Whether another answer is heard: from the first instant after the wait on.
    ///
    /// # Errors
    /// [`Rejection::TooMany`] with the rest of the wait; [`Rejection::SignInStopped`] at [`HARD_STOP`].
    pub fn admit(&self, now: Timestamp) -> Result<(), Rejection> {
        if self.is_stopped() {
            return Err(Rejection::SignInStopped);
        }
        let until = self.last.map_or(Timestamp::EPOCH, |last| last.plus(self.wait()));
        if now < until { Err(Rejection::TooMany { retry_after: until.since(now) }) } else { Ok(()) }
    }

    /// Whether no further answer is heard.
    #[must_use]
    pub const fn is_stopped(&self) -> bool {
        self.failures >= HARD_STOP
    }

    /// After one more wrong answer.
    #[must_use]
    pub const fn failed(self, now: Timestamp) -> Self {
        Self { failures: self.failures.saturating_add(1), last: Some(now) }
    }

    fn wait(&self) -> Duration {
        let Some(doublings) = self.failures.checked_sub(FREE + 1) else { return Duration::ZERO };
        FIRST_WAIT.saturating_mul(1 << doublings.min(16)).min(LONGEST_WAIT)
    }
}

/// Where answers come from: what is counted together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Which one: a digest of the user and of what tells the place.
    pub id: PlaceId,
    /// Whose. `None`: of a name that nobody has, which is counted alike.
    pub user: Option<UserId>,
    /// Which of the names that nobody has and that share this row it is counted for: the one tried last.
    #[serde(default)]
    pub name: Option<Uuid>,
    /// What tells it from others.
    pub by: PlaceBy,
    /// Wrong passwords, and right ones without a second step that succeeded.
    pub password: Tries,
    /// Wrong codes of the authenticator app.
    pub totp: Tries,
    /// Wrong recovery codes.
    pub recovery: Tries,
    /// When it was last written.
    pub touched: Timestamp,
}

/// What tells a place from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlaceBy {
    /// Nothing: all those who are not known.
    Nothing,
    /// A browser that the user has signed in with.
    Browser,
    /// A recovery code of the user's, shown together with the password. Nobody guesses one.
    Recovery,
}

impl Place {
    /// A place where nothing has happened.
    #[must_use]
    pub const fn new(id: PlaceId, user: Option<UserId>, by: PlaceBy, now: Timestamp) -> Self {
        let none = Tries { failures: 0, last: None };
        Self { id, user, name: None, by, password: none, totp: none, recovery: none, touched: now }
    }

    /// Wrong answers by one means.
    #[must_use]
    pub const fn tries(&self, means: Means) -> Tries {
        match means {
            Means::Password => self.password,
            Means::Totp => self.totp,
            Means::Recovery => self.recovery,
        }
    }

    /// With another count for one means.
    #[must_use]
    pub const fn with(self, means: Means, tries: Tries, now: Timestamp) -> Self {
        let next = Self { touched: now, ..self };
        match means {
            Means::Password => Self { password: tries, ..next },
            Means::Totp => Self { totp: tries, ..next },
            Means::Recovery => Self { recovery: tries, ..next },
        }
    }

    /// Whether it is still told from the rest: a browser that was not used for [`KNOWN_FOR`] is not, and neither is one
    /// from which so much was wrong that no answer by this means would be heard any more.
    #[must_use]
    pub fn is_known(&self, means: Means, now: Timestamp) -> bool {
        now < self.touched.plus(KNOWN_FOR) && !self.tries(means).is_stopped()
    }

    /// Whether it is forgotten some time. What was guessed at a user from elsewhere never is, or it would not be reset by
    /// success only.
    #[must_use]
    pub const fn passes(&self) -> bool {
        self.user.is_none() || !matches!(self.by, PlaceBy::Nothing)
    }
}

/// What a user must show to sign in as an administrator.
#[derive(Debug, Clone, Copy)]
pub struct Demand<'a> {
    /// The password.
    pub password: &'a ChosenPassword,
    /// And a second factor.
    pub factor: bool,
}

/// What a user must show; `None` for whoever cannot sign in: disabled, not an administrator, not enrolled, without a
/// password, or with one that is too short to stand alone and no factor beside it.
///
/// Codes by e-mail open no administration (NIST SP 800-63B-4, section 3.1.3.1, does not accept e-mail). They do not count
/// as a factor of whoever has a role ([`Circumstances::accepted_factors`](super::requirement::Circumstances)); who had
/// nothing else before they got one, or where no location accepts an app, has recovery codes, and can be invited to set up
/// an app whatever the locations accept.
#[must_use]
pub fn demand(user: &User) -> Option<Demand<'_>> {
    let credentials = &user.credentials;
    let password = credentials.password.as_ref()?;
    let factor = credentials.totp.is_some() || credentials.email || !credentials.recovery.is_empty();
    let may = user.is_active() && user.is_enrolled() && user.role.is_some();
    (may && (factor || password.long_enough_alone)).then_some(Demand { password, factor })
}

/// Whether a user has what [`demand`] asks for: where that is a factor, an app or a recovery code that still works.
#[must_use]
pub fn has_means(user: &User) -> bool {
    let credentials = &user.credentials;
    let answers = credentials.totp.is_some() || !credentials.recovery.is_empty();
    demand(user).is_some_and(|demand| answers || !demand.factor)
}

/// An administrator's session, from a right password on.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AdminSession {
    /// Which one.
    pub id: AdminSessionId,
    /// The digest of its secret.
    pub digest: Digest,
    /// Whose.
    pub user: UserId,
    /// The user's [epoch](SignIns::epoch) at which it began. In another one it is over.
    pub epoch: u32,
    /// Where wrong answers are counted.
    pub place: PlaceId,
    /// When it began; anew when the second step succeeds.
    pub began: Timestamp,
    /// How far it is.
    pub stage: Stage,
    /// Where it began.
    pub source: Option<IpAddr>,
    /// An authenticator app that is being set up, and until when.
    pub offered: Option<OfferedTotp>,
}

/// How far a session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The password was right, and the second factor is to follow. It opens nothing.
    HalfWay,
    /// Everything was right. Last used at this instant, or up to [`USE_NOTED_EVERY`] later.
    Open {
        /// When.
        used: Timestamp,
    },
}

/// An authenticator app that is being set up.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OfferedTotp {
    /// The secret, sealed to the user.
    pub secret: Sealed,
    /// Until when it can be confirmed.
    pub until: Timestamp,
    /// Wrong codes for it; fewer than [`OFFER_TRIES`].
    #[serde(default)]
    pub failures: u32,
}

impl AdminSession {
    /// The first instant at which it is over, unless it is used before.
    #[must_use]
    pub fn ends(&self) -> Timestamp {
        match self.stage {
            Stage::HalfWay => self.began.plus(SECOND_STEP),
            Stage::Open { used } => self.latest_end().min(used.plus(IDLE)),
        }
    }

    /// The first instant at which it is over, however much it is used.
    #[must_use]
    pub fn latest_end(&self) -> Timestamp {
        match self.stage {
            Stage::HalfWay => self.began.plus(SECOND_STEP),
            Stage::Open { .. } => self.began.plus(ABSOLUTE),
        }
    }

    /// Whether it still is one of this user's: not over, and nothing has happened that ends a user's sessions.
    #[must_use]
    pub fn is_of(&self, user: &User, now: Timestamp) -> bool {
        let same = self.user == user.id && self.epoch == user.sign_ins.epoch;
        same && now < self.ends() && user.is_active() && user.role.is_some()
    }
}

/// What a user's record says of their signing in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignIns {
    /// One more with each disabling, change of role, of password and of factor: each ends every session from before.
    pub epoch: u32,
    /// When they last signed in.
    pub last: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_000_000);

    fn after(failures: u32) -> Tries {
        (0..failures).fold(Tries::default(), |tries, _| tries.failed(NOW))
    }

    fn wait(failures: u32) -> Option<u64> {
        match after(failures).admit(NOW) {
            Ok(()) => Some(0),
            Err(Rejection::TooMany { retry_after }) => Some(retry_after.as_secs()),
            Err(_) => None,
        }
    }

    /// AUTH-2
    #[test]
    fn the_wait_grows_from_half_a_minute_to_an_hour_and_ends_in_a_hard_stop() {
        let waits: Vec<_> = (0..12).map(wait).collect();
        let grows = [0, 0, 0, 30, 60, 120, 240, 480, 960, 1_920, 3_600, 3_600];
        assert_eq!(waits, grows.map(Some));
        assert_eq!(wait(99), Some(3_600));
        assert_eq!(wait(100), None);
        assert_eq!(after(100).admit(NOW.plus(Duration::from_secs(1 << 40))), Err(Rejection::SignInStopped));
    }

    /// AUTH-2: half-open, as all deadlines are.
    #[test]
    fn the_next_answer_is_heard_from_the_end_of_the_wait_on() {
        let tries = after(3);
        let almost = NOW.plus(Duration::from_micros(29_999_999));
        assert!(tries.admit(almost).is_err());
        assert_eq!(tries.admit(NOW.plus(Duration::from_secs(30))), Ok(()));
    }

    fn session(stage: Stage) -> AdminSession {
        AdminSession {
            id: AdminSessionId::from_uuid(Uuid::nil()),
            digest: Digest::of(b"secret"),
            user: UserId::from_uuid(Uuid::nil()),
            epoch: 0,
            place: PlaceId::from_uuid(Uuid::nil()),
            began: NOW,
            stage,
            source: None,
            offered: None,
        }
    }

    /// AUTH-4
    #[test]
    fn a_session_ends_after_15_idle_minutes_and_after_8_hours() {
        let used = |minutes: u64| NOW.plus(Duration::from_secs(60 * minutes));
        assert_eq!(session(Stage::Open { used: NOW }).ends(), used(15));
        assert_eq!(session(Stage::Open { used: used(60) }).ends(), used(75));
        assert_eq!(session(Stage::Open { used: used(8 * 60 - 5) }).ends(), used(8 * 60));
        assert_eq!(session(Stage::HalfWay).ends(), used(5));
    }
}
