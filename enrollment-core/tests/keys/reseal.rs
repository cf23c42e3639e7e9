//! Sealing again.

use std::sync::Arc;

use enrollment_core::domain::event::Event;
use enrollment_core::domain::location::Location;
use enrollment_core::domain::user::{TotpFactor, User};
use enrollment_core::id::ChangeId;
use enrollment_core::port::{Change, Clock, CommitOutcome, Scan, Store};
use enrollment_core::record::{IndexName, KeyBook, Stored};
use enrollment_core::secret::{Binding, KeyId};
use enrollment_core::service::administrator::{Delivery, KeyView};
use enrollment_core::time::Span;
use enrollment_core::worker::Resealer;
use enrollment_testkit::fake::Moment;

use crate::bench::{Bench, CLI, copy};

fn place(user: &User) -> Binding<'static> {
    Binding { table: "users", row: user.id.uuid(), column: "totp" }
}

/// Gives users authenticator apps, each with a secret of its own: more of them than one batch.
async fn give_apps(bench: &Bench, count: u8) {
    let ring = bench.ring();
    let mut ops = Vec::new();
    for number in 0..count {
        bench.user(&format!("user{number}")).await;
    }
    let page = bench.store.scan(&Scan::all(IndexName::UsersByUsername, "", 1000)).await.unwrap();
    for (row, number) in page.rows.iter().zip(0..) {
        let stored = Stored::<User>::read(row).unwrap();
        let secret = ring.seal(&place(&stored.record), &[number; 20], &*bench.entropy).unwrap();
        let mut next = stored.record.clone();
        next.credentials.totp = Some(TotpFactor { secret, last_step: 0 });
        ops.push(stored.put(&next));
    }
    let id = ChangeId::new(bench.clock.now(), &*bench.entropy);
    let change = Change::new(id, bench.clock.now(), ops, Vec::new(), Vec::new()).unwrap();
    assert_eq!(bench.store.commit(&change).await.unwrap(), CommitOutcome::Applied);
}

/// Under which keys the apps stand; each must hold its own secret.
async fn keys_of_apps(bench: &Bench) -> Vec<KeyId> {
    let page = bench.store.scan(&Scan::all(IndexName::UsersByUsername, "", 1000)).await.unwrap();
    let ring = bench.ring();
    let mut keys = Vec::new();
    for (row, number) in page.rows.iter().zip(0..) {
        let user = Stored::<User>::read(row).unwrap().record;
        let sealed = &user.credentials.totp.as_ref().unwrap().secret;
        assert_eq!(*ring.open(&place(&user), sealed).unwrap(), [number; 20]);
        keys.push(sealed.key());
    }
    keys.dedup();
    keys
}

async fn progress(bench: &Bench) -> Option<u64> {
    bench.record::<KeyBook>(KeyBook::KEY.id).await.resealing.map(|resealing| resealing.done)
}

/// SYS-10: killed at any store call, it goes on where it was. Every secret ends under the active key, is the one it was,
/// and was sealed again once.
#[tokio::test]
async fn sealing_again_goes_on_where_it_was_killed() {
    const USERS: u8 = 70;
    for call in [1, 2, 3, 5, 6, 40, 100, 130, 131, 132, 133, 137, 140, 145] {
        for moment in [Moment::Before, Moment::After] {
            let bench = Bench::new().await;
            give_apps(&bench, USERS).await;
            let new = bench.rotate().await;
            bench.store.revive();
            bench.store.die_at(call, moment);
            // Whether it died is not what is asked here.
            let died = bench.process.reseal().await.is_err();
            bench.store.revive();
            // Another process goes on.
            let other = bench.another(copy(&bench.ring()));
            other.reseal().await.unwrap();
            assert_eq!(keys_of_apps(&bench).await, [new], "{call} {moment:?} {died}");
            let done = bench.audited(|event| *event == Event::SecretsResealed { key: new }).await;
            assert_eq!(done, usize::from(USERS), "{call} {moment:?}: once each");
        }
    }
}

