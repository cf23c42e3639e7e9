//! Codes by e-mail as a second factor (MFA-2, MFA-3, MFA-4, TOK-5).

use std::collections::BTreeSet;

use enrollment_core::domain::command::Outcome;
use enrollment_core::domain::enrollment::{EmailCode, Purpose};
use enrollment_core::domain::event::Event;
use enrollment_core::domain::location::{FactorKind, Location, MfaMode};
use enrollment_core::domain::mail::{Caused, Letter, caused_by};
use enrollment_core::domain::rejection::Rejection;
use enrollment_core::domain::settings::DeviceStep;
use enrollment_core::time::{Span, Timestamp};

use super::common::{SESSION, World, codes, location};
use super::story::Story;

/// A location with internal MFA that accepts codes by e-mail alone.
fn world() -> World {
    let by_mail = Location { factors: BTreeSet::from([FactorKind::Email]), ..location(MfaMode::Internal) };
    World::new(vec![by_mail], DeviceStep::Optional)
}

fn begun() -> Story {
    let mut story = Story::of(Purpose::Factor);
    story.begin(&[]).expect("begun");
    story
}

fn sent(story: &Story) -> &EmailCode {
    story.work().email_code.as_ref().expect("a code on its way")
}

/// MFA-2, MFA-3
#[test]
fn one_right_code_sets_up_the_factor_and_its_recovery_codes_and_is_worth_nothing_more() {
    let mut story = begun();
    assert_eq!(story.enter(1, true), Err(Rejection::MfaNotStarted));
    assert_eq!(story.send_code(1), Ok(Outcome::Done));
    assert!(!story.work().email && story.work().recovery.is_empty(), "not before it is entered");
    assert_eq!(story.enter(1, true), Ok(Outcome::Done));
    assert_eq!(story.event(), &Event::EmailCodeConfirmed);
    assert!(story.work().email && story.work().email_code.is_none());
    assert_eq!(story.work().recovery, codes(1));
    assert_eq!(story.enter(1, true), Ok(Outcome::AlreadyDone));
    assert_eq!(story.enter(1, false), Ok(Outcome::AlreadyDone), "there is nothing left to guess");
    assert_eq!(story.send_code(1), Ok(Outcome::AlreadyDone), "nor to send");
    assert_eq!(story.complete(1, &world()), Ok(Outcome::Done));
    let user = story.written().expect("the user");
    assert_eq!(user.credentials.factors(), BTreeSet::from([FactorKind::Email]));
    assert_eq!(user.credentials.recovery, codes(1));
}

/// MFA-2: `[made, made + 10 min)`, also when that reaches into the same holder's next session.
#[test]
fn a_code_is_valid_for_ten_minutes() {
    let late = |by: Span, micros: i64| {
        let mut story = begun();
        story.wait(Span::minutes(5));
        story.send_code(1).expect("sent");
        assert_eq!(sent(&story).expires, story.now.plus(Span::minutes(10).duration()));
        let entered = Timestamp::from_micros(story.now.plus(by.duration()).micros() - micros);
        story.wait(Span::minutes(6));
        story.begin(&[1]).expect("the same holder goes on");
        story.now = entered;
        (story.enter(2, true), story.enrollment.wrong_codes)
    };
    assert_eq!(late(Span::minutes(10), 1), (Ok(Outcome::Done), 0));
    assert_eq!(late(Span::minutes(10), 0), (Err(Rejection::CodeExpired), 0), "nothing can be guessed, nothing counts");
}

/// MSG-5: no mail promises more than there is.
#[test]
fn a_code_is_not_valid_beyond_the_last_session() {
    let mut story = begun();
    story.enrollment.terms.max_sessions = 1;
    story.wait(Span::minutes(4));
    story.send_code(1).expect("sent");
    assert_eq!(sent(&story).expires, story.session().deadline);
}

/// MFA-2
#[test]
fn asking_again_within_moments_sends_no_other_code_and_later_the_new_one_counts_alone() {
    let mut story = begun();
    story.send_code(1).expect("sent");
    let letter = |number| Caused { letter: Letter::MfaCode { number }, due: Some(Timestamp::EPOCH) };
    let mails = |story: &Story| {
        let change = story.last.as_ref().expect("a change");
        caused_by(&change.event, &change.next, &change.next)
    };
    assert_eq!(mails(&story), [letter(1)], "due before all that was queued before");
    story.now = Timestamp::from_micros(story.now.plus(Span::seconds(30).duration()).micros() - 1);
    assert_eq!(story.send_code(1), Ok(Outcome::AlreadyDone));
    assert_eq!((sent(&story).number, story.session().email_codes), (1, 1));
    story.now = Timestamp::from_micros(story.now.micros() + 1);
    assert_eq!(story.send_code(1), Ok(Outcome::Done));
    assert_eq!((sent(&story).number, story.session().email_codes), (2, 2));
    assert_eq!(mails(&story), [letter(2)]);
}

