//! What administrators configure, and the audit log that tells of it, on the reference store.

#![allow(clippy::expect_used, clippy::panic, reason = "a test stops where something is not as it must be")]

mod audit;
mod bed;
mod chain;
mod journey;
mod locations;
mod settings;
mod templates;
