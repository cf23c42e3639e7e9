//! Texts that administrators write and people read: the onboarding page, subjects and bodies of mails.
//!
//! # Guarantees
//! * A text that was accepted by [`Template::compile`] or [`Subject::compile`] renders for every person: only
//!   expressions are admitted that have a value whatever the tags hold. Should it fail all the same,
//!   [`Template::render_or`] answers with another text and the reason: nobody is held up by a text.
//! * What a tag stands for is never read as markup. Values enter after the Markdown was parsed, so a name such as
//!   `**[x](https://evil.example)**` is shown as these characters in HTML, in plain text and in Markdown.
//! * Reading a rendered text causes no request to any host; links lead only to `http`, `https` and `mailto`,
//!   and, in the part of an invitation that nobody edits, to the desktop client with that invitation.
//!
//! # The language
//! * `{{ first_name }}` writes a tag; [`TAGS`] lists them. A tag without a value writes nothing.
//! * `{% if admin_phone %} … {% elif … %} … {% else %} … {% endif %}` with `and`, `or`, `not`, `==`, `!=`, brackets
//!   and `"texts"`; a tag without a value counts as no. A statement with a line to itself leaves no line behind.
//! * `{{ first_name | default("there") }}`, and the filters `upper`, `lower` and `title`; `~` joins.
//! * `{# a note #}` is not shown.
//!
//! There are no loops, includes, macros, numbers or functions: no text about a person needs them, and each is a way
//! to fail or to run away.

pub mod builtin;
pub mod durations;
mod engine;
mod error;
mod gate;
pub mod mail;
mod markdown;
mod program;
mod subject;
mod tags;
mod value;
mod writer;

pub use engine::{RenderError, Rendered, Template};
pub use error::{TemplateError, TemplateErrorKind};
pub use subject::Subject;
pub use tags::{TAGS, Tags};

#[cfg(test)]
mod injection_tests;
#[cfg(test)]
mod tests;
