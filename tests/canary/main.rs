//! The reference server itself, driven from outside as people and programs drive it: the whole journey, and what it
//! leaves in files, logs and answers (TOK-3, TOK-4, SYS-1, SYS-3, SYS-6, ADM-11).
//!
//! `cargo test` builds the server with the tests. To run these alone, build it first: `cargo build --example server`.

mod administrator;
#[path = "../common/client.rs"]
mod client;
#[allow(dead_code, reason = "shared with another test")]
#[path = "../common/collector.rs"]
mod collector;
mod enrollee;
mod faces;
mod guessing;
mod journey;
mod keys;
mod leaks;
mod provoke;
#[allow(dead_code, reason = "shared with another test")]
#[path = "../common/relay.rs"]
mod relay;
mod secrets;
#[path = "../common/server.rs"]
mod server;
mod stopping;
