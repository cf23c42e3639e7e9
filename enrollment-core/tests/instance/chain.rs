//! Somebody with the database, but without the ring, changes the past.

use enrollment_core::domain::audit::{Actor, AuditEntry, Link, Subject};
use enrollment_core::domain::chain::AuditProblem;
use enrollment_core::domain::role::Role;
use enrollment_core::domain::settings::Settings;
use enrollment_core::port::{Op, Scan};
use enrollment_core::record::{IndexName, Seal, Stored, Version, new_row};
use enrollment_core::service::AuditReport;
use enrollment_core::service::administrator::SettingsPatch;
use enrollment_core::worker::Sealer;

use super::audit::change_settings;
use super::bed::{Bed, owner, refused, somebody};

/// Nine entries in three batches, number n telling of version n of the settings.
async fn nine() -> Bed {
    let bed = Bed::new();
    for _ in 0..3 {
        change_settings(&bed, 3).await;
        assert_eq!(bed.seal().await, 3);
    }
    assert_eq!(report(&bed).await.problem, None);
    bed
}

async fn report(bed: &Bed) -> AuditReport {
    bed.service.administrator().verify_audit(&owner()).await.expect("a report")
}

async fn entry(bed: &Bed, number: i64) -> Stored<AuditEntry> {
    let entries = bed.entries().await;
    entries.into_iter().find(|stored| stored.record.sealed.is_some_and(|link| link.number == number)).expect("sealed")
}

async fn seals(bed: &Bed) -> Vec<Stored<Seal>> {
    let page = bed.store.scan(&Scan::all(IndexName::SealsByNumber, "", 1000)).await.expect("a page");
    page.rows.iter().map(|row| Stored::read(row).expect("a seal")).collect()
}

/// The entry with somebody else as its actor.
fn forged(entry: &AuditEntry) -> AuditEntry {
    AuditEntry { actor: Actor::System, ..entry.clone() }
}

/// Computes the chain anew from the first of `entries` on, as far as that is possible without the ring.
fn chained_anew(before: Link, entries: &[Stored<AuditEntry>], alter: impl Fn(&AuditEntry) -> AuditEntry) -> Vec<Op> {
    let mut link = before;
    let relink = |stored: &Stored<AuditEntry>| {
        let altered = alter(&stored.record);
        link = link.next(&altered);
        stored.put(&AuditEntry { sealed: Some(link), ..altered })
    };
    entries.iter().map(relink).collect()
}

/// ADM-8
#[tokio::test]
async fn an_untouched_log_verifies_and_what_waits_for_its_seal_is_counted() {
    let empty = report(&Bed::new()).await;
    assert_eq!((empty.entries, empty.chain, empty.problem), (0, Link::START.chain, None));
    let bed = nine().await;
    change_settings(&bed, 2).await;
    let report = report(&bed).await;
    assert_eq!((report.entries, report.unsealed, report.problem), (9, 2, None));
    assert_eq!(Some(report.chain), entry(&bed, 9).await.record.sealed.map(|link| link.chain));
}

/// ADM-8
#[tokio::test]
async fn the_first_altered_entry_is_named() {
    for number in [1, 5, 9] {
        let bed = nine().await;
        let entry = entry(&bed, number).await;
        bed.tamper(vec![entry.put(&forged(&entry.record))]).await;
        let report = report(&bed).await;
        assert_eq!(report.problem, Some(AuditProblem::Altered { number }));
        assert_eq!(report.entries, number.unsigned_abs() - 1, "those before it are right");
    }
}

/// ADM-8: the chain covers the details by their digest.
#[tokio::test]
async fn altered_details_are_an_altered_entry() {
    let bed = nine().await;
    let (entry, other) = (entry(&bed, 5).await, entry(&bed, 6).await.record);
    bed.tamper(vec![entry.put(&AuditEntry { details: other.details, ..entry.record.clone() })]).await;
    assert_eq!(report(&bed).await.problem, Some(AuditProblem::Altered { number: 5 }));
}

/// ADM-8
#[tokio::test]
async fn the_first_missing_entry_is_named() {
    for number in [1, 5, 8] {
        let bed = nine().await;
        bed.tamper(vec![entry(&bed, number).await.delete()]).await;
        assert_eq!(report(&bed).await.problem, Some(AuditProblem::Missing { number }));
    }
}

