//! Signing in as an administrator, on the reference store.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail the test")]

mod account;
mod alike;
#[allow(dead_code, reason = "shared with the tests of what administrators do")]
#[path = "../administrator/bench.rs"]
mod bench;
mod forgetting;
mod guessing;
mod person;
mod sessions;
mod steps;
