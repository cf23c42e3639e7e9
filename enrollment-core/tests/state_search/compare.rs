//! Whether the machine says and becomes what the model says.

use enrollment_core::domain::command::Decision;
use enrollment_core::domain::enrollment::{Enrollment, PAST_SESSIONS, Phase, Work};
use enrollment_core::domain::rejection::Rejection;

use super::action::Tag;
use super::common::{device, profile, secret, seed, token};
use super::ledger::ensure;
use super::model::{Choices, Model, Stage, Verdict};
use super::world::{RULES, Values};

/// What the machine said, in the model's words.
pub(crate) fn verdict(result: &Result<Decision, Rejection>) -> Verdict {
    match result {
        Err(rejection) => Verdict::Refused(rejection.code()),
        Ok(Decision::Unchanged(outcome)) => Verdict::Same(*outcome),
        Ok(Decision::Changed(changed)) => match &changed.outcome {
            Ok(outcome) => Verdict::Done(*outcome),
            Err(rejection) => Verdict::Noted(rejection.code()),
        },
    }
}

/// Whether `enrollment` is what `model` says, field by field.
pub(crate) fn same(model: &Model, enrollment: &Enrollment, values: &Values) -> Result<(), String> {
    ensure!(enrollment.expires == model.expires, "expires");
    ensure!(enrollment.generation == model.generation, "generation");
    ensure!(enrollment.token == token(model.generation), "token");
    ensure!(enrollment.past_tokens.iter().copied().eq((0..model.generation).map(token)), "past tokens");
    ensure!(enrollment.sessions == model.sessions, "sessions");
    ensure!(enrollment.serial == model.serial, "serial");
    ensure!(enrollment.wrong_codes == model.wrong_codes, "wrong codes");
    ensure!(enrollment.email_codes == model.email_codes, "codes by mail");
    ensure!(enrollment.takeovers == model.takeovers, "takeovers");
    let fenced = &model.fenced[model.fenced.len().saturating_sub(PAST_SESSIONS)..];
    ensure!(enrollment.past_sessions.iter().copied().eq(fenced.iter().copied().map(secret)), "past sessions");
    let noted = enrollment.last_refusal.as_ref().map(|refusal| refusal.missing.iter());
    match (noted, &model.noted) {
        (None, None) => {}
        (Some(codes), Some((_, expected))) => ensure!(codes.eq(expected.iter()), "last refusal"),
        _ => return Err("last refusal".to_owned()),
    }
    let open = matches!(model.stage, Stage::Invited | Stage::Session(_));
    ensure!(enrollment.seed == open.then(|| seed(model.generation)), "seed");
    match (&enrollment.phase, &model.stage) {
        (Phase::Invited, Stage::Invited) => Ok(()),
        (Phase::Closed(closed), Stage::Closed(why)) => {
            ensure!(closed.why == *why && closed.at <= model.now, "closed");
            Ok(())
        }
        (Phase::Completed(completed), Stage::Completed { serial, deadline, device: tag }) => {
            ensure!(completed.session == secret(*serial), "completing session");
            ensure!(completed.deadline == *deadline && completed.at < *deadline, "completed too late");
            ensure!(completed.device == tag.map(device), "device of the completion");
            Ok(())
        }
        (Phase::InSession(session), Stage::Session(expected)) => {
            ensure!(session.digest == secret(expected.serial) && session.serial == expected.serial, "session");
            ensure!(session.started == expected.started && session.deadline == expected.deadline, "deadline");
            ensure!(session.passwords == expected.passwords, "passwords");
            ensure!(session.email_codes == expected.email_codes, "codes by mail in the session");
            let pending = session.work.email_code.as_ref();
            let sent = pending.map(|code| (code.number, code.made, code.expires));
            let due = expected.code.as_ref().map(|code| (code.number, code.made, code.expires));
            ensure!(sent == due, "the code that was sent is {sent:?}, expected {due:?}");
            let its = |tag: Tag| (seed(u32::from(tag)), values.codes(tag)[0].clone(), RULES.digits);
            let is_its = pending.map(|code| (code.seed.clone(), code.digest.clone(), code.digits));
            ensure!(is_its == expected.code.as_ref().map(|code| its(code.tag)), "another code");
            ensure!(session.work.profile == expected.profile.map(profile), "profile");
            chosen(&session.work, &expected.mine, values)?;
            match (&session.held, &expected.waiting) {
                (None, None) => Ok(()),
                (Some(held), Some((by, choices))) => {
                    ensure!(held.work.email_code.is_none(), "a code waits");
                    ensure!(held.by == secret(*by) && held.serial == *by, "whose choices wait");
                    chosen(&held.work, choices, values).map_err(|field| format!("waiting {field}"))
                }
                (held, waiting) => Err(format!("held {held:?}, expected {waiting:?}")),
            }
        }
        (phase, stage) => Err(format!("{phase:?} and not {stage:?}")),
    }
}

fn chosen(work: &Work, choices: &Choices, values: &Values) -> Result<(), String> {
    let password = work.password.as_ref().map(|password| (values.which_password(password), password.long_enough_alone));
    ensure!(password == choices.password, "password {password:?}, expected {:?}", choices.password);
    ensure!(work.offered_totp.as_ref() == choices.offered.map(|tag| values.sealed(tag)), "offered secret");
    let totp = work.totp.as_ref().map(|totp| (&totp.secret, totp.last_step));
    ensure!(totp == choices.totp.map(|(tag, step)| (values.sealed(tag), step)), "factor");
    ensure!(work.email == choices.email, "codes by mail as a factor");
    ensure!(work.recovery == choices.codes.map_or(&[][..], |tag: Tag| values.codes(tag)), "recovery codes");
    ensure!(work.device == choices.device.map(device), "device");
    Ok(())
}
