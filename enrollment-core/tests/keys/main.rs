//! Keys that rotate without a stop, and stolen ones that are revoked (SYS-10): on a SQLite file, with several processes
//! on it, each with its own copy of the ring.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where something is not as it must be")]

mod bench;
mod fit;
mod journey;
mod reseal;
mod revoke;
mod unknown;
