//! The two steps, and what each is good for.

use std::time::Duration;

use enrollment_core::domain::audit::Actor;
use enrollment_core::domain::event::Event;
use enrollment_core::domain::role::Role;
use enrollment_core::domain::user::{ChosenPassword, User};
use enrollment_core::secret::{Argon2Params, HashingOptions, HashingPool};
use enrollment_core::service::sign_in::SignInStep;

use super::bench::{Bench, CLI, PASSWORD};
use super::person::{
    answer, answered, half_way, next_code, opens, password, refused, request, sign_in, with_app, with_password,
};

/// AUTH-1
#[tokio::test]
async fn an_administrator_signs_in_by_password_and_then_by_factor() {
    let bench = Bench::new();
    let olga = with_app(&bench, "olga", Role::Owner).await;
    let half = half_way(&bench.service, &olga).await;
    assert!(!opens(&bench.service, &half).await, "a right password alone opens nothing");
    let opened = bench.service.sign_in().answer(&half, &answer(&olga.code(&bench)), CLI.origin).await.unwrap();
    assert_ne!(opened.session.expose(), half.expose(), "each step has a secret of its own");
    assert!(!opens(&bench.service, &half).await);
    let signed_in = bench.service.sign_in().authenticate(&opened.session, CLI.origin).await.unwrap();
    assert_eq!(signed_in.principal.actor, Actor::User(olga.id));
    assert_eq!((signed_in.principal.user, signed_in.principal.role), (Some(olga.id), Some(Role::Owner)));
    bench.admin().users(&signed_in.principal, None, &Default::default()).await.unwrap();

    let about: Vec<_> = bench.audit().await.into_iter().filter(|entry| entry.subject.id == olga.id.uuid()).collect();
    let events = |actor| about.iter().filter(move |entry| entry.actor == actor).map(|entry| &entry.event);
    assert!(events(Actor::Visitor).any(|event| *event == Event::PasswordVerified));
    assert!(events(Actor::User(olga.id)).any(|event| matches!(event, Event::SignedIn { .. })));
}

/// AUTH-1: whoever set up no factor has a password that is long enough to stand alone.
#[tokio::test]
async fn without_a_factor_a_password_that_stands_alone_is_enough() {
    let bench = Bench::new();
    let pia = with_password(&bench, "pia", Role::UserManager).await;
    let opened = sign_in(&bench, &pia).await;
    assert!(opens(&bench.service, &opened.session).await);
    let user = bench.record::<User>(pia.id.uuid()).await.unwrap();
    let mut short = user.record.clone();
    short.credentials.password.as_mut().unwrap().long_enough_alone = false;
    bench.commit(vec![user.put(&short)]).await;
    assert_eq!(refused(&bench.service, &request("pia", PASSWORD)).await, "sign_in_refused");
}

/// MFA-1 at sign-in: accepted steps strictly increase.
#[tokio::test]
async fn a_code_of_the_app_is_taken_once() {
    let bench = Bench::new();
    let olga = with_app(&bench, "olga", Role::Owner).await;
    let code = olga.code(&bench);
    let half = half_way(&bench.service, &olga).await;
    bench.service.sign_in().answer(&half, &answer(&code), CLI.origin).await.unwrap();
    let again = half_way(&bench.service, &olga).await;
    assert_eq!(answered(&bench.service, &again, &code).await, "sign_in_refused");
    next_code(&bench);
    bench.service.sign_in().answer(&again, &answer(&olga.code(&bench)), CLI.origin).await.unwrap();
}

/// MFA-3 at sign-in, also when it is sent twice at once.
#[tokio::test]
async fn a_recovery_code_works_once() {
    let bench = Bench::new();
    let olga = with_app(&bench, "olga", Role::Owner).await;
    let (one, other) = (half_way(&bench.service, &olga).await, half_way(&bench.service, &olga).await);
    let rival = answer(&olga.codes[3].to_lowercase());
    let service = bench.raced(|service| async move {
        service.sign_in().answer(&one, &rival, CLI.origin).await.unwrap();
    });
    assert_eq!(answered(&service, &other, &olga.codes[3]).await, "sign_in_refused");
    assert_eq!(bench.stored_user(olga.id).await.credentials.recovery.len(), 7);
    let entry = bench.audit().await.into_iter().rfind(|entry| matches!(entry.event, Event::SignedIn { .. })).unwrap();
    assert_eq!(serde_json::to_value(&entry.event).unwrap()["by"], "recovery");
}

