//! What happens when somebody else comes first.

use std::sync::Arc;

use enrollment_core::domain::attachment::{Attachment, PeerState};
use enrollment_core::domain::enrollment::Purpose;
use enrollment_core::domain::role::Role;
use enrollment_core::domain::user::UserStatus;
use enrollment_core::record::IndexName;
use enrollment_core::secret::SessionSecret;
use enrollment_core::service::administrator::{FirstOwner, NewApiKey, UserPatch};
use enrollment_core::service::enrollee::{DeviceKey, DeviceRequest};
use enrollment_core::service::{Principal, Service};
use enrollment_testkit::fake::RacedStore;

use crate::bench::{Bench, CLI, code, groups, manual, new_user, public_key};

fn disabled() -> UserPatch {
    UserPatch { status: Some(UserStatus::Disabled), ..UserPatch::default() }
}

/// INV-5.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_parallel_starts_one_enrollment_is_left_open() {
    let bench = Bench::new();
    let alice = bench.user("alice").await;
    let starts: Vec<_> = (0..8)
        .map(|_| {
            let service = bench.service.clone();
            tokio::spawn(
                async move { service.administrator().start(&CLI, alice.id, manual(Purpose::Onboarding)).await },
            )
        })
        .collect();
    let mut all = Vec::new();
    for start in starts {
        all.push(start.await.unwrap().unwrap());
    }
    let mut alive = Vec::new();
    for issued in &all {
        match bench.look(&issued.token).await {
            Ok(()) => alive.push(issued.id),
            Err(code) => assert_eq!(code, "token_superseded"),
        }
    }
    let open: Vec<_> = bench.open_enrollments().await.into_iter().map(|enrollment| enrollment.id).collect();
    assert_eq!(open.len(), 1);
    assert_eq!(alive, open);
}

/// INV-5.
#[tokio::test]
async fn a_start_that_meets_another_takes_its_place() {
    let bench = Bench::new();
    let alice = bench.user("alice").await;
    let service = bench.raced(|rival| async move {
        rival.administrator().start(&CLI, alice.id, manual(Purpose::Onboarding)).await.unwrap();
    });
    let issued = service.administrator().start(&CLI, alice.id, manual(Purpose::Onboarding)).await.unwrap();
    let open: Vec<_> = bench.open_enrollments().await.into_iter().map(|enrollment| enrollment.id).collect();
    assert_eq!(open, [issued.id]);
}

/// INV-6, REQ-6.
#[tokio::test]
async fn whoever_is_disabled_during_a_start_gets_no_enrollment() {
    let bench = Bench::new();
    let alice = bench.user("alice").await;
    let service = bench.raced(|rival| async move {
        rival.administrator().change_user(&CLI, alice.id, disabled()).await.unwrap();
    });
    let refused = service.administrator().start(&CLI, alice.id, manual(Purpose::Onboarding)).await;
    assert_eq!(refused.map(|_| ()).map_err(code), Err("user_disabled"));
    assert!(bench.open_enrollments().await.is_empty());
}

/// REQ-6.
#[tokio::test]
async fn an_enrollment_started_while_the_user_is_disabled_opens_nothing() {
    let bench = Bench::new();
    let alice = bench.user("alice").await;
    let service = bench.raced(|rival| async move {
        rival.administrator().start(&CLI, alice.id, manual(Purpose::Onboarding)).await.unwrap();
    });
    service.administrator().change_user(&CLI, alice.id, disabled()).await.unwrap();
    assert!(bench.open_enrollments().await.is_empty());
}

/// DEV-7.
#[tokio::test]
async fn a_device_that_comes_while_its_owner_leaves_the_group_is_no_peer() {
    let bench = Bench::new();
    let alice = bench.user("alice").await;
    bench.enroll(alice.id).await;
    bench.location("staff only", Some("staff")).await;
    let member_of = |names: &[&str]| UserPatch { groups: Some(groups(names)), ..UserPatch::default() };
    bench.admin().change_user(&CLI, alice.id, member_of(&["staff"])).await.unwrap();
    let issued = bench.start(alice.id, Purpose::Device).await.unwrap();
    let session = bench.begin(&issued.token).await.unwrap();
    let service = bench.raced(|rival| async move {
        let key = DeviceKey::Given(public_key(1));
        let request = DeviceRequest { name: "laptop".parse().unwrap(), key };
        rival.enrollee().set_device(&session, &request, CLI.origin).await.unwrap();
    });
    service.administrator().change_user(&CLI, alice.id, member_of(&[])).await.unwrap();
    let device = bench.admin().devices_of(&CLI, alice.id).await.unwrap().remove(0);
    let attachments = bench.all::<Attachment>(IndexName::AttachmentsByDevice, &device.device.id.to_string()).await;
    assert_eq!(attachments[0].state, PeerState::Removing);
}

