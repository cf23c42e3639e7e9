//! One's own credentials, behind a proof.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use enrollment_core::domain::event::Event;
use enrollment_core::domain::role::Role;
use enrollment_core::port::Entropy;
use enrollment_core::service::sign_in::{Proof, SignInStep};
use enrollment_testkit::fake::SeededEntropy;

use super::bench::{Bench, CLI, PASSWORD, code};
use super::person::{
    Person, answer, app_code, half_way, next_code, opens, other_service, password, proof, refused, request, sign_in,
    with_app, with_password,
};

const NEXT: &str = "another horse, same battery";

/// AUTH-4
#[tokio::test]
async fn a_change_of_password_asks_for_all_again_and_ends_the_other_sessions() {
    let bench = Bench::new();
    let olga = with_app(&bench, "olga", Role::Owner).await;
    let [other, mine] = [sign_in(&bench, &olga).await.session, sign_in(&bench, &olga).await.session];
    let desk = bench.service.sign_in();
    let without = Proof { password: password(PASSWORD), factor: None };
    let wrong = Proof { password: password("not this one"), factor: Some(answer(&olga.code(&bench))) };
    let codeless = Proof { password: password(PASSWORD), factor: Some(answer("000000")) };
    for (bad, why) in [(without, "invalid_field"), (wrong, "sign_in_refused"), (codeless, "sign_in_refused")] {
        let refused = desk.change_password(&mine, &bad, password(NEXT), CLI.origin).await.unwrap_err();
        assert_eq!(code(refused), why);
    }
    let short = desk.change_password(&mine, &proof(&bench, &olga), password("short"), CLI.origin).await.unwrap_err();
    assert_eq!(code(short), "password_too_short");
    desk.change_password(&mine, &proof(&bench, &olga), password(NEXT), CLI.origin).await.unwrap();
    assert!(opens(&bench.service, &mine).await);
    assert!(!opens(&bench.service, &other).await);
    assert_eq!(refused(&bench.service, &request("olga", PASSWORD)).await, "sign_in_refused");
    assert!(desk.begin(&request("olga", NEXT), CLI.origin).await.is_ok());
    assert!(bench.audit().await.iter().any(|entry| entry.event == Event::PasswordChanged));
}

/// Entropy that writes down how much of it was drawn, and when.
#[derive(Debug)]
struct Drawn(SeededEntropy, Mutex<Vec<usize>>);

impl Drawn {
    fn take(&self) -> Vec<usize> {
        std::mem::take(&mut self.1.lock().unwrap())
    }
}

impl Entropy for Drawn {
    fn fill(&self, bytes: &mut [u8]) {
        self.1.lock().unwrap().push(bytes.len());
        self.0.fill(bytes);
    }
}

/// AUTH-4: a session alone cannot keep the hashing threads busy. A new password is hashed, with a salt of 16 bytes, only
/// once the proof was right; one that breaks a rule is not worth a code.
#[tokio::test]
async fn a_new_password_is_hashed_after_a_right_proof_only() {
    let bench = Bench::new();
    let olga = with_app(&bench, "olga", Role::Owner).await;
    let mine = sign_in(&bench, &olga).await.session;
    let drawn = Arc::new(Drawn(SeededEntropy::new(99), Mutex::default()));
    let service = other_service(&bench, &bench.ring, Arc::clone(&drawn) as Arc<dyn Entropy>);
    let desk = service.sign_in();

    refused(&service, &request("olga", "not this one")).await;
    let a_wrong_sign_in = drawn.take();
    let wrong = Proof { password: password("not this one"), factor: Some(answer(&olga.code(&bench))) };
    let change = desk.change_password(&mine, &wrong, password(NEXT), CLI.origin).await;
    assert_eq!(code(change.unwrap_err()), "sign_in_refused");
    assert_eq!(drawn.take(), a_wrong_sign_in, "nothing is drawn but what counting takes");

    let right = proof(&bench, &olga);
    let short = desk.change_password(&mine, &right, password("short"), CLI.origin).await;
    assert_eq!((code(short.unwrap_err()), drawn.take()), ("password_too_short", Vec::new()));
    desk.change_password(&mine, &right, password(NEXT), CLI.origin).await.unwrap();
    assert_eq!(drawn.take().first(), Some(&16), "the salt, and then the change");
}

/// AUTH-4: the code that signed somebody in is no proof a moment later.
#[tokio::test]
async fn a_proof_takes_no_code_a_second_time_and_its_failures_count() {
    let bench = Bench::new();
    let olga = with_app(&bench, "olga", Role::Owner).await;
    let half = half_way(&bench.service, &olga).await;
    let used = olga.code(&bench);
    let session = bench.service.sign_in().answer(&half, &answer(&used), CLI.origin).await.unwrap().session;
    let desk = bench.service.sign_in();
    for _ in 0..3 {
        let stale = Proof { password: password(PASSWORD), factor: Some(answer(&used)) };
        assert_eq!(
            code(desk.replace_recovery_codes(&session, &stale, CLI.origin).await.unwrap_err()),
            "sign_in_refused"
        );
    }
    let right = proof(&bench, &olga);
    let refused = desk.replace_recovery_codes(&session, &right, CLI.origin).await.unwrap_err();
    assert_eq!(code(refused), "too_many_requests");
    bench.clock.advance(Duration::from_secs(30));
    desk.replace_recovery_codes(&session, &proof(&bench, &olga), CLI.origin).await.unwrap();
}

