use enrollment_core::domain::audit::{Actor, AuditEntry};
use enrollment_core::domain::enrollment::{Closure, Enrollment, Purpose};
use enrollment_core::domain::event::Event;
use enrollment_core::domain::role::Role;
use enrollment_core::domain::user::{User, UserStatus};
use enrollment_core::record::{IndexName, Kind};
use enrollment_core::service::administrator::{
    Delivery, NewUser, PageRequest, Stage, Standing, StartEnrollment, UserPatch,
};
use enrollment_core::time::Span;

use crate::bench::{Bench, CLI, code, groups, manual, new_user};

/// INV-1.
#[tokio::test]
async fn a_user_is_added_with_their_enrollment_and_without_any_credential() {
    let bench = Bench::new();
    let new = NewUser { enrollment: Some(manual(Purpose::Onboarding)), ..new_user("alice") };
    let (user, issued) = bench.admin().create_user(&CLI, new).await.unwrap();
    assert_eq!(bench.look(&issued.unwrap().token).await, Ok(()));
    let stored = bench.stored_user(user.id).await;
    assert!(stored.credentials.password.is_none() && stored.credentials.factors().is_empty());
    assert!(!stored.is_enrolled());
}

/// INV-2, INV-4, INV-8.
#[tokio::test]
async fn a_user_whose_enrollment_is_refused_is_not_added() {
    let bench = Bench::new();
    let onboarding = manual(Purpose::Onboarding);
    let refused = [
        ("out_of_range", StartEnrollment { validity: Some(Span::seconds(1)), ..onboarding.clone() }),
        ("mail_not_configured", StartEnrollment { delivery: Delivery::Email, ..onboarding.clone() }),
        ("mail_not_configured", StartEnrollment { delivery: Delivery::Both, ..onboarding }),
        ("not_enrolled", manual(Purpose::Device)),
        ("factor_not_applicable", manual(Purpose::Factor)),
    ];
    for (expected, start) in refused {
        let new = NewUser { enrollment: Some(start), ..new_user("alice") };
        assert_eq!(bench.admin().create_user(&CLI, new).await.map(|_| ()).map_err(code), Err(expected));
    }
    assert!(bench.all::<User>(IndexName::UsersByUsername, "").await.is_empty());
    assert!(bench.open_enrollments().await.is_empty());
}

/// ADM-6.
#[tokio::test]
async fn alice_in_capitals_is_alice() {
    let bench = Bench::new();
    assert_eq!(bench.user("Alice").await.username.as_str(), "alice");
    let again = bench.admin().create_user(&CLI, new_user("ALICE")).await;
    assert_eq!(again.map(|_| ()).map_err(code), Err("username_taken"));
}

#[tokio::test]
async fn users_are_listed_by_username_page_by_page() {
    let bench = Bench::new();
    for username in ["bob", "alice", "alina", "carol", "al"] {
        bench.user(username).await;
    }
    let list = async |prefix: Option<&str>| {
        let (mut names, mut page) = (Vec::new(), PageRequest { cursor: None, limit: Some(2) });
        loop {
            let listing = bench.admin().users(&CLI, prefix, &page).await.unwrap();
            assert!(listing.items.len() <= 2);
            names.extend(listing.items.iter().map(|user| user.username.to_string()));
            match listing.next {
                Some(next) => page.cursor = Some(next),
                None => return names,
            }
        }
    };
    assert_eq!(list(None).await, ["al", "alice", "alina", "bob", "carol"]);
    assert_eq!(list(Some("AL")).await, ["al", "alice", "alina"]);
    assert_eq!(list(Some("ali")).await, ["alice", "alina"]);
    assert!(list(Some("/")).await.is_empty());
    let page = PageRequest { cursor: Some("nonsense".to_owned()), limit: None };
    assert_eq!(bench.admin().users(&CLI, None, &page).await.map(|_| ()).map_err(code), Err("invalid_field"));
}

/// ADM-8.
#[tokio::test]
async fn a_change_names_its_fields_and_no_change_writes_nothing() {
    let bench = Bench::new();
    let alice = bench.user("alice").await;
    let patch = UserPatch { first_name: Some("Alice".parse().unwrap()), email: Some(None), ..UserPatch::default() };
    let changed = bench.admin().change_user(&CLI, alice.id, patch.clone()).await.unwrap();
    assert_eq!((changed.first_name.as_str(), changed.email.clone()), ("Alice", None));
    assert_eq!(bench.admin().change_user(&CLI, alice.id, patch).await.unwrap(), changed);
    assert_eq!(bench.admin().user(&CLI, alice.id).await.unwrap(), changed);
    let changes: Vec<Event> = bench.audit().await.into_iter().map(|entry| entry.event).collect();
    let fields = vec!["first_name".to_owned(), "email".to_owned()];
    assert_eq!(changes, [Event::UserCreated, Event::UserChanged { fields }]);
}

/// REQ-6, TOK-7.
#[tokio::test]
async fn disabling_a_user_ends_their_open_enrollments_and_their_session() {
    let bench = Bench::new();
    let alice = bench.user("alice").await;
    let issued = bench.start(alice.id, Purpose::Onboarding).await.unwrap();
    let session = bench.begin(&issued.token).await.unwrap();
    bench.fill_in(&session).await;
    let disable = UserPatch { status: Some(UserStatus::Disabled), ..UserPatch::default() };
    bench.admin().change_user(&CLI, alice.id, disable).await.unwrap();
    assert_eq!(bench.look(&issued.token).await, Err("token_revoked"));
    let completed = bench.service.enrollee().complete(&session, CLI.origin).await;
    assert_eq!(completed.map(|_| ()).map_err(code), Err("token_revoked"));
    let closed = bench.enrollments(Standing::Closed).await;
    assert!(matches!(closed[0].progress.stage, Stage::Closed { why: Closure::UserDisabled, .. }));
    assert!(bench.audit().await.iter().any(|entry| entry.event == Event::UserDisabled));
}

