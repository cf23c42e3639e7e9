//! What has been kept long enough (SYS-8).

use enrollment_core::domain::device::Device;
use enrollment_core::domain::enrollment::{Enrollment, Purpose};
use enrollment_core::domain::event::Event;
use enrollment_core::domain::policy::Policy;
use enrollment_core::domain::retention::Retention;
use enrollment_core::port::{Clock, Retained, Store};
use enrollment_core::record::{IndexName, RowKey};
use enrollment_core::service::Origin;
use enrollment_core::time::Span;
use enrollment_core::worker::Pruner;

use crate::world::{CLI, World, code, from, mailed, manual};

/// Ids of changes, finished work, mails, dead letters and enrollments, each after a period of its own; nothing else.
fn periods() -> Policy {
    let retention = Retention {
        changes: Span::hours(25),
        work: Span::days(2),
        mails: Some(Span::days(10)),
        dead_mails: Some(Span::days(20)),
        enrollments: Some(Span::days(40)),
        audit: None,
    };
    Policy { retention, ..Policy::standard() }
}

async fn enrollments(world: &World) -> Vec<Enrollment> {
    let mut all = Vec::new();
    for standing in ["open", "completed", "closed"] {
        all.extend(world.all::<Enrollment>(IndexName::EnrollmentsByCreated, standing).await);
    }
    all
}

fn letters(mails: &[enrollment_core::domain::mail::Mail]) -> Vec<(&'static str, &'static str)> {
    let mut letters: Vec<_> = mails.iter().map(|mail| (mail.letter.as_str(), mail.state.as_str())).collect();
    letters.sort_unstable();
    letters
}

/// SYS-8
#[tokio::test]
async fn each_kind_goes_when_its_own_period_is_over_and_not_before() {
    let world = World::under(periods()).await;
    let alice = world.user("alice", None).await.id;
    world.relay.rejects.lock().unwrap().push("gone@example.org".to_owned());
    world.start(&CLI, alice, mailed(Purpose::Onboarding, Some("gone@example.org"))).await;
    world.work().await;
    let token = world.start(&CLI, alice, mailed(Purpose::Onboarding, None)).await.token;
    world.work().await;
    world.complete(&token, None).await;
    world.work().await;
    let all = [("invitation", "dead"), ("invitation", "sent"), ("onboarding_mail", "sent")];
    assert_eq!(letters(&world.mails().await), all);

    let after = |span: Span| {
        world.clock.advance(span.duration());
        world.prune()
    };
    assert_eq!(after(Span::hours(24)).await, 0, "ids of changes are promised for a day");
    assert!(after(Span::hours(2)).await > 0);
    assert!(after(Span::days(2)).await > 0, "the work is done");
    for what in [Retained::Changes, Retained::Settled, Retained::Dead] {
        assert_eq!(world.store.prune(what, world.clock.now(), 10).await.unwrap(), 0, "{what:?}");
    }
    after(Span::days(6)).await;
    assert_eq!(letters(&world.mails().await), all);
    after(Span::days(2)).await;
    assert_eq!(letters(&world.mails().await), all[..2], "an enrollment's latest mail stays with it");
    after(Span::days(10)).await;
    assert_eq!(letters(&world.mails().await), all[..2], "the dead letter is the latest of the first enrollment");
    assert_eq!(enrollments(&world).await.len(), 2);
    after(Span::days(19)).await;
    assert_eq!(code(world.service.enrollee().look(&token).await), "token_completed", "who holds it hears so");
    after(Span::days(2)).await;
    assert_eq!((enrollments(&world).await.len(), world.mails().await.len()), (0, 0));
    assert_eq!(code(world.service.enrollee().look(&token).await), "invalid_token");
    assert!(world.admin().user(&CLI, alice).await.unwrap().enrolled.is_some(), "people stay");
    assert_eq!(world.audited(&Event::Pruned { kind: "enrollments".to_owned(), count: 2 }).await, 2);
    world.work_after(Span::minutes(6)).await;
    assert_eq!((world.prune().await, world.report().await.problem), (0, None));
}

