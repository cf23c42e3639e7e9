//! The gate before the engine: which of its language a text may use.
//!
//! What passes has a value for every person: tags are texts, every admitted operator and filter is defined for all
//! texts, and without loops, calls and assignments the work is bounded by the length of the text. So an error can
//! only show when a text is saved, also in a branch that the samples do not take. The engine alone cannot promise
//! that: it finds a wrong filter or call only on the branch it runs.
//!
//! It reads tokens, not grammar: whether brackets and statements fit together is left to the engine.

use super::error::{TemplateError, TemplateErrorKind};

/// The filters, in the order in which help lists them.
pub(super) const FILTERS: [&str; 4] = ["default", "upper", "lower", "title"];
const STATEMENTS: [&str; 4] = ["if", "elif", "else", "endif"];
const OPERATORS: [&str; 3] = ["and", "or", "not"];

/// The most expressions in one text; with [`MAX_VALUE`](super::value::MAX_VALUE) it bounds what a text can grow to.
pub(super) const MAX_USES: usize = 100;

/// Private-use characters that stand for values while Markdown is parsed; a text cannot contain them.
pub(super) const PLACEHOLDERS: std::ops::RangeInclusive<char> = '\u{F0000}'..='\u{F00FF}';

/// Admits a text that uses these tags only, or says what is wrong with it and where. The answer is the text as the
/// engine gets it.
pub(super) fn admit(source: &str, tags: &[&'static str]) -> Result<String, TemplateError> {
    check_characters(source)?;
    let mut uses = 0;
    let mut at = 0;
    let mut marks = Vec::new();
    while let Some(open) = source[at..].find('{').map(|offset| at + offset) {
        let inside = open + 2;
        at = match source.get(open..inside) {
            Some("{#") => match source[inside..].find("#}") {
                Some(end) => inside + end + 2,
                None => return Err(unclosed(source, open, "#}")),
            },
            Some("{{") => {
                uses += 1;
                if uses > MAX_USES {
                    let message = format!("a text may use {MAX_USES} tags at most");
                    return Err(TemplateError::new(TemplateErrorKind::TooLong, message).at(source, open));
                }
                let (tokens, end) = tokens(source, open, "}}")?;
                check_expression(source, &tokens, tags)?;
                at = end;
                continue;
            }
            Some("{%") => {
                let (tokens, end) = tokens(source, open, "%}")?;
                check_statement(source, open, &tokens, tags)?;
                end
            }
            _ => {
                at = open + 1;
                continue;
            }
        };
        marks.extend(marks_to_keep_space(source, open, at));
    }
    let mut admitted = source.to_owned();
    for mark in marks.into_iter().rev() {
        admitted.insert(mark, '+');
    }
    Ok(admitted)
}

/// Where to put `+`, the engine's mark for keeping white space, into the statement or note from `open` to `end`.
///
/// The engine swallows the line break after every statement. People want that where the statement has the line to
/// itself, since blank lines mean something in Markdown, and nowhere else.
fn marks_to_keep_space(source: &str, open: usize, end: usize) -> impl Iterator<Item = usize> {
    let (before, inside, after) = (&source[..open], &source[open + 2..end - 2], &source[end..]);
    let begins_line = before.rsplit('\n').next().unwrap_or(before).trim().is_empty();
    let ends_line = after.is_empty() || after.starts_with('\n') || after.starts_with("\r\n");
    let shares_line = !(begins_line && ends_line);
    let first = (shares_line && !inside.starts_with(['-', '+'])).then_some(open + 2);
    let last = (shares_line && !inside.ends_with(['-', '+'])).then_some(end - 2);
    first.into_iter().chain(last)
}

fn check_characters(source: &str) -> Result<(), TemplateError> {
    let wrong = |c: char| PLACEHOLDERS.contains(&c) || c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    match source.char_indices().find(|(_, character)| wrong(*character)) {
        None => Ok(()),
        Some((offset, character)) => {
            let message = format!("the character U+{:04X} cannot be used", u32::from(character));
            Err(TemplateError::new(TemplateErrorKind::NotAllowed, message).at(source, offset))
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Token<'a> {
    Name(&'a str),
    Text,
    Open,
    Close,
    Filter,
    /// `~`, `==` or `!=`
    Operator,
    /// What has no place inside a tag.
    Other(char),
}

type Located<'a> = (Token<'a>, usize);

/// The tokens from the marker at `open` to its `end` marker, and the offset after that.
fn tokens<'a>(source: &'a str, open: usize, end: &str) -> Result<(Vec<Located<'a>>, usize), TemplateError> {
    let mut tokens = Vec::new();
    let mut at = open + 2;
    if source[at..].starts_with(['-', '+']) {
        at += 1;
    }
    loop {
        let rest = &source[at..];
        let Some(first) = rest.chars().next() else { return Err(unclosed(source, open, end)) };
        let trimmed = rest.strip_prefix(['-', '+']).unwrap_or(rest);
        if trimmed.starts_with(end) {
            return Ok((tokens, at + (rest.len() - trimmed.len()) + end.len()));
        }
        let (token, length) = match first {
            ' ' | '\t' | '\r' | '\n' => {
                at += 1;
                continue;
            }
            '"' | '\'' => (Token::Text, text_length(source, at, first)?),
            '(' => (Token::Open, 1),
            ')' => (Token::Close, 1),
            '|' => (Token::Filter, 1),
            '~' => (Token::Operator, 1),
            _ if rest.starts_with("==") || rest.starts_with("!=") => (Token::Operator, 2),
            _ if first.is_alphabetic() || first == '_' => {
                let length = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
                (Token::Name(&rest[..length]), length)
            }
            _ => (Token::Other(first), first.len_utf8()),
        };
        tokens.push((token, at));
        at += length;
    }
}

/// The length of the quoted text at `at`, quotes included.
fn text_length(source: &str, at: usize, quote: char) -> Result<usize, TemplateError> {
    let mut escaped = false;
    for (offset, character) in source[at..].char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if character == quote => return Ok(offset + 1),
            _ => {}
        }
    }
    Err(unclosed(source, at, &quote.to_string()))
}

