//! The enrollee's steps.

use super::close::{closed, released};
use super::{changed, complete, email_code};
use crate::domain::command::{Changed, Decision, Effect, Outcome, Step};
use crate::domain::enrollment::{Closure, Enrollment, Phase, Purpose, Session};
use crate::domain::event::Event;
use crate::domain::rejection::Rejection;
use crate::domain::requirement::{Circumstances, Requirement};
use crate::domain::user::{ChosenPassword, TotpFactor};
use crate::id::DeviceId;
use crate::secret::{Digest, KeyedDigest};
use crate::time::Timestamp;

/// Whether `digest` is the session in force at `now` (I2, I3).
///
/// # Errors
/// With what the holder of that session is told.
pub fn session_opens(state: &Enrollment, digest: Digest, now: Timestamp) -> Result<&Session, Rejection> {
    match &state.phase {
        Phase::InSession(session) if session.digest == digest => {
            if now < session.deadline {
                Ok(session)
            } else {
                Err(Rejection::SessionExpired)
            }
        }
        Phase::InSession(_) | Phase::Invited => Err(Rejection::SessionSuperseded),
        Phase::Completed(completed) if completed.session == digest => Err(Rejection::AlreadyCompleted),
        Phase::Completed(_) => Err(Rejection::SessionSuperseded),
        Phase::Closed(closed) => Err(closed.why.rejection()),
    }
}

pub(super) fn step(state: &Enrollment, digest: Digest, step: Step<'_>, now: Timestamp) -> Result<Decision, Rejection> {
    let session = match session_opens(state, digest, now) {
        Ok(session) => session,
        // Completing again changes nothing and says so (REQ-5), as long as its session may read.
        Err(Rejection::AlreadyCompleted) => return complete::again(state, &step, now),
        Err(rejection) => return Err(rejection),
    };
    match step {
        Step::ConfirmProfile(profile) => {
            only_for(state, &[Purpose::Onboarding])?;
            if session.work.profile.as_ref() == Some(&profile) {
                return Ok(Decision::Unchanged(Outcome::AlreadyDone));
            }
            let next = with_session(state, |session| session.work.profile = Some(profile));
            Ok(changed(next, Outcome::Done, Vec::new(), Event::ProfileConfirmed))
        }
        Step::ChoosePassword { repeats, proves, chosen } => {
            only_for(state, &[Purpose::Onboarding])?;
            choose_password(state, session, repeats, proves, chosen)
        }
        Step::OfferTotp(secret) => {
            only_for(state, &[Purpose::Onboarding, Purpose::Factor])?;
            if session.work.offered_totp.is_some() {
                return Ok(Decision::Unchanged(Outcome::AlreadyDone));
            }
            let next = with_session(state, |session| session.work.offered_totp = Some(secret));
            Ok(changed(next, Outcome::Done, Vec::new(), Event::TotpOffered))
        }
        Step::ConfirmTotp { matched, recovery } => {
            only_for(state, &[Purpose::Onboarding, Purpose::Factor])?;
            confirm_totp(state, session, matched, recovery, now)
        }
        Step::RequestEmailCode { offered, rules, seed, digest } => {
            only_for(state, &[Purpose::Onboarding, Purpose::Factor])?;
            email_code::request(state, session, offered, rules, (seed, digest), now)
        }
        Step::ConfirmEmailCode { right, recovery } => {
            only_for(state, &[Purpose::Onboarding, Purpose::Factor])?;
            email_code::confirm(state, session, right, recovery, now)
        }
        Step::ReplaceRecoveryCodes(codes) => {
            only_for(state, &[Purpose::Onboarding, Purpose::Factor])?;
            if !session.work.has_factor() {
                return Err(Rejection::MfaNotVerified);
            }
            let next = with_session(state, |session| session.work.recovery = codes);
            Ok(changed(next, Outcome::Done, Vec::new(), Event::RecoveryCodesReplaced))
        }
        Step::StageDevice { device, displaces, circumstances } => {
            only_for(state, &Purpose::OF_PEOPLE)?;
            stage_device(state, session, device, displaces, &circumstances)
        }
        Step::SupplyKey { device } => {
            only_for(state, &[Purpose::NetworkDevice])?;
            Ok(complete::with_key(state, session, device, now))
        }
        Step::Complete(circumstances) => {
            only_for(state, &Purpose::OF_PEOPLE)?;
            complete::complete(state, session, &circumstances, now)
        }
    }
}

fn only_for(state: &Enrollment, purposes: &[Purpose]) -> Result<(), Rejection> {
    if purposes.contains(&state.purpose) { Ok(()) } else { Err(Rejection::StepNotOffered) }
}

pub(super) fn with_session(state: &Enrollment, edit: impl FnOnce(&mut Session)) -> Enrollment {
    let mut next = state.clone();
    if let Phase::InSession(session) = &mut next.phase {
        edit(session);
    }
    next
}