/// SYS-8: what is superseded, revoked or expired goes as well, with the tokens of earlier generations; the devices of
/// what was completed stay in force.
#[tokio::test]
async fn an_enrollment_goes_with_all_its_tokens_and_leaves_people_and_peers() {
    let world = World::under(periods()).await;
    let location = world.location().await;
    let alice = world.user("alice", None).await.id;
    let issued = world.start(&CLI, alice, manual(Purpose::Onboarding)).await;
    let rotated = world.admin().rotate(&CLI, issued.id).await.unwrap();
    let origin = from("198.51.100.7");
    let session = world.begin(&rotated.token, origin).await.unwrap();
    world.fill_in(&session, None, origin).await;
    world.device(&session, "laptop", 31, origin).await;
    world.service.enrollee().complete(&session, origin).await.unwrap();
    let bob = world.user("bob", None).await.id;
    let expired = world.start(&CLI, bob, manual(Purpose::Onboarding)).await.token;
    let held = world.begin(&expired, origin).await.unwrap();
    world.device(&held, "phone", 32, origin).await;
    world.clock.advance(Span::days(42).duration());
    world.prune().await;
    assert_eq!(enrollments(&world).await.len(), 1, "what still reserves addresses waits for the sweeper");
    world.work().await;
    world.prune().await;
    assert_eq!(enrollments(&world).await.len(), 0);
    for token in [&issued.token, &rotated.token, &expired] {
        assert_eq!(code(world.begin(token, Origin::default()).await), "invalid_token");
    }
    let devices: Vec<Device> = world.all(IndexName::DevicesByOwner, &alice.to_string()).await;
    assert_eq!((devices.len(), world.gateway.peers(location).len()), (1, 1));
    assert!(world.admin().user(&CLI, bob).await.unwrap().enrolled.is_none());
    world.start(&CLI, bob, manual(Purpose::Onboarding)).await;

    // With an enrollment goes where its holders came from: nobody could be asked to forget it later.
    assert!(world.audit().await.iter().any(|entry| entry.details.as_ref().is_some_and(|d| d.source == origin.source)));
    world.work_after(Span::minutes(6)).await;
    assert!(world.audit().await.iter().all(|entry| entry.details.as_ref().is_none_or(|d| d.source != origin.source)));
    assert_eq!(world.report().await.problem, None);
}

/// SYS-8: a batch at a time, by any number of processes.
#[tokio::test]
async fn pruning_goes_in_bounded_batches_and_two_who_meet_do_no_harm() {
    let world = World::under(periods()).await;
    for n in 0..40 {
        let user = world.user(&format!("user{n}"), None).await.id;
        world.start(&CLI, user, manual(Purpose::Onboarding)).await;
    }
    world.clock.advance(Span::days(42).duration());
    let (one, other) = (Pruner::new(world.service.clone()), Pruner::new(world.service.clone()));
    let mut left = 40;
    while left > 0 {
        let (first, second) = tokio::join!(one.run_once(), other.run_once());
        assert!(first.unwrap() + second.unwrap() > 0, "one of two always goes on");
        let now = enrollments(&world).await.len();
        assert!(left - now <= 32, "{left} to {now}");
        left = now;
    }
    assert_eq!(world.prune().await, 0);
}

/// SYS-8: whoever is renewed at that instant stays.
#[tokio::test]
async fn what_cannot_be_read_or_was_renewed_stays_and_holds_up_nothing() {
    let world = World::under(periods()).await;
    let mut ids = Vec::new();
    for n in 0..20 {
        let user = world.user(&format!("user{n}"), None).await.id;
        ids.push(world.start(&CLI, user, manual(Purpose::Onboarding)).await.id);
    }
    for id in &ids[..16] {
        let key = RowKey::new(enrollment_core::record::Kind::Enrollment, id.uuid());
        let mut row = world.store.get(&[key]).await.unwrap().pop().flatten().unwrap();
        let version = row.version;
        row.version = version.next();
        row.body.json = "{}".to_owned();
        let op = enrollment_core::port::Op::Put { expect: enrollment_core::port::Expect::Version(version), next: row };
        let change = enrollment_core::id::ChangeId::from_uuid(id.uuid());
        let change =
            enrollment_core::port::Change::new(change, world.clock.now(), vec![op], Vec::new(), Vec::new()).unwrap();
        let _applied = world.store.commit(&change).await.unwrap();
    }
    world.clock.advance(Span::days(41).duration());
    world.admin().rotate(&CLI, ids[19]).await.unwrap();
    world.clock.advance(Span::days(1).duration());
    world.prune().await;
    let page = enrollment_core::port::Scan::all(IndexName::EnrollmentsByCreated, "open", 100);
    let left: Vec<_> = world.store.scan(&page).await.unwrap().rows.iter().map(|row| row.key.id).collect();
    let mut expected: Vec<_> = ids[..16].iter().chain([&ids[19]]).map(|id| id.uuid()).collect();
    expected.sort();
    assert_eq!(
        {
            let mut left = left;
            left.sort();
            left
        },
        expected
    );
}
