//! What is left of sign-ins, and until when.

use std::time::Duration;

use enrollment_core::domain::audit::Actor;
use enrollment_core::domain::role::Role;
use enrollment_core::domain::sign_in::{AdminSession, Place};
use enrollment_core::record::IndexName;
use enrollment_core::service::Origin;
use enrollment_core::worker::{Eraser, Pruner};

use super::bench::{Bench, CLI};
use super::person::{half_way, refused, request, sign_in, with_app};

const DAY: Duration = Duration::from_secs(86_400);

async fn prune(bench: &Bench) {
    let pruner = Pruner::new(bench.service.clone());
    while pruner.run_once().await.unwrap() > 0 {}
}

/// SYS-8: sessions go when they are over, browsers and names that nobody has after 90 days. What was guessed at a user
/// stays, since only success resets it (AUTH-2).
#[tokio::test]
async fn sessions_and_places_go_when_nothing_depends_on_them() {
    let bench = Bench::new();
    let olga = with_app(&bench, "olga", Role::Owner).await;
    sign_in(&bench, &olga).await;
    half_way(&bench.service, &olga).await;
    refused(&bench.service, &request("olga", "a wrong one")).await;
    refused(&bench.service, &request("nobody", "a wrong one")).await;
    let user = olga.id.to_string();
    let sessions = async || bench.all::<AdminSession>(IndexName::AdminSessionsByUser, &user).await.len();
    let places = async || bench.all::<Place>(IndexName::SignInPlacesByUser, &user).await.len();
    let passing = async || bench.all::<Place>(IndexName::SignInPlacesPassing, "").await.len();
    assert_eq!((sessions().await, places().await, passing().await), (2, 2, 2));
    bench.clock.advance(DAY);
    prune(&bench).await;
    assert_eq!((sessions().await, places().await, passing().await), (0, 2, 2));
    bench.clock.advance(90 * DAY);
    prune(&bench).await;
    assert_eq!((sessions().await, places().await, passing().await), (0, 1, 0));
    let left = bench.all::<Place>(IndexName::SignInPlacesByUser, &user).await;
    assert_eq!(left[0].password.failures, 2, "the wrong one, and the right one that nothing followed");
}

/// SYS-9: neither sessions nor places nor where it was tried from.
#[tokio::test]
async fn nothing_of_their_signing_in_is_left_of_an_erased_user() {
    let bench = Bench::new();
    with_app(&bench, "olga", Role::Owner).await;
    let anton = with_app(&bench, "anton", Role::Administrator).await;
    sign_in(&bench, &anton).await;
    let origin = Origin { source: Some("192.0.2.7".parse().unwrap()) };
    bench.service.sign_in().begin(&request("anton", "a wrong one"), origin).await.unwrap_err();
    bench.admin().erase_user(&CLI, anton.id).await.unwrap();
    let eraser = Eraser::new(bench.service.clone());
    for _ in 0..3 {
        while eraser.run_once().await.unwrap() > 0 {}
        bench.clock.advance(Duration::from_secs(600));
    }
    let user = anton.id.to_string();
    assert!(bench.all::<AdminSession>(IndexName::AdminSessionsByUser, &user).await.is_empty());
    assert!(bench.all::<Place>(IndexName::SignInPlacesByUser, &user).await.is_empty());
    let tried = bench.audit().await.into_iter().filter(|entry| entry.actor == Actor::Visitor);
    let tried: Vec<_> = tried.filter(|entry| entry.subject.id == anton.id.uuid()).collect();
    assert!(!tried.is_empty() && tried.iter().all(|entry| entry.details.is_none()));
}

/// SYS-9: a wrong password that comes while its user is erased is counted for nobody.
#[tokio::test]
async fn a_guess_that_an_erasing_overtakes_leaves_nothing_of_the_user() {
    let bench = Bench::new();
    with_app(&bench, "olga", Role::Owner).await;
    let anton = with_app(&bench, "anton", Role::Administrator).await;
    let id = anton.id;
    let service = bench.raced(|service| async move {
        service.administrator().erase_user(&CLI, id).await.unwrap();
    });
    assert_eq!(refused(&service, &request("anton", "a wrong one")).await, "sign_in_refused");
    assert!(bench.all::<Place>(IndexName::SignInPlacesByUser, &id.to_string()).await.is_empty());
}
