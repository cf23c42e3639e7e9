//! Reading, exporting and sealing the audit log.

use enrollment_core::domain::audit::Link;
use enrollment_core::domain::event::Event;
use enrollment_core::domain::role::Role;
use enrollment_core::domain::settings::Settings;
use enrollment_core::port::Cursor;
use enrollment_core::record::KeyValue;
use enrollment_core::secret::verify_audit_with;
use enrollment_core::service::administrator::{AuditQuery, SettingsPatch};
use enrollment_core::worker::Sealer;
use enrollment_testkit::fake::RacedStore;
use uuid::Uuid;

use super::bed::{Bed, owner, refusal, refused, somebody};

/// Changes the settings `times` times, one second apart.
pub(crate) async fn change_settings(bed: &Bed, times: u32) {
    for _ in 0..times {
        let now = bed.service.administrator().settings(&owner()).await.expect("settings").help_desk_may_send;
        let patch = SettingsPatch { help_desk_may_send: Some(!now), ..SettingsPatch::default() };
        bed.service.administrator().change_settings(&owner(), patch).await.expect("changed");
        bed.clock.advance(1);
    }
}

/// The numbers of all entries, oldest entry first.
async fn numbers(bed: &Bed) -> Vec<Option<i64>> {
    bed.entries().await.iter().map(|stored| stored.record.sealed.map(|link| link.number)).collect()
}

/// ADM-8
#[tokio::test]
async fn an_entry_names_actor_subject_source_and_time() {
    let bed = Bed::new();
    change_settings(&bed, 1).await;
    let entry = bed.entries().await.remove(0).record;
    assert_eq!(entry.event, Event::SettingsChanged { fields: vec!["help_desk_may_send".to_owned()] });
    assert_eq!((entry.actor, entry.subject.id), (owner().actor, Settings::KEY.id));
    assert!(entry.at.to_string().starts_with("2026-01-01T00:00:00."), "{}", entry.at);
    assert_eq!(entry.details.expect("details").source, owner().origin.source);
}

/// ADM-8
#[tokio::test]
async fn entries_are_listed_newest_first_page_by_page_and_by_subject() {
    let bed = Bed::new();
    let administrator = bed.service.administrator();
    change_settings(&bed, 5).await;
    let template = administrator.save_template(&owner(), "onboarding", "x").await;
    assert!(template.is_ok());
    let mut query = AuditQuery { subject: None, after: None, limit: 4 };
    let mut listed = Vec::new();
    loop {
        let page = administrator.audit_entries(&owner(), query.clone()).await.expect("a page");
        listed.extend(page.entries.into_iter().map(|entry| entry.id));
        match page.next {
            Some(next) => query.after = Some(next),
            None => break,
        }
    }
    let mut all: Vec<_> = bed.entries().await.into_iter().map(|stored| stored.record.id).collect();
    all.reverse();
    assert_eq!(listed, all);

    let about = AuditQuery { subject: Some(Settings::KEY.id), after: None, limit: 1000 };
    let page = administrator.audit_entries(&owner(), about).await.expect("a page");
    let versions: Vec<u64> = page.entries.iter().map(|entry| entry.subject_version.0).collect();
    assert_eq!(versions, [5, 4, 3, 2, 1]);
}

#[tokio::test]
async fn only_those_who_may_read_the_audit_log_and_only_in_bounded_pages() {
    let bed = Bed::new();
    let administrator = bed.service.administrator();
    let all = AuditQuery { subject: None, after: None, limit: 10 };
    let strange = Cursor { at: KeyValue::Text("x".to_owned()), id: Uuid::nil() };
    for query in [
        AuditQuery { limit: 0, ..all.clone() },
        AuditQuery { limit: 1001, ..all.clone() },
        AuditQuery { after: Some(strange), ..all.clone() },
    ] {
        assert_eq!(refused(administrator.audit_entries(&owner(), query).await).code(), "invalid_field");
    }
    let manager = somebody(Role::UserManager);
    assert_eq!(refused(administrator.audit_entries(&manager, all).await).code(), "forbidden");
    assert_eq!(refused(administrator.export_audit(&manager, 0, 10).await).code(), "forbidden");
    assert_eq!(refused(administrator.verify_audit(&manager).await).code(), "forbidden");
    let last = bed.events().await.pop();
    assert_eq!(last, Some(refusal("verify_audit", "forbidden")));
}

/// ADM-8: what was exported verifies without the database and without the ring.
#[tokio::test]
async fn an_export_verifies_with_the_public_key_alone() {
    let bed = Bed::new();
    for _ in 0..3 {
        change_settings(&bed, 3).await;
        bed.seal().await;
    }
    change_settings(&bed, 1).await;
    let (mut after, mut link, mut signed) = (0, Link::START, 0);
    loop {
        let export = bed.service.administrator().export_audit(&owner(), after, 4).await.expect("an export");
        for entry in &export.entries {
            link = link.next(entry);
            assert_eq!(entry.sealed, Some(link));
            for seal in export.seals.iter().filter(|seal| seal.last == link.number) {
                let key = bed.service.ring().audit_public_key(&seal.signature.key).expect("a key");
                verify_audit_with(&key, &link.signed_bytes(seal.at), &seal.signature).expect("the signature");
                signed = seal.last;
            }
        }
        match export.next {
            Some(next) => after = next,
            None => break,
        }
    }
    assert_eq!((link.number, signed), (9, 9), "the last one is not sealed and not exported");
}

/// ADM-8
#[tokio::test]
async fn the_sealer_numbers_bounded_batches_without_gaps() {
    let bed = Bed::new();
    change_settings(&bed, 300).await;
    assert_eq!((bed.seal().await, bed.seal().await, bed.seal().await), (256, 44, 0));
    assert_eq!(numbers(&bed).await, (1..=300).map(Some).collect::<Vec<_>>());
    let report = bed.service.administrator().verify_audit(&owner()).await.expect("a report");
    assert_eq!((report.entries, report.unsealed, report.problem), (300, 0, None));
}

#[tokio::test]
async fn an_entry_that_comes_late_with_an_earlier_time_is_sealed_later() {
    let bed = Bed::new();
    bed.clock.advance(10);
    change_settings(&bed, 2).await;
    assert_eq!(bed.seal().await, 2);
    bed.clock.advance(-60);
    change_settings(&bed, 1).await;
    assert_eq!(bed.seal().await, 1);
    assert_eq!(numbers(&bed).await, [Some(3), Some(1), Some(2)]);
    assert_eq!(bed.service.administrator().verify_audit(&owner()).await.expect("a report").problem, None);
}

/// ADM-8
#[tokio::test]
async fn of_two_sealers_that_meet_one_seals_and_the_other_comes_again() {
    let bed = Bed::new();
    change_settings(&bed, 3).await;
    let rival = Sealer::new(bed.service.clone());
    let store = RacedStore::new(bed.store.clone(), async move { assert_eq!(rival.run_once().await.unwrap(), 3) });
    let late = Sealer::new(bed.service_on(store));
    assert_eq!(late.run_once().await.expect("a turn"), 0);
    change_settings(&bed, 1).await;
    assert_eq!(late.run_once().await.expect("a turn"), 1);
    assert_eq!(numbers(&bed).await, [1, 2, 3, 4].map(Some));
    assert_eq!(bed.service.administrator().verify_audit(&owner()).await.expect("a report").problem, None);
}
