//! Beginning a session, and beginning again.

use super::{changed, fenced, token_opens};
use crate::domain::command::{Begin, Decision, Effect, Outcome};
use crate::domain::enrollment::{Enrollment, Held, Phase, Session, Work};
use crate::domain::event::Event;
use crate::domain::rejection::Rejection;
use crate::time::Timestamp;

pub(super) fn begin(state: &Enrollment, begin: &Begin, now: Timestamp) -> Result<Decision, Rejection> {
    if let Phase::InSession(session) = &state.phase
        && now < session.deadline
    {
        // The same holder continues, also in the moments between the token's end and the session's: a lost answer
        // can be asked for again (TOK-1, TOK-5).
        if begin.presented.contains(&session.digest) {
            return Ok(Decision::Unchanged(Outcome::Continued));
        }
        token_opens(state, now)?;
        return Ok(take_over(state, session, begin));
    }
    token_opens(state, now)?;
    if state.sessions_left() == 0 {
        return Err(Rejection::SessionsExhausted);
    }
    let (work, held, effects) = match state.session() {
        None => (Work::default(), None, Vec::new()),
        Some(over) if begin.presented.contains(&over.digest) => (over.work.clone(), over.held.clone(), Vec::new()),
        Some(over) => hand_over(over, begin),
    };
    let mut next = fenced(state);
    next.sessions += 1;
    next.serial += 1;
    next.phase = Phase::InSession(Box::new(Session {
        digest: begin.next,
        serial: next.serial,
        started: now,
        deadline: now.plus(state.terms.session.duration()),
        passwords: 0,
        email_codes: 0,
        work,
        held,
    }));
    Ok(changed(next, Outcome::Begun, effects, Event::SessionBegun))
}

/// A new holder in a session that lives: the same deadline and the same counts of passwords and codes, so that nobody
/// gains time or tries by it.
fn take_over(state: &Enrollment, session: &Session, begin: &Begin) -> Decision {
    let (work, held, effects) = hand_over(session, begin);
    let mut next = fenced(state);
    next.serial += 1;
    next.takeovers += 1;
    next.phase = Phase::InSession(Box::new(Session {
        digest: begin.next,
        serial: next.serial,
        started: session.started,
        deadline: session.deadline,
        passwords: session.passwords,
        email_codes: session.email_codes,
        work,
        held,
    }));
    changed(next, Outcome::Begun, effects, Event::SessionTakenOver)
}

/// What passes from one holder to the next: the confirmed profile, and of choices only those the next one can show
/// to have made. The older holder's are held back (I13).
fn hand_over(from: &Session, begin: &Begin) -> (Work, Option<Held>, Vec<Effect>) {
    let mut effects = Vec::new();
    let (mine, foreign) = match &from.held {
        Some(held) if begin.presented.contains(&held.by) => (Some(held.work.clone()), None),
        other => (None, other.clone()),
    };
    let mut work = mine.unwrap_or_default();
    work.profile = from.work.profile.clone();
    let held = if from.work.has_choices() {
        // Of two earlier holders only the later one's choices are kept: one staged device at most waits.
        effects.extend(foreign.and_then(|held| held.work.device).map(Effect::ReleaseDevice));
        let work = Work { profile: None, email_code: None, ..from.work.clone() };
        Some(Held { by: from.digest, serial: from.serial, work })
    } else {
        foreign
    };
    (work, held, effects)
}
