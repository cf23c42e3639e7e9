//! From a text with tags to what a person reads.

use minijinja::Value;

use super::error::{TemplateError, TemplateErrorKind};
use super::mail;
use super::markdown::Document;
use super::program::{self, Filled, Program};
use super::tags::{TAGS, Tags};
use super::value::MAX_VALUE;

/// A Markdown text with tags that was accepted, for a page or the body of a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    source: String,
    program: Program,
}

/// What a person reads: one text in three forms.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rendered {
    /// For a client that renders Markdown itself (CommonMark with tables and strikethrough). Values are escaped.
    pub markdown: String,
    /// For pages and mails: sanitized, no images, no styles, no identifiers; links open with
    /// `rel="noopener noreferrer nofollow"`.
    pub html: String,
    /// The text part of a mail.
    pub text: String,
}

/// A part of a mail, in the two forms that a mail has; as those of [`Rendered`].
#[derive(Debug, Default)]
pub(super) struct Part {
    pub(super) html: String,
    pub(super) text: String,
}

/// An accepted text did not render. [`Template::compile`] exists so that this does not happen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RenderError {
    /// The engine gave up.
    #[error("the text could not be rendered")]
    Engine(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Longer than [`Template::MAX_OUTPUT`].
    #[error("the rendered text is longer than {max} bytes", max = Template::MAX_OUTPUT)]
    TooLong,
}

impl Template {
    /// The longest text, in bytes of UTF-8.
    pub const MAX_SOURCE: usize = 64 * 1024;
    /// The longest rendered form, in bytes of UTF-8.
    pub const MAX_OUTPUT: usize = 256 * 1024;

    /// Accepts a text that renders for everybody, or says what is wrong with it.
    ///
    /// It is rendered with [samples](Tags::sample), with no values and with values of the greatest length.
    ///
    /// # Errors
    /// Unknown tag, filter or statement, bad syntax, too long: with line, column where known, and a suggestion.
    pub fn compile(source: &str) -> Result<Self, TemplateError> {
        if source.len() > Self::MAX_SOURCE {
            let message = format!("a text has at most {} bytes; this one has {}", Self::MAX_SOURCE, source.len());
            return Err(TemplateError::new(TemplateErrorKind::TooLong, message));
        }
        let program = Program::admit(source, &TAGS)?;
        for tags in [Tags::sample(), Tags::default(), longest_tags()] {
            let filled = program.fill(tags.context()).map_err(|error| program::refusal(&error))?;
            if present(&filled).is_none() {
                let message = format!("rendered, this text can be longer than {} bytes", Self::MAX_OUTPUT);
                return Err(TemplateError::new(TemplateErrorKind::TooLong, message));
            }
        }
        Ok(Self { source: source.to_owned(), program })
    }

    /// A part of a mail that nobody edits, and that may use the tags of [`super::mail`] too. A test renders every one.
    pub(super) fn part(source: &str) -> Result<Self, TemplateError> {
        let tags: Vec<&'static str> = TAGS.iter().chain(&mail::TAGS).copied().collect();
        Ok(Self { source: source.to_owned(), program: Program::admit(source, &tags)? })
    }

    /// A text that was not looked at, to see what happens when it fails.
    #[cfg(test)]
    pub(super) fn unchecked(source: &str) -> Self {
        let program = Program::unchecked(source.to_owned()).expect("the engine reads it");
        Self { source: source.to_owned(), program }
    }

    /// The text as it was written.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The text for one person.
    ///
    /// # Errors
    /// [`RenderError::TooLong`] when a branch that [`Self::compile`] did not take grows past the limit; no other is
    /// known. Show another text then, or use [`Self::render_or`].
    pub fn render(&self, tags: &Tags) -> Result<Rendered, RenderError> {
        present(&self.fill(tags.context())?).ok_or(RenderError::TooLong)
    }

    /// The text for one person; `fallback` when this one fails, and an empty one when that fails too. With the
    /// reason, to be logged.
    #[must_use]
    pub fn render_or(&self, fallback: &Self, tags: &Tags) -> (Rendered, Option<RenderError>) {
        first_or(self.render(tags), || fallback.render(tags))
    }

    /// The text as a part of a mail, with these values of all the tags it may use.
    pub(super) fn render_part(&self, values: &Value) -> Result<Part, RenderError> {
        present_part(&self.fill(values.clone())?).ok_or(RenderError::TooLong)
    }

    /// The same, with a fallback as [`Self::render_or`] has.
    pub(super) fn render_part_or(&self, fallback: &Self, values: &Value) -> (Part, Option<RenderError>) {
        first_or(self.render_part(values), || fallback.render_part(values))
    }

    fn fill(&self, values: Value) -> Result<Filled, RenderError> {
        self.program.fill(values).map_err(|error| RenderError::Engine(error.into()))
    }
}

fn first_or<T: Default>(
    first: Result<T, RenderError>,
    fallback: impl FnOnce() -> Result<T, RenderError>,
) -> (T, Option<RenderError>) {
    match first {
        Ok(rendered) => (rendered, None),
        Err(error) => (fallback().unwrap_or_default(), Some(error)),
    }
}

/// The three forms of a filled text, when none is too long.
fn present(filled: &Filled) -> Option<Rendered> {
    let document = Document::parse(filled);
    let rendered = Rendered { markdown: document.markdown(), html: document.html(), text: document.text() };
    let longest = rendered.markdown.len().max(rendered.html.len()).max(rendered.text.len());
    (longest <= Template::MAX_OUTPUT).then_some(rendered)
}

/// The two forms of a filled text that a mail has, when neither is too long.
fn present_part(filled: &Filled) -> Option<Part> {
    let document = Document::parse(filled);
    let part = Part { html: document.html(), text: document.text() };
    (part.html.len().max(part.text.len()) <= Template::MAX_OUTPUT).then_some(part)
}

/// Values no person's can be longer than, of the character that grows most when it becomes HTML.
fn longest_tags() -> Tags {
    let longest = || "&".repeat(MAX_VALUE);
    Tags {
        first_name: longest(),
        last_name: longest(),
        username: longest(),
        admin_first_name: longest(),
        admin_last_name: longest(),
        admin_phone: longest(),
        admin_email: longest(),
        instance_url: longest(),
        instance_version: longest(),
    }
}
