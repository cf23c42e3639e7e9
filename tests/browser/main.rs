//! The pages in a real browser against the real server: the whole way from the first Owner's link to a colleague's device
//! in force, with JavaScript and without, the enrollees' pages and the administrators' (REQ-7, REQ-8, SYS-5, TOK-4, TOK-5,
//! ADM-11, AUTH-1, AUTH-2, AUTH-4).
//!
//! Needs Chromium and its driver (Debian packages `chromium`, `chromium-driver`), `wireguard-tools`, `zbar-tools` to read QR
//! codes, and axe-core, which `scripts/axe` fetches. Pictures of the pages are kept in `target/tmp/pages`.

mod administration;
mod driver;
mod journey;
mod judge;
mod links;
mod repeats;
mod scan;
#[allow(dead_code, reason = "shared with another test")]
#[path = "../common/server.rs"]
mod server;
mod stage;
