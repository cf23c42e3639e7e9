//! Ending an enrollment without completion, replacing its token, and giving reservations back.

use super::{changed, fenced};
use crate::domain::command::{Decision, Effect, Outcome, Rotation};
use crate::domain::enrollment::{Closed, Closure, Enrollment, Phase, Work};
use crate::domain::event::Event;
use crate::domain::rejection::Rejection;
use crate::time::Timestamp;

pub(super) fn close(state: &Enrollment, why: Closure, now: Timestamp) -> Result<Decision, Rejection> {
    match &state.phase {
        Phase::Completed(_) => Err(Rejection::AlreadyCompleted),
        Phase::Closed(_) => Ok(Decision::Unchanged(Outcome::AlreadyDone)),
        Phase::Invited | Phase::InSession(_) => {
            Ok(changed(closed(state, why, now), Outcome::Done, released(state), Event::EnrollmentClosed { why }))
        }
    }
}

/// The enrollment after its end: no secret of it can be derived again, and nothing anybody chose is left.
pub(super) fn closed(state: &Enrollment, why: Closure, now: Timestamp) -> Enrollment {
    let mut next = fenced(state);
    next.seed = None;
    next.phase = Phase::Closed(Closed { at: now, why });
    next
}

pub(super) fn released(state: &Enrollment) -> Vec<Effect> {
    state.reserved_devices().into_iter().map(Effect::ReleaseDevice).collect()
}

pub(super) fn rotate(state: &Enrollment, rotation: Rotation) -> Result<Decision, Rejection> {
    match &state.phase {
        Phase::Completed(_) => return Err(Rejection::AlreadyCompleted),
        Phase::Closed(closed) => return Err(closed.why.rejection()),
        Phase::Invited | Phase::InSession(_) => {}
    }
    let mut next = fenced(state);
    next.generation += 1;
    next.past_tokens.push(state.token);
    next.token = rotation.token;
    next.seed = Some(rotation.seed);
    next.expires = rotation.expires;
    next.sessions = 0;
    next.phase = Phase::Invited;
    Ok(changed(next, Outcome::Done, released(state), Event::EnrollmentRotated))
}

pub(super) fn sweep(state: &Enrollment, now: Timestamp) -> Result<Decision, Rejection> {
    let effects = released(state);
    if now < state.ends() || effects.is_empty() {
        return Ok(Decision::Unchanged(Outcome::AlreadyDone));
    }
    let mut next = state.clone();
    if let Phase::InSession(session) = &mut next.phase {
        // What was chosen goes with the reservation: nothing can complete with it any more.
        session.work = Work { profile: session.work.profile.take(), ..Work::default() };
        session.held = None;
    }
    Ok(changed(next, Outcome::Done, effects, Event::ReservationsReleased))
}
