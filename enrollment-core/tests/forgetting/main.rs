//! What is forgotten: people who are erased, and what has been kept long enough.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail the test")]

mod erasure;
mod log;
mod retention;
mod world;