/// ADM-7: whoever invited the user may by now be outranked by them.
#[tokio::test]
async fn a_role_that_is_given_or_raised_ends_open_enrollments_and_one_that_falls_does_not() {
    let bench = Bench::new();
    let (_, manager) = bench.administrator("manager", Role::UserManager).await;
    let give_role = async |user, role| {
        let patch = UserPatch { role: Some(role), ..UserPatch::default() };
        bench.admin().change_user(&CLI, user, patch).await.unwrap();
    };

    let alice = bench.user("alice").await;
    let issued = bench.admin().start(&manager, alice.id, manual(Purpose::Onboarding)).await.unwrap();
    let session = bench.begin(&issued.token).await.unwrap();
    bench.fill_in(&session).await;
    give_role(alice.id, Some(Role::Owner)).await;
    assert_eq!(bench.look(&issued.token).await, Err("token_revoked"));
    let completed = bench.service.enrollee().complete(&session, CLI.origin).await;
    assert_eq!(completed.map(|_| ()).map_err(code), Err("token_revoked"));
    assert!(!bench.stored_user(alice.id).await.is_enrolled());

    let bob = bench.user("bob").await;
    bench.enroll(bob.id).await;
    bench.location("office", None).await;
    for (from, to) in [
        (None, Role::HelpDesk),
        (Some(Role::HelpDesk), Role::ApplicationManager),
        (Some(Role::ApplicationManager), Role::UserManager),
    ] {
        give_role(bob.id, from).await;
        let issued = bench.admin().start(&manager, bob.id, manual(Purpose::Device)).await.unwrap();
        give_role(bob.id, Some(to)).await;
        assert_eq!(bench.look(&issued.token).await, Err("token_revoked"), "{from:?} to {to}");
    }
    let issued = bench.admin().start(&manager, bob.id, manual(Purpose::Device)).await.unwrap();
    for lower in [Some(Role::HelpDesk), None] {
        give_role(bob.id, lower).await;
        assert_eq!(bench.look(&issued.token).await, Ok(()), "to {lower:?}");
    }
}

/// ADM-7, DEV-3.
#[tokio::test]
async fn a_device_that_was_staged_goes_with_the_enrollment_that_a_role_ends() {
    let bench = Bench::new();
    bench.location("office", None).await;
    let alice = bench.user("alice").await;
    let issued = bench.start(alice.id, Purpose::Onboarding).await.unwrap();
    let session = bench.begin(&issued.token).await.unwrap();
    bench.add_device(&session, 1).await;
    assert_eq!(bench.admin().devices_of(&CLI, alice.id).await.unwrap().len(), 1);
    let patch = UserPatch { role: Some(Some(Role::HelpDesk)), ..UserPatch::default() };
    bench.admin().change_user(&CLI, alice.id, patch).await.unwrap();
    assert!(bench.admin().devices_of(&CLI, alice.id).await.unwrap().is_empty());
}

/// ADM-7, ADM-8.
#[tokio::test]
async fn a_refusal_is_written_down_with_what_was_asked_for() {
    let bench = Bench::new();
    let (_, desk) = bench.administrator("desk", Role::HelpDesk).await;
    let alice = bench.user("alice").await;
    let patch = UserPatch { groups: Some(groups(&["staff"])), ..UserPatch::default() };
    let refused = bench.admin().change_user(&desk, alice.id, patch).await;
    assert_eq!(refused.map(|_| ()).map_err(code), Err("forbidden"));
    bench.clock.advance(Span::seconds(1).duration());
    let nobody = enrollment_core::id::UserId::from_uuid(uuid::Uuid::from_u128(9));
    assert_eq!(bench.admin().user(&desk, nobody).await.map(|_| ()).map_err(code), Err("not_found"));
    let entry = |operation: &str, code: &str, kind| (operation.to_owned(), code.to_owned(), kind);
    assert_eq!(
        bench.refusals(Actor::User(desk.user.unwrap())).await,
        [entry("change_user", "forbidden", Kind::User), entry("user", "not_found", Kind::Settings)],
    );
}

/// ADM-8, I7.
#[tokio::test]
async fn every_version_of_a_user_and_of_an_enrollment_has_its_audit_entry() {
    let bench = Bench::new();
    let alice = bench.user("alice").await;
    bench.start(alice.id, Purpose::Onboarding).await.unwrap();
    bench.enroll(alice.id).await;
    let by = bench.stored_user(alice.id).await.enrolled.unwrap().by;
    for status in [UserStatus::Disabled, UserStatus::Active] {
        let patch = UserPatch { status: Some(status), ..UserPatch::default() };
        bench.admin().change_user(&CLI, alice.id, patch).await.unwrap();
    }
    let versions = [
        (alice.id.uuid(), bench.record::<User>(alice.id.uuid()).await.unwrap().version),
        (by.uuid(), bench.record::<Enrollment>(by.uuid()).await.unwrap().version),
    ];
    for (subject, last) in versions {
        let entries = bench.all::<AuditEntry>(IndexName::AuditBySubject, &subject.to_string()).await;
        let mut versions: Vec<u64> = entries.iter().map(|entry| entry.subject_version.0).collect();
        versions.dedup();
        assert_eq!(versions, (1..=last.0).collect::<Vec<_>>());
    }
}
