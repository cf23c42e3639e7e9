//! Whether a ring serves a database.

use std::collections::BTreeMap;
use std::sync::Arc;

use enrollment_core::domain::event::Event;
use enrollment_core::port::Clock as _;
use enrollment_core::secret::KeyRing;
use enrollment_core::service::administrator::{Delivery, KeyView};
use enrollment_core::service::{KeyUse, UnfitRing};
use enrollment_core::time::Span;
use enrollment_testkit::fake::Moment;

use crate::bench::{Bench, CLI, copy, without};

/// Something of every kind under the present key: two links, an authenticator app that is set up and one that is being
/// set up, recovery codes, a gateway's private key, a sealed batch.
async fn fill(bench: &Bench) -> KeyUse {
    bench.location().await;
    bench.enrolled("alice").await;
    bench.invited("bob", Delivery::Manual).await;
    let carol = bench.invited("carol", Delivery::Manual).await;
    bench.offer_totp(&bench.begin(&carol.token).await).await;
    assert!(bench.process.seal().await.unwrap() > 0);
    KeyUse { links: 2, authenticators: 2, codes: 8, gateways: 1, audit_batches: 1 }
}

/// SYS-10: start-up refuses, and names what would be lost.
#[tokio::test]
async fn a_ring_that_lacks_a_key_in_need_is_refused_and_says_what_would_be_lost() {
    let bench = Bench::new().await;
    let old = bench.ring().active();
    let needed = fill(&bench).await;
    bench.rotate().await;
    let whole = copy(&bench.ring());
    let lacking = without(&whole, old);

    let starts = bench.another(copy(&lacking));
    let refused = starts.service.adopt(copy(&lacking)).await.unwrap().unwrap_err();
    assert_eq!(refused, UnfitRing::Missing(BTreeMap::from([(old, needed)])));
    assert_eq!(
        refused.to_string(),
        format!(
            "the key ring lacks key {old}; lost without it: 2 links of invitations, 2 authenticator apps, 8 recovery \
             codes, 1 private key of a gateway, 1 proof of an audit batch"
        )
    );
    // A process that runs keeps the ring it has.
    assert_eq!(bench.service().adopt(lacking).await.unwrap(), Err(refused));
    assert_eq!(bench.ring().keys().count(), 2);
    starts.adopt(whole).await;
}

/// SYS-10: another ring altogether is refused, too, before it makes anything.
#[tokio::test]
async fn the_ring_of_another_instance_is_refused() {
    let bench = Bench::new().await;
    let needed = fill(&bench).await;
    let key = bench.ring().active();
    let stranger = KeyRing::generate(bench.clock.now(), &*bench.entropy);
    let refused = bench.service().adopt(stranger).await.unwrap();
    assert_eq!(refused, Err(UnfitRing::Missing(BTreeMap::from([(key, needed)]))));
    assert_eq!(bench.ring().active(), key);
}

/// SYS-10
#[tokio::test]
async fn a_missing_key_that_nothing_needs_stops_nothing() {
    let bench = Bench::new().await;
    let old = bench.ring().active();
    bench.invited("alice", Delivery::Manual).await;
    bench.rotate().await;
    bench.clock.advance(Span::hours(24).duration());
    let spare = |view: &KeyView| view.id == old && view.needed_by.is_none();
    assert!(bench.admin().keys(&CLI).await.unwrap().keys.iter().any(spare), "the list says so");
    let lacking = without(&bench.ring(), old);
    bench.another(copy(&lacking)).adopt(lacking).await;
}