/// SYS-10: what is on its way in an enrollment and what gateways need is sealed again as well; a retired key is then
/// needed for no sealed secret.
#[tokio::test]
async fn enrollments_users_and_gateways_are_sealed_again() {
    let bench = Bench::new().await;
    let location = bench.location().await;
    let key = bench.admin().gateway_private_key(&CLI, location).await.unwrap();
    let issued = bench.invited("alice", Delivery::Manual).await;
    let session = bench.begin(&issued.token).await;
    let secret = bench.offer_totp(&session).await;
    let app = bench.enrolled("bob").await;
    let old = bench.ring().active();
    let new = bench.rotate().await;
    let sealed = async |key| {
        let report = bench.admin().keys(&CLI).await.unwrap();
        report.keys.iter().find(|view: &&KeyView| view.id == key).unwrap().needed_by.sealed()
    };
    assert_eq!((sealed(old).await, sealed(new).await), (3, 0));
    bench.process.reseal().await.unwrap();
    assert_eq!((sealed(old).await, sealed(new).await), (0, 3));
    assert_eq!(progress(&bench).await, Some(3));

    assert_eq!(bench.offer_totp(&session).await, secret);
    let bob = bench.stored_user("bob").await;
    let sealed = &bob.credentials.totp.as_ref().unwrap().secret;
    assert_eq!(*bench.ring().open(&place(&bob), sealed).unwrap(), app);
    let again = bench.admin().gateway_private_key(&CLI, location).await.unwrap();
    assert_eq!(again.expose_bytes(), key.expose_bytes());
    assert_eq!(bench.record::<Location>(location.uuid()).await.private_key.unwrap().key(), new);
    while bench.process.seal().await.unwrap() > 0 {}
    assert_eq!(bench.admin().verify_audit(&CLI).await.unwrap().problem, None, "every version has its entry");
}

/// SYS-10: what a process that had not got the new key yet has sealed is sealed again a day later; then it is over.
#[tokio::test]
async fn a_second_pass_finds_what_was_sealed_late() {
    let bench = Bench::new().await;
    let lags = bench.another(copy(&bench.ring()));
    let issued = bench.invited("alice", Delivery::Manual).await;
    let old = bench.ring().active();
    let new = bench.rotate().await;
    bench.process.reseal().await.unwrap();
    let session = lags.begin(&issued.token).await.unwrap();
    lags.service.enrollee().offer_totp(&session, crate::bench::HERE).await.unwrap();
    let sealed_under = async || {
        let enrollment = bench.enrollment(issued.id).await;
        enrollment.session().unwrap().work.offered_totp.as_ref().unwrap().key()
    };
    assert_eq!(sealed_under().await, old);

    // A process without the new key does not seal again under an old one.
    assert_eq!(Resealer::new(lags.service.clone()).run_once().await.unwrap(), 0);
    bench.process.reseal().await.unwrap();
    assert_eq!(sealed_under().await, old, "not before its time");
    bench.clock.advance(Span::hours(24).duration());
    assert_eq!(Resealer::new(lags.service.clone()).run_once().await.unwrap(), 0);
    bench.process.reseal().await.unwrap();
    assert_eq!(sealed_under().await, new);
    assert_eq!(progress(&bench).await, None);
}

/// SYS-10: two that seal again at once disturb nobody.
#[tokio::test]
async fn two_seal_again_at_once() {
    let bench = Bench::new().await;
    give_apps(&bench, 70).await;
    let new = bench.rotate().await;
    let one = Arc::new(bench.another(copy(&bench.ring())));
    let other = Arc::new(bench.another(copy(&bench.ring())));
    let both = [one, other].map(|process| tokio::spawn(async move { process.reseal().await.unwrap() }));
    for task in both {
        task.await.unwrap();
    }
    bench.process.reseal().await.unwrap();
    assert_eq!(keys_of_apps(&bench).await, [new]);
    assert_eq!(bench.audited(|event| *event == Event::SecretsResealed { key: new }).await, 70);
}
