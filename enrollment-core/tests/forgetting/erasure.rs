//! Erasing users (SYS-9).

use std::time::Duration;

use enrollment_core::domain::audit::{Actor, AuditEntry};
use enrollment_core::domain::enrollment::Purpose;
use enrollment_core::domain::event::Event;
use enrollment_core::domain::role::Role;
use enrollment_core::domain::user::UserStatus;
use enrollment_core::id::{ChangeId, UserId};
use enrollment_core::port::{Change, Channel, Clock, CommitOutcome, Expect, LeaseRequest, Op, Scan, Store};
use enrollment_core::record::{IndexName, Stored};
use enrollment_core::secret::{ApiKeySecret, SessionSecret, Token};
use enrollment_core::service::administrator::{NewApiKey, NewUser, UserPatch};
use enrollment_core::service::{Failure, Origin, Principal};
use enrollment_core::time::Span;

use crate::world::{World, code, from, mailed, manual, new_user, public_key, signed_in};

/// What tells of Zoe, as it stands in the records. No two have anything in common.
const TELLS: [&str; 14] = [
    "zoe-username",
    "Zoefirst",
    "Zoelast",
    "zoe.office@example.net",
    "zoe.private@example.org",
    "zoe.second@example.org",
    "+49305550100",
    "+49305550199",
    "zoe-laptop",
    "zoe-phone",
    "zoe-script",
    "198.51.100.77",
    "203.0.113.88",
    "203.0.113.89",
];

/// The life of Zoe: invited by mail that died and by mail that arrived, enrolled, an administrator, in the midst of
/// adding a device.
struct Life {
    world: World,
    boss: Principal,
    zoe: UserId,
    /// The token of her onboarding, which she completed.
    used: Token,
    /// The token of a third device, in the midst of whose enrollment she is. The second one is on its way to the gateway.
    open: Token,
    session: SessionSecret,
    /// The session that completed the second one, and may still read.
    done: SessionSecret,
    key: ApiKeySecret,
    /// The token of somebody whom she invited and who has not come yet.
    carol: Token,
}

async fn life() -> Life {
    let world = World::new().await;
    let boss = world.user("boss", Some(Role::Owner)).await.id;
    let boss = signed_in(boss, Role::Owner, "192.0.2.1");
    world.location().await;
    let new = NewUser {
        first_name: "Zoefirst".parse().unwrap(),
        last_name: "Zoelast".parse().unwrap(),
        email: Some("zoe.office@example.net".parse().unwrap()),
        phone: Some("+49305550100".parse().unwrap()),
        ..new_user("zoe-username")
    };
    let zoe = world.admin().create_user(&boss, new).await.unwrap().0.id;
    world.relay.rejects.lock().unwrap().push("zoe.private@example.org".to_owned());
    world.start(&boss, zoe, mailed(Purpose::Onboarding, Some("zoe.private@example.org"))).await;
    world.work().await;

    let used = world.start(&boss, zoe, mailed(Purpose::Onboarding, None)).await.token;
    world.work().await;
    let home = from("198.51.100.77");
    let session = world.begin(&used, home).await.unwrap();
    let enrollee = world.service.enrollee();
    assert_eq!(code(enrollee.complete(&session, home).await), "requirements_missing");
    world.fill_in(&session, Some("+49305550199"), home).await;
    world.device(&session, "zoe-laptop", 21, home).await;
    enrollee.complete(&session, home).await.unwrap();
    world.work().await;

    let role = UserPatch { role: Some(Some(Role::UserManager)), ..UserPatch::default() };
    world.admin().change_user(&boss, zoe, role).await.unwrap();
    let herself = signed_in(zoe, Role::UserManager, "203.0.113.88");
    let bob = world.user("bob", None).await.id;
    let invited = world.start(&herself, bob, manual(Purpose::Onboarding)).await.token;
    world.complete(&invited, Some(23)).await;
    let new = NewApiKey { name: "zoe-script".parse().unwrap(), role: Role::UserManager, user: Some(zoe) };
    let key = world.admin().create_api_key(&boss, new).await.unwrap().1;
    let script = world.admin().authenticate(&key, from("203.0.113.89")).await.unwrap();
    let carol = world.user("carol", None).await.id;
    let carol = world.start(&script, carol, manual(Purpose::Onboarding)).await.token;
    assert_eq!(code(world.admin().api_keys(&herself).await), "forbidden");
    world.work().await;

    let second = world.start(&boss, zoe, mailed(Purpose::Device, Some("zoe.second@example.org"))).await.token;
    let session = world.begin(&second, home).await.unwrap();
    world.device(&session, "zoe-phone", 22, home).await;
    let done = session;
    let open = world.start(&boss, zoe, manual(Purpose::Device)).await.token;
    let session = world.begin(&open, home).await.unwrap();
    Life { world, boss, zoe, used, open, session, done, key, carol }
}

