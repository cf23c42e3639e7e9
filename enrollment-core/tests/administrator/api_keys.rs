use enrollment_core::domain::audit::Actor;
use enrollment_core::domain::enrollment::Purpose;
use enrollment_core::domain::role::Role;
use enrollment_core::domain::user::UserStatus;
use enrollment_core::id::UserId;
use enrollment_core::record::Kind;
use enrollment_core::secret::ApiKeySecret;
use enrollment_core::service::administrator::{ApiKeyView, NewApiKey, UserPatch};
use enrollment_core::service::{Failure, Origin, Principal};

use crate::bench::{Bench, CLI, code, manual};

fn key(role: Role, user: Option<UserId>) -> NewApiKey {
    NewApiKey { name: "script".parse().unwrap(), role, user }
}

async fn make(bench: &Bench, role: Role, user: Option<UserId>) -> (ApiKeyView, ApiKeySecret) {
    bench.admin().create_api_key(&CLI, key(role, user)).await.unwrap()
}

async fn authenticate(bench: &Bench, secret: &ApiKeySecret) -> Result<Principal, Failure> {
    bench.admin().authenticate(secret, Origin::default()).await
}

/// INV-7.
#[tokio::test]
async fn a_key_acts_with_its_role_and_for_its_user() {
    let bench = Bench::new();
    let (manager, _) = bench.administrator("manager", Role::UserManager).await;
    let (view, secret) = make(&bench, Role::UserManager, Some(manager.id)).await;
    let by = authenticate(&bench, &secret).await.unwrap();
    assert_eq!((by.actor, by.role, by.user), (Actor::ApiKey(view.id), Some(Role::UserManager), Some(manager.id)));
    let alice = bench.user("alice").await;
    let issued = bench.admin().start(&by, alice.id, manual(Purpose::Onboarding)).await.unwrap();
    assert_eq!(bench.admin().enrollment(&by, issued.id).await.unwrap().initiator, Some(manager.id));
    assert_eq!(bench.admin().api_keys(&CLI).await.unwrap(), [view]);
}

/// ADM-8.
#[tokio::test]
async fn unknown_revoked_and_orphaned_keys_are_refused_alike() {
    let bench = Bench::new();
    let (manager, _) = bench.administrator("manager", Role::UserManager).await;
    let unknown = ApiKeySecret::random(bench.entropy());
    let (revoked, revoked_secret) = make(&bench, Role::Owner, None).await;
    let (orphaned, orphaned_secret) = make(&bench, Role::HelpDesk, Some(manager.id)).await;
    for _ in 0..2 {
        bench.admin().revoke_api_key(&CLI, revoked.id).await.unwrap();
    }
    let disable = UserPatch { status: Some(UserStatus::Disabled), ..UserPatch::default() };
    bench.admin().change_user(&CLI, manager.id, disable).await.unwrap();
    for secret in [&unknown, &revoked_secret, &orphaned_secret] {
        let refused = authenticate(&bench, secret).await;
        assert_eq!(refused.map(|_| ()).map_err(code), Err("unauthorized"));
    }
    for known in [revoked.id, orphaned.id] {
        let expected = ("authenticate".to_owned(), "unauthorized".to_owned(), Kind::ApiKey);
        assert_eq!(bench.refusals(Actor::ApiKey(known)).await, [expected]);
    }
}

/// ADM-7.
#[tokio::test]
async fn a_key_never_may_more_than_its_user() {
    let bench = Bench::new();
    let (admin, _) = bench.administrator("admin", Role::Administrator).await;
    let alice = bench.user("alice").await;
    let refused = [(admin.id, Role::Owner), (alice.id, Role::HelpDesk)];
    for (user, role) in refused {
        let refused = bench.admin().create_api_key(&CLI, key(role, Some(user))).await;
        assert_eq!(refused.map(|_| ()).map_err(code), Err("invalid_field"));
    }
    bench.administrator("boss", Role::Owner).await;
    let (_, secret) = make(&bench, Role::Administrator, Some(admin.id)).await;
    let now_be = async |role| {
        let patch = UserPatch { role: Some(role), ..UserPatch::default() };
        bench.admin().change_user(&CLI, admin.id, patch).await.unwrap();
        authenticate(&bench, &secret).await.map(|by| by.role).map_err(code)
    };
    assert_eq!(now_be(Some(Role::HelpDesk)).await, Ok(Some(Role::HelpDesk)));
    assert_eq!(now_be(Some(Role::Owner)).await, Ok(Some(Role::Administrator)));
    assert_eq!(now_be(None).await, Err("unauthorized"));
}

/// ADM-7.
#[tokio::test]
async fn no_key_is_made_for_whom_it_would_outrank_or_for_the_disabled() {
    let bench = Bench::new();
    let (admin, by) = bench.administrator("admin", Role::Administrator).await;
    let refused = bench.admin().create_api_key(&by, key(Role::HelpDesk, None)).await;
    assert_eq!(refused.map(|_| ()).map_err(code), Err("forbidden"));
    let disable = UserPatch { status: Some(UserStatus::Disabled), ..UserPatch::default() };
    bench.admin().change_user(&CLI, admin.id, disable).await.unwrap();
    let refused = bench.admin().create_api_key(&CLI, key(Role::HelpDesk, Some(admin.id))).await;
    assert_eq!(refused.map(|_| ()).map_err(code), Err("user_disabled"));
    assert!(bench.admin().api_keys(&CLI).await.unwrap().is_empty());
}
