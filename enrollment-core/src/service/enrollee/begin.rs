//! Redeeming a token for a session.

use super::look::Known;
use super::state::device_key;
use super::{Enrollee, SessionState, roomy};
use crate::domain::audit::Actor;
use crate::domain::command::{Begin, Command, Decision};
use crate::domain::enrollment::Enrollment;
use crate::domain::rejection::Rejection;
use crate::domain::{decide, token_opens};
use crate::secret::{Digest, SessionNonce, SessionSecret, Token, TokenSeed};
use crate::service::turn::{Doer, Draft, TURNS, Written};
use crate::service::{Answer, Failure, Origin, operation};

/// What a person sends to begin.
#[derive(Debug)]
pub struct BeginRequest {
    /// The secret of their invitation.
    pub token: Token,
    /// Random, theirs alone, and the same when the same begin is repeated: a double click or a lost answer then leads
    /// to the same session.
    pub nonce: Option<SessionNonce>,
    /// The session they had before, to continue with everything they did there. Without a nonce it serves as one: the
    /// same begin repeated leads to the same session.
    pub resume: Option<SessionSecret>,
}

/// An open session.
#[derive(Debug)]
pub struct Begun {
    /// Its secret, shown here only.
    pub session: SessionSecret,
    /// Where it stands.
    pub state: SessionState,
}

/// The session secrets a begin is about.
struct Secrets {
    begin: Begin,
    /// The one in force, when the caller can show it.
    present: Option<SessionSecret>,
    /// The one of a new session.
    next: SessionSecret,
}

impl Enrollee<'_> {
    /// Opens a session, or continues the caller's own (TOK-5, TOK-6). The only call that redeems a token.
    ///
    /// Repeating it with the same nonce, or without one with the same `resume`, changes nothing and returns the same
    /// session; so does showing the session it returned as `resume`. Anybody else with the token ends the older session
    /// and finds no choice of its holder.
    ///
    /// # Errors
    /// As [`Enrollee::look`], and [`Rejection::SessionsExhausted`].
    pub fn begin<'a>(&'a self, request: &'a BeginRequest, origin: Origin) -> Answer<'a, Begun> {
        operation("enrollee.begin", self.try_begin(request, false, origin))
    }

    /// The same for a front end that is made for people: the token of a machine's enrollment is refused there, and not
    /// consumed.
    ///
    /// # Errors
    /// As [`Enrollee::begin`]; [`Rejection::ForMachine`].
    pub fn begin_person<'a>(&'a self, request: &'a BeginRequest, origin: Origin) -> Answer<'a, Begun> {
        operation("enrollee.begin_person", self.try_begin(request, true, origin))
    }

    async fn try_begin(&self, request: &BeginRequest, person: bool, origin: Origin) -> Result<Begun, Failure> {
        for _ in 0..TURNS {
            let stored = match self.by_token(&request.token).await? {
                Known::Current(stored) => stored,
                Known::Past(stored, rejection) => {
                    return Err(self.refuse_known(&stored, origin, Some("begin"), rejection).await);
                }
            };
            let enrollment = &stored.record;
            if person && enrollment.user().is_none() {
                return Err(self.refuse_known(&stored, origin, Some("begin"), Rejection::ForMachine).await);
            }
            let now = self.service.now();
            let lives = enrollment.session().is_some_and(|session| now < session.deadline);
            let over = token_opens(enrollment, now).err().filter(|_| !lives);
            // Nothing can be derived for an enrollment that is over, and needs not for one that has expired.
            let secrets = match (&enrollment.seed, over) {
                (Some(seed), None) => self.secrets(enrollment, seed, request)?,
                (_, over) => {
                    let rejection = over.unwrap_or(Rejection::InvalidToken);
                    return Err(self.refuse_known(&stored, origin, Some("begin"), rejection).await);
                }
            };
            let decision = decide(enrollment, Command::Begin(secrets.begin), now);
            match decision.and_then(|decision| roomy(&stored, decision, now)) {
                Err(rejection) => {
                    return Err(self.refuse_known(&stored, origin, Some("begin"), rejection).await);
                }
                Ok(Decision::Unchanged(_)) => {
                    let session = secrets.present.ok_or_else(|| Failure::Broken("a session nobody showed".into()))?;
                    return self.begun(session, stored.record).await;
                }
                Ok(Decision::Changed(changed)) => {
                    let mut draft = Draft::new(now);
                    let doer = Doer { actor: Actor::Enrollee(stored.record.id), origin };
                    let added = self.service.add_changed(&mut draft, doer, &stored, None, *changed).await?;
                    match self.service.write(draft).await? {
                        Written::Applied => {
                            added.outcome?;
                            return self.begun(secrets.next, added.next).await.map_err(Failure::after_the_change);
                        }
                        Written::Stale | Written::Taken(_) | Written::LeaseLost => {}
                    }
                }
            }
        }
        Err(Failure::Busy)
    }

    async fn begun(&self, session: SessionSecret, enrollment: Enrollment) -> Result<Begun, Failure> {
        if enrollment.user().is_none() {
            let state = self.machine_state(&enrollment).await?;
            return Ok(Begun { session, state });
        }
        let world =
            self.service.world(&enrollment, device_key(&enrollment).as_slice(), Rejection::InvalidToken).await?;
        let state = self.state(&enrollment, &world)?;
        Ok(Begun { session, state })
    }

    /// The secrets that the caller can show, and the next one.
    fn secrets(&self, enrollment: &Enrollment, seed: &TokenSeed, request: &BeginRequest) -> Result<Secrets, Failure> {
        let ring = self.service.ring();
        let derive = |serial, nonce| self.service.keyed(ring.session(seed, enrollment.id, serial, nonce));
        let session = enrollment.session();
        let mut presented: Vec<Digest> = request.resume.iter().map(SessionSecret::digest).collect();
        let mut present = None;
        if let (Some(session), Some(resume)) = (session, &request.resume)
            && session.digest == resume.digest()
        {
            present = Some(SessionSecret::parse(resume.expose()).map_err(|error| Failure::Broken(error.into()))?);
        }
        let resumed = request.resume.as_ref().map(|resume| SessionNonce::parse(resume.expose()));
        let resumed = resumed.transpose().map_err(|error| Failure::Broken(error.into()))?;
        let next = match request.nonce.as_ref().or(resumed.as_ref()) {
            None => SessionSecret::random(self.service.entropy()),
            Some(nonce) => {
                let serials = session
                    .into_iter()
                    .flat_map(|session| [Some(session.serial), session.held.as_ref().map(|held| held.serial)])
                    .flatten();
                for serial in serials {
                    let derived = derive(serial, nonce)?;
                    presented.push(derived.digest());
                    if session.is_some_and(|session| session.digest == derived.digest()) {
                        present = Some(derived);
                    }
                }
                derive(enrollment.serial + 1, nonce)?
            }
        };
        Ok(Secrets { begin: Begin { presented, next: next.digest() }, present, next })
    }
}
