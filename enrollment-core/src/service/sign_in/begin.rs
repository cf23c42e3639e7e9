//! The first step: name and password.

use std::sync::Arc;

use super::places::{Counted, Found};
use super::{OPERATION, Opened, SignIn, visitor};
use crate::domain::event::Event;
use crate::domain::rejection::Rejection;
use crate::domain::sign_in::{AdminSession, Means, Stage, demand};
use crate::domain::user::{ChosenPassword, User};
use crate::id::AdminSessionId;
use crate::record::{Stored, new_row};
use crate::secret::{AdminSessionSecret, BrowserSecret, HashingError, Password, PasswordHash, RecoveryCode};
use crate::service::password_gate::Pass;
use crate::service::turn::{Draft, TURNS, Written};
use crate::service::{Answer, Failure, Origin, operation};

/// Name and password, and what tells this browser from a stranger's.
#[derive(Debug)]
pub struct SignInRequest {
    /// The name as it was typed. One that cannot be a username is refused like one that nobody has.
    pub username: String,
    /// The password.
    pub password: Password,
    /// What the browser kept of an earlier sign-in.
    pub browser: Option<BrowserSecret>,
    /// A recovery code of the user's, for whoever sits at a new browser while somebody else guesses. It is not used up by
    /// this: it only tells the user from those who guess.
    pub recovery: Option<RecoveryCode>,
}

/// What follows from a right password.
#[derive(Debug)]
pub enum SignInStep {
    /// The second factor is asked for. This opens nothing but the second step, for five minutes.
    Factor(AdminSessionSecret),
    /// There is none: the user is signed in.
    Done(Opened),
}

/// What hashing told of a password and one stored hash.
pub(super) struct Judged {
    against: Option<PasswordHash>,
    pub(super) matches: bool,
    /// The same password at today's cost, where the stored hash is of another (PWD-3).
    pub(super) again: Option<PasswordHash>,
}

impl Judged {
    pub(super) fn is_against(&self, hash: Option<&PasswordHash>) -> bool {
        self.against.as_ref() == hash
    }
}