fn check_statement(
    source: &str,
    open: usize,
    tokens: &[Located<'_>],
    tags: &[&'static str],
) -> Result<(), TemplateError> {
    match tokens.split_first() {
        Some(((Token::Name(name), _), condition)) if STATEMENTS.contains(name) => {
            check_expression(source, condition, tags)
        }
        Some(((Token::Name("for"), at), _)) => {
            Err(not_allowed(source, *at, "loops cannot be used; the statements are if, elif, else and endif"))
        }
        Some(((Token::Name(name), at), _)) => {
            let message = format!("there is no statement `{name}`; the statements are if, elif, else and endif");
            Err(not_allowed(source, *at, &message).suggesting(name, &STATEMENTS))
        }
        _ => Err(TemplateError::new(TemplateErrorKind::Syntax, "a statement begins with a word, as in {% if … %}")
            .at(source, open)),
    }
}

fn check_expression(source: &str, tokens: &[Located<'_>], tags: &[&'static str]) -> Result<(), TemplateError> {
    let token = |index: Option<usize>| index.and_then(|index| tokens.get(index)).map(|(token, _)| *token);
    for (index, (current, at)) in tokens.iter().enumerate() {
        let before = token(index.checked_sub(1));
        match *current {
            Token::Name(name) if before == Some(Token::Filter) => {
                check_filter(source, *at, name, token(Some(index + 1)), token(Some(index + 2)))?;
            }
            Token::Name(name) if !OPERATORS.contains(&name) && !tags.contains(&name) => {
                return Err(unknown_tag(source, *at, name, tags));
            }
            Token::Other(character) => {
                return Err(not_allowed(source, *at, &format!("`{character}` cannot be used inside a tag")));
            }
            // A bracket after a value would call it.
            Token::Open => match before {
                Some(Token::Name(name)) if name == "default" || OPERATORS.contains(&name) => {}
                None | Some(Token::Open | Token::Operator) => {}
                _ => return Err(not_allowed(source, *at, "a bracket cannot follow here")),
            },
            _ => {}
        }
    }
    Ok(())
}

fn check_filter(
    source: &str,
    at: usize,
    name: &str,
    next: Option<Token<'_>>,
    argument: Option<Token<'_>>,
) -> Result<(), TemplateError> {
    if !FILTERS.contains(&name) {
        let message = format!("there is no filter `{name}`; the filters are {}", FILTERS.join(", "));
        return Err(TemplateError::new(TemplateErrorKind::UnknownFilter, message)
            .at(source, at)
            .suggesting(name, &FILTERS));
    }
    if name == "default" && (next != Some(Token::Open) || matches!(argument, None | Some(Token::Close))) {
        return Err(not_allowed(source, at, "`default` needs a text, as in default(\"there\")"));
    }
    Ok(())
}

fn unknown_tag(source: &str, at: usize, name: &str, tags: &[&'static str]) -> TemplateError {
    let error =
        TemplateError::new(TemplateErrorKind::UnknownTag, format!("there is no tag `{name}`")).suggesting(name, tags);
    let error = match error.suggestion() {
        Some(_) => error,
        None => TemplateError::new(
            TemplateErrorKind::UnknownTag,
            format!("there is no tag `{name}`; the tags are {}", tags.join(", ")),
        ),
    };
    error.at(source, at)
}

fn not_allowed(source: &str, at: usize, message: &str) -> TemplateError {
    TemplateError::new(TemplateErrorKind::NotAllowed, message).at(source, at)
}

fn unclosed(source: &str, at: usize, end: &str) -> TemplateError {
    TemplateError::new(TemplateErrorKind::Syntax, format!("what opens here is not closed by `{end}`")).at(source, at)
}
