//! The enrollee's pages in a real browser against the real server: the whole way from the first Owner's link to a device
//! in force, with JavaScript and without (REQ-7, REQ-8, SYS-5, TOK-4, TOK-5).
//!
//! Needs Chromium and its driver (Debian packages `chromium`, `chromium-driver`) and `wireguard-tools`. Pictures of the
//! pages are kept in `target/tmp/pages`.

mod driver;
mod journey;
mod links;
mod repeats;
#[allow(dead_code, reason = "shared with another test")]
#[path = "../common/server.rs"]
mod server;
mod stage;
