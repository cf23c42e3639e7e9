//! What makes an implementation of a port trustworthy: conformance suites with a named case for every guarantee,
//! broken stores that prove the suites, and fakes for the tests of those who build on the ports.
//!
//! For tests only. Nothing here belongs into a running service.

pub mod broken;
pub mod store;
