//! Subjects of mails.

use minijinja::Value;

use super::engine::RenderError;
use super::error::{TemplateError, TemplateErrorKind};
use super::program::{self, Filled, Program};
use super::tags::{TAGS, Tags};
use super::value::single_line;

/// The subject of a mail with tags: one line of plain text, no Markdown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    source: String,
    program: Program,
}

impl Subject {
    /// The longest subject as written, in bytes of UTF-8.
    pub const MAX_SOURCE: usize = 1024;
    /// The longest subject as sent, in bytes of UTF-8; a longer one is cut at a character.
    pub const MAX_OUTPUT: usize = 200;

    /// Accepts a subject that renders for everybody, or says what is wrong with it.
    ///
    /// # Errors
    /// As [`Template::compile`](super::Template::compile); also when it is empty or has a line break.
    pub fn compile(source: &str) -> Result<Self, TemplateError> {
        if source.len() > Self::MAX_SOURCE {
            let message = format!("a subject has at most {} bytes; this one has {}", Self::MAX_SOURCE, source.len());
            return Err(TemplateError::new(TemplateErrorKind::TooLong, message));
        }
        if let Some(offset) = source.find(['\n', '\r']) {
            return Err(TemplateError::new(TemplateErrorKind::NotAllowed, "a subject is one line").at(source, offset));
        }
        let program = Program::admit(source, &TAGS)?;
        for tags in [Tags::sample(), Tags::default()] {
            let filled = program.fill(tags.context()).map_err(|error| program::refusal(&error))?;
            if line(&filled).is_empty() {
                let message = "a subject must say something, also when its tags have no value";
                return Err(TemplateError::new(TemplateErrorKind::Empty, message));
            }
        }
        Ok(Self { source: source.to_owned(), program })
    }

    /// The subject as it was written.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The subject for one person: one line without control characters, so that it cannot become another header.
    ///
    /// # Errors
    /// None that is known; see [`RenderError`].
    pub fn render(&self, tags: &Tags) -> Result<String, RenderError> {
        self.render_with(&tags.context())
    }

    /// The subject with these values of the tags.
    pub(super) fn render_with(&self, values: &Value) -> Result<String, RenderError> {
        let filled = self.program.fill(values.clone()).map_err(|error| RenderError::Engine(error.into()))?;
        Ok(line(&filled))
    }
}

fn line(filled: &Filled) -> String {
    single_line(&filled.resolve(&filled.text), Subject::MAX_OUTPUT)
}