/// ADM-8: whether contents change places, or numbers, or whole places.
#[tokio::test]
async fn the_first_reordered_entry_is_named() {
    let swap_contents: fn(&mut AuditEntry, &mut AuditEntry) = |one, other| {
        let (first, second) = (one.clone(), other.clone());
        *one = AuditEntry { id: one.id, sealed: one.sealed, ..second };
        *other = AuditEntry { id: other.id, sealed: other.sealed, ..first };
    };
    let swap_places: fn(&mut AuditEntry, &mut AuditEntry) =
        |one, other| std::mem::swap(&mut one.sealed, &mut other.sealed);
    let swap_numbers: fn(&mut AuditEntry, &mut AuditEntry) = |one, other| {
        let (first, second) = (one.sealed.as_mut().expect("a link"), other.sealed.as_mut().expect("a link"));
        std::mem::swap(&mut first.number, &mut second.number);
    };
    for (swap, expected) in [
        // An entry's id is part of what was sealed: contents under other ids are other entries.
        (swap_contents, AuditProblem::Altered { number: 4 }),
        (swap_places, AuditProblem::Reordered { number: 4 }),
        (swap_numbers, AuditProblem::Reordered { number: 4 }),
    ] {
        let bed = nine().await;
        let (one, other) = (entry(&bed, 4).await, entry(&bed, 7).await);
        let (mut first, mut second) = (one.record.clone(), other.record.clone());
        swap(&mut first, &mut second);
        bed.tamper(vec![one.put(&first), other.put(&second)]).await;
        assert_eq!(report(&bed).await.problem, Some(expected));
    }
}

/// ADM-8
#[tokio::test]
async fn a_log_that_was_cut_off_is_told_from_one_that_ends() {
    let bed = nine().await;
    bed.tamper(vec![entry(&bed, 9).await.delete(), entry(&bed, 8).await.delete()]).await;
    assert_eq!(report(&bed).await.problem, Some(AuditProblem::Truncated { number: 8 }));
}

/// ADM-8: the head set back to an earlier, genuine seal, while later seals are still there.
#[tokio::test]
async fn a_head_that_was_set_back_is_noticed_by_the_seals_behind_it() {
    let bed = nine().await;
    let earlier = seals(&bed).await.remove(1).record;
    let mut ops = vec![bed.read::<Seal>(Seal::HEAD.id).await.put(&Seal { id: Seal::HEAD.id, ..earlier })];
    for number in 7..=9 {
        ops.push(entry(&bed, number).await.delete());
    }
    bed.tamper(ops).await;
    assert_eq!(report(&bed).await.problem, Some(AuditProblem::Truncated { number: 7 }));
}

/// ADM-8: rolled back with seals and head, the log is one that was genuine once. The records tell.
#[tokio::test]
async fn a_log_that_was_rolled_back_whole_is_noticed_by_the_records_changed_since() {
    let bed = nine().await;
    let seals = seals(&bed).await;
    let head = bed.read::<Seal>(Seal::HEAD.id).await;
    let mut ops = vec![head.put(&Seal { id: Seal::HEAD.id, ..seals[1].record.clone() }), seals[2].delete()];
    for number in 7..=9 {
        ops.push(entry(&bed, number).await.delete());
    }
    bed.tamper(ops).await;
    let subject = Subject::from(Settings::KEY);
    assert_eq!(report(&bed).await.problem, Some(AuditProblem::MissingEntry { subject, version: Version(9) }));
}

/// ADM-8: the chain can be computed anew by everybody, the signature by nobody.
#[tokio::test]
async fn a_chain_computed_anew_does_not_carry_the_signature() {
    let bed = nine().await;
    let before = entry(&bed, 4).await.record.sealed.expect("a link");
    let rest = bed.entries().await.split_off(4);
    bed.tamper(chained_anew(before, &rest, forged)).await;
    assert_eq!(report(&bed).await.problem, Some(AuditProblem::BadSignature { number: 6 }));

    // Nor with seals that say what the chain says now, nor without those in between.
    let mut ops = Vec::new();
    for seal in seals(&bed).await.split_off(1) {
        ops.push(seal.delete());
    }
    let head = bed.read::<Seal>(Seal::HEAD.id).await;
    let chain = entry(&bed, 9).await.record.sealed.expect("a link").chain;
    ops.push(head.put(&Seal { chain, ..head.record.clone() }));
    bed.tamper(ops).await;
    assert_eq!(report(&bed).await.problem, Some(AuditProblem::BadSignature { number: 9 }));
}

