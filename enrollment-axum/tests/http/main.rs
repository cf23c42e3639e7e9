//! The routers, asked as a client asks them, over a store in memory and a clock that stands still.

mod administration;
mod administrator;
mod answers;
mod audit;
mod bad_input;
mod client;
mod cookies;
mod email_codes;
mod faces;
mod journey;
mod keys;
mod logs;
mod mail;
mod openapi;
mod pages;
mod tokens;
mod wizard;
mod world;