fn holds(bytes: &[u8], what: &str) -> bool {
    bytes.windows(what.len()).any(|window| window == what.as_bytes())
}

/// SYS-9, ADM-8, INV-7: rows, queue, dead letters, audit log, and what a database leaves in its file.
#[tokio::test]
async fn nothing_tells_of_an_erased_user_and_the_log_still_verifies() {
    let Life { world, boss, zoe, used, carol, .. } = life().await;
    let keys = [21, 22].map(|tag| public_key(tag).to_string());
    let tells = || TELLS.into_iter().chain(keys.iter().map(String::as_str));
    let before = world.bytes();
    for tell in tells() {
        assert!(holds(&before, tell), "the search would not find {tell}");
    }
    let entries = world.audit().await;
    world.admin().erase_user(&boss, zoe).await.unwrap();
    world.work().await;
    world.work_after(Span::minutes(6)).await;

    let report = world.report().await;
    assert_eq!((report.problem, report.unsealed), (None, 0));
    let after = world.audit().await;
    assert!(entries.iter().all(|entry| after.iter().any(|kept| kept.id == entry.id)), "every entry is still there");
    let by_boss = after.iter().filter(|entry| entry.actor == boss.actor);
    assert!(by_boss.clone().count() > 3 && by_boss.clone().all(|entry| entry.details.is_some()), "others keep theirs");
    assert_eq!(world.audited(&Event::ErasureCompleted).await, 1);
    assert_eq!(code(world.begin(&used, Origin::default()).await), "invalid_token", "as one that never was");
    world.complete(&carol, Some(24)).await;

    world.store.close().await;
    let after = world.bytes();
    assert!(holds(&after, "boss@example.com"), "the search would find what is there");
    for tell in tells() {
        assert!(!holds(&after, tell), "{tell} is still in the database");
    }
}

/// SYS-9: what could be done in their name ends with the change itself, before any worker runs.
#[tokio::test]
async fn an_erased_users_links_sessions_keys_and_peers_end_at_once_and_the_name_is_free() {
    let Life { world, boss, zoe, used, open, session, done, key, .. } = life().await;
    let [location] = world.admin().locations(&boss).await.unwrap().try_into().unwrap();
    assert_eq!(world.gateway.peers(location.id).len(), 2, "hers and bob's");
    world.admin().erase_user(&boss, zoe).await.unwrap();

    let enrollee = world.service.enrollee();
    assert_eq!(code(enrollee.look(&open).await), "token_revoked");
    assert_eq!(code(world.begin(&open, Origin::default()).await), "token_revoked");
    assert_eq!(code(enrollee.session(&session, Origin::default()).await), "token_revoked");
    assert_eq!(code(enrollee.complete(&session, Origin::default()).await), "token_revoked");
    assert_eq!(code(enrollee.session(&done, Origin::default()).await), "invalid_session", "not even to read");
    assert_eq!(code(world.admin().authenticate(&key, Origin::default()).await), "unauthorized");
    assert_eq!(code(world.begin(&used, Origin::default()).await), "token_completed");
    assert_eq!(code(world.admin().user(&boss, zoe).await), "not_found");
    assert_eq!(code(world.admin().erase_user(&boss, zoe).await), "not_found");
    let again = world.user("zoe-username", None).await;
    assert_ne!(again.id, zoe);
    world.work().await;
    assert_eq!(code(world.begin(&open, Origin::default()).await), "invalid_token", "as one that never was");
    assert_eq!(code(enrollee.session(&session, Origin::default()).await), "invalid_session");
    let left: Vec<_> = world.gateway.peers(location.id).into_iter().map(|peer| peer.public_key).collect();
    assert_eq!(left, [public_key(23)]);
    world.work_after(Span::minutes(6)).await;
    assert_eq!(world.admin().user(&boss, again.id).await.unwrap(), again, "who has the name now is somebody else");
    let about = world.mails().await.into_iter().filter(|mail| mail.user == Some(zoe)).count();
    assert_eq!(about, 0);
}

/// SYS-4, SYS-9: whoever died with a step in their hands is followed by another.
#[tokio::test]
async fn an_erasure_that_was_cut_off_at_any_step_goes_on() {
    let Life { world, boss, zoe, .. } = life().await;
    world.admin().erase_user(&boss, zoe).await.unwrap();
    let eraser = enrollment_core::worker::Eraser::new(world.service.clone());
    let mut steps = 0;
    for _ in 0..40 {
        // Somebody takes the next step and dies.
        let now = world.clock.now();
        let until = now.plus(Duration::from_secs(60));
        let request = LeaseRequest { channels: vec![Channel::Upkeep], now, until, limit: 1 };
        world.store.lease(&request).await.unwrap();
        world.clock.advance(Duration::from_secs(61));
        steps += eraser.run_once().await.unwrap();
    }
    assert!(steps > 6, "{steps} steps");
    assert_eq!(world.audited(&Event::ErasureCompleted).await, 1);
    let theirs = |actor: &Actor| *actor == Actor::User(zoe);
    assert!(world.audit().await.iter().filter(|entry| theirs(&entry.actor)).all(|entry| entry.details.is_none()));
    assert!(world.mails().await.iter().all(|mail| mail.user != Some(zoe)));
    world.work().await;
    assert_eq!(world.report().await.problem, None);
}

