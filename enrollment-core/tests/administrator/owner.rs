use enrollment_core::domain::role::Role;
use enrollment_core::port::Clock as _;
use enrollment_core::service::administrator::{FirstOwner, Issued, OwnerLink};
use enrollment_core::time::Span;

use crate::bench::{Bench, CLI, code};

async fn link(bench: &Bench) -> Option<Issued> {
    ask(bench).await.issued()
}

async fn ask(bench: &Bench) -> OwnerLink {
    bench.admin().owner_link(&CLI, FirstOwner::default()).await.unwrap()
}

/// ADM-11.
#[tokio::test]
async fn the_first_owner_has_one_link_until_they_are_enrolled() {
    let bench = Bench::new();
    let first = link(&bench).await.unwrap();
    bench.begin(&first.token).await.unwrap();
    bench.clock.advance(Span::hours(23).duration());
    let again = link(&bench).await.unwrap();
    assert_eq!(again.token.expose(), first.token.expose());
    assert_eq!((again.id, again.expires_at), (first.id, first.expires_at));
    bench.complete(&again).await;
    assert!(matches!(ask(&bench).await, OwnerLink::Enrolled));
    let owner = bench.admin().users(&CLI, Some("owner"), &Default::default()).await.unwrap().items.remove(0);
    assert_eq!(owner.role, Some(Role::Owner));
    assert!(owner.enrolled.is_some());
}

/// ADM-11.
#[tokio::test]
async fn a_link_that_opens_nothing_is_renewed() {
    let bench = Bench::new();
    let mut last = link(&bench).await.unwrap();
    // Expired.
    bench.clock.advance(Span::hours(24).duration());
    let renewed = link(&bench).await.unwrap();
    assert_eq!(bench.look(&last.token).await, Err("token_superseded"));
    last = renewed;
    // Opened as often as it may be, and the last session over.
    for _ in 0..3 {
        bench.begin(&last.token).await.unwrap();
        assert_eq!(link(&bench).await.unwrap().id, last.id);
        bench.clock.advance(Span::minutes(10).duration());
    }
    let renewed = link(&bench).await.unwrap();
    assert_ne!(renewed.id, last.id);
    // Revoked.
    bench.admin().revoke(&CLI, renewed.id).await.unwrap();
    assert_eq!(bench.look(&link(&bench).await.unwrap().token).await, Ok(()));
}

/// ADM-11, TOK-1: whoever began just before the link expired goes on, however often the link is asked for meanwhile.
#[tokio::test]
async fn nobody_is_kept_from_finishing_by_a_new_link() {
    let bench = Bench::new();
    let first = link(&bench).await.unwrap();
    bench.clock.advance(Span::minutes(24 * 60 - 1).duration());
    let session = bench.begin(&first.token).await.unwrap();
    let deadline = bench.clock.now().plus(Span::minutes(10).duration());
    bench.fill_in(&session).await;
    bench.clock.advance(Span::minutes(9).duration());
    for _ in 0..2 {
        assert!(matches!(ask(&bench).await, OwnerLink::Enrolling { until } if until == deadline));
    }
    bench.service.enrollee().complete(&session, CLI.origin).await.unwrap();
    assert!(matches!(ask(&bench).await, OwnerLink::Enrolled));
}

/// ADM-11: the new link comes with the end of the session, and at once when the key that made the first was stolen.
#[tokio::test]
async fn who_did_not_finish_in_time_gets_another_link() {
    for stolen in [false, true] {
        let bench = Bench::new();
        let first = link(&bench).await.unwrap();
        bench.clock.advance(Span::minutes(24 * 60 - 1).duration());
        bench.begin(&first.token).await.unwrap();
        bench.clock.advance(Span::minutes(9).duration());
        assert!(link(&bench).await.is_none());
        let service = if stolen {
            bench.with_its_key_revoked()
        } else {
            bench.clock.advance(Span::minutes(1).duration());
            bench.service.clone()
        };
        let renewed = service.administrator().owner_link(&CLI, FirstOwner::default()).await.unwrap().issued().unwrap();
        assert_ne!(renewed.id, first.id);
    }
}

#[tokio::test]
async fn the_first_owner_may_be_named() {
    let bench = Bench::new();
    let named =
        FirstOwner { username: Some("Root".parse().unwrap()), email: Some("root@example.com".parse().unwrap()) };
    bench.admin().owner_link(&CLI, named).await.unwrap().issued().unwrap();
    let users = bench.admin().users(&CLI, None, &Default::default()).await.unwrap().items;
    assert_eq!(users.len(), 1);
    assert_eq!((users[0].username.as_str(), users[0].email.as_ref().unwrap().as_str()), ("root", "root@example.com"));
}

#[tokio::test]
async fn an_owner_who_waits_is_taken_before_another_is_made() {
    let bench = Bench::new();
    let (waiting, _) = bench.administrator("boss", Role::Owner).await;
    let issued = link(&bench).await.unwrap();
    assert_eq!(bench.admin().enrollment(&CLI, issued.id).await.unwrap().person().unwrap().id, waiting.id);
}

/// ADM-11: a server starts, whoever has the name.
#[tokio::test]
async fn nobody_becomes_owner_by_having_the_name_and_nobody_is_kept_out_by_it() {
    let bench = Bench::new();
    for username in ["owner", "owner-2"] {
        bench.user(username).await;
    }
    let issued = link(&bench).await.unwrap();
    let owner = bench.admin().enrollment(&CLI, issued.id).await.unwrap().person().unwrap().id;
    let owner = bench.stored_user(owner).await;
    assert_eq!((owner.username.as_str(), owner.role), ("owner-3", Some(Role::Owner)));
    assert_eq!(link(&bench).await.unwrap().id, issued.id, "and stays the one");
}

#[tokio::test]
async fn a_name_that_was_chosen_and_is_taken_is_refused() {
    let bench = Bench::new();
    bench.user("owner").await;
    let named = FirstOwner { username: Some("owner".parse().unwrap()), email: None };
    let refused = bench.admin().owner_link(&CLI, named).await;
    assert_eq!(refused.map(|_| ()).map_err(code), Err("username_taken"));
}
