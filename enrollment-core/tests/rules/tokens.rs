//! What a token opens, how long, and what its holder hears afterwards (TOK-1, TOK-6, TOK-7, TOK-9, INV-5).

use enrollment_core::domain::command::Outcome;
use enrollment_core::domain::enrollment::{Closure, PAST_SESSIONS, Purpose};
use enrollment_core::domain::event::Event;
use enrollment_core::domain::location::MfaMode;
use enrollment_core::domain::rejection::Rejection;
use enrollment_core::domain::settings::DeviceStep;
use enrollment_core::domain::{session_opens, token_opens};
use enrollment_core::time::Timestamp;

use super::common::{ISSUED, SESSION, VALIDITY, World, device, location, secret, token};
use super::story::Story;

fn just_before(instant: Timestamp) -> Timestamp {
    Timestamp::from_micros(instant.micros() - 1)
}

/// TOK-1, TOK-9
#[test]
fn a_token_opens_a_session_until_the_instant_it_expires_and_not_at_it() {
    let mut story = Story::of(Purpose::Onboarding);
    let expires = ISSUED.plus(VALIDITY.duration());
    assert_eq!(token_opens(&story.enrollment, just_before(expires)), Ok(()));
    assert_eq!(token_opens(&story.enrollment, expires), Err(Rejection::TokenExpired));
    story.now = expires;
    assert_eq!(story.begin(&[]), Err(Rejection::TokenExpired));
    story.now = just_before(expires);
    assert_eq!(story.begin(&[]), Ok(Outcome::Begun));
}

/// TOK-1, TOK-9
#[test]
fn a_session_lasts_from_its_own_start_until_the_instant_of_its_deadline_and_not_at_it() {
    let mut story = Story::of(Purpose::Onboarding);
    story.wait(SESSION);
    story.begin(&[]).expect("begun");
    let deadline = story.now.plus(SESSION.duration());
    assert_eq!(story.session().deadline, deadline);
    assert!(session_opens(&story.enrollment, secret(1), just_before(deadline)).is_ok());
    story.now = deadline;
    assert_eq!(story.profile(1), Err(Rejection::SessionExpired));
}

/// TOK-1
#[test]
fn a_session_begun_just_before_the_token_expires_runs_to_its_own_deadline() {
    let world = World::new(vec![], DeviceStep::Mandatory);
    let mut story = Story::of(Purpose::Onboarding);
    story.now = just_before(story.enrollment.expires);
    story.begin(&[]).expect("begun");
    story.wait(SESSION);
    story.now = just_before(story.now);
    assert_eq!(story.begin(&[1]), Ok(Outcome::Continued), "a lost answer can be asked for again");
    assert_eq!(story.begin(&[]), Err(Rejection::TokenExpired), "nobody new comes in");
    story.profile(1).expect("the profile");
    story.password(1, 1, true).expect("the password");
    assert_eq!(story.complete(1, &world), Ok(Outcome::Done));
}

/// TOK-6
#[test]
fn a_token_opens_as_many_sessions_as_it_may_and_no_more() {
    let mut story = Story::of(Purpose::Onboarding);
    for serial in 1..=3 {
        assert_eq!(story.begin(&[]), Ok(Outcome::Begun));
        assert_eq!(story.begin(&[]), Ok(Outcome::Begun), "a new holder of a living session takes none of them");
        assert_eq!(story.enrollment.sessions, serial);
        story.wait(SESSION);
    }
    assert_eq!(story.begin(&[]), Err(Rejection::SessionsExhausted));
}

/// TOK-6
#[test]
fn the_same_holder_finds_everything_in_the_next_session_and_another_only_the_profile() {
    let world = World::new(vec![location(MfaMode::Disabled)], DeviceStep::Mandatory);
    for (shown, same) in [(vec![1], true), (vec![], false)] {
        let mut story = Story::of(Purpose::Onboarding);
        story.begin(&[]).expect("begun");
        story.everything(1, 1, &world);
        story.wait(SESSION);
        assert_eq!(story.begin(&shown), Ok(Outcome::Begun));
        assert!(story.work().profile.is_some());
        assert_eq!(story.work().has_choices(), same);
        assert_eq!(story.profile(1), Err(Rejection::SessionSuperseded));
    }
}

