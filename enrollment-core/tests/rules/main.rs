//! The rules of an enrollment, one promise of the specification per test.

#[path = "../common/mod.rs"]
mod common;
mod completion;
mod email_codes;
mod holders;
mod requirements;
mod steps;
mod story;
mod tokens;
