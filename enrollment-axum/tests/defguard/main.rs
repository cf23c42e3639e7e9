//! Whole conversations of Defguard's clients, on SQLite and PostgreSQL, against samples of what they send and expect.

mod attacks;
#[allow(dead_code, reason = "these refusals are no problem documents")]
#[path = "../http/client.rs"]
mod client;
mod desktop;
mod machine;
mod refresh;
mod refusals;
mod replay;
mod world;
