//! The engine: a text is compiled once, and filled in for many people.

use std::fmt;
use std::fmt::Write as _;
use std::mem;

use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, ErrorKind, State, UndefinedBehavior, Value};

use super::engine::Template;
use super::error::{TemplateError, TemplateErrorKind};
use super::gate;
use super::tags::ClientLink;
use super::value::{MAX_VALUE, single_line};

/// Steps of the engine that one rendering may take. Without loops a text cannot take more steps than it has bytes;
/// the fuel is there in case the gate is wrong.
const FUEL: u64 = 2 * Template::MAX_SOURCE as u64;

/// The name of the one text that an engine knows.
const TEXT: &str = "";

/// A text as the engine runs it.
#[derive(Clone)]
pub(super) struct Program {
    /// As the engine got it.
    admitted: String,
    environment: Environment<'static>,
}

impl PartialEq for Program {
    fn eq(&self, other: &Self) -> bool {
        self.admitted == other.admitted
    }
}

impl Eq for Program {}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Program").field(&self.admitted).finish()
    }
}

impl Program {
    /// A text that uses these tags only, when the gate and the engine's parser accept it.
    pub(super) fn admit(source: &str, tags: &[&'static str]) -> Result<Self, TemplateError> {
        let program = Self::unchecked(gate::admit(source, tags)?).map_err(|error| refusal(&error))?;
        // The gate has named every unknown tag; should it have missed one, the engine has not.
        let used = program.text().map_err(|error| refusal(&error))?.undeclared_variables(false);
        match used.into_iter().find(|name| !tags.contains(&name.as_str())) {
            None => Ok(program),
            Some(name) => Err(TemplateError::new(TemplateErrorKind::UnknownTag, format!("there is no tag `{name}`"))),
        }
    }

    /// A text that the gate has not looked at, or is done with.
    pub(super) fn unchecked(admitted: String) -> Result<Self, minijinja::Error> {
        let mut environment = environment();
        environment.add_template_owned(TEXT, admitted.clone())?;
        Ok(Self { admitted, environment })
    }

    /// Runs it. It writes a placeholder for every expression, so that no value is ever parsed.
    pub(super) fn fill(&self, tags: Value) -> Result<Filled, minijinja::Error> {
        let mut captured = self.text()?.render_captured(tags)?;
        let values = captured.with_state_mut(|state| mem::take(&mut Fillings::of(state).0));
        Ok(Filled { text: captured.into_output(), values })
    }

    fn text(&self) -> Result<minijinja::Template<'_, '_>, minijinja::Error> {
        self.environment.get_template(TEXT)
    }
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

/// The values that one rendering has come across so far, which the engine keeps for as long.
#[derive(Default)]
struct Fillings(Vec<Filling>);

impl Fillings {
    fn of<'s>(state: &'s mut State<'_, '_>) -> &'s mut Self {
        state.get_or_insert_extension(Self::default())
    }

    /// The placeholder of one more value.
    fn push(&mut self, value: &Value) -> Result<char, minijinja::Error> {
        let placeholder = u32::try_from(self.0.len())
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
        self.0.push(Filling { text: single_line(&value.to_string(), MAX_VALUE), leads });
        Ok(placeholder)
    }
}

/// An engine that knows nothing but our filters: no loader, no functions, no tests, no globals.
fn environment() -> Environment<'static> {
    let mut environment = Environment::empty();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_fuel(Some(FUEL));
    // With it an error would quote the values.
    environment.set_debug(false);
    // A line that holds only a statement leaves no blank line behind; the gate marks the statements on other lines.
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    environment.set_syntax(syntax.expect("only delimiters can be refused, and these are the standard ones"));
    environment.set_formatter(|output, state, value| {
        let placeholder = Fillings::of(state).push(value)?;
        output.write_char(placeholder).map_err(minijinja::Error::from)
    });
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