/// AUTH-4
#[tokio::test]
async fn an_app_is_replaced_by_a_code_of_the_new_one() {
    let bench = Bench::new();
    let mut olga = with_app(&bench, "olga", Role::Owner).await;
    let [other, mine] = [sign_in(&bench, &olga).await.session, sign_in(&bench, &olga).await.session];
    let desk = bench.service.sign_in();
    assert_eq!(code(desk.confirm_totp(&mine, "123456", CLI.origin).await.unwrap_err()), "mfa_not_started");
    let offer = desk.offer_totp(&mine, &proof(&bench, &olga), CLI.origin).await.unwrap();
    let app = data_encoding::BASE32_NOPAD.decode(offer.secret.as_bytes()).unwrap();
    assert_eq!(code(desk.confirm_totp(&mine, &olga.code(&bench), CLI.origin).await.unwrap_err()), "invalid_field");
    let codes = desk.confirm_totp(&mine, &app_code(&app, &bench), CLI.origin).await.unwrap().0;
    assert_eq!(codes.len(), 8);
    assert!(opens(&bench.service, &mine).await);
    assert!(!opens(&bench.service, &other).await);
    next_code(&bench);
    let old = olga.codes[0].clone();
    olga.app = app;
    sign_in(&bench, &olga).await;
    let half = half_way(&bench.service, &olga).await;
    let refused = desk.answer(&half, &answer(&old), CLI.origin).await.unwrap_err();
    assert_eq!(code(refused), "sign_in_refused", "recovery codes go with the app");
    assert_eq!(code(desk.confirm_totp(&mine, "123456", CLI.origin).await.unwrap_err()), "mfa_not_started");
}

/// AUTH-4: what was offered waits ten minutes.
#[tokio::test]
async fn an_offer_that_nobody_confirmed_is_over() {
    let bench = Bench::new();
    let olga = with_app(&bench, "olga", Role::Owner).await;
    let mine = sign_in(&bench, &olga).await.session;
    let desk = bench.service.sign_in();
    let offer = desk.offer_totp(&mine, &proof(&bench, &olga), CLI.origin).await.unwrap();
    let app = data_encoding::BASE32_NOPAD.decode(offer.secret.as_bytes()).unwrap();
    bench.clock.advance(Duration::from_secs(600));
    let late = desk.confirm_totp(&mine, &app_code(&app, &bench), CLI.origin).await.unwrap_err();
    assert_eq!(code(late), "mfa_not_started");
    sign_in(&bench, &olga).await;
}

/// AUTH-4, PWD-1: whoever has a password alone proves that, chooses one that stands alone, and can set up an app.
#[tokio::test]
async fn whoever_has_no_factor_sets_one_up() {
    let bench = Bench::new();
    let mut pia = with_password(&bench, "pia", Role::Administrator).await;
    let mine = sign_in(&bench, &pia).await.session;
    let desk = bench.service.sign_in();
    let short = desk.change_password(&mine, &proof(&bench, &pia), password("twelve chars"), CLI.origin).await;
    assert_eq!(code(short.unwrap_err()), "password_too_short");
    let none = desk.replace_recovery_codes(&mine, &proof(&bench, &pia), CLI.origin).await.unwrap_err();
    assert_eq!(code(none), "mfa_not_verified");
    let offer = desk.offer_totp(&mine, &proof(&bench, &pia), CLI.origin).await.unwrap();
    let app = data_encoding::BASE32_NOPAD.decode(offer.secret.as_bytes()).unwrap();
    let codes = desk.confirm_totp(&mine, &app_code(&app, &bench), CLI.origin).await.unwrap().0;
    pia = Person { app, codes: codes.iter().map(|code| code.expose().to_owned()).collect(), ..pia };
    next_code(&bench);
    let step = desk.begin(&request("pia", PASSWORD), CLI.origin).await.unwrap();
    assert!(matches!(step, SignInStep::Factor(_)));
    sign_in(&bench, &pia).await;
}

/// AUTH-4: whoever has nothing but a session does not guess the code of an app that its user has begun to set up.
#[tokio::test]
async fn an_offer_is_dropped_by_three_wrong_codes_and_by_its_user() {
    let bench = Bench::new();
    let olga = with_app(&bench, "olga", Role::Owner).await;
    let mine = sign_in(&bench, &olga).await.session;
    let desk = bench.service.sign_in();
    let offer = async || {
        let offer = desk.offer_totp(&mine, &proof(&bench, &olga), CLI.origin).await.unwrap();
        next_code(&bench);
        data_encoding::BASE32_NOPAD.decode(offer.secret.as_bytes()).unwrap()
    };
    let confirm = async |text: String| code(desk.confirm_totp(&mine, &text, CLI.origin).await.unwrap_err());
    let app = offer().await;
    for why in ["invalid_field", "invalid_field", "mfa_not_started"] {
        assert_eq!(confirm(olga.code(&bench)).await, why);
    }
    assert_eq!(confirm(app_code(&app, &bench)).await, "mfa_not_started", "the right one comes too late");

    let app = offer().await;
    assert_eq!(confirm(olga.code(&bench)).await, "invalid_field", "counted anew");
    desk.drop_offered_totp(&mine).await.unwrap();
    assert_eq!(confirm(app_code(&app, &bench)).await, "mfa_not_started");
    desk.drop_offered_totp(&mine).await.unwrap();
    sign_in(&bench, &olga).await;
}
