//! The state machine: one pure function from what is and what is asked to what becomes.

mod begin;
mod close;
mod complete;
mod email_code;
mod step;
pub use step::{device_offered, session_opens};

use super::command::{Changed, Command, Decision, Effect, Outcome};
use super::enrollment::{Closure, Enrollment, PAST_SESSIONS, Phase};
use super::event::Event;
use super::rejection::Rejection;
use crate::time::Timestamp;

/// Decides `command` upon `state` as of `now`.
///
/// Pure and total: the same arguments give the same answer, and nothing happens outside the returned decision, which
/// takes effect whole or not at all. Nothing is decided in favor of a token or session at or after its deadline (I3).
///
/// # Errors
/// With the reason, when nothing is to be written. A refusal that *is* written down comes as [`Changed::outcome`].
pub fn decide(state: &Enrollment, command: Command<'_>, now: Timestamp) -> Result<Decision, Rejection> {
    match command {
        Command::Begin(begin) => begin::begin(state, &begin, now),
        Command::Step { session, step } => step::step(state, session, step, now),
        Command::Close(why) => close::close(state, why, now),
        Command::Rotate(rotation) => close::rotate(state, rotation),
        Command::Sweep => close::sweep(state, now),
    }
}

impl Closure {
    /// What a holder of the token hears.
    #[must_use]
    pub const fn rejection(self) -> Rejection {
        match self {
            Self::Revoked | Self::UserDisabled | Self::Reported => Rejection::TokenRevoked,
            Self::Restarted => Rejection::TokenSuperseded,
            Self::Locked => Rejection::TokenLocked,
        }
    }
}

/// Why the current token opens no *new* session at `now`, if it does not (TOK-7).
///
/// # Errors
/// With what the token's holder is told.
pub fn token_opens(state: &Enrollment, now: Timestamp) -> Result<(), Rejection> {
    match &state.phase {
        Phase::Completed(_) => Err(Rejection::TokenCompleted),
        Phase::Closed(closed) => Err(closed.why.rejection()),
        Phase::Invited | Phase::InSession(_) if now >= state.expires => Err(Rejection::TokenExpired),
        Phase::Invited | Phase::InSession(_) => Ok(()),
    }
}

fn changed(next: Enrollment, outcome: Outcome, effects: Vec<Effect>, event: Event) -> Decision {
    Decision::Changed(Box::new(Changed { next, outcome: Ok(outcome), effects, event }))
}

/// The enrollment with its present session, if any, among the past ones.
fn fenced(state: &Enrollment) -> Enrollment {
    let mut next = state.clone();
    if let Some(session) = state.session() {
        next.past_sessions.push(session.digest);
        let surplus = next.past_sessions.len().saturating_sub(PAST_SESSIONS);
        next.past_sessions.drain(..surplus);
    }
    next
}