/// SYS-10: holding a ring against the database costs one read, however much there is; finding out what is lost costs
/// more, and is asked once.
#[tokio::test]
async fn a_ring_that_fits_costs_one_read() {
    let bench = Bench::new().await;
    let old = bench.ring().active();
    fill(&bench).await;
    bench.rotate().await;
    let calls = async |process: &crate::bench::Process, ring: KeyRing| {
        bench.store.revive();
        let fits = process.service.adopt(ring).await.unwrap().is_ok();
        (fits, bench.store.calls())
    };
    let starts = bench.another(copy(&bench.ring()));
    assert_eq!(calls(&starts, copy(&bench.ring())).await, (true, 1));
    assert_eq!(calls(&starts, copy(&bench.ring())).await, (true, 1), "again");
    let lacking = without(&bench.ring(), old);
    assert_eq!(calls(&starts, copy(&lacking)).await, (false, 6), "the book and five lists");
    assert_eq!(calls(&starts, copy(&lacking)).await, (false, 1), "again");
}

/// SYS-10: a key is in the book before anything is made with it, whenever the process dies.
#[tokio::test]
async fn no_record_names_a_key_that_is_not_in_the_book() {
    for (call, moment) in [(1, Moment::Before), (2, Moment::Before), (2, Moment::After)] {
        let bench = Bench::new().await;
        let old = bench.ring().active();
        let mut ring = copy(&bench.ring());
        let new = ring.rotate(bench.clock.now(), &*bench.entropy);
        bench.store.revive();
        bench.store.die_at(call, moment);
        assert!(bench.service().adopt(copy(&ring)).await.is_err());
        bench.store.revive();
        assert_eq!(bench.ring().active(), old, "nothing is made with the new key");
        bench.process.adopt(ring).await;
        assert_eq!(bench.ring().active(), new);
        let activated = bench.audited(|event| *event == Event::KeyActivated { key: new }).await;
        assert_eq!(activated, 1, "audited once: {call} {moment:?}");
    }
}

/// SYS-10: of many processes that take a rotation up at once, one writes it down.
#[tokio::test]
async fn a_rotation_that_all_take_up_at_once_is_audited_once() {
    let bench = Bench::new().await;
    let mut ring = copy(&bench.ring());
    let new = ring.rotate(bench.clock.now(), &*bench.entropy);
    let processes: Vec<_> = (0..4).map(|_| bench.another(copy(&bench.ring()))).collect();
    let tasks: Vec<_> = processes
        .iter()
        .map(|process| {
            let (service, ring) = (process.service.clone(), copy(&ring));
            tokio::spawn(async move { service.adopt(ring).await.unwrap() })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap(), Ok(()));
    }
    assert!(processes.iter().all(|process| process.service.ring().active() == new));
    assert_eq!(bench.audited(|event| *event == Event::KeyActivated { key: new }).await, 1);
}

/// I12: what is said of keys is their names.
#[tokio::test]
async fn no_report_and_no_refusal_shows_a_key() {
    let bench = Bench::new().await;
    let old = bench.ring().active();
    fill(&bench).await;
    bench.rotate().await;
    let report = bench.admin().keys(&CLI).await.unwrap();
    let refused = bench.service().adopt(without(&bench.ring(), old)).await.unwrap().unwrap_err();
    let said = format!("{report:?} {refused:?} {refused} {:?}", Arc::clone(&bench.ring()));
    let text = bench.ring().to_text();
    let keys: Vec<&str> = text.split_whitespace().filter(|word| word.len() == 64).collect();
    assert_eq!(keys.len(), 2);
    assert!(said.contains(&old.to_string()), "the search finds what is there");
    for key in keys {
        assert!(key.as_bytes().windows(8).all(|part| !said.contains(std::str::from_utf8(part).unwrap())));
    }
}

/// SYS-10: a ring of another instance does not fit beside the first, also while no record needs a key yet.
#[tokio::test]
async fn a_ring_without_the_key_in_use_is_refused_however_little_there_is() {
    let bench = Bench::new().await;
    let active = bench.ring().active();
    let foreign = KeyRing::generate(bench.clock.now(), &*bench.entropy);
    let other = bench.another(KeyRing::generate(bench.clock.now(), &*bench.entropy));
    assert_eq!(other.service.adopt(foreign).await.unwrap(), Err(UnfitRing::Behind(active)));
}