/// REQ-5, REQ-6.
#[tokio::test]
async fn whoever_is_disabled_during_completion_stays_disabled_and_unenrolled() {
    let bench = Bench::new();
    let alice = bench.user("alice").await;
    let issued = bench.start(alice.id, Purpose::Onboarding).await.unwrap();
    let session = bench.begin(&issued.token).await.unwrap();
    bench.fill_in(&session).await;
    let service = bench.raced(|rival| async move {
        rival.administrator().change_user(&CLI, alice.id, disabled()).await.unwrap();
    });
    let completed = service.enrollee().complete(&session, CLI.origin).await;
    assert_eq!(completed.map(|_| ()).map_err(code), Err("token_revoked"));
    let user = bench.stored_user(alice.id).await;
    assert!(!user.is_active() && !user.is_enrolled() && user.credentials.password.is_none());
}

async fn guess(service: &Service, session: &SessionSecret) {
    let refused = service.enrollee().confirm_totp(session, "000000", CLI.origin).await;
    assert_eq!(refused.map(|_| ()).map_err(code), Err("wrong_code"));
}

/// MFA-4.
#[tokio::test]
async fn two_wrong_codes_at_the_same_instant_are_two_attempts() {
    let bench = Bench::new();
    let alice = bench.user("alice").await;
    let issued = bench.start(alice.id, Purpose::Onboarding).await.unwrap();
    let session = bench.begin(&issued.token).await.unwrap();
    bench.service.enrollee().offer_totp(&session, CLI.origin).await.unwrap();
    let same = SessionSecret::parse(session.expose()).unwrap();
    let service = bench.raced(move |rival| async move { guess(&rival, &same).await });
    guess(&service, &session).await;
    assert_eq!(bench.stored_enrollment(issued.id).await.wrong_codes, 2);
}

/// ADM-7.
#[tokio::test]
async fn two_owners_who_disable_each_other_leave_one() {
    let bench = Bench::new();
    let (one, _) = bench.administrator("one", Role::Owner).await;
    let (two, _) = bench.administrator("two", Role::Owner).await;
    let service = bench.raced(|rival| async move {
        rival.administrator().change_user(&CLI, one.id, disabled()).await.unwrap();
    });
    let refused = service.administrator().change_user(&CLI, two.id, disabled()).await;
    assert_eq!(refused.map(|_| ()).map_err(code), Err("last_owner"));
    assert!(bench.stored_user(two.id).await.is_active());
}

/// ADM-11.
#[tokio::test]
async fn two_processes_that_start_at_once_make_one_owner_and_show_one_link() {
    let bench = Bench::new();
    let service = bench.raced(|rival| async move {
        rival.administrator().owner_link(&CLI, FirstOwner::default()).await.unwrap().issued().unwrap();
    });
    let late = service.administrator().owner_link(&CLI, FirstOwner::default()).await.unwrap().issued().unwrap();
    let shown = bench.admin().owner_link(&CLI, FirstOwner::default()).await.unwrap().issued().unwrap();
    assert_eq!(late.token.expose(), shown.token.expose());
    assert_eq!(bench.open_enrollments().await.len(), 1);
    let users = bench.admin().users(&CLI, None, &Default::default()).await.unwrap().items;
    assert_eq!(users.iter().map(|user| user.username.as_str()).collect::<Vec<_>>(), ["owner"]);
}

