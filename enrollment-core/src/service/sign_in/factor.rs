//! The second step: a code.

use std::fmt;

use zeroize::Zeroizing;

use super::places::Counted;
use super::{Opened, SignIn};
use crate::domain::audit::Actor;
use crate::domain::event::Event;
use crate::domain::rejection::Rejection;
use crate::domain::sign_in::{AdminSession, Means, Place, PlaceBy, Stage, Tries};
use crate::domain::user::{TotpFactor, User};
use crate::record::{Kind, RowKey, Stored, UniqueKey, UniqueName, new_row};
use crate::secret::{AdminSessionSecret, BrowserSecret, Named, RecoveryCode};
use crate::service::enrollee::mfa::six_digits;
use crate::service::turn::{Doer, Draft, TURNS, Written};
use crate::service::{Answer, Failure, Origin, operation};
use crate::time::Timestamp;

/// What the audit log calls it.
const OPERATION: &str = "sign_in_factor";

/// A code, as it was typed.
pub enum FactorAnswer {
    /// The six digits of an authenticator app.
    Totp(Zeroizing<String>),
    /// A recovery code.
    Recovery(RecoveryCode),
}

impl FactorAnswer {
    /// Reads what was typed: six digits, or sixteen characters of a recovery code; spaces and dashes do not matter.
    ///
    /// # Errors
    /// [`Rejection::InvalidField`] for what is neither. It is not counted as a wrong answer.
    pub fn parse(text: &str) -> Result<Self, Rejection> {
        if let Ok(digits) = six_digits(text) {
            return Ok(Self::Totp(digits));
        }
        let reason = "six digits from your app, or a recovery code";
        RecoveryCode::parse(text)
            .map(Self::Recovery)
            .map_err(|_| Rejection::InvalidField { field: "code", reason: reason.to_owned() })
    }

    pub(super) const fn means(&self) -> Means {
        match self {
            Self::Totp(_) => Means::Totp,
            Self::Recovery(_) => Means::Recovery,
        }
    }
}

impl fmt::Debug for FactorAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FactorAnswer({}, …)", self.means().as_str())
    }
}

