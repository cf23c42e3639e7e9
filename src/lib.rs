//! Lets people into a VPN: from an invitation to a WireGuard configuration, with the guarantees such a flow needs.
//!
//! This crate is a facade. The domain is [`core`]; everything that touches the world is an adapter behind a feature:
//!
//! | feature | module | what it adds |
//! |---|---|---|
//! | `memory` | [`core::memory`] | a store in memory: the reference for all others |
//! | `system` | [`core::port`] | the operating system's clock and randomness |
//! | `sqlite` | [`sqlx`] | a store on a SQLite file |
//! | `postgres` | [`sqlx`] | a store on PostgreSQL |
//! | `smtp` | [`smtp`] | mail, over SMTP |
//! | `wireguard` | [`wireguard`] | peers in a wg-quick file |
//! | `axum` | [`axum`] | HTTP routers for enrollees and administrators |
//! | `defguard` | [`axum::defguard`] | the protocol of Defguard's existing clients |

pub use enrollment_core as core;

#[cfg(feature = "axum")]
pub use enrollment_axum as axum;
#[cfg(feature = "smtp")]
pub use enrollment_smtp as smtp;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub use enrollment_sqlx as sqlx;
#[cfg(feature = "wireguard")]
pub use enrollment_wireguard as wireguard;

/// The README's example compiles.
#[cfg(all(doctest, feature = "full"))]
#[doc = include_str!("../README.md")]
#[derive(Debug)]
pub struct Readme;

/// So do those of the guide.
#[cfg(all(doctest, feature = "full"))]
#[doc = include_str!("../docs/guide/embedding.md")]
#[derive(Debug)]
pub struct Embedding;
