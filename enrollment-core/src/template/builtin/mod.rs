//! The texts that are there before an administrator writes others; one folder for each language.

use std::sync::LazyLock;

use super::Template;

/// The Markdown of the onboarding page, as an administrator finds it in the settings.
pub const ONBOARDING: &str = include_str!("en/onboarding.md");

/// The onboarding page, compiled.
#[must_use]
pub fn onboarding() -> &'static Template {
    static COMPILED: LazyLock<Template> =
        LazyLock::new(|| Template::compile(ONBOARDING).expect("a test compiles every built-in text"));
    &COMPILED
}

#[cfg(test)]
mod tests;
