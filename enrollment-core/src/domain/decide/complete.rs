//! Completion: the one change in which every requirement holds (REQ-5, I4).

use super::changed;
use super::close::released;
use crate::domain::command::{Changed, Decision, Effect, Outcome, Step};
use crate::domain::enrollment::{Completed, Enrollment, Phase, Purpose, Refusal, Session};
use crate::domain::event::Event;
use crate::domain::rejection::Rejection;
use crate::domain::requirement::Circumstances;
use crate::domain::settings::DeviceStep;
use crate::domain::user::{Enrolled, User};
use crate::id::DeviceId;
use crate::time::Timestamp;

pub(super) fn complete(
    state: &Enrollment,
    session: &Session,
    circumstances: &Circumstances<'_>,
    now: Timestamp,
) -> Result<Decision, Rejection> {
    if !circumstances.user.is_active() {
        return Err(Rejection::TokenRevoked);
    }
    let missing = circumstances.missing(state.purpose, &session.work);
    if !missing.is_empty() {
        let codes: Vec<String> = missing.iter().map(|requirement| requirement.code().to_owned()).collect();
        let rejection = Rejection::RequirementsMissing(missing);
        // Said before in this session and written down already: nothing new to write. In another session it is new,
        // since each that ends unfinished is told of (REQ-10).
        let said = |refusal: &Refusal| refusal.at >= session.started && refusal.missing == codes;
        if state.last_refusal.as_ref().is_some_and(said) {
            return Err(rejection);
        }
        let mut next = state.clone();
        next.last_refusal = Some(Refusal { at: now, missing: codes.clone() });
        return Ok(Decision::Changed(Box::new(Changed {
            next,
            outcome: Err(rejection),
            effects: Vec::new(),
            event: Event::CompletionRefused { missing: codes },
        })));
    }
    // The device step may have been reserved to administrators since the device was staged (REQ-4, REQ-5).
    let reserved =
        state.purpose == Purpose::Onboarding && circumstances.settings.device_step == DeviceStep::AdministratorsOnly;
    let device = session.work.device.filter(|_| !reserved);
    let mut effects: Vec<Effect> = released(state)
        .into_iter()
        .filter(|effect| !matches!(effect, Effect::ReleaseDevice(staged) if Some(*staged) == device))
        .collect();
    effects.extend(device.map(Effect::PromoteDevice));
    effects.push(match state.purpose {
        // Nothing of the user changes, but they must still be active in that same change (REQ-6).
        Purpose::Device | Purpose::NetworkDevice => Effect::HoldUser,
        Purpose::Onboarding | Purpose::Factor => {
            Effect::WriteUser(Box::new(with_choices(circumstances.user, state, session, now)))
        }
    });
    let mut next = state.clone();
    next.seed = None;
    next.last_refusal = None;
    next.phase = Phase::Completed(Completed { at: now, session: session.digest, deadline: session.deadline, device });
    Ok(changed(next, Outcome::Done, effects, Event::EnrollmentCompleted))
}

/// A machine's enrollment with the device made of the key that it supplied: that is all it ever lacked (INV-10).
pub(super) fn with_key(state: &Enrollment, session: &Session, device: DeviceId, now: Timestamp) -> Decision {
    let mut next = state.clone();
    next.seed = None;
    let Session { digest, deadline, .. } = *session;
    next.phase = Phase::Completed(Completed { at: now, session: digest, deadline, device: Some(device) });
    changed(next, Outcome::Done, Vec::new(), Event::EnrollmentCompleted)
}

/// The user with what the holder of the session chose.
fn with_choices(user: &User, state: &Enrollment, session: &Session, now: Timestamp) -> User {
    let work = &session.work;
    let mut user = user.clone();
    if let Some(phone) = work.profile.as_ref().and_then(|profile| profile.phone.clone()) {
        user.phone = Some(phone);
    }
    if work.password.is_some() {
        user.credentials.password.clone_from(&work.password);
    }
    if work.totp.is_some() {
        user.credentials.totp.clone_from(&work.totp);
    }
    if work.has_factor() {
        user.credentials.email |= work.email;
        user.credentials.recovery.clone_from(&work.recovery);
    }
    if work.password.is_some() || work.has_factor() {
        // What they sign in with is another: every session from before is over.
        user.sign_ins.epoch = user.sign_ins.epoch.wrapping_add(1);
    }
    if state.purpose == Purpose::Onboarding {
        user.enrolled = Some(Enrolled { at: now, by: state.id });
    }
    user
}

/// A step after completion, by the session that completed.
pub(super) fn again(state: &Enrollment, step: &Step<'_>, now: Timestamp) -> Result<Decision, Rejection> {
    match &state.phase {
        Phase::Completed(completed) if now >= completed.deadline => Err(Rejection::SessionExpired),
        Phase::Completed(_) if matches!(step, Step::Complete(_)) => Ok(Decision::Unchanged(Outcome::AlreadyDone)),
        _ => Err(Rejection::AlreadyCompleted),
    }
}
