//! Several processes, of which one has not got the new key yet.

use enrollment_core::domain::enrollment::Purpose;
use enrollment_core::domain::mail::{Mail, MailState};
use enrollment_core::port::Clock as _;
use enrollment_core::service::Failure;
use enrollment_core::service::administrator::{Delivery, StartEnrollment};
use enrollment_core::time::Span;
use enrollment_core::worker::Pruner;

use crate::bench::{Bench, CLI, HERE, code, copy};

/// SYS-10, TOK-7: whoever holds a token of a key that a process does not have yet is asked to try again, and never told
/// that it is wrong; nothing is counted against them; and with the key everything is as it was.
#[tokio::test]
async fn what_a_process_has_no_key_for_is_unavailable_and_never_wrong() {
    let bench = Bench::new().await;
    let lags = bench.another(copy(&bench.ring()));
    let old = bench.invited("alice", Delivery::Manual).await;
    let key = bench.rotate().await;
    let new = bench.invited("bob", Delivery::Manual).await;

    for answer in [
        code(lags.service.enrollee().look(&new.token).await),
        code(lags.begin(&new.token).await),
        code(lags.service.enrollee().report(&new.token, HERE).await),
    ] {
        assert_eq!(answer, "unknown key");
    }
    assert_eq!(*lags.unknown.lock().unwrap(), [key, key, key], "whoever brings rings is told");
    assert_eq!(bench.enrollment(new.id).await.sessions, 0);

    // Begun under an old token, and the secret sealed by the faster process.
    let session = bench.begin(&old.token).await;
    let secret = bench.offer_totp(&session).await;
    let tried = lags.service.enrollee().confirm_totp(&session, &bench.code(&secret), HERE).await;
    assert!(matches!(tried, Err(Failure::UnknownKey(missing)) if missing == key));
    assert_eq!(bench.enrollment(old.id).await.wrong_codes, 0);

    lags.adopt(copy(&bench.ring())).await;
    lags.service.enrollee().confirm_totp(&session, &bench.code(&secret), HERE).await.unwrap();
    lags.begin(&new.token).await.unwrap();
}

/// SYS-10: a token that has expired is expired, whatever became of its key.
#[tokio::test]
async fn what_opens_nothing_needs_no_key() {
    let bench = Bench::new().await;
    let lags = bench.another(copy(&bench.ring()));
    bench.rotate().await;
    let issued = bench.invited("alice", Delivery::Manual).await;
    bench.clock.advance(Span::hours(24).duration());
    assert_eq!(code(lags.service.enrollee().look(&issued.token).await), "token_expired");
    assert_eq!(code(lags.begin(&issued.token).await), "token_expired");
    assert!(lags.unknown.lock().unwrap().is_empty());
}

/// SYS-10: a mail whose link the process cannot derive waits for one that can.
#[tokio::test]
async fn a_mail_waits_for_its_key() {
    let bench = Bench::new().await;
    let lags = bench.another(copy(&bench.ring()));
    bench.rotate().await;
    let issued = bench.invited("alice", Delivery::Email).await;
    lags.send().await;
    let state = async || bench.record::<Mail>(issued.mail.unwrap().uuid()).await.state;
    assert!(matches!(state().await, MailState::Retrying { .. }), "{:?}", state().await);
    assert_eq!(bench.relay.count(), 0);
    bench.clock.advance(Span::minutes(1).duration());
    bench.process.send().await;
    assert!(matches!(state().await, MailState::Sent { .. }), "{:?}", state().await);
}

/// SYS-10, ADM-8: a log sealed under a key that a process does not have is neither gone on with nor called forged.
#[tokio::test]
async fn a_log_under_an_unknown_key_is_neither_continued_nor_called_forged() {
    let bench = Bench::new().await;
    let lags = bench.another(copy(&bench.ring()));
    bench.user("alice").await;
    assert!(bench.process.seal().await.unwrap() > 0);
    let key = bench.rotate().await;
    bench.user("bob").await;
    assert!(bench.process.seal().await.unwrap() > 0);
    bench.user("carol").await;

    assert!(matches!(lags.seal().await, Err(Failure::UnknownKey(missing)) if missing == key));
    let report = lags.service.administrator().verify_audit(&CLI).await;
    assert!(matches!(report, Err(Failure::UnknownKey(missing)) if missing == key));
    lags.adopt(copy(&bench.ring())).await;
    assert!(lags.seal().await.unwrap() > 0);
    assert_eq!(lags.service.administrator().verify_audit(&CLI).await.unwrap().problem, None);
}

/// SYS-10, SYS-8, ADM-8: nor is a log whose front was pruned under such a key.
#[tokio::test]
async fn a_log_that_was_pruned_under_an_unknown_key_is_not_called_forged() {
    let bench = Bench::new().await;
    let lags = bench.another(copy(&bench.ring()));
    bench.user("alice").await;
    while bench.process.seal().await.unwrap() > 0 {}
    bench.clock.advance(Span::days(31).duration());
    let key = bench.rotate().await;
    let pruner = Pruner::new(bench.service().clone());
    while pruner.run_once().await.unwrap() > 0 {}
    // Nothing but the origin was signed with the new key.
    let report = lags.service.administrator().verify_audit(&CLI).await;
    assert!(matches!(report, Err(Failure::UnknownKey(missing)) if missing == key), "{report:?}");
    lags.adopt(copy(&bench.ring())).await;
    assert_eq!(lags.service.administrator().verify_audit(&CLI).await.unwrap().problem, None);
}

/// SYS-10: a key that every process has before one uses it is unknown to none.
#[tokio::test]
async fn a_key_that_was_prepared_is_unknown_nowhere() {
    let bench = Bench::new().await;
    let mut ring = copy(&bench.ring());
    let next = ring.prepare(bench.clock.now(), &*bench.entropy);
    let lags = bench.another(copy(&ring));
    bench.process.adopt(ring).await;
    assert_ne!(bench.ring().active(), next);
    let before = bench.invited("alice", Delivery::Manual).await;
    assert_eq!(bench.rotate().await, next);
    let after = bench.invited("bob", Delivery::Manual).await;
    for issued in [before, after] {
        let session = lags.begin(&issued.token).await.unwrap();
        let secret = bench.offer_totp(&session).await;
        bench.enrollee().confirm_totp(&session, &bench.code(&secret), HERE).await.unwrap();
    }
    // What it makes itself is the old key's, and everybody knows that one.
    let carol = bench.user("carol").await;
    let start = StartEnrollment {
        purpose: Purpose::Onboarding,
        delivery: Delivery::Manual,
        email: None,
        validity: None,
        wording: None,
    };
    let issued = lags.service.administrator().start(&CLI, carol.id, start).await.unwrap();
    bench.begin(&issued.token).await;
    assert!(lags.unknown.lock().unwrap().is_empty());
}