impl SignIn<'_> {
    /// Verifies the second factor, and opens the session under a new secret. A code of the app is taken once, and none
    /// that is older than one taken before (MFA-1); a recovery code works once (MFA-3).
    ///
    /// A wrong code is counted before it is answered, and parallel ones one by one.
    ///
    /// # Errors
    /// [`Rejection::SignInRefused`]; [`Rejection::TooMany`]; [`Rejection::SignInStopped`]; [`Rejection::NotSignedIn`] when
    /// the first step is five minutes old, or the user was changed so that it no longer stands.
    pub fn answer<'a>(
        &'a self,
        half_way: &'a AdminSessionSecret,
        answer: &'a FactorAnswer,
        origin: Origin,
    ) -> Answer<'a, Opened> {
        operation("sign_in.answer", self.try_answer(half_way, answer, origin))
    }

    async fn try_answer(
        &self,
        half_way: &AdminSessionSecret,
        answer: &FactorAnswer,
        origin: Origin,
    ) -> Result<Opened, Failure> {
        let means = answer.means();
        for _ in 0..TURNS {
            let (session, user, counted) = self.of_session(half_way, |stage| *stage == Stage::HalfWay).await?;
            let mut draft = Draft::new(self.service.now());
            let tries = counted.place.tries(means);
            if let Err(rejection) = tries.admit(draft.now) {
                self.count_unheard(Some(&user));
                return Err(rejection.into());
            }
            let answered = match self.judge_factor(&user.record, answer, draft.now)? {
                Some(next) => {
                    let counted = self.beside_strangers(user.record.id, counted).await?;
                    draft.ops.push(session.delete());
                    let session = session.record;
                    Ok(self.open(&mut draft, &user, next, &counted, means, &session, origin)?)
                }
                None => {
                    let next = counted.place.clone().with(means, tries.failed(draft.now), draft.now);
                    draft.ops.push(counted.put(&next));
                    draft.ops.push(user.check());
                    self.log_refusal(&mut draft, Some(&user), origin, OPERATION);
                    Err(Rejection::SignInRefused)
                }
            };
            if let Written::Applied = self.service.write(draft).await? {
                return Ok(answered?);
            }
        }
        Err(Failure::Busy)
    }

    /// A session of that stage with its user and place, of which nothing is over.
    pub(super) async fn of_session(
        &self,
        secret: &AdminSessionSecret,
        is_stage: impl Fn(&Stage) -> bool + Send,
    ) -> Result<(Stored<AdminSession>, Stored<User>, Counted), Failure> {
        let by_digest = UniqueKey::new(UniqueName::AdminSessionDigest, secret.digest());
        let session = self.service.find::<AdminSession>(&by_digest).await?.ok_or(Rejection::NotSignedIn)?;
        let keys = [
            RowKey::new(Kind::User, session.record.user.uuid()),
            RowKey::new(Kind::Place, session.record.place.uuid()),
        ];
        let mut rows = self.service.store().get(&keys).await?.into_iter();
        let user = rows.next().flatten().ok_or(Rejection::NotSignedIn)?;
        let user = Stored::<User>::read(&user)?;
        let place = rows.next().flatten().ok_or(Rejection::NotSignedIn)?;
        let place = Stored::<Place>::read(&place)?;
        if is_stage(&session.record.stage) && session.record.is_of(&user.record, self.service.now()) {
            Ok((session, user, place.into()))
        } else {
            Err(Rejection::NotSignedIn.into())
        }
    }

    /// The user once the code is used up; `None` for a wrong one.
    pub(super) fn judge_factor(
        &self,
        user: &User,
        answer: &FactorAnswer,
        now: Timestamp,
    ) -> Result<Option<User>, Failure> {
        let mut next = user.clone();
        match answer {
            FactorAnswer::Totp(digits) => {
                let Some(TotpFactor { secret, last_step }) = &mut next.credentials.totp else { return Ok(None) };
                let matched = self.service.open_totp(user.id, secret)?.matched_step(digits, now);
                let Some(step) = matched.filter(|step| step > last_step) else { return Ok(None) };
                *last_step = step;
            }
            FactorAnswer::Recovery(code) => {
                let Some(which) = self.recovery_code(user, code)? else { return Ok(None) };
                next.credentials.recovery.remove(which);
            }
        }
        Ok(Some(next))
    }

    /// Adds an open session to a draft, with what follows from a sign-in: the user's record as it becomes, the counts of
    /// the password and of its last means reset, the browser known. From a place of the user's own, the strangers' counts are reset too.
    #[allow(clippy::too_many_arguments, reason = "what a sign-in is made of; a struct of them would have one user")]
    pub(super) fn open(
        &self,
        draft: &mut Draft,
        user: &Stored<User>,
        mut next: User,
        counted: &Counted,
        means: Means,
        half_way: &AdminSession,
        origin: Origin,
    ) -> Result<Opened, Failure> {
        let now = draft.now;
        next.sign_ins.last = Some(now);
        draft.ops.push(user.put(&next));
        let none = Tries::default();
        let place = counted.place.clone().with(Means::Password, none, now).with(means, none, now);
        draft.ops.push(counted.put(&place));
        draft.ops.extend(counted.strangers.iter().map(|strangers| {
            let Place { id, user, by, .. } = strangers.record;
            strangers.put(&Place::new(id, user, by, now))
        }));
        let browser = (place.by != PlaceBy::Browser).then(|| BrowserSecret::random(self.service.entropy()));
        let known = browser.as_ref().map(|secret| {
            let id = Named::user(user.record.id).browser(secret);
            Place::new(id, Some(user.record.id), PlaceBy::Browser, now)
        });
        draft.ops.extend(known.iter().map(new_row));
        let secret = AdminSessionSecret::random(self.service.entropy());
        let session = AdminSession {
            id: crate::id::AdminSessionId::new(now, self.service.entropy()),
            digest: secret.digest(),
            place: known.map_or(place.id, |known| known.id),
            began: now,
            stage: Stage::Open { used: now },
            source: origin.source,
            ..half_way.clone()
        };
        draft.ops.push(new_row(&session));
        let doer = Doer { actor: Actor::User(user.record.id), origin };
        self.service.audit(draft, doer, user.key(), user.version, Event::SignedIn { by: means });
        Ok(Opened { session: secret, browser })
    }
}
