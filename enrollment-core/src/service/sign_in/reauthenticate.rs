//! Showing once more who one is, before one's own credentials change.

use std::sync::Arc;

use super::SignIn;
use super::begin::{Judged, rehashed};
use super::factor::FactorAnswer;
use crate::domain::audit::Actor;
use crate::domain::event::Event;
use crate::domain::rejection::Rejection;
use crate::domain::sign_in::{AdminSession, Means, Stage, Tries, demand};
use crate::domain::user::{ChosenPassword, User};
use crate::secret::{AdminSessionSecret, Password, PasswordHash};
use crate::service::turn::{Doer, Draft, TURNS, Written};
use crate::service::{Failure, Origin};

/// Password and, where there is a second factor, a code: all that signing in takes, once more.
#[derive(Debug)]
pub struct Proof {
    /// The password.
    pub password: Password,
    /// A code; asked for from whoever has a second factor.
    pub factor: Option<FactorAnswer>,
}

/// What is asked for behind a proof.
pub(super) struct Asked {
    /// What is written down of it.
    pub(super) event: Event,
    /// What the audit log calls it when it is refused.
    pub(super) operation: &'static str,
    /// A password to put in the place of the one before.
    pub(super) password: Option<NewPassword>,
}

/// A password that keeps the rules.
pub(super) struct NewPassword {
    pub(super) password: Password,
    pub(super) long_enough_alone: bool,
}

impl Asked {
    pub(super) const fn new(event: Event, operation: &'static str) -> Self {
        Self { event, operation, password: None }
    }
}

impl SignIn<'_> {
    /// Makes a change to the holder's own account behind a proof, and to their session. Wrong answers count as those of a
    /// sign-in from the same place do, and are not heard while those are not.
    ///
    /// `change` gets user and session as they become by the proof and the new password. That one is hashed only once the
    /// proof was right, and one at a time: a session alone cannot keep the hashing threads busy.
    pub(super) async fn proven(
        &self,
        secret: &AdminSessionSecret,
        proof: &Proof,
        origin: Origin,
        asked: &Asked,
        change: impl Fn(&mut User, &mut AdminSession, &Draft) + Send + Sync,
    ) -> Result<User, Failure> {
        let is_open = |stage: &Stage| matches!(stage, Stage::Open { .. });
        let (_, _, counted) = self.of_session(secret, is_open).await?;
        let pass = Arc::new(self.service.0.passwords.enter(counted.place.id.uuid()).await);
        let mut judged: Option<Judged> = None;
        let mut made: Option<PasswordHash> = None;
        for _ in 0..TURNS {
            let (session, user, counted) = self.of_session(secret, is_open).await?;
            let demand = demand(&user.record).ok_or(Rejection::NotSignedIn)?;
            let factor = match (&proof.factor, demand.factor) {
                (None, true) => return Err(missing_code().into()),
                (factor, needed) => factor.as_ref().filter(|_| needed),
            };
            for means in [Some(Means::Password), factor.map(FactorAnswer::means)].into_iter().flatten() {
                if let Err(rejection) = counted.place.tries(means).admit(self.service.now()) {
                    self.count_unheard(Some(&user));
                    return Err(rejection.into());
                }
            }
            let hash = Some(demand.password.hash.clone());
            let known = match judged.take().filter(|judged| judged.is_against(hash.as_ref())) {
                Some(judged) => judged,
                None => self.judge(&proof.password, hash, &pass).await?,
            };
            let mut draft = Draft::new(self.service.now());
            let wrong = self.first_wrong(&user.record, &known, factor, &draft)?;
            if let (Ok(_), Some(new), None) = (&wrong, &asked.password, &made) {
                let (hashing, salt) = (&self.service.0.hashing, self.service.random());
                made = Some(hashing.hash_holding(Arc::clone(&pass), new.password.again(), salt).await?);
            }
            let answer = match wrong {
                Ok(mut next) => {
                    if let (Some(new), Some(hash)) = (&asked.password, made.clone()) {
                        let long_enough_alone = new.long_enough_alone;
                        next.credentials.password = Some(ChosenPassword { hash, long_enough_alone });
                    }
                    let mut place = counted.place.clone().with(Means::Password, Tries::default(), draft.now);
                    if let Some(factor) = factor {
                        place = place.with(factor.means(), Tries::default(), draft.now);
                    }
                    draft.ops.push(counted.put(&place));
                    let mut after = session.record.clone();
                    change(&mut next, &mut after, &draft);
                    draft.ops.extend([user.put(&next), session.put(&after)]);
                    let doer = Doer { actor: Actor::User(user.record.id), origin };
                    self.service.audit(&mut draft, doer, user.key(), user.version, asked.event.clone());
                    Ok(next)
                }
                Err(means) => {
                    let tries = counted.place.tries(means).failed(draft.now);
                    draft.ops.push(counted.put(&counted.place.clone().with(means, tries, draft.now)));
                    draft.ops.push(user.check());
                    self.log_refusal(&mut draft, Some(&user), origin, asked.operation);
                    Err(Rejection::SignInRefused)
                }
            };
            if let Written::Applied = self.service.write(draft).await? {
                return Ok(answer?);
            }
            judged = Some(known);
        }
        Err(Failure::Busy)
    }

    /// The user once the proof is used up, or what of it is wrong.
    fn first_wrong(
        &self,
        user: &User,
        judged: &Judged,
        factor: Option<&FactorAnswer>,
        draft: &Draft,
    ) -> Result<Result<User, Means>, Failure> {
        if !judged.matches {
            return Ok(Err(Means::Password));
        }
        let user = rehashed(user, judged);
        match factor {
            None => Ok(Ok(user)),
            Some(answer) => Ok(self.judge_factor(&user, answer, draft.now)?.ok_or_else(|| answer.means())),
        }
    }
}

fn missing_code() -> Rejection {
    Rejection::InvalidField { field: "code", reason: "a code from your app, or a recovery code".to_owned() }
}
