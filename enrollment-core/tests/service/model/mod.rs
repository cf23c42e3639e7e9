//! Random stories against a ghost.
//!
//! Three holders of one token, one of another, and an administrator do what [`op`] lists, in any order, while the
//! store loses answers, fails and dies, workers stall, and the clock stands at the edge of every deadline. The service
//! is the real one, over a store in memory. The [`ghost`] watches every single change, [`state`] all that stands after
//! each step and, once the workers have run dry, at the end. Neither shares a rule with the code under test.
//!
//! `ENROLLMENT_MODEL_CASES` sets how many stories are told, `ENROLLMENT_MODEL_SEED` which ones.

mod ghost;
mod op;
mod play;
mod slow;
mod state;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use play::Play;

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |text| text.parse().expect("a number"))
}

#[test]
fn every_story_keeps_the_invariants() {
    let cases = u32::try_from(number("ENROLLMENT_MODEL_CASES", 100)).expect("a number of cases");
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&number("ENROLLMENT_MODEL_SEED", 1).to_le_bytes());
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 300, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed));
    let tally: Mutex<BTreeMap<String, usize>> = Mutex::default();
    let told = runner.run(&op::steps(), |steps| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let seen = runtime.block_on(async {
            let mut play = Play::new().await;
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

/// A search that became empty proves nothing: in a hundred stories everything worth telling apart happens.
fn reached(tally: &BTreeMap<String, usize>, cases: u32) {
    println!("{tally:?}");
    if cases < 100 {
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
