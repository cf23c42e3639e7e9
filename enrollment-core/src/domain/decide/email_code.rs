//! Codes by e-mail, as a second factor (MFA-2).

use super::changed;
use super::step::{with_session, wrong_code};
use crate::domain::command::{Decision, Outcome};
use crate::domain::enrollment::{EmailCode, Enrollment, Session};
use crate::domain::event::Event;
use crate::domain::policy::EmailCodeRules;
use crate::domain::rejection::Rejection;
use crate::secret::{KeyedDigest, TokenSeed};
use crate::time::Timestamp;

/// A code is sent in place of the one before, which is worth nothing from then on. Nothing where the factor is verified
/// already, or where the last code was sent a moment ago: a double click sends one mail.
pub(super) fn request(
    state: &Enrollment,
    session: &Session,
    offered: bool,
    rules: EmailCodeRules,
    (seed, digest): (TokenSeed, KeyedDigest),
    now: Timestamp,
) -> Result<Decision, Rejection> {
    if session.work.email {
        return Ok(Decision::Unchanged(Outcome::AlreadyDone));
    }
    if !offered {
        return Err(Rejection::EmailCodesNotOffered);
    }
    let just_sent = |code: &EmailCode| now < code.expires && now < code.made.plus(rules.again_after.duration());
    if session.work.email_code.as_ref().is_some_and(just_sent) {
        return Ok(Decision::Unchanged(Outcome::AlreadyDone));
    }
    if session.email_codes >= rules.per_session {
        return Err(Rejection::CodesExhausted { retry_after: session.deadline.since(now) });
    }
    let number = state.email_codes.saturating_add(1);
    // No longer than anything can come of it: what the mail says must hold (MSG-5).
    let expires = now.plus(rules.validity.duration()).min(state.ends());
    let code = EmailCode { number, digits: rules.digits, seed, digest, made: now, expires };
    let mut next = with_session(state, |session| {
        session.email_codes = session.email_codes.saturating_add(1);
        session.work.email_code = Some(code);
    });
    next.email_codes = number;
    Ok(changed(next, Outcome::Done, Vec::new(), Event::EmailCodeRequested))
}

/// One right code verifies the factor; a wrong one counts with those of an authenticator app (MFA-4). With a code that is
/// over nothing can be guessed, so entering one is not counted.
pub(super) fn confirm(
    state: &Enrollment,
    session: &Session,
    right: bool,
    recovery: Vec<KeyedDigest>,
    now: Timestamp,
) -> Result<Decision, Rejection> {
    let Some(code) = &session.work.email_code else {
        return if session.work.email {
            Ok(Decision::Unchanged(Outcome::AlreadyDone))
        } else {
            Err(Rejection::MfaNotStarted)
        };
    };
    if now >= code.expires {
        return Err(Rejection::CodeExpired);
    }
    if !right {
        return Ok(wrong_code(state, now));
    }
    let next = with_session(state, |session| {
        session.work.email_code = None;
        session.work.email = true;
        // Where an authenticator app was verified first, the codes handed out then go on (MFA-3).
        if session.work.totp.is_none() {
            session.work.recovery = recovery;
        }
    });
    Ok(changed(next, Outcome::Done, Vec::new(), Event::EmailCodeConfirmed))
}
