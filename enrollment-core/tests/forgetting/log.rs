//! Pruning the audit log (SYS-8, ADM-8): what is left verifies, and what is missing elsewhere shows.

use enrollment_core::domain::audit::{AuditEntry, Subject};
use enrollment_core::domain::chain::AuditProblem;
use enrollment_core::domain::event::Event;
use enrollment_core::domain::policy::Policy;
use enrollment_core::domain::retention::Retention;
use enrollment_core::id::{AuditId, ChangeId, UserId};
use enrollment_core::port::{Change, Clock, CommitOutcome, Expect, Op, Scan, Store};
use enrollment_core::record::{IndexName, Kind, RowKey, Seal, Stored, Version, new_row};
use enrollment_core::service::administrator::UserPatch;
use enrollment_core::time::Span;
use enrollment_core::worker::Pruner;
use uuid::Uuid;

use crate::world::{CLI, World};

fn a_month() -> Policy {
    let retention = Retention {
        mails: None,
        dead_mails: None,
        enrollments: None,
        audit: Some(Span::days(30)),
        ..Retention::standard()
    };
    Policy { retention, ..Policy::standard() }
}

async fn rename(world: &World, user: UserId, name: &str) {
    let patch = UserPatch { first_name: Some(name.parse().unwrap()), ..UserPatch::default() };
    world.admin().change_user(&CLI, user, patch).await.unwrap();
}

/// Two months of a user who is renamed every five days, and of one who never is; a batch each time.
async fn two_months() -> (World, UserId, UserId) {
    let world = World::under(a_month()).await;
    let (alice, bob) = (world.user("alice", None).await.id, world.user("bob", None).await.id);
    world.work().await;
    for n in 0..12 {
        world.clock.advance(Span::days(5).duration());
        rename(&world, alice, &format!("Alice{n}")).await;
        world.work().await;
    }
    assert_eq!(world.report().await.problem, None);
    (world, alice, bob)
}

async fn entries(world: &World) -> Vec<Stored<AuditEntry>> {
    let page = world.store.scan(&Scan::all(IndexName::AuditChain, "sealed", 1000)).await.unwrap();
    page.rows.iter().map(|row| Stored::read(row).unwrap()).collect()
}

/// Writes past the use cases, as somebody with the database would.
async fn tamper(world: &World, ops: Vec<Op>) {
    let id = ChangeId::from_uuid(Uuid::from_u128(99));
    let change = Change::new(id, world.clock.now(), ops, Vec::new(), Vec::new()).unwrap();
    assert_eq!(world.store.commit(&change).await.unwrap(), CommitOutcome::Applied);
}

/// SYS-8, ADM-8
#[tokio::test]
async fn the_front_of_the_log_goes_and_the_rest_still_verifies() {
    let (world, alice, bob) = two_months().await;
    let all = world.report().await;
    world.prune().await;
    world.work().await;
    let kept = world.report().await;
    assert_eq!((kept.problem, kept.unsealed), (None, 0));
    assert!(kept.pruned > 3 && kept.entries > 3, "{kept:?}");
    assert!(kept.pruned + kept.entries > all.entries, "what was pruned is told of");
    let oldest = world.clock.now().minus(Span::days(30).duration());
    assert!(world.audit().await.iter().all(|entry| entry.at >= oldest));
    // Of bob nothing happened since; that he stands as he was made is still told of.
    let told: Vec<_> = world.audit().await.into_iter().filter(|entry| entry.subject.id == bob.uuid()).collect();
    assert_eq!(
        told.iter().map(|entry| (&entry.event, entry.subject_version)).collect::<Vec<_>>(),
        [(&Event::VersionKept, Version::FIRST)]
    );
    rename(&world, bob, "Bobby").await;
    rename(&world, alice, "Alicia").await;
    world.work().await;
    assert_eq!(world.report().await.problem, None);

    // Everything old at once, several times over.
    for _ in 0..3 {
        world.clock.advance(Span::days(40).duration());
        world.prune().await;
        world.work().await;
        let report = world.report().await;
        assert_eq!((report.problem, report.unsealed), (None, 0));
    }
    rename(&world, bob, "Bob").await;
    world.work().await;
    assert_eq!(world.report().await.problem, None);
}

