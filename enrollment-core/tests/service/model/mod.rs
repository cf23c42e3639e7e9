//! Random stories against a ghost.
//!
//! Three holders of one token, one of another, and an administrator do what [`op`] lists, in any order, while the
//! store loses answers, fails and dies, workers stall, and the clock stands at the edge of every deadline. The service
//! is the real one, over a store in memory. The [`ghost`] watches every single change, [`state`] all that stands after
//! each step and, once the workers have run dry, at the end. Neither shares a rule with the code under test.
//!
//! # What was seen to be caught
//!
//! Each line was put into the service by hand.
//!
//! | mutation | caught by |
//! |---|---|
//! | the answer to a change cannot be read, and the caller hears `unavailable` | the answer unavailable lies: something changed |
//! | the sweeper forgets its audit entry | I7: nobody tells of … at … |
//! | the device of a revoked or replaced work is not released | DEV-3: a staged device belongs to no enrollment |
//! | a new intention for a peer queues nothing | I8: what was queued is not what was intended |
//! | a peer worker records what it did and keeps its lease | I8: what a worker records ends its lease in the same change |
//! | a new holder keeps the choices of the older one | … heard broken: one device went twice |
//! | a completion does not hold the guard of the locations | `races`: completed against `SwitchMfa`, `AddMfaLocation` |
//! | a completion holds neither settings nor locations | `races`: completed against `DemandDevice` |
//! | an unknown fate of a commit is taken for `Stale` | `answers`: heard an answer instead of `unknown` |
//! | the same password sent twice at once is hashed and counted twice | `answers`: made twice |
//!
//! `ENROLLMENT_MODEL_CASES` sets how many stories are told, `ENROLLMENT_MODEL_SEED` which ones.

mod ghost;
mod op;
mod play;
mod slow;
mod state;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use enrollment_core::memory::MemoryStore;
use enrollment_core::port::Store;
use enrollment_sqlx::{SqliteOptions, SqlxStore};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use play::Play;

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |text| text.parse().expect("a number"))
}

#[test]
fn every_story_keeps_the_invariants() {
    tell(70, async || (Arc::new(MemoryStore::new()) as Arc<dyn Store>, ()));
}

/// The same stories, the first of them, on a store that waits for a disk.
#[test]
fn every_story_keeps_the_invariants_on_sqlite() {
    tell(12, async || {
        let folder = tempfile::tempdir().expect("a folder");
        let store = SqlxStore::open_sqlite(folder.path().join("story.db"), SqliteOptions::default()).await;
        (Arc::new(store.expect("a store")) as Arc<dyn Store>, folder)
    });
}

/// Tells stories, each on a store of its own; what comes with the store is dropped after it.
fn tell<T>(cases: u64, store: impl AsyncFn() -> (Arc<dyn Store>, T)) {
    let cases = u32::try_from(number("ENROLLMENT_MODEL_CASES", cases)).expect("a number of cases");
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&number("ENROLLMENT_MODEL_SEED", 1).to_le_bytes());
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 300, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed));
    let tally: Mutex<BTreeMap<String, usize>> = Mutex::default();
    let told = runner.run(&op::steps(), |steps| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let seen = runtime.block_on(async {
            let (store, _kept) = store().await;
            let mut play = Play::on(store).await;
            for step in &steps {
                play.step(step).await;
            }
            play.end().await;
            play.ghost.tally
        });
        let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
        for (what, times) in seen {
            *tally.entry(what).or_default() += times;
        }
        Ok(())
    });
    if let Err(broken) = told {
        panic!("{broken}");
    }
    reached(&tally.into_inner().unwrap_or_else(PoisonError::into_inner), cases);
}

/// A search that became empty proves nothing: in seventy stories everything worth telling apart happens.
fn reached(tally: &BTreeMap<String, usize>, cases: u32) {
    println!("{tally:?}");
    if cases < 70 {
        return;
    }
    let everything = [
        "enrollment_completed",
        "session_taken_over",
        "choices_reclaimed",
        "totp_confirmed",
        "code_wrong",
        "completion_refused",
        "reservations_released",
        "peer_applied",
        "peer_removed",
        "peer_lost",
        "device_attached",
        "stalled",
        "unknown",
        "unavailable",
        "session_superseded",
        "session_expired",
        "already_completed",
        "public_key_taken",
    ];
    for what in everything {
        assert!(tally.contains_key(what), "no story tells of {what}");
    }
}
