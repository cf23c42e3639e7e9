//! What administrators do, on the reference store.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail the test")]

mod access;
mod api_keys;
mod backfill;
mod bench;
mod enrollee;
mod enrollments;
mod gateways;
mod late;
mod machines;
mod owner;
mod peers;
mod pending;
mod permissions;
mod races;
mod reconcile;
mod secrecy;
mod strays;
mod sweep;
mod together;
mod users;
