//! Why a text was not accepted.

use std::fmt;

/// What is wrong with a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TemplateErrorKind {
    /// Longer than allowed, or it would become longer than allowed.
    TooLong,
    /// A tag that does not exist.
    UnknownTag,
    /// A filter that does not exist.
    UnknownFilter,
    /// A statement, an operator or a character that texts cannot use.
    NotAllowed,
    /// Brackets, quotes or statements that do not fit together.
    Syntax,
    /// It takes too many steps to render.
    Runaway,
    /// A subject that says nothing.
    Empty,
}

impl TemplateErrorKind {
    /// A stable code for programs.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::TooLong => "template_too_long",
            Self::UnknownTag => "template_unknown_tag",
            Self::UnknownFilter => "template_unknown_filter",
            Self::NotAllowed => "template_not_allowed",
            Self::Syntax => "template_syntax",
            Self::Runaway => "template_runaway",
            Self::Empty => "template_empty",
        }
    }
}

/// A text that was not accepted: what is wrong, where, and what was probably meant.
///
/// `Display` is the whole sentence for the person who wrote the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateError {
    kind: TemplateErrorKind,
    message: String,
    line: Option<usize>,
    column: Option<usize>,
    suggestion: Option<&'static str>,
}

impl TemplateError {
    pub(super) fn new(kind: TemplateErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), line: None, column: None, suggestion: None }
    }

    pub(super) const fn at_line(mut self, line: Option<usize>) -> Self {
        self.line = line;
        self
    }

    /// At the byte `offset` of `source`.
    pub(super) fn at(mut self, source: &str, offset: usize) -> Self {
        let before = source.get(..offset).unwrap_or(source);
        let line = before.rsplit('\n').next().unwrap_or(before);
        self.line = Some(before.matches('\n').count() + 1);
        self.column = Some(line.chars().count() + 1);
        self
    }

    /// With the one of `known` that is nearest to `wrong`, when one is near.
    pub(super) fn suggesting(mut self, wrong: &str, known: &[&'static str]) -> Self {
        let distance = |name: &&'static str| strsim::damerau_levenshtein(&wrong.to_lowercase(), name);
        self.suggestion =
            known.iter().copied().min_by_key(distance).filter(|name| distance(name) <= (name.len() / 3).max(1));
        self
    }

    /// What is wrong and what was probably meant, without the place.
    #[must_use]
    pub fn message(&self) -> String {
        match self.suggestion {
            Some(name) => format!("{}; did you mean `{name}`?", self.message),
            None => self.message.clone(),
        }
    }

    /// What is wrong.
    #[must_use]
    pub const fn kind(&self) -> TemplateErrorKind {
        self.kind
    }

    /// The line of the text, from 1, when one can be named.
    #[must_use]
    pub const fn line(&self) -> Option<usize> {
        self.line
    }

    /// The character in that line, from 1, when one can be named.
    #[must_use]
    pub const fn column(&self) -> Option<usize> {
        self.column
    }

    /// The name that was probably meant.
    #[must_use]
    pub const fn suggestion(&self) -> Option<&'static str> {
        self.suggestion
    }
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.line, self.column) {
            (Some(line), Some(column)) => write!(f, "line {line}, column {column}: ")?,
            (Some(line), None) => write!(f, "line {line}: ")?,
            (None, _) => {}
        }
        f.write_str(&self.message())
    }
}

impl std::error::Error for TemplateError {}
