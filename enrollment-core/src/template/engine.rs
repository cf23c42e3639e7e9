//! From a text with tags to what a person reads.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior, Value};

use super::error::{TemplateError, TemplateErrorKind};
use super::gate;
use super::mail;
use super::markdown::Document;
use super::tags::{ClientLink, TAGS, Tags};
use super::value::{MAX_VALUE, single_line};

/// Steps of the engine that one rendering may take. Without loops a text cannot take more steps than it has bytes;
/// the fuel is there in case the gate is wrong.
const FUEL: u64 = 2 * Template::MAX_SOURCE as u64;

/// A Markdown text with tags that was accepted, for a page or the body of a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    source: String,
    /// As the engine gets it.
    admitted: String,
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
        let admitted = admit(source, &TAGS)?;
        for tags in [Tags::sample(), Tags::default(), longest_tags()] {
            let filled = fill(&admitted, tags.context()).map_err(|error| refusal(&error))?;
            if present(&filled).is_none() {
                let message = format!("rendered, this text can be longer than {} bytes", Self::MAX_OUTPUT);
                return Err(TemplateError::new(TemplateErrorKind::TooLong, message));
            }
        }
        Ok(Self { source: source.to_owned(), admitted })
    }

    /// A part of a mail that nobody edits, and that may use the tags of [`super::mail`] too. A test renders every one.
    pub(super) fn part(source: &str) -> Result<Self, TemplateError> {
        let tags: Vec<&'static str> = TAGS.iter().chain(&mail::TAGS).copied().collect();
        Ok(Self { source: source.to_owned(), admitted: admit(source, &tags)? })
    }

    /// A text that was not looked at, to see what happens when it fails.
    #[cfg(test)]
    pub(super) fn unchecked(source: &str) -> Self {
        Self { source: source.to_owned(), admitted: source.to_owned() }
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
        self.render_with(tags.context())
    }

    /// The text with these values of all the tags it may use.
    pub(super) fn render_with(&self, values: Value) -> Result<Rendered, RenderError> {
        let filled = fill(&self.admitted, values).map_err(|error| RenderError::Engine(error.into()))?;
        present(&filled).ok_or(RenderError::TooLong)
    }

    /// The text for one person; `fallback` when this one fails, and an empty one when that fails too. With the
    /// reason, to be logged.
    #[must_use]
    pub fn render_or(&self, fallback: &Self, tags: &Tags) -> (Rendered, Option<RenderError>) {
        match self.render(tags) {
            Ok(rendered) => (rendered, None),
            Err(error) => (fallback.render(tags).unwrap_or_default(), Some(error)),
        }
    }
}

/// The three forms of a filled text, when none is too long.
fn present(filled: &Filled) -> Option<Rendered> {
    let document = Document::parse(filled);
    let rendered = Rendered { markdown: document.markdown(), html: document.html(), text: document.text() };
    let longest = rendered.markdown.len().max(rendered.html.len()).max(rendered.text.len());
    (longest <= Template::MAX_OUTPUT).then_some(rendered)
}

/// A text whose tags are filled in, but whose values stand aside: each is one placeholder character in `text`.
#[derive(Debug)]
pub(super) struct Filled {
    pub(super) text: String,
    values: Vec<Filling>,
}

/// What one expression came to.
#[derive(Debug)]
pub(super) struct Filling {
    pub(super) text: String,
    pub(super) leads: Leads,
}

/// Where a link may lead that this value begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leads {
    /// Nowhere: it is a person's.
    Nowhere,
    /// To this instance: it is its address, and nothing else.
    Instance,
    /// To the desktop client: it is the whole of a [`ClientLink`].
    Client,
}

impl Filled {
    /// What stands for `character`, when it is a placeholder.
    pub(super) fn value(&self, character: char) -> Option<&Filling> {
        let index = u32::from(character).checked_sub(u32::from(*gate::PLACEHOLDERS.start()))?;
        self.values.get(usize::try_from(index).ok()?)
    }