/// SYS-9: an audit entry that cannot be read holds up no erasure.
#[tokio::test]
async fn an_erasure_passes_an_audit_entry_that_cannot_be_read() {
    let Life { world, boss, zoe, .. } = life().await;
    world.work().await;
    let scan = Scan::all(IndexName::AuditByTime, "", 1000);
    let mut row = world.store.scan(&scan).await.unwrap().rows.remove(0);
    let (damaged, version) = (row.key, row.version);
    row.version = version.next();
    row.body.json = "{}".to_owned();
    let op = Op::Put { expect: Expect::Version(version), next: row };
    let change =
        Change::new(ChangeId::from_uuid(damaged.id), world.clock.now(), vec![op], Vec::new(), Vec::new()).unwrap();
    assert_eq!(world.store.commit(&change).await.unwrap(), CommitOutcome::Applied);

    world.admin().erase_user(&boss, zoe).await.unwrap();
    world.work().await;
    world.work_after(Span::minutes(6)).await;
    let page = world.store.scan(&scan).await.unwrap();
    let kept = page.rows.iter().filter(|row| row.key != damaged);
    let entries: Vec<AuditEntry> = kept.map(|row| Stored::read(row).unwrap().record).collect();
    assert_eq!(entries.iter().filter(|entry| entry.event == Event::ErasureCompleted).count(), 1);
    assert!(entries.iter().filter(|entry| entry.actor == Actor::User(zoe)).all(|entry| entry.details.is_none()));
}

/// SYS-9, ADM-7
#[tokio::test]
async fn who_may_erase_whom_and_the_last_owner_stays() {
    let world = World::new().await;
    let boss = world.user("boss", Some(Role::Owner)).await.id;
    let by =
        |role| Principal { actor: Actor::System, role: Some(role), user: None, origin: Origin::default(), epoch: None };
    let attempt = async |role, user| world.admin().erase_user(&by(role), user).await;
    let alice = world.user("alice", None).await.id;
    assert_eq!(code(attempt(Role::HelpDesk, alice).await), "forbidden");
    let manager = world.user("manager", Some(Role::UserManager)).await.id;
    assert_eq!(code(attempt(Role::UserManager, boss).await), "outranked");
    assert_eq!(code(attempt(Role::UserManager, manager).await), "forbidden", "roles are taken by Owners");
    assert_eq!(code(attempt(Role::Owner, boss).await), "last_owner");
    assert_eq!(world.audited(&Event::UserErased).await, 0);
    let refusals = world
        .audit()
        .await
        .into_iter()
        .filter(|entry| matches!(&entry.event, Event::Refused { operation, .. } if operation == "erase_user"));
    assert_eq!(refusals.count(), 4);

    attempt(Role::UserManager, alice).await.unwrap();
    attempt(Role::Owner, manager).await.unwrap();
    let second = world.user("second", Some(Role::Owner)).await.id;
    attempt(Role::Owner, boss).await.unwrap();
    assert_eq!(code(attempt(Role::Owner, second).await), "last_owner");
    let idle = UserPatch { status: Some(UserStatus::Disabled), ..UserPatch::default() };
    assert_eq!(code(world.admin().change_user(&by(Role::Owner), second, idle).await), "last_owner");
}

/// REQ-6, SYS-9: an erasure and a start for the same user: one of them goes first, and nothing is left behind.
#[tokio::test]
async fn nothing_is_started_for_whom_is_being_erased() {
    let world = World::new().await;
    for round in 0..20 {
        let user = world.user(&format!("user{round}"), None).await.id;
        let admin = world.admin();
        let (erased, started) = tokio::join!(
            admin.erase_user(&crate::world::CLI, user),
            admin.start(&crate::world::CLI, user, manual(Purpose::Onboarding)),
        );
        erased.unwrap();
        match started {
            Ok(issued) => assert!(world.begin(&issued.token, Origin::default()).await.is_err(), "its link is dead"),
            Err(Failure::Rejected(rejection)) => assert_eq!(rejection.code(), "not_found"),
            Err(failure) => panic!("{failure}"),
        }
    }
    world.work().await;
    for standing in ["open", "completed", "closed"] {
        let left: Vec<enrollment_core::domain::enrollment::Enrollment> =
            world.all(IndexName::EnrollmentsByCreated, standing).await;
        assert!(left.is_empty(), "{standing}");
    }
}
