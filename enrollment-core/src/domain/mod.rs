//! The rules: pure, no I/O, no clock, no randomness of their own.

pub mod address;
pub mod api_key;
pub mod attachment;
pub mod audit;
pub mod chain;
pub mod command;
pub mod config;
pub mod contact;
mod decide;
pub mod device;
pub mod download;
pub mod enrollment;
pub mod event;
pub mod group;
pub mod location;
pub mod machine;
pub mod mail;
pub mod mobile_key;
pub mod owner;
pub mod policy;
pub mod rejection;
pub mod requirement;
pub mod retention;
pub mod role;
pub mod settings;
pub mod sign_in;
pub mod text;
pub mod upkeep;
pub mod user;
pub mod username;

pub use decide::{decide, device_offered, session_opens, token_opens};
