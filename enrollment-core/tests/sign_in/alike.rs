//! Nothing tells a name that nobody has from one with another password.

use std::sync::Arc;
use std::time::Duration;

use enrollment_core::domain::role::Role;
use enrollment_core::domain::user::{ChosenPassword, User, UserStatus};
use enrollment_core::id::UserId;
use enrollment_core::port::{Clock as _, Store};
use enrollment_core::secret::{Argon2Params, HashingOptions, HashingPool, KeyRing};
use enrollment_core::service::administrator::{NewUser, UserPatch};
use enrollment_testkit::fake::{Call, SeededEntropy, TracingStore};

use super::bench::{Bench, CLI, PASSWORD, new_user};
use super::person::{other_service, password, refused, request, with_app, with_password};

/// AUTH-1, AUTH-2: whatever is wrong, the answer, the calls to the store and what a row of them is like are the same;
/// also from the wait on, and at the hard stop.
#[tokio::test]
async fn unknown_disabled_unfinished_and_wrong_are_refused_alike() {
    let bench = Bench::new();
    with_app(&bench, "olga", Role::Owner).await;
    let gone = with_password(&bench, "gone", Role::Administrator).await;
    let disabled = UserPatch { status: Some(UserStatus::Disabled), ..UserPatch::default() };
    bench.admin().change_user(&CLI, gone.id, disabled).await.unwrap();
    let unfinished = NewUser { role: Some(Role::Administrator), ..new_user("unfinished") };
    bench.admin().create_user(&CLI, unfinished).await.unwrap();
    let member = bench.user("member").await;
    bench.enroll(member.id).await;
    let dear = with_password(&bench, "dear", Role::Administrator).await;
    hash_at_a_cost_beyond_the_limit(&bench, dear.id).await;

    let traced = Arc::new(TracingStore::new(Arc::clone(&bench.store)));
    let service = bench.through(Arc::clone(&traced) as Arc<dyn Store>);
    let cases = [
        ("olga", "a wrong password"),
        ("nobody", PASSWORD),
        ("not a name!", PASSWORD),
        ("", PASSWORD),
        ("gone", PASSWORD),
        ("unfinished", PASSWORD),
        ("member", PASSWORD),
        ("dear", PASSWORD),
    ];
    let mut seen: Vec<Vec<(&'static str, Vec<Call>)>> = Vec::new();
    for (name, password) in cases {
        let mut answers = Vec::new();
        // Two are free, then each waits; the fifth does not wait long enough.
        for wait in [0, 0, 0, 30, 30] {
            bench.clock.advance(Duration::from_secs(wait));
            let _before = traced.take();
            let code = refused(&service, &request(name, password)).await;
            answers.push((code, alike(traced.take())));
        }
        seen.push(answers);
    }
    let codes: Vec<_> = seen[0].iter().map(|(code, _)| *code).collect();
    assert_eq!(
        codes,
        ["sign_in_refused", "sign_in_refused", "sign_in_refused", "sign_in_refused", "too_many_requests"]
    );
    for ((name, _), answers) in cases.iter().zip(&seen) {
        assert_eq!(answers, &seen[0], "{name:?}");
    }
}

/// Today's limit was lowered after this password was chosen.
async fn hash_at_a_cost_beyond_the_limit(bench: &Bench, user: UserId) {
    let params = Argon2Params { m_kib: 64, t: 20, p: 1 };
    let pool = HashingPool::start(HashingOptions { params, limit: params, threads: 1, queue: 1 }).unwrap();
    let hash = pool.hash(password(PASSWORD), [3; 16]).await.unwrap();
    let stored = bench.record::<User>(user.uuid()).await.unwrap();
    let mut dear = stored.record.clone();
    dear.credentials.password = Some(ChosenPassword { hash, long_enough_alone: true });
    bench.commit(vec![stored.put(&dear)]).await;
}

/// The calls as a store takes them: a row that is held as it stands is found by its id and locked, whichever it is. One that
/// must not be there is another matter.
fn alike(mut calls: Vec<Call>) -> Vec<Call> {
    for about in calls.iter_mut().flat_map(|call| &mut call.about) {
        if ["check users", "check guards"].contains(&about.as_str()) {
            *about = "hold a row".to_owned();
        }
    }
    calls
}

/// AUTH-1: a rotation of the keys forgets no wrong answer, of whoever it is.
#[tokio::test]
async fn a_rotation_tells_no_name_that_nobody_has_from_one_that_somebody_has() {
    let bench = Bench::new();
    with_app(&bench, "olga", Role::Owner).await;
    for name in ["olga", "nobody"] {
        for _ in 0..3 {
            assert_eq!(refused(&bench.service, &request(name, "a wrong password")).await, "sign_in_refused");
        }
    }
    let mut ring = KeyRing::from_text(&bench.ring.to_text()).unwrap();
    ring.rotate(bench.clock.now(), bench.entropy());
    let rotated = other_service(&bench, &Arc::new(ring), Arc::new(SeededEntropy::new(5)));
    for name in ["olga", "nobody"] {
        assert_eq!(refused(&rotated, &request(name, "a wrong password")).await, "too_many_requests", "{name}");
    }
}

/// A name that nobody has may be a password in the wrong field: neither it nor anything it can be guessed by is kept.
#[tokio::test]
async fn what_was_typed_as_a_name_is_not_kept() {
    let bench = Bench::new();
    with_app(&bench, "olga", Role::Owner).await;
    let typed = "hunter2.of.olga";
    assert_eq!(refused(&bench.service, &request(typed, PASSWORD)).await, "sign_in_refused");
    let places: Vec<enrollment_core::domain::sign_in::Place> =
        bench.all(enrollment_core::record::IndexName::SignInPlacesPassing, "").await;
    assert_eq!(places.len(), 1);
    let audit = bench.audit().await;
    let kept = format!("{} {}", serde_json::to_string(&places).unwrap(), serde_json::to_string(&audit).unwrap());
    assert!(!kept.contains("hunter2"));
    let unkeyed = enrollment_core::secret::Digest::of(typed.as_bytes()).to_string();
    assert!(!kept.contains(&unkeyed[..32]));
}
