//! The commands of the reference server, run as people and scripts run them: what they print for people, the documents
//! they answer with, their refusals and exit statuses, and the reference that is made from them.
//!
//! `cargo test` builds the server with the tests. To run these alone, build it first: `cargo build --example server`.

mod answers;
#[allow(dead_code, reason = "shared with another test")]
#[path = "../common/client.rs"]
mod client;
mod coverage;
mod documents;
mod lockout;
mod mails;
mod redact;
mod reference;
mod refusals;
#[allow(dead_code, reason = "shared with another test")]
#[path = "../common/relay.rs"]
mod relay;
#[allow(dead_code, reason = "shared with another test")]
#[path = "../common/server.rs"]
mod server;
#[allow(dead_code, reason = "its own tests are run here, since those of an example are not")]
#[path = "../../examples/server/command/table.rs"]
mod table;
mod terminal;
