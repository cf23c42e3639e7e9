//! The use cases as a whole, over a store that fails, hangs and forgets on demand.
#![allow(clippy::panic, clippy::print_stdout, reason = "a test says what broke and what it visited")]

mod answers;
mod holders;
mod model;
mod partly;
mod races;
mod spans;
mod stage;
mod tape;
