//! The reference server itself, driven from outside as people and programs drive it: the whole journey, and what it
//! leaves in files, logs and answers (TOK-3, TOK-4, SYS-1, SYS-3, SYS-6, ADM-11).
//!
//! `cargo test` builds the server with the tests. To run these alone, build it first: `cargo build --example server`.

mod client;
mod enrollee;
mod faces;
mod guessing;
mod journey;
mod keys;
mod leaks;
mod provoke;
mod secrets;
mod server;
mod stopping;
