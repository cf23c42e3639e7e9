//! Whole conversations of Defguard's clients, on SQLite and PostgreSQL, against samples of what they send and expect.

mod attacks;
#[path = "../http/client.rs"]
mod client;
mod desktop;
mod refresh;
mod refusals;
mod replay;
mod world;