    /// `text` with the values in place of their placeholders.
    pub(super) fn resolve(&self, text: &str) -> String {
        let mut resolved = String::with_capacity(text.len());
        for character in text.chars() {
            match self.value(character) {
                Some(value) => resolved.push_str(&value.text),
                None => resolved.push(character),
            }
        }
        resolved
    }
}

/// What the engine gets of `source`, when the gate and the engine's parser accept it.
pub(super) fn admit(source: &str, tags: &[&'static str]) -> Result<String, TemplateError> {
    let admitted = gate::admit(source, tags)?;
    // The gate has named every unknown tag; should it have missed one, the engine has not.
    let used = environment().template_from_str(&admitted).map_err(|error| refusal(&error))?.undeclared_variables(false);
    match used.into_iter().find(|name| !tags.contains(&name.as_str())) {
        None => Ok(admitted),
        Some(name) => Err(TemplateError::new(TemplateErrorKind::UnknownTag, format!("there is no tag `{name}`"))),
    }
}

/// Runs the engine. It writes a placeholder for every expression, so that no value is ever parsed.
pub(super) fn fill(admitted: &str, tags: Value) -> Result<Filled, minijinja::Error> {
    let values = Arc::new(Mutex::new(Vec::new()));
    let collected = Arc::clone(&values);
    let mut environment = environment();
    environment.set_formatter(move |output, _, value| {
        let mut values = collected.lock().unwrap_or_else(PoisonError::into_inner);
        let placeholder = u32::try_from(values.len())
            .ok()
            .and_then(|index| char::from_u32(u32::from(*gate::PLACEHOLDERS.start()) + index))
            .filter(|placeholder| gate::PLACEHOLDERS.contains(placeholder))
            .ok_or_else(|| minijinja::Error::new(ErrorKind::OutOfFuel, "too many tags"))?;
        if value.is_undefined() {
            return Err(minijinja::Error::from(ErrorKind::UndefinedError));
        }
        let leads = match value.downcast_object_ref::<ClientLink>() {
            Some(_) => Leads::Client,
            None if value.is_safe() => Leads::Instance,
            None => Leads::Nowhere,
        };
        values.push(Filling { text: single_line(&value.to_string(), MAX_VALUE), leads });
        output.write_char(placeholder).map_err(minijinja::Error::from)
    });
    let text = environment.template_from_str(admitted)?.render(tags)?;
    let values = std::mem::take(&mut *values.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(Filled { text, values })
}

/// An engine that knows nothing but our filters: no loader, no functions, no tests, no globals.
fn environment<'a>() -> Environment<'a> {
    let mut environment = Environment::empty();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_fuel(Some(FUEL));
    // With it an error would quote the values.
    environment.set_debug(false);
    // A line that holds only a statement leaves no blank line behind; the gate marks the statements on other lines.
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    environment.set_syntax(syntax.expect("only delimiters can be refused, and these are the standard ones"));
    environment.add_filter("default", |value: Value, other: Value| if value.is_true() { value } else { other });
    environment.add_filter("upper", |value: Value| value.to_string().to_uppercase());
    environment.add_filter("lower", |value: Value| value.to_string().to_lowercase());
    environment.add_filter("title", |value: Value| title(&value.to_string()));
    environment
}

/// Every word with a capital first letter and small others.
fn title(text: &str) -> String {
    let mut titled = String::with_capacity(text.len());
    let mut inside_word = false;
    for character in text.chars() {
        if inside_word {
            titled.extend(character.to_lowercase());
        } else {
            titled.extend(character.to_uppercase());
        }
        inside_word = character.is_alphanumeric() || matches!(character, '\'' | '’');
    }
    titled
}

/// What the engine's error means to the person who wrote the text.
pub(super) fn refusal(error: &minijinja::Error) -> TemplateError {
    let (kind, message) = match error.kind() {
        ErrorKind::OutOfFuel => (TemplateErrorKind::Runaway, "this text takes too many steps to render".to_owned()),
        ErrorKind::UndefinedError => (TemplateErrorKind::UnknownTag, "a tag here does not exist".to_owned()),
        kind => (TemplateErrorKind::Syntax, error.detail().map_or_else(|| kind.to_string(), str::to_owned)),
    };
    TemplateError::new(kind, message).at_line(error.line())
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
