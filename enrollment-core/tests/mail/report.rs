//! "This wasn't me" (TOK-10).

use enrollment_core::domain::enrollment::{Closure, Phase, Purpose};
use enrollment_core::domain::event::Event;
use enrollment_core::domain::role::Role;
use enrollment_core::secret::Token;
use enrollment_core::time::Span;

use crate::bench::{Bench, CLI, HERE, URL, code, mailed, manual};

/// The token in the report link of a mail.
fn reported(text: &str) -> Token {
    let from = text.find(&format!("{URL}/report/")).unwrap() + URL.len() + "/report/".len();
    let token: String = text[from..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    Token::parse(&token).unwrap()
}

/// TOK-10, TOK-4: the link of the mail shows who may; looking at it changes nothing, reporting revokes and tells the
/// initiator, once.
#[tokio::test]
async fn whoever_got_an_invitation_by_mistake_withdraws_it_and_the_initiator_hears_of_it() {
    let bench = Bench::new();
    let (_, by) = bench.administrator("max", Role::UserManager).await;
    let alice = bench.user("alice").await;
    let issued = bench.start(&by, alice.id, mailed(Purpose::Onboarding)).await.unwrap();
    bench.send().await;
    let token = reported(&bench.inbox("alice@example.com")[0].text);
    let session = bench.begin(&issued.token).await.unwrap();
    let before = bench.audit().await.len();
    bench.service.enrollee().look(&token).await.unwrap();
    assert_eq!(bench.audit().await.len(), before);
    bench.service.enrollee().report(&token, HERE).await.unwrap();
    bench.service.enrollee().report(&token, HERE).await.unwrap();
    let stored = bench.stored(issued.id).await;
    assert!(matches!(stored.phase, Phase::Closed(closed) if closed.why == Closure::Reported) && stored.seed.is_none());
    assert_eq!(bench.begin(&issued.token).await.map(drop).map_err(code), Err("token_revoked"));
    let refused = bench.service.enrollee().complete(&session, HERE).await;
    assert_eq!(refused.map(drop).map_err(code), Err("token_revoked"));
    bench.send().await;
    assert_eq!(bench.subjects("max@example.com"), ["The VPN invitation of alice was reported".to_owned()].into());
    assert_eq!(bench.inbox("max@example.com").len(), 1);
    assert_eq!(bench.audited(&Event::EnrollmentClosed { why: Closure::Reported }).await, 1);
}

/// TOK-10, TOK-7
#[tokio::test]
async fn a_token_that_is_none_reports_nothing_and_one_that_is_over_says_what_it_was() {
    let bench = Bench::new();
    let alice = bench.user("alice").await;
    let enrollee = bench.service.enrollee();
    let first = bench.start(&CLI, alice.id, manual(Purpose::Onboarding)).await.unwrap();
    let second = bench.admin().rotate(&CLI, first.id).await.unwrap();
    assert_eq!(enrollee.report(&first.token, HERE).await.map_err(code), Err("token_superseded"));
    let session = bench.begin(&second.token).await.unwrap();
    bench.fill_in(&session).await;
    bench.complete(&session).await;
    assert_eq!(enrollee.report(&second.token, HERE).await.map_err(code), Err("token_completed"));
    let stranger = Bench::new();
    assert_eq!(stranger.service.enrollee().report(&first.token, HERE).await.map_err(code), Err("invalid_token"));

    let bob = bench.user("bob").await;
    let issued = bench.start(&CLI, bob.id, manual(Purpose::Onboarding)).await.unwrap();
    bench.clock.advance(Span::hours(25).duration());
    enrollee.report(&issued.token, HERE).await.unwrap();
}