/// AUTH-1: the second step has five minutes, and stands on the user as the first found them.
#[tokio::test]
async fn the_second_step_ends_with_its_time_and_with_what_it_stands_on() {
    let bench = Bench::new();
    let olga = with_app(&bench, "olga", Role::Owner).await;
    let half = half_way(&bench.service, &olga).await;
    bench.clock.advance(Duration::from_secs(300));
    assert_eq!(answered(&bench.service, &half, &olga.code(&bench)).await, "not_signed_in");

    let anton = with_app(&bench, "anton", Role::Administrator).await;
    let half = half_way(&bench.service, &anton).await;
    let patch =
        enrollment_core::service::administrator::UserPatch { role: Some(Some(Role::HelpDesk)), ..Default::default() };
    bench.admin().change_user(&CLI, anton.id, patch).await.unwrap();
    assert_eq!(answered(&bench.service, &half, &anton.code(&bench)).await, "not_signed_in");
}

/// What is no code at all is not counted.
#[tokio::test]
async fn what_is_no_code_is_told_so() {
    for text in ["", "12345", "1234567", "abcdef", "sixteen-letters!"] {
        let refused = enrollment_core::service::sign_in::FactorAnswer::parse(text).unwrap_err();
        assert_eq!(refused.code(), "invalid_field", "{text}");
    }
}

/// PWD-3: hashed again at today's cost by the next sign-in, and not by a wrong password.
#[tokio::test]
async fn a_password_of_another_cost_is_hashed_again_at_the_next_sign_in() {
    let bench = Bench::new();
    let olga = with_app(&bench, "olga", Role::Owner).await;
    let params = Argon2Params { m_kib: 32, t: 1, p: 1 };
    let pool = HashingPool::start(HashingOptions { params, limit: params, threads: 1, queue: 4 }).unwrap();
    let hash = pool.hash(password(PASSWORD), [3; 16]).await.unwrap();
    let stored = bench.record::<User>(olga.id.uuid()).await.unwrap();
    let mut before = stored.record.clone();
    before.credentials.password = Some(ChosenPassword { hash, long_enough_alone: true });
    bench.commit(vec![stored.put(&before)]).await;

    assert_eq!(refused(&bench.service, &request("olga", "another password")).await, "sign_in_refused");
    let kept = bench.stored_user(olga.id).await.credentials.password.unwrap().hash;
    assert!(kept.expose().contains("m=32,"));
    half_way(&bench.service, &olga).await;
    let now = bench.stored_user(olga.id).await.credentials.password.unwrap();
    assert!(now.hash.expose().contains("m=64,") && now.long_enough_alone);
    half_way(&bench.service, &olga).await;
    assert_eq!(bench.stored_user(olga.id).await.credentials.password.unwrap().hash, now.hash, "only once");
    next_code(&bench);
    sign_in(&bench, &olga).await;
}

/// A disabling that comes between reading and writing wins.
#[tokio::test]
async fn whoever_is_disabled_at_that_instant_is_not_let_in() {
    let bench = Bench::new();
    with_app(&bench, "olga", Role::Owner).await;
    let anton = with_app(&bench, "anton", Role::Administrator).await;
    let half = half_way(&bench.service, &anton).await;
    let id = anton.id;
    let service = bench.raced(|service| async move {
        let status = Some(enrollment_core::domain::user::UserStatus::Disabled);
        let patch = enrollment_core::service::administrator::UserPatch { status, ..Default::default() };
        service.administrator().change_user(&CLI, id, patch).await.unwrap();
    });
    assert_eq!(answered(&service, &half, &anton.code(&bench)).await, "not_signed_in");
}

/// ADM-6
#[tokio::test]
async fn a_name_is_read_as_people_type_it() {
    let bench = Bench::new();
    with_password(&bench, "pia", Role::Owner).await;
    for typed in ["PIA", "ｐｉａ"] {
        let step = bench.service.sign_in().begin(&request(typed, PASSWORD), CLI.origin).await.unwrap();
        assert!(matches!(step, SignInStep::Done(_)), "{typed}");
    }
}
