//! Completion, and what becomes of reservations without it (REQ-3, REQ-5, REQ-6, REQ-9, REQ-10, DEV-3).

use enrollment_core::domain::command::{Command, Effect, Outcome};
use enrollment_core::domain::enrollment::{Closure, Phase, Purpose};
use enrollment_core::domain::event::Event;
use enrollment_core::domain::location::MfaMode;
use enrollment_core::domain::rejection::Rejection;
use enrollment_core::domain::requirement::Requirement;
use enrollment_core::domain::settings::DeviceStep;
use enrollment_core::domain::user::{Enrolled, UserStatus};

use super::common::{SESSION, VALIDITY, World, codes, device, location, password, profile, sealed};
use super::story::Story;

fn world() -> World {
    World::new(vec![location(MfaMode::Disabled)], DeviceStep::Mandatory)
}

fn ready() -> Story {
    let mut story = Story::of(Purpose::Onboarding);
    story.begin(&[]).expect("begun");
    story.everything(1, 1, &world());
    story
}

/// REQ-5
#[test]
fn completion_is_one_change_with_credentials_enrolled_flag_and_device() {
    let mut story = ready();
    assert_eq!(story.complete(1, &world()), Ok(Outcome::Done));
    assert_eq!(story.event(), &Event::EnrollmentCompleted);
    let user = story.written().expect("the user");
    assert_eq!(user.credentials.password.as_ref().map(|chosen| &chosen.hash), Some(&password(1, true).hash));
    assert_eq!(user.credentials.totp.as_ref().map(|totp| (&totp.secret, totp.last_step)), Some((&sealed(1), 7)));
    assert_eq!(user.credentials.recovery, codes(1));
    assert_eq!(user.enrolled, Some(Enrolled { at: story.now, by: story.enrollment.id }));
    assert_eq!(user.phone, profile(1).phone);
    let promoted = |effect: &Effect| matches!(effect, Effect::PromoteDevice(id) if *id == device(1));
    assert_eq!(story.effects().iter().filter(|effect| promoted(effect)).count(), 1);
    assert!(story.released().is_empty());
}

/// REQ-5
#[test]
fn completing_again_changes_nothing_and_says_so_until_the_session_is_over() {
    let mut story = ready();
    story.complete(1, &world()).expect("completed");
    assert_eq!(story.complete(1, &world()), Ok(Outcome::AlreadyDone));
    assert!(story.last.is_none());
    assert_eq!(story.password(1, 2, true), Err(Rejection::AlreadyCompleted));
    assert_eq!(story.complete(2, &world()), Err(Rejection::SessionSuperseded));
    story.wait(SESSION);
    assert_eq!(story.complete(1, &world()), Err(Rejection::SessionExpired));
}

/// REQ-3
#[test]
fn a_location_switched_to_mfa_during_the_session_is_covered() {
    let mut story = Story::of(Purpose::Onboarding);
    story.begin(&[]).expect("begun");
    story.profile(1).expect("the profile");
    story.password(1, 1, true).expect("the password");
    story.stage(1, 1, &world()).expect("the device");
    let switched = World::new(vec![location(MfaMode::Internal)], DeviceStep::Mandatory);
    let missing = Rejection::RequirementsMissing(vec![Requirement::Mfa]);
    assert_eq!(story.complete(1, &switched), Err(missing));
    story.factor(1, 1).expect("the factor");
    assert_eq!(story.complete(1, &switched), Ok(Outcome::Done));
}

/// REQ-4, REQ-5
#[test]
fn a_device_step_reserved_to_administrators_during_the_session_makes_no_peer() {
    let mut story = ready();
    let reserved = World::new(vec![location(MfaMode::Disabled)], DeviceStep::AdministratorsOnly);
    assert_eq!(story.complete(1, &reserved), Ok(Outcome::Done));
    assert_eq!(story.released(), [device(1)]);
    assert!(!story.effects().iter().any(|effect| matches!(effect, Effect::PromoteDevice(_))));
    assert!(matches!(&story.enrollment.phase, Phase::Completed(completed) if completed.device.is_none()));
}

