//! The texts that administrators may write themselves.

use super::{Administrator, doer};
use crate::domain::event::Event;
use crate::domain::rejection::Rejection;
use crate::domain::role::Permission;
use crate::record::{Stored, TemplateText, Version, new_row};
use crate::service::texts::{BuiltIn, built_in};
use crate::service::turn::{Draft, INSTANCE, TURNS, Written};
use crate::service::{Answer, Failure, Principal, operation};
use crate::template::{Rendered, Subject, Tags, Template, TemplateError};

/// A text as it is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateView {
    /// Its name.
    pub name: &'static str,
    /// Its source: Markdown with [tags](crate::template::TAGS); for the subject of a mail one line of plain text with
    /// tags.
    pub source: String,
    /// It is an administrator's own, in place of the built-in one.
    pub is_own: bool,
}

impl Administrator<'_> {
    /// Every text that can be written anew, as it is in force.
    ///
    /// # Errors
    /// [`Rejection::Forbidden`].
    pub fn templates<'a>(&'a self, by: &'a Principal) -> Answer<'a, Vec<TemplateView>> {
        operation("administrator.templates", async move {
            self.audited(by, "templates", INSTANCE, async {
                by.demand(Permission::ReadSettings)?;
                let keys: Vec<_> = built_in().map(|text| TemplateText::key(text.name)).collect();
                let rows = self.service.store().get(&keys).await?;
                let own = rows.iter().map(|row| row.as_ref().map(Stored::<TemplateText>::read).transpose());
                built_in().zip(own).map(|(text, own)| Ok(view(text, own?))).collect()
            })
            .await
        })
    }

    /// One text as it is in force.
    ///
    /// # Errors
    /// [`Rejection::NotFound`] when there is no text of this name; [`Rejection::Forbidden`].
    pub fn template<'a>(&'a self, by: &'a Principal, name: &'a str) -> Answer<'a, TemplateView> {
        operation("administrator.template", async move {
            self.audited(by, "template", INSTANCE, async {
                by.demand(Permission::ReadSettings)?;
                let text = known(name)?;
                Ok(view(text, self.own_text(name).await?))
            })
            .await
        })
    }

    /// Puts an administrator's own text in force, for everybody who reads it from now on. It has been compiled and
    /// rendered with sample data before it is written, so it cannot fail in front of an enrollee (MSG-3). The text that
    /// is saved already writes nothing.
    ///
    /// # Errors
    /// [`Rejection::InvalidTemplate`] with line and suggestion; then the text in force stays.
    /// [`Rejection::NotFound`], [`Rejection::Forbidden`].
    pub fn save_template<'a>(&'a self, by: &'a Principal, name: &'a str, source: &'a str) -> Answer<'a, TemplateView> {
        operation("administrator.save_template", self.try_save_template(by, name, source))
    }

    async fn try_save_template(&self, by: &Principal, name: &str, source: &str) -> Result<TemplateView, Failure> {
        self.audited(by, "save_template", TemplateText::key(name), async {
            by.demand(Permission::ManageSettings)?;
            let text = known(name)?;
            Compiled::new(text, source)?;
            let next = TemplateText { name: name.to_owned(), source: source.to_owned() };
            for _ in 0..TURNS {
                let own = self.own_text(name).await?;
                if own.as_ref().is_some_and(|own| own.record == next) {
                    return Ok(view(text, own));
                }
                let mut draft = Draft::new(self.service.now());
                draft.ops.push(own.map_or_else(|| new_row(&next), |own| own.put(&next)));
                let event = Event::TemplateChanged { name: name.to_owned() };
                self.service.audit(&mut draft, doer(by), TemplateText::key(name), Version::FIRST, event);
                match self.write(by, draft).await? {
                    Written::Applied => return Ok(TemplateView { name: text.name, source: next.source, is_own: true }),
                    Written::Stale | Written::Taken(_) | Written::LeaseLost => {}
                }
            }
            Err(Failure::Busy)
        })
        .await
    }

    /// Puts the built-in text in force again. Where it is, nothing is written.
    ///
    /// # Errors
    /// [`Rejection::NotFound`], [`Rejection::Forbidden`].
    pub fn reset_template<'a>(&'a self, by: &'a Principal, name: &'a str) -> Answer<'a, TemplateView> {
        operation("administrator.reset_template", self.try_reset_template(by, name))
    }

    async fn try_reset_template(&self, by: &Principal, name: &str) -> Result<TemplateView, Failure> {
        self.audited(by, "reset_template", TemplateText::key(name), async {
            by.demand(Permission::ManageSettings)?;
            let text = known(name)?;
            for _ in 0..TURNS {
                let Some(own) = self.own_text(name).await? else { return Ok(view(text, None)) };
                let mut draft = Draft::new(self.service.now());
                draft.ops.push(own.delete());
                let event = Event::TemplateReset { name: name.to_owned() };
                self.service.audit(&mut draft, doer(by), own.key(), own.version, event);
                match self.write(by, draft).await? {
                    Written::Applied => return Ok(view(text, None)),
                    Written::Stale | Written::Taken(_) | Written::LeaseLost => {}
                }
            }
            Err(Failure::Busy)
        })
        .await
    }

    /// What `source` would look like as the text `name`, with sample people and this instance's own address; a subject
    /// is in the text alone. Writes
    /// nothing, not even that a text was not accepted: previews come with every pause in typing.
    ///
    /// # Errors
    /// [`Rejection::InvalidTemplate`] with line and suggestion; [`Rejection::NotFound`], [`Rejection::Forbidden`].
    pub fn preview_template<'a>(&'a self, by: &'a Principal, name: &'a str, source: &'a str) -> Answer<'a, Rendered> {
        operation("administrator.preview_template", async move {
            self.audited(by, "preview_template", INSTANCE, async { Ok(by.demand(Permission::ReadSettings)?) }).await?;
            let text = known(name)?;
            let instance = self.service.instance();
            let tags = Tags {
                instance_url: instance.url.clone(),
                instance_version: instance.version.clone(),
                ..Tags::sample()
            };
            match Compiled::new(text, source)? {
                Compiled::Text(template) => template.render(&tags),
                Compiled::Subject(subject) => {
                    subject.render(&tags).map(|text| Rendered { text, ..Rendered::default() })
                }
            }
            .map_err(|error| Failure::Broken(error.into()))
        })
    }

    async fn own_text(&self, name: &str) -> Result<Option<Stored<TemplateText>>, Failure> {
        self.service.read(TemplateText::key(name).id).await
    }
}

fn view(text: BuiltIn, own: Option<Stored<TemplateText>>) -> TemplateView {
    let is_own = own.is_some();
    let source = own.map_or_else(|| text.source.to_owned(), |own| own.record.source);
    TemplateView { name: text.name, source, is_own }
}

fn known(name: &str) -> Result<BuiltIn, Rejection> {
    built_in().find(|text| text.name == name).ok_or(Rejection::NotFound { what: "text" })
}

/// A text that was accepted for its place.
enum Compiled {
    Text(Template),
    Subject(Subject),
}

impl Compiled {
    fn new(text: BuiltIn, source: &str) -> Result<Self, Rejection> {
        let compiled = if text.is_subject {
            Subject::compile(source).map(Self::Subject)
        } else {
            Template::compile(source).map(Self::Text)
        };
        compiled.map_err(|error| invalid(&error, error.message()))
    }
}

/// The refusal of a text, where it is wrong.
pub(super) fn invalid(error: &TemplateError, message: String) -> Rejection {
    Rejection::InvalidTemplate { line: error.line().unwrap_or(1), message }
}
