//! The store on PostgreSQL.
//!
//! These tests need a cluster, which `scripts/postgres` makes.

#![cfg(feature = "postgres")]

mod broken;
mod clock;
mod conformance;
mod crash;
mod errors;
mod golden;
#[path = "../support/golden.rs"]
mod golden_rows;
mod host;
mod processes;
#[path = "../support/rows.rs"]
mod rows;
mod schema;
mod support;
