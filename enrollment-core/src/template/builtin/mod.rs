//! The texts that are there before an administrator writes others; one folder for each language.

use super::Template;
use super::error::TemplateError;

/// The Markdown of the onboarding page, as an administrator finds it in the settings.
pub const ONBOARDING: &str = include_str!("en/onboarding.md");

/// The onboarding page.
///
/// # Errors
/// None: a test compiles every built-in text.
pub fn onboarding() -> Result<Template, TemplateError> {
    Template::compile(ONBOARDING)
}

#[cfg(test)]
mod tests;
