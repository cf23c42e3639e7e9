//! An exhaustive search of the state machine in a small scope.
//!
//! Starting from a fresh invitation, every action is tried in every state that can be reached: beginning by the same
//! holder, an older one, a new one and a stranger; every step by the session in force, by fenced ones and by one that
//! never was, with right, wrong and repeated codes of an app or by e-mail, short and long passwords, passwords that repeat, prove or only
//! pretend to; completing in worlds with and without MFA, with and without a location that admits the user, with each
//! device step, for an active and a disabled user; every closure, rotation, sweep; and the clock just before, exactly
//! at and just after each deadline. Each new state is also given the same action once more.
//!
//! Three things watch each transition. The [`model`] is the specification written a second time, about people and what
//! they chose; verdict and state must be what it says, field by field. The [`ledger`] knows neither: it watches the
//! invariants I1 to I6 and I13 and the whereabouts of every device from outside. [`world`] states the facts that the
//! requirements are about instead of computing them.
//!
//! States that differ in names only are visited once ([`search`]), so most scopes end by themselves: then *every*
//! sequence of actions, of any length, has been covered. Everything but codes by e-mail at once ends as well, after 184,473 states and
//! 23.7 million transitions, in five minutes; here it runs to a depth, beside smaller scopes that end.
//!
//! # What the search was seen to catch
//!
//! Each line was put into the machine by hand, and the search failed with these words.
//!
//! | mutation | caught by |
//! |---|---|
//! | a step at its deadline (`<` becomes `<=`) | verdict: expected `session_expired` |
//! | a begin that takes a session over at its deadline | I3: the deadline is … and not … |
//! | a token that opens at its end (`>=` becomes `>`) | verdict: expected `token_expired` |
//! | one session or one password too many (`>=` becomes `>`) | verdict: `sessions_exhausted`, `passwords_exhausted` |
//! | completing again at the deadline | verdict: expected `session_expired` |
//! | a new holder keeps the choices of the older one | I13: … which somebody else chose; devices: one leaked |
//! | a take-over moves the deadline | I3: the deadline is … and not … |
//! | a take-over resets the count of passwords | model: passwords |
//! | a fenced session still acts | I2: live sessions [1, 2] |
//! | a wrong code is not counted | I5: a wrong code was not counted |
//! | a code does not take its secret off the offer | model: offered secret |
//! | another password leaves the earlier holder's choices waiting | model: held … |
//! | another password gives them back | I13: … which somebody else chose |
//! | closing or completing keeps the seed | a seed outlives the end |
//! | no release on replacing, locking, rotating, reclaiming, a third holder, or completion beside one who waits | devices: one leaked |
//! | sweeping an instant late, or with the token while a session lives | verdict; something … was swept |
//! | a disabled user completes | verdict: expected `token_revoked` |
//! | MFA or the length of a password is not required | model: last refusal |
//! | a device step reserved meanwhile makes a peer | I4: the device rule does not hold |
//! | a code by e-mail entered at its end (`>=` becomes `>`) | verdict: expected `code_expired` |
//! | a code by e-mail that can be used again | TOK-5: … has a code of somebody else |
//! | a code by e-mail waits for its holder like a choice | model: a code waits |
//! | a take-over resets the count of codes by e-mail | model: codes by mail in the session |
//!
//! The same mistake made in machine *and* model is left to the ledger alone. Tried so:
//!
//! | mutation of both | caught by |
//! |---|---|
//! | any password gives the earlier holder's choices back | I13: session 2 has 11, which somebody else chose |
//! | a new holder keeps the password of the older one | I13: session 2 has 11, which somebody else chose |
//! | a step at its deadline | I3: a step at or after its deadline |
//! | one wrong code more than the limit | I5: not locked at the limit |
//! | a code does not take its secret off the offer | I6: a step was accepted twice |
//! | a device step reserved meanwhile makes a peer | I4: the device rule does not hold |
//!
#![allow(clippy::panic, clippy::print_stdout, reason = "a test says what broke and what it visited")]

mod action;
#[path = "../common/mod.rs"]
mod common;
mod compare;
mod ledger;
mod model;
mod search;
mod world;

use enrollment_core::domain::enrollment::Purpose;

use model::Limits;
use search::{Scope, Visited, search};

/// Every action there is but for codes by e-mail, for a new user.
const EVERYTHING: Scope = Scope {
    purpose: Purpose::Onboarding,
    limits: Limits { sessions: 2, wrong_codes: 2, passwords: 2 },
    depth: None,
    words: true,
    factors: true,
    mails: false,
    devices: true,
    endings: true,
    clock: true,
};

/// Searches, shows what was visited, and fails when that is less than it was: a search that became empty proves
/// nothing.
fn visits(scope: &Scope, states: usize, transitions: usize) -> Visited {
    let visited = search(scope);
    println!("{visited:?}");
    assert!(visited.states >= states && visited.transitions >= transitions, "the search has shrunk: {visited:?}");
    assert!(visited.completed > 0, "nothing completed");
    visited
}

#[test]
fn every_sequence_of_seven_actions_keeps_the_invariants() {
    let visited = visits(&Scope { depth: Some(7), ..EVERYTHING }, 12_000, 380_000);
    let every_refusal = [
        "already_completed",
        "invalid_session",
        "mfa_not_started",
        "mfa_not_verified",
        "passwords_exhausted",
        "requirements_missing",
        "session_expired",
        "session_superseded",
        "sessions_exhausted",
        "step_not_offered",
        "token_completed",
        "token_expired",
        "token_locked",
        "token_revoked",
        "token_superseded",
        "wrong_code",
    ];
    assert!(visited.refusals.iter().eq(&every_refusal), "{:?}", visited.refusals);
}

#[test]
fn every_sequence_without_factors_keeps_the_invariants() {
    visits(&Scope { factors: false, ..EVERYTHING }, 6_000, 440_000);
}

#[test]
fn every_sequence_while_the_clock_stands_keeps_the_invariants() {
    visits(&Scope { clock: false, endings: false, ..EVERYTHING }, 6_000, 450_000);
}

#[test]
fn every_sequence_of_a_device_enrollment_keeps_the_invariants() {
    let visited = visits(&Scope { purpose: Purpose::Device, ..EVERYTHING }, 360, 23_000);
    assert!(visited.refusals.contains("no_location"));
}

#[test]
fn every_sequence_of_a_factor_enrollment_keeps_the_invariants() {
    visits(&Scope { purpose: Purpose::Factor, ..EVERYTHING }, 1_900, 138_000);
}

/// MFA-2, MFA-4, TOK-5
#[test]
fn every_sequence_with_codes_by_mail_keeps_the_invariants() {
    let scope = Scope { mails: true, factors: false, devices: false, purpose: Purpose::Factor, ..EVERYTHING };
    let visited = visits(&scope, 14_000, 860_000);
    for refusal in ["code_expired", "codes_exhausted", "email_codes_not_offered", "mfa_not_started", "wrong_code"] {
        assert!(visited.refusals.contains(refusal), "{refusal}: {:?}", visited.refusals);
    }
}

/// The same for a new user with an app as well, whose password can prove who they are, as far as a few actions lead.
#[test]
fn every_sequence_of_seven_actions_with_codes_by_mail_keeps_the_invariants() {
    visits(&Scope { mails: true, devices: false, endings: false, depth: Some(7), ..EVERYTHING }, 28_000, 530_000);
}