/// REQ-10
#[test]
fn a_refused_completion_is_written_down_once_and_forgotten_when_it_succeeds() {
    let mut story = Story::of(Purpose::Onboarding);
    story.begin(&[]).expect("begun");
    assert!(matches!(story.complete(1, &world()), Err(Rejection::RequirementsMissing(_))));
    let missing = ["profile", "password", "device"].map(str::to_owned);
    assert_eq!(story.event(), &Event::CompletionRefused { missing: missing.to_vec() });
    assert_eq!(story.enrollment.last_refusal.as_ref().map(|refusal| &refusal.missing[..]), Some(&missing[..]));
    story.last = None;
    assert!(matches!(story.complete(1, &world()), Err(Rejection::RequirementsMissing(_))));
    assert!(story.last.is_none(), "the same refusal again writes nothing");
    story.everything(1, 1, &world());
    story.complete(1, &world()).expect("completed");
    assert_eq!(story.enrollment.last_refusal, None);
}

/// REQ-6
#[test]
fn a_disabled_user_is_never_enrolled_nor_enabled() {
    let mut story = ready();
    let mut disabled = world();
    disabled.user.status = UserStatus::Disabled;
    story.last = None;
    assert_eq!(story.complete(1, &disabled), Err(Rejection::TokenRevoked));
    assert!(story.last.is_none() && story.enrollment.is_open());
}

/// REQ-6
#[test]
fn disabling_the_user_or_revoking_makes_every_further_step_fail() {
    for why in [Closure::UserDisabled, Closure::Revoked] {
        let mut story = ready();
        story.close(why).expect("closed");
        assert_eq!(story.released(), [device(1)]);
        assert_eq!(story.complete(1, &world()), Err(Rejection::TokenRevoked));
        assert_eq!(story.password(1, 2, true), Err(Rejection::TokenRevoked));
        assert_eq!(story.code(1, Some(8)), Err(Rejection::TokenRevoked));
        assert_eq!(story.stage(1, 2, &world()), Err(Rejection::TokenRevoked));
    }
}

/// REQ-9
#[test]
fn a_device_enrollment_promotes_the_device_and_holds_the_user_as_they_are() {
    let mut story = Story::of(Purpose::Device);
    story.begin(&[]).expect("begun");
    story.stage(1, 1, &world()).expect("the device");
    story.complete(1, &world()).expect("completed");
    assert!(matches!(story.effects(), [Effect::PromoteDevice(id), Effect::HoldUser] if *id == device(1)));
}

/// REQ-9
#[test]
fn a_factor_enrollment_leaves_password_and_enrolled_flag_alone() {
    let mut story = Story::of(Purpose::Factor);
    story.begin(&[]).expect("begun");
    story.factor(1, 1).expect("the factor");
    let mut world = world();
    world.user.credentials.password = Some(password(9, true));
    world.user.enrolled = Some(Enrolled { at: story.enrollment.created, by: story.enrollment.id });
    story.wait(SESSION);
    story.begin(&[1]).expect("begun again");
    story.complete(2, &world).expect("completed");
    let user = story.written().expect("the user");
    assert_eq!(user.enrolled, world.user.enrolled);
    assert_eq!(user.credentials.password.as_ref().map(|chosen| &chosen.hash), Some(&password(9, true).hash));
    assert!(user.credentials.totp.is_some());
}

/// DEV-3
#[test]
fn abandoned_reservations_are_given_back_when_nothing_can_complete_any_more() {
    let mut story = ready();
    story.wait(SESSION);
    assert_eq!(story.hears(Command::Sweep), Ok(Outcome::AlreadyDone), "the token may open another session");
    story.now = story.enrollment.created.plus(VALIDITY.duration());
    assert_eq!(story.hears(Command::Sweep), Ok(Outcome::Done));
    assert_eq!(story.released(), [device(1)]);
    assert!(!story.work().has_choices());
    assert_eq!(story.hears(Command::Sweep), Ok(Outcome::AlreadyDone));
}

/// DEV-3: the completing holder's device becomes a peer, the one of another who waits does not.
#[test]
fn completion_gives_back_what_another_holder_staged() {
    let mut story = ready();
    story.begin(&[]).expect("taken over");
    story.stage(2, 2, &world()).expect("their device");
    story.begin(&[1]).expect("taken back");
    assert_eq!(story.enrollment.reserved_devices(), [device(1), device(2)]);
    story.complete(3, &world()).expect("completed");
    assert_eq!(story.released(), [device(2)]);
    let promoted = |effect: &Effect| matches!(effect, Effect::PromoteDevice(id) if *id == device(1));
    assert!(story.effects().iter().any(promoted));
}
