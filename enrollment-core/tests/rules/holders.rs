//! Beginning again: the same holder, a new one, an older one (TOK-5, TOK-8).

use enrollment_core::domain::command::Outcome;
use enrollment_core::domain::enrollment::Purpose;
use enrollment_core::domain::event::Event;
use enrollment_core::domain::location::MfaMode;
use enrollment_core::domain::rejection::Rejection;
use enrollment_core::domain::session_opens;
use enrollment_core::domain::settings::DeviceStep;
use enrollment_core::time::Span;

use super::common::{World, device, location, password, secret};
use super::story::Story;

fn world() -> World {
    World::new(vec![location(MfaMode::Disabled)], DeviceStep::Mandatory)
}

/// The first holder has done everything but completing; a minute later a second one begins.
fn taken_over() -> Story {
    let mut story = Story::of(Purpose::Onboarding);
    story.begin(&[]).expect("begun");
    story.everything(1, 1, &world());
    story.wait(Span::minutes(1));
    assert_eq!(story.begin(&[]), Ok(Outcome::Begun));
    story
}

/// TOK-5
#[test]
fn the_same_holder_continues_with_everything_and_nothing_is_written() {
    let mut story = Story::of(Purpose::Onboarding);
    story.begin(&[]).expect("begun");
    story.everything(1, 1, &world());
    assert_eq!(story.begin(&[1]), Ok(Outcome::Continued));
    assert!(story.last.is_none());
    assert_eq!(story.complete(1, &world()), Ok(Outcome::Done));
}

/// TOK-5
#[test]
fn a_new_holder_gets_the_same_deadline_and_nobody_elses_choices() {
    let mut story = Story::of(Purpose::Onboarding);
    story.begin(&[]).expect("begun");
    let deadline = story.session().deadline;
    story.everything(1, 1, &world());
    story.wait(Span::minutes(1));
    story.begin(&[]).expect("taken over");
    assert_eq!(story.session().deadline, deadline);
    assert!(story.work().profile.is_some(), "the confirmed profile stays");
    assert!(!story.work().has_choices());
    let Err(Rejection::RequirementsMissing(missing)) = story.complete(2, &world()) else {
        panic!("completed with somebody else's choices")
    };
    assert_eq!(missing.iter().map(|one| one.code()).collect::<Vec<_>>(), ["password", "device"]);
}

/// TOK-5
#[test]
fn a_takeover_is_recorded_for_the_initiator() {
    let story = taken_over();
    assert_eq!(story.event(), &Event::SessionTakenOver);
    assert_eq!(story.enrollment.takeovers, 1);
}

/// TOK-5, TOK-8
#[test]
fn a_fenced_session_changes_nothing() {
    let mut story = taken_over();
    assert_eq!(story.complete(1, &world()), Err(Rejection::SessionSuperseded));
    assert_eq!(story.profile(1), Err(Rejection::SessionSuperseded));
    let open = [1, 2, 3].map(|serial| session_opens(&story.enrollment, secret(serial), story.now).is_ok());
    assert_eq!(open, [false, true, false]);
}

/// TOK-5
#[test]
fn a_new_holder_gains_no_password_tries() {
    let mut story = Story::of(Purpose::Onboarding);
    story.begin(&[]).expect("begun");
    for tag in 1..=20 {
        story.password(1, tag, true).expect("a password");
    }
    story.begin(&[]).expect("taken over");
    assert_eq!(story.password(2, 21, true), Err(Rejection::PasswordsExhausted));
}

/// TOK-5
#[test]
fn whoever_proves_the_password_gets_everything_back() {
    let mut story = taken_over();
    assert_eq!(story.prove(2, 1), Ok(Outcome::Done));
    assert_eq!(story.event(), &Event::ChoicesReclaimed);
    assert!(story.released().is_empty());
    assert_eq!(story.complete(2, &world()), Ok(Outcome::Done));
    let user = story.written().expect("the user");
    assert_eq!(user.credentials.password.as_ref().map(|chosen| &chosen.hash), Some(&password(1, true).hash));
    assert!(user.credentials.totp.is_some());
    assert_eq!(story.enrollment.reserved_devices(), []);
}

/// TOK-5
#[test]
fn what_the_prover_has_done_since_stands_and_no_device_leaks() {
    let mut story = taken_over();
    story.stage(2, 2, &world()).expect("their device");
    story.prove(2, 1).expect("proved");
    assert_eq!(story.work().device, Some(device(2)));
    assert_eq!(story.released(), [device(1)]);
}

/// TOK-5
#[test]
fn another_password_is_the_only_guess_at_the_earlier_one() {
    let mut story = taken_over();
    story.password(2, 2, true).expect("another password");
    assert_eq!(story.event(), &Event::PasswordChosen);
    assert_eq!(story.released(), [device(1)]);
    assert_eq!(story.prove(2, 1), Err(Rejection::InvalidSession), "there is nothing left to prove");
    assert!(story.work().device.is_none() && story.work().totp.is_none());
}

/// TOK-5
#[test]
fn an_older_holder_who_shows_their_session_takes_their_choices_back() {
    let mut story = taken_over();
    story.password(2, 2, true).expect("no more waiting");
    story.begin(&[]).expect("a third holder");
    assert_eq!(story.begin(&[2]), Ok(Outcome::Begun));
    let chosen = story.work().password.as_ref().map(|chosen| &chosen.hash);
    assert_eq!(chosen, Some(&password(2, true).hash));
    assert!(story.session().held.is_none());
}

/// TOK-5: of two earlier holders the later one's choices wait.
#[test]
fn the_device_of_the_holder_before_last_is_given_back() {
    let mut story = taken_over();
    story.stage(2, 2, &world()).expect("their device");
    story.begin(&[]).expect("a third holder");
    assert_eq!(story.released(), [device(1)]);
    assert_eq!(story.enrollment.reserved_devices(), [device(2)]);
}