impl SignIn<'_> {
    /// Verifies name and password.
    ///
    /// What it costs and which calls it makes do not depend on whether there is such a user or what is wrong. A wrong
    /// password is counted before it is answered, and parallel ones from one place one by one; a right one counts likewise
    /// until the second step succeeds. Where the password was hashed at another cost than today's, it is hashed again.
    ///
    /// # Errors
    /// [`Rejection::SignInRefused`], whatever was wrong; [`Rejection::TooMany`] and [`Rejection::SignInStopped`], for
    /// names that nobody has alike.
    pub fn begin<'a>(&'a self, request: &'a SignInRequest, origin: Origin) -> Answer<'a, SignInStep> {
        operation("sign_in.begin", self.try_begin(request, origin))
    }

    async fn try_begin(&self, request: &SignInRequest, origin: Origin) -> Result<SignInStep, Failure> {
        let place = self.look(request, self.service.now()).await?.counted.place.id;
        let pass = Arc::new(self.service.0.passwords.enter(place.uuid()).await);
        let mut judged: Option<Judged> = None;
        for _ in 0..TURNS {
            let found = self.look(request, self.service.now()).await?;
            if let Err(rejection) = found.counted.place.password.admit(self.service.now()) {
                self.count_unheard(found.user.as_ref());
                return Err(rejection.into());
            }
            let hash = found.user.as_ref().and_then(|user| Some(demand(&user.record)?.password.hash.clone()));
            let known = match judged.take().filter(|judged| judged.is_against(hash.as_ref())) {
                Some(judged) => judged,
                None => self.judge(&request.password, hash, &pass).await?,
            };
            let draft = Draft::new(self.service.now());
            let (draft, answer) = match found {
                Found { user: Some(user), counted, .. } if known.matches => {
                    self.right_password(draft, &user, &counted, &known, origin)?
                }
                found => (self.wrong_password(draft, &found, origin, OPERATION), Err(Rejection::SignInRefused.into())),
            };
            if let Written::Applied = self.service.write(draft).await? {
                return answer;
            }
            judged = Some(known);
        }
        Err(Failure::Busy)
    }

    /// Compares a password with a stored hash, or does as much work for nobody.
    pub(super) async fn judge(
        &self,
        password: &Password,
        against: Option<PasswordHash>,
        pass: &Arc<Pass>,
    ) -> Result<Judged, Failure> {
        let hashing = &self.service.0.hashing;
        let Some(hash) = &against else {
            hashing.hash_holding(Arc::clone(pass), password.again(), [0; 16]).await?;
            return Ok(Judged { against, matches: false, again: None });
        };
        let verified = match hashing.verify_holding(Arc::clone(pass), password.again(), hash).await {
            // As wrong as any other: an answer of its own would tell strangers whose hash that is.
            Err(HashingError::TooCostly) => {
                tracing::error!(
                    "a stored password costs more than may be spent on verifying it: raise the limit again"
                );
                return Box::pin(self.judge(password, None, pass)).await.map(|judged| Judged { against, ..judged });
            }
            verified => verified?,
        };
        let again = if verified.matches && verified.needs_rehash {
            // Not worth refusing anybody for: there will be a next sign-in.
            hashing.hash_holding(Arc::clone(pass), password.again(), self.service.random()).await.ok()
        } else {
            None
        };
        Ok(Judged { against, matches: verified.matches, again })
    }

    /// Adds the count of a wrong password to a draft.
    pub(super) fn wrong_password(&self, mut draft: Draft, found: &Found, origin: Origin, operation: &str) -> Draft {
        let Found { user, counted, stands } = found;
        let tries = counted.place.password.failed(draft.now);
        let next = counted.place.clone().with(Means::Password, tries, draft.now);
        draft.ops.push(counted.put(&next));
        draft.ops.push(stands.clone());
        self.log_refusal(&mut draft, user.as_ref(), origin, operation);
        draft
    }

    fn right_password(
        &self,
        mut draft: Draft,
        user: &Stored<User>,
        counted: &Counted,
        judged: &Judged,
        origin: Origin,
    ) -> Result<(Draft, Result<SignInStep, Failure>), Failure> {
        let factor = demand(&user.record).is_some_and(|demand| demand.factor);
        let next = rehashed(&user.record, judged);
        let secret = AdminSessionSecret::random(self.service.entropy());
        let session = AdminSession {
            id: AdminSessionId::new(draft.now, self.service.entropy()),
            digest: secret.digest(),
            user: user.record.id,
            epoch: user.record.sign_ins.epoch,
            place: counted.place.id,
            began: draft.now,
            stage: Stage::HalfWay,
            source: origin.source,
            offered: None,
        };
        if !factor {
            let opened = self.open(&mut draft, user, next, counted, Means::Password, &session, origin)?;
            return Ok((draft, Ok(SignInStep::Done(opened))));
        }
        // Until the second step succeeds it is one attempt more, or whoever has a password and nothing else could begin,
        // and have it written down, without end.
        let tries = counted.place.password.failed(draft.now);
        let place = counted.place.clone().with(Means::Password, tries, draft.now);
        draft.ops.push(counted.put(&place));
        draft.ops.push(new_row(&session));
        draft.ops.push(if judged.again.is_some() { user.put(&next) } else { user.check() });
        if judged.again.is_some() {
            self.service.audit(&mut draft, visitor(origin), user.key(), user.version, Event::PasswordRehashed);
        }
        self.service.audit(&mut draft, visitor(origin), user.key(), user.version, Event::PasswordVerified);
        Ok((draft, Ok(SignInStep::Factor(secret))))
    }
}

/// The user with their password at today's cost.
pub(super) fn rehashed(user: &User, judged: &Judged) -> User {
    let mut next = user.clone();
    if let (Some(hash), Some(password)) = (&judged.again, &mut next.credentials.password) {
        *password = ChosenPassword { hash: hash.clone(), ..*password };
    }
    next
}