fn choose_password(
    state: &Enrollment,
    session: &Session,
    repeats: bool,
    proves: Option<Digest>,
    chosen: Option<ChosenPassword>,
) -> Result<Decision, Rejection> {
    if repeats && session.work.password.is_some() {
        return Ok(Decision::Unchanged(Outcome::AlreadyDone));
    }
    if session.passwords >= state.terms.passwords {
        return Err(Rejection::PasswordsExhausted);
    }
    let mut effects = Vec::new();
    // Whoever types an earlier holder's password is that holder: everything they chose comes back (TOK-5). Any other
    // password ends that possibility, so that one guess is all there is.
    let reclaimed = session.held.clone().filter(|held| proves == Some(held.by) && held.work.password.is_some());
    let event = if reclaimed.is_some() { Event::ChoicesReclaimed } else { Event::PasswordChosen };
    let password = match &reclaimed {
        Some(held) => held.work.password.clone(),
        None => Some(chosen.ok_or(Rejection::InvalidSession)?),
    };
    if reclaimed.is_none() {
        effects.extend(session.held.as_ref().and_then(|held| held.work.device).map(Effect::ReleaseDevice));
    }
    let next = with_session(state, |session| {
        session.passwords += 1;
        session.held = None;
        let work = &mut session.work;
        work.password = password;
        if let Some(held) = reclaimed {
            // What the present holder has done since stands; the rest comes from before.
            if !work.has_factor() {
                work.recovery = held.work.recovery;
            }
            work.totp = work.totp.take().or(held.work.totp);
            work.email |= held.work.email;
            work.email_code.take_if(|_| work.email);
            work.offered_totp = work.offered_totp.take().or(held.work.offered_totp);
            match (work.device, held.work.device) {
                (Some(_), Some(old)) => effects.push(Effect::ReleaseDevice(old)),
                (None, old) => work.device = old,
                (Some(_), None) => {}
            }
        }
    });
    Ok(changed(next, Outcome::Done, effects, event))
}

fn confirm_totp(
    state: &Enrollment,
    session: &Session,
    matched: Option<u64>,
    recovery: Vec<KeyedDigest>,
    now: Timestamp,
) -> Result<Decision, Rejection> {
    let Some(secret) = session.work.offered_totp.clone() else {
        return match session.work.totp {
            Some(_) => Ok(Decision::Unchanged(Outcome::AlreadyDone)),
            None => Err(Rejection::MfaNotStarted),
        };
    };
    let Some(last_step) = matched else { return Ok(wrong_code(state, now)) };
    let next = with_session(state, |session| {
        session.work.offered_totp = None;
        session.work.totp = Some(TotpFactor { secret, last_step });
        // Where codes by e-mail were verified first, the codes handed out then go on (MFA-3).
        if !session.work.email {
            session.work.recovery = recovery;
        }
    });
    Ok(changed(next, Outcome::Done, Vec::new(), Event::TotpConfirmed))
}

/// A wrong code is a decision like any other: counted before its answer leaves (MFA-4).
pub(super) fn wrong_code(state: &Enrollment, now: Timestamp) -> Decision {
    let mut counted = state.clone();
    counted.wrong_codes = state.wrong_codes.saturating_add(1);
    let left = state.terms.wrong_codes.saturating_sub(counted.wrong_codes);
    if left == 0 {
        let why = Closure::Locked;
        return Decision::Changed(Box::new(Changed {
            next: closed(&counted, why, now),
            outcome: Err(why.rejection()),
            effects: released(state),
            event: Event::EnrollmentClosed { why },
        }));
    }
    Decision::Changed(Box::new(Changed {
        next: counted,
        outcome: Err(Rejection::WrongCode { left }),
        effects: Vec::new(),
        event: Event::CodeWrong { left },
    }))
}

/// Whether a device can be added at all.
///
/// # Errors
/// [`Rejection::StepNotOffered`], [`Rejection::NoLocation`].
pub fn device_offered(purpose: Purpose, circumstances: &Circumstances<'_>) -> Result<(), Rejection> {
    let requirements = circumstances.requirements(purpose);
    let offered = [&requirements.required, &requirements.optional]
        .into_iter()
        .any(|requirements| requirements.contains(&Requirement::Device));
    if !offered {
        return Err(Rejection::StepNotOffered);
    }
    if circumstances.reachable().next().is_none() {
        return Err(Rejection::NoLocation);
    }
    Ok(())
}

fn stage_device(
    state: &Enrollment,
    session: &Session,
    device: DeviceId,
    displaces: bool,
    circumstances: &Circumstances<'_>,
) -> Result<Decision, Rejection> {
    device_offered(state.purpose, circumstances)?;
    if session.work.device == Some(device) {
        return Ok(Decision::Unchanged(Outcome::AlreadyDone));
    }
    let mut released: Vec<DeviceId> = session.work.device.into_iter().collect();
    let next = with_session(state, |session| {
        session.work.device = Some(device);
        if displaces && let Some(held) = &mut session.held {
            released.extend(held.work.device.take());
        }
        session.held.take_if(|held| !held.work.has_choices());
    });
    let effects = released.into_iter().map(Effect::ReleaseDevice).collect();
    Ok(changed(next, Outcome::Done, effects, Event::DeviceStaged))
}
