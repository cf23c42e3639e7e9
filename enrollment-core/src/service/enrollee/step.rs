//! One step of an enrollee: the loop they all share.

use super::state::device_key;
use super::{Enrollee, SessionState, roomy, traced};
use crate::domain::audit::Actor;
use crate::domain::command::{Command, Decision, Outcome, Step};
use crate::domain::enrollment::{Enrollment, Phase};
use crate::domain::rejection::Rejection;
use crate::domain::{decide, session_opens};
use crate::record::{RowKey, Stored, UniqueKey, UniqueName};
use crate::secret::{Digest, SessionSecret};
use crate::service::circumstances::World;
use crate::service::effects::Added;
use crate::service::turn::{Doer, Draft, TURNS, Written};
use crate::service::{Answer, Failure, Origin, operation};
use crate::time::Timestamp;

/// A session that was found, and its world.
pub(super) struct Open {
    pub(super) stored: Stored<Enrollment>,
    pub(super) world: World,
    pub(super) doer: Doer,
}

/// A step that was done, now or before.
pub(super) struct Stepped {
    pub(super) enrollment: Enrollment,
    pub(super) world: World,
    pub(super) outcome: Outcome,
}

impl Enrollee<'_> {
    /// Where the session stands (also after completion, until its deadline).
    ///
    /// # Errors
    /// When the session is not the one in force, or its time is over.
    pub fn session<'a>(&'a self, session: &'a SessionSecret, origin: Origin) -> Answer<'a, SessionState> {
        operation("enrollee.session", async move {
            let found = self.by_session(session.digest(), origin, None).await?;
            if found.record.user().is_none() {
                return self.machine_session(session, &found).await;
            }
            let open = self.open_found(found, origin, None, &[]).await?;
            self.readable(&open, session.digest(), self.service.now(), None).await?;
            self.state(&open.stored.record, &open.world)
        })
    }

    /// Finds a session and reads its world.
    pub(super) async fn open(
        &self,
        session: &SessionSecret,
        origin: Origin,
        operation: Option<&'static str>,
    ) -> Result<Open, Failure> {
        let stored = self.by_session(session.digest(), origin, operation).await?;
        self.open_found(stored, origin, operation, &[]).await
    }

    /// Reads the world of a session that was found, and `more` rows of the same snapshot. Of a machine's session there is
    /// none: whatever asks for it is a step of people.
    pub(super) async fn open_found(
        &self,
        stored: Stored<Enrollment>,
        origin: Origin,
        operation: Option<&'static str>,
        more: &[RowKey],
    ) -> Result<Open, Failure> {
        if stored.record.user().is_none() {
            return Err(self.refuse_known(&stored, origin, operation, Rejection::StepNotOffered).await);
        }
        let more: Vec<RowKey> = device_key(&stored.record).into_iter().chain(more.iter().copied()).collect();
        let world = self.service.world(&stored.record, &more, Rejection::InvalidSession).await?;
        let doer = Doer { actor: Actor::Enrollee(stored.record.id), origin };
        let open = Open { stored, world, doer };
        // Disabling a user closes what is open; a session that completed before may not even read any more (REQ-6).
        if !open.world.user.record.is_active() {
            return Err(self.refuse_known(&open.stored, origin, operation, Rejection::TokenRevoked).await);
        }
        Ok(open)
    }

    /// Whether the session may read at `now`: it is in force, or completed its enrollment and its time is not over.
    pub(super) async fn readable(
        &self,
        open: &Open,
        digest: Digest,
        now: Timestamp,
        operation: Option<&'static str>,
    ) -> Result<(), Failure> {
        match may_read(&open.stored.record, digest, now) {
            Ok(()) => Ok(()),
            Err(rejection) => Err(self.refuse_known(&open.stored, open.doer.origin, operation, rejection).await),
        }
    }

    pub(super) async fn refuse(&self, open: &Open, operation: &'static str, rejection: Rejection) -> Failure {
        self.refuse_known(&open.stored, open.doer.origin, Some(operation), rejection).await
    }

    /// Does one step in the shared loop. `make` is asked for the step in every turn, with the enrollment and its world as
    /// they stand then; all slow work is done before.
    pub(super) async fn step(
        &self,
        session: &SessionSecret,
        origin: Origin,
        operation: &'static str,
        make: impl Fn(&Open, Timestamp) -> Result<Step<'static>, Failure> + Send + Sync,
    ) -> Result<Stepped, Failure> {
        for _ in 0..TURNS {
            let open = self.open(session, origin, Some(operation)).await?;
            let now = self.service.now();
            let enrollment = &open.stored.record;
            let step = match session_opens(enrollment, session.digest(), now) {
                Ok(_) => make(&open, now)?,
                Err(rejection) => return Err(self.refuse(&open, operation, rejection).await),
            };
            let decision = decide(enrollment, Command::Step { session: session.digest(), step }, now);
            match decision.and_then(|decision| roomy(&open.stored, decision, now)) {
                Err(rejection) => return Err(self.refuse(&open, operation, rejection).await),
                Ok(Decision::Unchanged(outcome)) => {
                    return Ok(Stepped { enrollment: open.stored.record, world: open.world, outcome });
                }
                Ok(Decision::Changed(changed)) => {
                    let mut draft = Draft::new(now);
                    let Open { stored, world, doer } = &open;
                    let added = self.service.add_changed(&mut draft, *doer, stored, Some(world), *changed);
                    let Added { next, outcome, .. } = added.await?;
                    match self.service.write(draft).await? {
                        Written::Applied => {
                            return Ok(Stepped { enrollment: next, world: open.world, outcome: outcome? });
                        }
                        Written::Stale | Written::Taken(_) | Written::LeaseLost => {}
                    }
                }
            }
        }
        Err(Failure::Busy)
    }

    /// The enrollment that a session belongs to.
    pub(super) async fn by_session(
        &self,
        digest: Digest,
        origin: Origin,
        operation: Option<&'static str>,
    ) -> Result<Stored<Enrollment>, Failure> {
        if let Some(current) =
            self.service.find::<Enrollment>(&UniqueKey::new(UniqueName::Session, digest)).await?.map(traced)
        {
            // Whoever stole the key may be the one who began.
            if self.service.is_of_a_revoked_key(&current.record) {
                return Err(self.refuse_known(&current, origin, operation, Rejection::TokenRevoked).await);
            }
            return Ok(current);
        }
        let past = self.service.find::<Enrollment>(&UniqueKey::new(UniqueName::PastSession, digest)).await?.map(traced);
        let Some(past) = past else { return Err(Rejection::InvalidSession.into()) };
        let rejection = match &past.record.phase {
            Phase::Closed(closed) => closed.why.rejection(),
            _ => Rejection::SessionSuperseded,
        };
        Err(self.refuse_known(&past, origin, operation, rejection).await)
    }

    /// Refuses something to somebody who holds, or held, a secret of this enrollment, and writes it down (ADM-8). A
    /// refused look, which has no operation, writes nothing: no GET does (TOK-4).
    pub(super) async fn refuse_known(
        &self,
        stored: &Stored<Enrollment>,
        origin: Origin,
        operation: Option<&'static str>,
        rejection: Rejection,
    ) -> Failure {
        let Some(operation) = operation else { return rejection.into() };
        let doer = Doer { actor: Actor::Enrollee(stored.record.id), origin };
        self.service.refuse(doer, stored.key(), stored.version, operation, rejection).await
    }
}

/// Whether a session may read at `now`: it is in force, or completed its enrollment and its time is not over.
pub(super) fn may_read(enrollment: &Enrollment, digest: Digest, now: Timestamp) -> Result<(), Rejection> {
    match (session_opens(enrollment, digest, now), &enrollment.phase) {
        (Ok(_), _) => Ok(()),
        (Err(Rejection::AlreadyCompleted), Phase::Completed(completed)) if now < completed.deadline => Ok(()),
        (Err(Rejection::AlreadyCompleted), _) => Err(Rejection::SessionExpired),
        (Err(rejection), _) => Err(rejection),
    }
}