/// ADM-11: at whichever step the other process is faster, also for the command, which names whom it wants.
#[tokio::test]
async fn a_first_owner_whom_two_processes_make_step_by_step_is_one() {
    for named in [None, Some("owner".parse().unwrap())] {
        for calls in 0.. {
            let bench = Bench::new();
            let rival = bench.service.clone();
            let raced = Arc::new(RacedStore::after(bench.store.clone(), calls, async move {
                rival.administrator().owner_link(&CLI, FirstOwner::default()).await.unwrap().issued().unwrap();
            }));
            let service = bench.through(raced.clone());
            let first = FirstOwner { username: named.clone(), email: None };
            let late = service.administrator().owner_link(&CLI, first).await.unwrap().issued().unwrap();
            let shown = bench.admin().owner_link(&CLI, FirstOwner::default()).await.unwrap().issued().unwrap();
            assert_eq!(late.token.expose(), shown.token.expose(), "after {calls} calls");
            let users = bench.admin().users(&CLI, None, &Default::default()).await.unwrap().items;
            assert_eq!(users.len(), 1, "after {calls} calls");
            if !raced.was_raced() {
                assert!(calls >= 4, "it makes more calls than {calls}");
                break;
            }
        }
    }
}

/// AUTH-4, ADM-7: whoever is disabled, gets another role or loses their key while their request is under way changes
/// nothing any more, at whichever step it happens.
#[tokio::test]
async fn whoever_is_shown_out_meanwhile_changes_nothing() {
    let demoted = || UserPatch { role: Some(Some(Role::UserManager)), ..UserPatch::default() };
    for end in [End::User(disabled()), End::User(demoted()), End::Key] {
        for calls in 0.. {
            let bench = Bench::new();
            let (anna, by) = bench.administrator("anna", Role::Administrator).await;
            let new_key = NewApiKey { name: "deploy".parse().unwrap(), role: Role::Administrator, user: Some(anna.id) };
            let (key, secret) = bench.admin().create_api_key(&CLI, new_key).await.unwrap();
            let by = match &end {
                End::User(_) => Principal { epoch: Some(0), ..by },
                End::Key => bench.admin().authenticate(&secret, by.origin).await.unwrap(),
            };
            let (rival, patch) = (bench.service.clone(), end.clone());
            let raced = Arc::new(RacedStore::after(bench.store.clone(), calls, async move {
                let admin = rival.administrator();
                match patch {
                    End::User(patch) => admin.change_user(&CLI, anna.id, patch).await.map(drop).unwrap(),
                    End::Key => admin.revoke_api_key(&CLI, key.id).await.unwrap(),
                }
            }));
            let service = bench.through(raced.clone());
            let done = service.administrator().create_user(&by, new_user("late")).await;
            if !raced.was_raced() {
                done.unwrap();
                assert!(calls >= 3, "it makes more calls than {calls}");
                break;
            }
            let refused = if matches!(end, End::Key) { "unauthorized" } else { "not_signed_in" };
            assert_eq!(done.map(|_| ()).map_err(code), Err(refused), "after {calls} calls");
        }
    }
}

/// AUTH-4: who is shown out in the middle of many changes hears so, and not that all the rest was skipped.
#[tokio::test]
async fn whoever_is_shown_out_in_the_middle_of_a_resend_hears_it() {
    for calls in 0.. {
        let bench = Bench::new();
        let (anna, by) = bench.administrator("anna", Role::Administrator).await;
        let by = Principal { epoch: Some(0), ..by };
        let mailing = bench.with_mail();
        for name in ["bob", "carla", "dora"] {
            let user = bench.user(name).await;
            mailing.administrator().start(&CLI, user.id, manual(Purpose::Onboarding)).await.unwrap();
        }
        let rival = bench.service.clone();
        let raced = Arc::new(RacedStore::after(bench.store.clone(), calls, async move {
            rival.administrator().change_user(&CLI, anna.id, disabled()).await.map(drop).unwrap();
        }));
        let service = bench.mailing_through(raced.clone());
        let all = service.administrator().resend_all(&by).await;
        if !raced.was_raced() {
            assert_eq!(all.unwrap().sent, 3);
            assert!(calls >= 9, "it makes more calls than {calls}");
            break;
        }
        // After the last change there was nothing left to refuse.
        match all {
            Ok(all) => assert_eq!((all.sent, all.skipped.len()), (3, 0), "after {calls} calls"),
            Err(failure) => assert_eq!(code(failure), "not_signed_in", "after {calls} calls"),
        }
    }
}

#[derive(Clone)]
enum End {
    User(UserPatch),
    Key,
}