/// ADM-8: an export of what is left is verified from where it begins, with the public key alone.
#[tokio::test]
async fn an_export_says_where_a_pruned_log_begins() {
    let (world, ..) = two_months().await;
    assert_eq!(world.admin().export_audit(&CLI, 0, 100).await.unwrap().origin, None);
    world.prune().await;
    world.work().await;
    let export = world.admin().export_audit(&CLI, 0, 100).await.unwrap();
    let origin = export.origin.unwrap();
    let key = world.service.ring().audit_public_key(&origin.signature.key).unwrap();
    let verified = |bytes: &[u8], seal: &Seal| {
        enrollment_core::secret::verify_audit_with(&key, bytes, &seal.signature).unwrap();
    };
    verified(&origin.link().pruned_bytes(origin.at), &origin);
    let mut link = origin.link();
    for entry in &export.entries {
        link = link.next(entry);
        assert_eq!(entry.sealed, Some(link));
        for seal in export.seals.iter().filter(|seal| seal.last == link.number) {
            verified(&link.signed_bytes(seal.at), seal);
        }
    }
    assert_eq!(export.next, None);
}

/// ADM-8: pruning is nothing that somebody without the ring could pretend.
#[tokio::test]
async fn what_is_missing_or_altered_behind_a_pruned_front_is_still_named() {
    let (world, ..) = two_months().await;
    world.prune().await;
    world.work().await;
    let kept = entries(&world).await;
    let first = kept[0].record.sealed.unwrap().number;
    tamper(&world, vec![kept[2].delete()]).await;
    assert_eq!(world.report().await.problem, Some(AuditProblem::Missing { number: first + 2 }));

    let (world, ..) = two_months().await;
    world.prune().await;
    world.work().await;
    let kept = entries(&world).await;
    tamper(&world, vec![kept[0].delete()]).await;
    assert_eq!(world.report().await.problem, Some(AuditProblem::Missing { number: first }), "the first one too");

    // The origin is moved to a genuine seal, and what lies before it removed.
    let (world, ..) = two_months().await;
    world.prune().await;
    world.work().await;
    let seals = world.all::<Seal>(IndexName::SealsByNumber, "").await;
    let origin = Stored::<Seal>::read(&world.store.get(&[Seal::ORIGIN]).await.unwrap()[0].clone().unwrap()).unwrap();
    let moved = Seal { id: Seal::ORIGIN.id, ..seals[1].clone() };
    let gone = entries(&world).await.into_iter().filter(|entry| entry.record.sealed.unwrap().number <= moved.last);
    let ops = gone.map(|entry| entry.delete()).chain([origin.put(&moved)]).collect();
    tamper(&world, ops).await;
    assert_eq!(world.report().await.problem, Some(AuditProblem::BadSignature { number: moved.last }));

    // A record changes behind the log's back.
    let (world, _, bob) = two_months().await;
    world.prune().await;
    world.work().await;
    let key = RowKey::new(Kind::User, bob.uuid());
    let mut row = world.store.get(&[key]).await.unwrap()[0].clone().unwrap();
    let expect = Expect::Version(row.version);
    row.version = row.version.next();
    tamper(&world, vec![Op::Put { expect, next: row }]).await;
    let missing = AuditProblem::MissingEntry { subject: Subject::from(key), version: Version(2) };
    assert_eq!(world.report().await.problem, Some(missing));
}

/// ADM-8: nobody passes a change without an entry off as one whose entry was pruned.
#[tokio::test]
async fn a_version_is_kept_only_in_place_of_entries_that_were_pruned() {
    for (pruned, renamed) in [(false, false), (true, false), (true, true)] {
        let (world, alice, bob) = two_months().await;
        if pruned {
            world.prune().await;
            world.work().await;
        }
        let key = RowKey::new(Kind::User, if renamed { alice } else { bob }.uuid());
        let mut row = world.store.get(&[key]).await.unwrap()[0].clone().unwrap();
        let expect = Expect::Version(row.version);
        row.version = row.version.next();
        let (subject, version) = (Subject::from(key), row.version);
        let forged = AuditEntry {
            id: AuditId::from_uuid(Uuid::from_u128(98)),
            subject,
            subject_version: version,
            event: Event::VersionKept,
            sealed: None,
            ..entries(&world).await[0].record.clone()
        };
        tamper(&world, vec![Op::Put { expect, next: row }, new_row(&forged)]).await;
        world.work().await;
        assert_eq!(world.report().await.problem, Some(AuditProblem::MissingEntry { subject, version }), "{pruned}");
    }
}

/// ADM-8: a log that was altered is evidence, and nothing of it is pruned.
#[tokio::test]
async fn an_altered_front_stays() {
    let (world, ..) = two_months().await;
    let first = entries(&world).await.remove(0);
    let forged = AuditEntry { subject_version: Version(7), ..first.record.clone() };
    tamper(&world, vec![first.put(&forged)]).await;
    let pruner = Pruner::new(world.service.clone());
    while pruner.run_once().await.is_ok_and(|removed| removed > 0) {}
    assert!(pruner.run_once().await.is_err());
    assert_eq!(entries(&world).await[0].record.sealed.unwrap().number, 1);
    assert_eq!(world.report().await.problem, Some(AuditProblem::Altered { number: 1 }));
}