/// MFA-2
#[test]
fn as_many_codes_are_sent_in_a_session_as_the_policy_says() {
    let mut story = begun();
    for _ in 0..5 {
        story.send_code(1).expect("sent");
        story.wait(Span::minutes(1));
    }
    let refused = Rejection::CodesExhausted { retry_after: Span::minutes(5).duration() };
    assert_eq!(refused.code(), "codes_exhausted");
    assert_eq!(story.send_code(1), Err(refused.clone()), "with the time until it works again");
    story.begin(&[]).expect("somebody else");
    assert_eq!(story.send_code(2), Err(refused), "who gains none by it");
    story.wait(Span::minutes(5));
    story.begin(&[2]).expect("the next session");
    assert_eq!(story.send_code(3), Ok(Outcome::Done));
    assert_eq!(story.enrollment.email_codes, 6);
}

/// TOK-5
#[test]
fn a_new_holder_finds_neither_code_nor_factor_of_the_older_one() {
    let mut story = begun();
    story.send_code(1).expect("sent");
    story.begin(&[]).expect("taken over");
    assert!(story.work().email_code.is_none() && story.session().held.is_none(), "a code waits for nobody");
    assert_eq!(story.enter(2, true), Err(Rejection::MfaNotStarted));
    story.send_code(2).expect("one of their own");
    story.enter(2, true).expect("verified");
    story.begin(&[]).expect("taken over again");
    assert!(!story.work().email && story.work().recovery.is_empty());
    assert_eq!(story.complete(3, &world()).map_err(|rejection| rejection.code()), Err("requirements_missing"));
    assert_eq!(story.begin(&[2]), Ok(Outcome::Begun));
    assert!(story.work().email, "it waited for whoever verified it");
    assert_eq!(story.complete(4, &world()), Ok(Outcome::Done));
}

/// TOK-5
#[test]
fn whoever_proves_the_password_gets_codes_by_mail_back_as_a_factor() {
    let mut story = Story::of(Purpose::Onboarding);
    story.begin(&[]).expect("begun");
    story.password(1, 1, true).expect("a password");
    story.send_code(1).expect("sent");
    story.enter(1, true).expect("verified");
    story.begin(&[]).expect("another browser");
    story.send_code(2).expect("sent");
    story.prove(2, 1).expect("proved");
    assert!(story.work().email && story.work().email_code.is_none(), "there is nothing left to verify");
    assert_eq!(story.work().recovery, codes(1));
}

/// MFA-3
#[test]
fn the_second_factor_keeps_the_recovery_codes_of_the_first() {
    let mut story = begun();
    story.factor(1, 1).expect("an app");
    story.recovery(1, 2).expect("replaced");
    story.send_code(1).expect("sent");
    story.enter(1, true).expect("verified");
    assert!(story.work().email && story.work().recovery == codes(2));
    let mut story = begun();
    story.send_code(1).expect("sent");
    story.enter(1, true).expect("verified");
    story.recovery(1, 2).expect("replaced");
    story.factor(1, 1).expect("an app");
    assert!(story.work().totp.is_some() && story.work().recovery == codes(2));
}

/// MFA-4
#[test]
fn wrong_codes_of_both_kinds_count_together_and_a_new_code_resets_nothing() {
    let mut story = begun();
    story.send_code(1).expect("sent");
    for left in (7..10).rev() {
        assert_eq!(story.enter(1, false), Err(Rejection::WrongCode { left }));
    }
    story.wait(Span::minutes(1));
    story.send_code(1).expect("another");
    assert_eq!(story.enter(1, false), Err(Rejection::WrongCode { left: 6 }));
    story.wait(Span::seconds(SESSION.duration().as_secs() - 60));
    story.begin(&[1]).expect("the next session");
    for left in (0..6).rev() {
        let locked = if left == 0 { Rejection::TokenLocked } else { Rejection::WrongCode { left } };
        let answer = if left % 2 == 0 { story.enter(2, false) } else { story.wrong_app(2) };
        assert_eq!(answer, Err(locked));
    }
    assert_eq!(story.enter(2, true), Err(Rejection::TokenLocked), "the right code comes too late");
}

/// MFA-2
#[test]
fn a_code_is_sent_only_where_it_would_count_and_in_no_device_enrollment() {
    let mut story = begun();
    assert_eq!(story.send_code_if(1, false), Err(Rejection::EmailCodesNotOffered));
    let mut story = Story::of(Purpose::Device);
    story.begin(&[]).expect("begun");
    assert_eq!(story.send_code(1), Err(Rejection::StepNotOffered));
    assert_eq!(story.enter(1, true), Err(Rejection::StepNotOffered));
}
