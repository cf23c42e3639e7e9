//! Whoever guesses is slowed and stopped, and nobody else.

use std::time::Duration;

use enrollment_core::domain::event::Event;
use enrollment_core::domain::rejection::Rejection;
use enrollment_core::domain::role::Role;
use enrollment_core::domain::sign_in::HARD_STOP;
use enrollment_core::secret::RecoveryCode;
use enrollment_core::service::Failure;
use enrollment_core::service::sign_in::{SignInRequest, SignInStep};

use super::bench::{Bench, CLI, PASSWORD};
use super::person::{Person, again, answer, answered, half_way, next_code, opens, refused, request, sign_in, with_app};

const WRONG: &str = "not the password at all";

/// Guesses until nothing more is heard, as patiently as it takes.
async fn guess_to_the_end(bench: &Bench, name: &str) {
    for _ in 0..HARD_STOP {
        assert_eq!(refused(&bench.service, &request(name, WRONG)).await, "sign_in_refused");
        bench.clock.advance(Duration::from_secs(3_600));
    }
    assert_eq!(refused(&bench.service, &request(name, WRONG)).await, "sign_in_stopped");
    assert_eq!(refused(&bench.service, &request(name, PASSWORD)).await, "sign_in_stopped", "not even the right one");
}

async fn finish(bench: &Bench, olga: &Person, request: &SignInRequest) {
    let SignInStep::Factor(half) = bench.service.sign_in().begin(request, CLI.origin).await.unwrap() else {
        panic!("no factor was asked for")
    };
    let opened = bench.service.sign_in().answer(&half, &answer(&olga.code(bench)), CLI.origin).await.unwrap();
    assert!(opens(&bench.service, &opened.session).await);
    next_code(bench);
}

/// AUTH-2
#[tokio::test]
async fn a_wrong_password_is_counted_and_the_wait_says_how_long() {
    let bench = Bench::new();
    let olga = with_app(&bench, "olga", Role::Owner).await;
    for _ in 0..3 {
        assert_eq!(refused(&bench.service, &request("olga", WRONG)).await, "sign_in_refused");
    }
    bench.clock.advance(Duration::from_secs(10));
    let waits = bench.service.sign_in().begin(&request("olga", PASSWORD), CLI.origin).await.unwrap_err();
    let Failure::Rejected(Rejection::TooMany { retry_after }) = waits else { panic!("{waits}") };
    assert_eq!(retry_after, Duration::from_secs(20));
    bench.clock.advance(Duration::from_secs(20));
    finish(&bench, &olga, &request("olga", PASSWORD)).await;
    for _ in 0..3 {
        assert_eq!(refused(&bench.service, &request("olga", WRONG)).await, "sign_in_refused", "reset by success");
    }
}

/// AUTH-2: whoever has the password and not the second factor is slowed and stopped like whoever guesses; what they leave
/// behind has an end, and the user's own browser is not kept waiting.
#[tokio::test]
async fn right_passwords_that_nothing_follows_are_counted_like_wrong_ones() {
    let bench = Bench::new();
    let olga = with_app(&bench, "olga", Role::Owner).await;
    let browser = sign_in(&bench, &olga).await.browser.unwrap();
    for _ in 0..3 {
        half_way(&bench.service, &olga).await;
    }
    assert_eq!(refused(&bench.service, &request("olga", PASSWORD)).await, "too_many_requests");
    for _ in 3..HARD_STOP {
        bench.clock.advance(Duration::from_secs(3_600));
        half_way(&bench.service, &olga).await;
    }
    bench.clock.advance(Duration::from_secs(3_600));
    assert_eq!(refused(&bench.service, &request("olga", PASSWORD)).await, "sign_in_stopped");
    let verified = bench.audit().await.into_iter().filter(|entry| entry.event == Event::PasswordVerified).count();
    assert_eq!(u32::try_from(verified), Ok(HARD_STOP + 1), "one of them is the user's own");
    finish(&bench, &olga, &SignInRequest { browser: again(&browser), ..request("olga", PASSWORD) }).await;
    half_way(&bench.service, &olga).await;
}

/// AUTH-2: a browser that was used before stays out of it, and so does a new one with a recovery code.
#[tokio::test]
async fn a_stranger_slows_and_never_locks_a_user_out() {
    let bench = Bench::new();
    let olga = with_app(&bench, "olga", Role::Owner).await;
    let browser = sign_in(&bench, &olga).await.browser.unwrap();
    let known = || SignInRequest { browser: again(&browser), ..request("olga", PASSWORD) };
    for _ in 0..5 {
        refused(&bench.service, &request("olga", WRONG)).await;
    }
    assert_eq!(refused(&bench.service, &request("olga", PASSWORD)).await, "too_many_requests");
    finish(&bench, &olga, &known()).await;

    bench.clock.advance(Duration::from_secs(3_600));
    for _ in 0..HARD_STOP {
        refused(&bench.service, &request("olga", WRONG)).await;
        bench.clock.advance(Duration::from_secs(3_600));
    }
    assert_eq!(refused(&bench.service, &request("olga", PASSWORD)).await, "sign_in_stopped");
    finish(&bench, &olga, &known()).await;
    let with_code = SignInRequest { recovery: Some(olga.recovery(0)), ..request("olga", PASSWORD) };
    finish(&bench, &olga, &with_code).await;
    assert_eq!(bench.stored_user(olga.id).await.credentials.recovery.len(), 8, "the code was not used up");
}

