//! The enrollee's steps, each of which may be repeated (REQ-1, PWD-1, MFA-1, MFA-3, MFA-4, DEV-3).

use enrollment_core::domain::command::{Outcome, Step};
use enrollment_core::domain::enrollment::{Closure, Phase, Purpose};
use enrollment_core::domain::event::Event;
use enrollment_core::domain::location::MfaMode;
use enrollment_core::domain::rejection::Rejection;
use enrollment_core::domain::settings::DeviceStep;

use super::common::{World, codes, device, elsewhere, location, sealed};
use super::story::Story;

fn world() -> World {
    World::new(vec![location(MfaMode::Disabled)], DeviceStep::Optional)
}

fn begun(purpose: Purpose) -> Story {
    let mut story = Story::of(purpose);
    story.begin(&[]).expect("begun");
    story
}

/// REQ-1: a double click, or a request sent again because its answer was lost.
#[test]
fn a_step_that_is_repeated_changes_nothing_and_counts_nothing() {
    let mut story = begun(Purpose::Onboarding);
    story.everything(1, 1, &world());
    let repeated = Step::ChoosePassword { repeats: true, proves: None, chosen: None };
    assert_eq!(story.profile(1), Ok(Outcome::AlreadyDone));
    assert_eq!(story.step(1, repeated), Ok(Outcome::AlreadyDone));
    assert_eq!(story.code(1, Some(7)), Ok(Outcome::AlreadyDone));
    assert_eq!(story.stage(1, 1, &world()), Ok(Outcome::AlreadyDone));
    assert_eq!(story.session().passwords, 1);
    assert_eq!(story.enrollment.wrong_codes, 0);
}

/// PWD-1
#[test]
fn at_most_twenty_passwords_are_looked_at_in_one_session() {
    let mut story = begun(Purpose::Onboarding);
    for tag in 1..=20 {
        assert_eq!(story.password(1, tag, true), Ok(Outcome::Done));
    }
    assert_eq!(story.password(1, 21, true), Err(Rejection::PasswordsExhausted));
}

/// MFA-1
#[test]
fn an_authenticator_app_counts_only_after_one_right_code() {
    let mut story = begun(Purpose::Onboarding);
    assert_eq!(story.code(1, Some(7)), Err(Rejection::MfaNotStarted));
    story.step(1, Step::OfferTotp(sealed(1))).expect("a secret");
    assert!(story.work().totp.is_none() && story.work().recovery.is_empty());
    story.code(1, Some(7)).expect("verified");
    let totp = story.work().totp.as_ref().expect("a factor");
    assert_eq!((&totp.secret, totp.last_step), (&sealed(1), 7), "the step it used is never accepted again");
    assert_eq!(story.work().recovery, codes(1));
}

/// MFA-1
#[test]
fn asking_again_for_a_secret_keeps_the_one_that_was_shown() {
    let mut story = begun(Purpose::Factor);
    story.step(1, Step::OfferTotp(sealed(1))).expect("a secret");
    assert_eq!(story.step(1, Step::OfferTotp(sealed(2))), Ok(Outcome::AlreadyDone));
    assert_eq!(story.work().offered_totp, Some(sealed(1)));
}

/// MFA-3
#[test]
fn recovery_codes_can_be_replaced_until_completion_once_a_factor_is_verified() {
    let mut story = begun(Purpose::Factor);
    assert_eq!(story.step(1, Step::ReplaceRecoveryCodes(codes(2))), Err(Rejection::MfaNotVerified));
    story.factor(1, 1).expect("verified");
    story.step(1, Step::ReplaceRecoveryCodes(codes(2))).expect("replaced");
    assert_eq!(story.work().recovery, codes(2));
}

/// MFA-4
#[test]
fn wrong_codes_are_counted_and_at_the_limit_the_enrollment_locks() {
    let mut story = begun(Purpose::Onboarding);
    story.stage(1, 1, &world()).expect("a device");
    story.step(1, Step::OfferTotp(sealed(1))).expect("a secret");
    for left in (1..=9).rev() {
        assert_eq!(story.code(1, None), Err(Rejection::WrongCode { left }));
        assert_eq!(story.event(), &Event::CodeWrong { left });
    }
    assert_eq!(story.code(1, None), Err(Rejection::TokenLocked));
    assert_eq!(story.event(), &Event::EnrollmentClosed { why: Closure::Locked });
    assert!(matches!(story.enrollment.phase, Phase::Closed(closed) if closed.why == Closure::Locked));
    assert_eq!(story.released(), [device(1)]);
    assert_eq!(story.code(1, Some(7)), Err(Rejection::TokenLocked), "the right code comes too late");
}

/// MFA-4
#[test]
fn a_new_secret_a_new_holder_and_a_new_token_do_not_reset_the_count() {
    let mut story = begun(Purpose::Factor);
    for (left, serial) in [(9, 1), (8, 2), (7, 3)] {
        story.step(serial, Step::OfferTotp(sealed(1))).expect("a secret");
        assert_eq!(story.code(serial, None), Err(Rejection::WrongCode { left }));
        if serial == 2 {
            story.rotate().expect("rotated");
        }
        story.begin(&[]).expect("the next holder");
    }
}

/// DEV-3: staged, released when another takes its place, a peer only by completion.
#[test]
fn another_device_takes_the_place_of_the_staged_one() {
    let mut story = begun(Purpose::Onboarding);
    story.stage(1, 1, &world()).expect("a device");
    story.stage(1, 2, &world()).expect("another");
    assert_eq!(story.released(), [device(1)]);
    assert_eq!(story.enrollment.reserved_devices(), [device(2)]);
}

/// REQ-4
#[test]
fn a_device_can_be_added_only_where_the_step_is_offered() {
    let reserved = World::new(vec![location(MfaMode::Disabled)], DeviceStep::AdministratorsOnly);
    let nowhere = World::new(vec![elsewhere(MfaMode::Disabled)], DeviceStep::Mandatory);
    let mut story = begun(Purpose::Onboarding);
    assert_eq!(story.stage(1, 1, &reserved), Err(Rejection::StepNotOffered));
    assert_eq!(story.stage(1, 1, &nowhere), Err(Rejection::StepNotOffered));
    let mut story = begun(Purpose::Device);
    assert_eq!(story.stage(1, 1, &nowhere), Err(Rejection::NoLocation));
    assert_eq!(story.stage(1, 1, &reserved), Ok(Outcome::Done), "the setting is about onboarding");
}

/// REQ-9
#[test]
fn steps_of_another_purpose_are_refused() {
    let mut story = begun(Purpose::Device);
    assert_eq!(story.profile(1), Err(Rejection::StepNotOffered));
    assert_eq!(story.password(1, 1, true), Err(Rejection::StepNotOffered));
    assert_eq!(story.factor(1, 1), Err(Rejection::StepNotOffered));
    let mut story = begun(Purpose::Factor);
    assert_eq!(story.password(1, 1, true), Err(Rejection::StepNotOffered));
    assert_eq!(story.stage(1, 1, &world()), Err(Rejection::StepNotOffered));
}