/// TOK-7
#[test]
fn after_its_end_a_token_opens_nothing_and_its_holder_is_told_which_end_it_was() {
    for (why, told) in [
        (Closure::Revoked, Rejection::TokenRevoked),
        (Closure::UserDisabled, Rejection::TokenRevoked),
        (Closure::Reported, Rejection::TokenRevoked),
        (Closure::Restarted, Rejection::TokenSuperseded),
        (Closure::Locked, Rejection::TokenLocked),
    ] {
        let mut story = Story::of(Purpose::Onboarding);
        story.begin(&[]).expect("begun");
        story.close(why).expect("closed");
        assert!(story.enrollment.seed.is_none(), "{why:?}: nobody derives the token again");
        assert_eq!(token_opens(&story.enrollment, story.now).as_ref(), Err(&told));
        assert_eq!(story.begin(&[]).as_ref(), Err(&told));
        assert_eq!(story.begin(&[1]).as_ref(), Err(&told));
        assert_eq!(story.profile(1), Err(told));
        assert_eq!(story.close(Closure::Revoked), Ok(Outcome::AlreadyDone));
    }
}

/// TOK-7
#[test]
fn after_completion_the_token_opens_nothing_and_nobody_derives_it_again() {
    let world = World::new(vec![], DeviceStep::Mandatory);
    let mut story = Story::of(Purpose::Onboarding);
    story.begin(&[]).expect("begun");
    story.profile(1).expect("the profile");
    story.password(1, 1, true).expect("the password");
    story.complete(1, &world).expect("completed");
    assert!(story.enrollment.seed.is_none());
    assert_eq!(story.begin(&[1]), Err(Rejection::TokenCompleted));
    assert_eq!(story.rotate(), Err(Rejection::AlreadyCompleted));
    assert_eq!(story.close(Closure::Revoked), Err(Rejection::AlreadyCompleted));
}

/// INV-5
#[test]
fn a_restart_ends_the_token_its_session_and_its_reservation() {
    let world = World::new(vec![location(MfaMode::Disabled)], DeviceStep::Mandatory);
    let mut story = Story::of(Purpose::Onboarding);
    story.begin(&[]).expect("begun");
    story.stage(1, 1, &world).expect("the device");
    story.close(Closure::Restarted).expect("closed");
    assert_eq!(story.released(), [device(1)]);
    assert_eq!(story.complete(1, &world), Err(Rejection::TokenSuperseded));
}

/// INV-5, TOK-7
#[test]
fn a_rotation_ends_the_session_keeps_the_wrong_codes_and_remembers_the_old_token() {
    let world = World::new(vec![location(MfaMode::Disabled)], DeviceStep::Mandatory);
    let mut story = Story::of(Purpose::Onboarding);
    story.begin(&[]).expect("begun");
    story.everything(1, 1, &world);
    story.step(1, enrollment_core::domain::command::Step::OfferTotp(super::common::sealed(2))).expect("a secret");
    assert_eq!(story.code(1, None), Err(Rejection::WrongCode { left: 9 }));
    story.rotate().expect("rotated");
    assert_eq!(story.released(), [device(1)]);
    assert_eq!(story.enrollment.past_tokens, [token(0)]);
    assert_eq!(story.enrollment.token, token(1));
    assert_eq!(story.enrollment.wrong_codes, 1);
    assert_eq!(story.profile(1), Err(Rejection::SessionSuperseded));
    story.begin(&[1]).expect("begun");
    assert!(!story.work().has_choices(), "a new token starts afresh");
}

/// TOK-10
#[test]
fn a_reported_invitation_is_over_for_everybody() {
    let mut story = Story::of(Purpose::Onboarding);
    story.close(Closure::Reported).expect("reported");
    assert_eq!(story.event(), &Event::EnrollmentClosed { why: Closure::Reported });
    assert_eq!(story.begin(&[]), Err(Rejection::TokenRevoked));
}

/// A record does not grow without end, whatever a holder or an administrator repeats.
#[test]
fn only_the_latest_fenced_sessions_are_remembered() {
    let mut story = Story::of(Purpose::Onboarding);
    for _ in 0..40 {
        story.begin(&[]).expect("begun");
        story.begin(&[]).expect("taken over");
        story.rotate().expect("rotated");
        assert!(story.enrollment.past_sessions.len() <= PAST_SESSIONS);
    }
    story.begin(&[]).expect("begun");
    story.close(Closure::Revoked).expect("closed");
    assert_eq!(story.enrollment.past_sessions.len(), PAST_SESSIONS);
    assert_eq!(story.enrollment.past_sessions.last(), Some(&secret(81)));
}