/// AUTH-2: 100 for each place; a known browser that goes wrong as often is known no longer.
#[tokio::test]
async fn after_a_hundred_wrong_answers_none_is_heard() {
    let bench = Bench::new();
    let olga = with_app(&bench, "olga", Role::Owner).await;
    guess_to_the_end(&bench, "olga").await;
    guess_to_the_end(&bench, "nobody").await;
    let code = RecoveryCode::random(&enrollment_core::port::SystemEntropy);
    let guess = SignInRequest { recovery: Some(code), ..request("olga", PASSWORD) };
    assert_eq!(refused(&bench.service, &guess).await, "sign_in_stopped", "another's recovery code tells nobody");

    let mine = || SignInRequest { recovery: Some(olga.recovery(1)), ..request("olga", WRONG) };
    for _ in 0..HARD_STOP {
        assert_eq!(refused(&bench.service, &mine()).await, "sign_in_refused");
        bench.clock.advance(Duration::from_secs(3_600));
    }
    assert_eq!(refused(&bench.service, &mine()).await, "sign_in_stopped", "a stolen recovery code has an end too");
}

/// AUTH-2: codes are counted by themselves, and a right password does not reset them.
#[tokio::test]
async fn wrong_codes_are_counted_across_first_steps() {
    let bench = Bench::new();
    let olga = with_app(&bench, "olga", Role::Owner).await;
    let mut halves = Vec::new();
    for _ in 0..3 {
        let half = half_way(&bench.service, &olga).await;
        assert_eq!(answered(&bench.service, &half, &wrong_code(&bench, &olga)).await, "sign_in_refused");
        halves.push(half);
    }
    let half = halves.remove(0);
    assert_eq!(answered(&bench.service, &half, &olga.code(&bench)).await, "too_many_requests");
    bench.clock.advance(Duration::from_secs(30));
    let half = half_way(&bench.service, &olga).await;
    bench.service.sign_in().answer(&half, &answer(&olga.code(&bench)), CLI.origin).await.unwrap();
}

fn wrong_code(bench: &Bench, olga: &Person) -> String {
    let right = olga.code(bench);
    let other = if right.starts_with('0') { '1' } else { '0' };
    format!("{other}{}", &right[1..])
}

/// AUTH-2: parallel guesses cannot share one attempt: the one that comes second is counted too, and is not heard when
/// the first brought the wait.
#[tokio::test]
async fn parallel_guesses_are_counted_one_by_one() {
    let bench = Bench::new();
    let olga = with_app(&bench, "olga", Role::Owner).await;
    for _ in 0..2 {
        refused(&bench.service, &request("olga", WRONG)).await;
    }
    let service = bench.raced(|service| async move {
        assert_eq!(refused(&service, &request("olga", WRONG)).await, "sign_in_refused");
    });
    assert_eq!(refused(&service, &request("olga", PASSWORD)).await, "too_many_requests", "right, and not heard");

    bench.clock.advance(Duration::from_secs(3_600));
    let one = half_way(&bench.service, &olga).await;
    bench.clock.advance(Duration::from_secs(60));
    let other = half_way(&bench.service, &olga).await;
    let wrong = wrong_code(&bench, &olga);
    for _ in 0..2 {
        answered(&bench.service, &one, &wrong).await;
    }
    let rival = wrong.clone();
    let service = bench.raced(|service| async move {
        assert_eq!(answered(&service, &one, &rival).await, "sign_in_refused");
    });
    assert_eq!(answered(&service, &other, &olga.code(&bench)).await, "too_many_requests");
}

/// AUTH-2: a sign-in from a place of the user's own opens the door for strangers again.
#[tokio::test]
async fn a_sign_in_from_ones_own_place_resets_what_strangers_guessed() {
    let bench = Bench::new();
    let olga = with_app(&bench, "olga", Role::Owner).await;
    let browser = sign_in(&bench, &olga).await.browser.unwrap();
    let from_browser = SignInRequest { browser: again(&browser), ..request("olga", PASSWORD) };
    let with_code = SignInRequest { recovery: Some(olga.recovery(0)), ..request("olga", PASSWORD) };
    for own in [from_browser, with_code] {
        while refused(&bench.service, &request("olga", WRONG)).await == "sign_in_refused" {}
        bench.clock.advance(Duration::from_secs(30));
        assert_eq!(refused(&bench.service, &request("olga", WRONG)).await, "sign_in_refused");
        // A minute to wait, of which half goes by with this.
        finish(&bench, &olga, &own).await;
        assert_eq!(refused(&bench.service, &request("olga", WRONG)).await, "sign_in_refused", "heard");
    }
}
