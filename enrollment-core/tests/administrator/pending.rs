use enrollment_core::domain::enrollment::{Closure, Purpose};
use enrollment_core::port::Clock;
use enrollment_core::service::administrator::{
    Delivery, EnrollmentFilter, EnrollmentView, PageRequest, Progress, Stage, Standing,
};
use enrollment_core::time::Span;

use crate::bench::{Bench, CLI, code};

async fn names(bench: &Bench, standing: Standing, prefix: Option<&str>) -> Vec<String> {
    let filter = EnrollmentFilter { standing, prefix: prefix.map(str::to_owned) };
    let (mut names, mut page) = (Vec::new(), PageRequest { cursor: None, limit: Some(2) });
    loop {
        let listing = bench.admin().enrollments(&CLI, &filter, &page).await.unwrap();
        names.extend(listing.items.iter().map(|item: &EnrollmentView| item.person().unwrap().username.to_string()));
        match listing.next {
            Some(next) => page.cursor = Some(next),
            None => return names,
        }
    }
}

/// ADM-3.
#[tokio::test]
async fn the_list_has_the_latest_first_and_is_searched_by_username() {
    let bench = Bench::new();
    for username in ["bob", "alina", "alice", "carol", "dave"] {
        let user = bench.user(username).await;
        bench.start(user.id, Purpose::Onboarding).await.unwrap();
        bench.clock.advance(Span::minutes(1).duration());
    }
    let open = bench.open_enrollments().await;
    bench.admin().revoke(&CLI, open[1].id).await.unwrap();
    assert_eq!(names(&bench, Standing::Open, None).await, ["dave", "alice", "alina", "bob"]);
    assert_eq!(names(&bench, Standing::Closed, None).await, ["carol"]);
    assert_eq!(names(&bench, Standing::Open, Some("Al")).await, ["alice", "alina"]);
    assert!(names(&bench, Standing::Open, Some("x")).await.is_empty());
    let page = PageRequest { cursor: None, limit: Some(0) };
    let refused = bench.admin().enrollments(&CLI, &EnrollmentFilter::default(), &page).await;
    assert_eq!(refused.map(|_| ()).map_err(code), Err("out_of_range"));
}

/// ADM-3, REQ-10, TOK-5.
#[tokio::test]
async fn an_enrollment_shows_how_far_it_is_and_why_it_was_refused() {
    let bench = Bench::new();
    let alice = bench.user("alice").await;
    let issued = bench.start(alice.id, Purpose::Onboarding).await.unwrap();
    let view = async || bench.admin().enrollment(&CLI, issued.id).await.unwrap();
    let invited = Progress { stage: Stage::Invited, profile: false, password: false, mfa: false, device: false };
    let at_first = view().await;
    assert_eq!(at_first.progress, invited);
    assert_eq!(
        (at_first.delivery, at_first.expires_at, at_first.email),
        (Delivery::Manual, issued.expires_at, alice.email)
    );
    assert!(!at_first.expired && at_first.last_refusal.is_none());

    let session = bench.begin(&issued.token).await.unwrap();
    bench.service.enrollee().confirm_profile(&session, None, CLI.origin).await.unwrap();
    let refused = bench.service.enrollee().complete(&session, CLI.origin).await;
    assert_eq!(refused.map(|_| ()).map_err(code), Err("requirements_missing"));
    let refused = view().await;
    assert_eq!(refused.progress, Progress { stage: Stage::InSession, profile: true, ..invited });
    assert_eq!(refused.last_refusal.unwrap().missing, ["password"]);

    let other = bench.begin(&issued.token).await.unwrap();
    assert_eq!(view().await.takeovers, 1);
    bench.fill_in(&other).await;
    assert!(view().await.progress.password);
    bench.service.enrollee().complete(&other, CLI.origin).await.unwrap();
    let at = bench.clock.now();
    let done = Progress { stage: Stage::Completed { at }, profile: true, password: true, ..invited };
    assert_eq!(view().await.progress, done);
    assert!(bench.open_enrollments().await.is_empty());
    assert_eq!(bench.enrollments(Standing::Completed).await, [view().await]);
}

/// ADM-3.
#[tokio::test]
async fn an_expired_enrollment_stays_among_the_open_until_it_is_closed() {
    let bench = Bench::new();
    let alice = bench.user("alice").await;
    let issued = bench.start(alice.id, Purpose::Onboarding).await.unwrap();
    bench.clock.advance(Span::hours(24).duration());
    assert!(bench.open_enrollments().await[0].expired);
    bench.admin().revoke(&CLI, issued.id).await.unwrap();
    let closed = bench.enrollments(Standing::Closed).await.remove(0);
    let at = bench.clock.now();
    assert_eq!(closed.progress.stage, Stage::Closed { at, why: Closure::Revoked });
    assert!(!closed.expired);
}
