//! The routers, asked as a client asks them, over a store in memory and a clock that stands still.

mod answers;
mod client;
mod cookies;
mod journey;
mod tokens;
mod world;