/// ADM-8
#[tokio::test]
async fn an_entry_put_behind_the_signed_ones_is_noticed_and_stops_the_sealer() {
    let bed = nine().await;
    change_settings(&bed, 1).await;
    let waiting = bed.entries().await.pop().expect("an entry");
    let last = entry(&bed, 9).await.record.sealed.expect("a link");
    bed.tamper(chained_anew(last, &[waiting], AuditEntry::clone)).await;
    assert_eq!(report(&bed).await.problem, Some(AuditProblem::BadSignature { number: 10 }));
    change_settings(&bed, 1).await;
    let stopped = Sealer::new(bed.service.clone()).run_once().await;
    assert!(stopped.is_err(), "{stopped:?}");
}

/// ADM-8: the sealer signs nothing that follows what it has not signed.
#[tokio::test]
async fn a_forged_head_stops_the_sealer() {
    let bed = nine().await;
    let head = bed.read::<Seal>(Seal::HEAD.id).await;
    bed.tamper(vec![head.put(&Seal { last: i64::MAX, ..head.record.clone() })]).await;
    change_settings(&bed, 1).await;
    let stopped = Sealer::new(bed.service.clone()).run_once().await;
    assert!(stopped.is_err(), "{stopped:?}");
    assert_eq!(report(&bed).await.problem, Some(AuditProblem::Truncated { number: 10 }));
}

/// ADM-8: an entry that disappears before it is sealed leaves no gap in the chain, but one in its subject's versions.
#[tokio::test]
async fn an_entry_that_was_never_sealed_is_missed_by_its_subjects_versions() {
    let bed = Bed::new();
    change_settings(&bed, 3).await;
    let entries = bed.entries().await;
    bed.tamper(vec![entries[1].delete()]).await;
    bed.seal().await;
    let subject = Subject::from(Settings::KEY);
    assert_eq!(report(&bed).await.problem, Some(AuditProblem::MissingEntry { subject, version: Version(2) }));
}

/// A refusal names a version too, and is no substitute for the entry that tells of it.
#[tokio::test]
async fn refusals_do_not_stand_in_for_changes() {
    let bed = Bed::new();
    change_settings(&bed, 2).await;
    let refusal =
        bed.service.administrator().change_settings(&somebody(Role::HelpDesk), SettingsPatch::default()).await;
    assert_eq!(refused(refusal).code(), "forbidden");
    let change = bed.entries().await.into_iter().find(|stored| stored.record.subject_version == Version(2));
    let refused = bed.entries().await.pop().expect("an entry").record;
    assert_eq!((refused.subject_version, refused.event.is_change()), (Version(2), false));
    bed.tamper(vec![change.expect("an entry").delete()]).await;
    bed.seal().await;
    let subject = Subject::from(Settings::KEY);
    assert_eq!(report(&bed).await.problem, Some(AuditProblem::MissingEntry { subject, version: Version(2) }));
}

/// A record that was written past the use cases.
#[tokio::test]
async fn a_record_that_was_changed_without_an_entry_is_named() {
    let bed = nine().await;
    let settings = bed.read::<Settings>(Settings::KEY.id).await;
    bed.tamper(vec![settings.put(&Settings { max_sessions: 9, ..settings.record.clone() })]).await;
    let subject = Subject::from(Settings::KEY);
    assert_eq!(report(&bed).await.problem, Some(AuditProblem::MissingEntry { subject, version: Version(10) }));
}

/// ADM-8
#[tokio::test]
async fn personal_details_can_be_erased_and_the_log_still_verifies() {
    let bed = nine().await;
    let erase = |stored: &Stored<AuditEntry>| stored.put(&AuditEntry { details: None, ..stored.record.clone() });
    let ops = bed.entries().await.iter().map(erase).collect();
    bed.tamper(ops).await;
    assert!(bed.entries().await.iter().all(|stored| stored.record.details.is_none()));
    assert_eq!(report(&bed).await.problem, None);
}

/// A copy of an entry under another id, at its own free number behind the log, with its seal copied too.
#[tokio::test]
async fn a_copied_entry_is_not_taken_for_a_new_one() {
    let bed = nine().await;
    let copied = entry(&bed, 9).await.record;
    let number = 10;
    let link = copied.sealed.map(|link| Link { number, ..link });
    let id = enrollment_core::id::AuditId::from_uuid(uuid::Uuid::from_u128(10));
    let head = bed.read::<Seal>(Seal::HEAD.id).await;
    let longer = Seal { last: number, ..head.record.clone() };
    bed.tamper(vec![new_row(&AuditEntry { id, sealed: link, ..copied }), head.put(&longer)]).await;
    assert_eq!(report(&bed).await.problem, Some(AuditProblem::Altered { number }));
}
