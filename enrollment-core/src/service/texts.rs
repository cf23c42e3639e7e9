//! The texts in force: an administrator's own, or the built-in ones.

use std::collections::HashMap;
use std::sync::{Arc, MutexGuard, PoisonError};

use super::Service;
use super::circumstances::Rows;
use super::circumstances::World;
use crate::domain::mail::Wording;
use crate::record::{Document, Row, RowKey, Stored, TemplateText};
use crate::template::builtin::MailText;
use crate::template::{Rendered, Subject, Template, builtin};

/// The name of the onboarding page's text.
pub(crate) const ONBOARDING: &str = "onboarding";
/// The name of the onboarding mail's.
const ONBOARDING_MAIL: &str = "onboarding_mail";

/// A text that an administrator may write anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BuiltIn {
    pub(crate) name: &'static str,
    pub(crate) source: &'static str,
    /// The subject of a mail: one line of plain text.
    pub(crate) is_subject: bool,
}

/// Every text that an administrator may write anew: the onboarding page, and subject and body of each mail.
pub(crate) fn built_in() -> impl Iterator<Item = BuiltIn> {
    let page = BuiltIn { name: ONBOARDING, source: builtin::ONBOARDING, is_subject: false };
    let mails = builtin::MAILS.iter().flat_map(|mail| {
        [
            BuiltIn { name: mail.name, source: mail.body_source, is_subject: false },
            BuiltIn { name: mail.subject_name, source: mail.subject_source, is_subject: true },
        ]
    });
    std::iter::once(page).chain(mails)
}

/// What a mail says in place of the built-in texts.
#[derive(Debug)]
pub(crate) struct OwnTexts {
    pub(crate) subject: Option<Subject>,
    pub(crate) body: Option<Arc<Template>>,
}

impl Service {
    /// The onboarding message for the world's user, of a world that was read with the key of its text. A text that
    /// fails against all expectation is replaced by the built-in one and reported to the operator: no text holds anybody
    /// up.
    pub(crate) fn onboarding(&self, world: &World) -> Rendered {
        let builtin = builtin::onboarding();
        let tags = world.tags(self.instance());
        let (rendered, error) =
            match world.row(TemplateText::key(ONBOARDING)).and_then(|row| self.compiled(ONBOARDING, row)) {
                Some(saved) => saved.render_or(builtin, &tags),
                None => builtin.render_or(builtin, &tags),
            };
        if let Some(error) = error {
            tracing::error!(%error, template = ONBOARDING, "a text did not render; the built-in one was shown");
        }
        rendered
    }

    /// The keys of the texts of this mail, to be read with what else it needs.
    pub(crate) fn keys_of_texts(name: &str) -> Vec<RowKey> {
        let texts = builtin::MAILS.iter().filter(|mail| mail.name == name);
        let names = texts.flat_map(|mail| [mail.subject_name, mail.name]);
        names.chain((name == ONBOARDING_MAIL).then_some(ONBOARDING)).map(TemplateText::key).collect()
    }

    /// What a mail says in place of the built-in texts: its own `wording` before what is saved in these rows.
    pub(crate) fn own_texts(&self, mail: &'static MailText, wording: Option<&Wording>, rows: &Rows) -> OwnTexts {
        let subject = wording.and_then(Wording::compiled_subject);
        // Not among the compiled texts that are kept: those are everybody's.
        let body = wording.and_then(Wording::compiled_body).map(Arc::new);
        OwnTexts {
            subject: subject.or_else(|| Self::saved_subject(mail.subject_name, rows)),
            body: body.or_else(|| self.saved_body(mail.name, rows)),
        }
    }

    /// The administrator's own body of a mail. The onboarding mail is the page until it has a text of its own (MSG-1).
    fn saved_body(&self, name: &'static str, rows: &Rows) -> Option<Arc<Template>> {
        let saved = |name| rows.get(&TemplateText::key(name)).map(|row| self.compiled(name, row));
        match saved(name) {
            None if name == ONBOARDING_MAIL => saved(ONBOARDING).flatten(),
            other => other.flatten(),
        }
    }

    /// The administrator's own subject of a mail.
    fn saved_subject(name: &str, rows: &Rows) -> Option<Subject> {
        let row = rows.get(&TemplateText::key(name))?;
        let stored = Stored::<TemplateText>::read(row).inspect_err(|error| {
            tracing::error!(%error, template = name, "a saved subject cannot be read; the built-in one is used");
        });
        let subject = Subject::compile(&stored.ok()?.record.source).inspect_err(|error| {
            tracing::error!(%error, template = name, "a saved subject does not compile; the built-in one is used");
        });
        subject.ok()
    }

    /// The saved text of a row, compiled once as long as it stays the same: checking a text renders it three times. None
    /// when it cannot be read or compiled, which the operator hears: no text holds anybody up.
    fn compiled(&self, name: &'static str, row: &Row) -> Option<Arc<Template>> {
        let mut known = self.known_texts();
        // The version would not do: a text that was reset and written again starts anew.
        if let Some((body, template)) = known.get(name)
            && *body == row.body
        {
            return Some(Arc::clone(template));
        }
        let stored = Stored::<TemplateText>::read(row);
        let stored = stored.inspect_err(|error| {
            tracing::error!(%error, template = name, "a saved text cannot be read; the built-in one is shown");
        });
        let template = Template::compile(&stored.ok()?.record.source).inspect_err(|error| {
            tracing::error!(%error, template = name, "a saved text does not compile; the built-in one is shown");
        });
        let template = Arc::new(template.ok()?);
        known.insert(name, (row.body.clone(), Arc::clone(&template)));
        Some(template)
    }

    fn known_texts(&self) -> MutexGuard<'_, KnownTexts> {
        self.0.texts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// It was compiled when it was written down. Should it not be any more, the operator hears, and the saved texts are used:
/// no text holds anybody up.
impl Wording {
    fn compiled_subject(&self) -> Option<Subject> {
        let compiled = Subject::compile(self.subject.as_ref()?);
        compiled.inspect_err(|error| tracing::error!(%error, "an invitation's own subject does not compile")).ok()
    }

    fn compiled_body(&self) -> Option<Template> {
        let compiled = Template::compile(self.body.as_ref()?);
        compiled.inspect_err(|error| tracing::error!(%error, "an invitation's own text does not compile")).ok()
    }
}

/// Compiled texts by name, with what they were compiled from.
pub(super) type KnownTexts = HashMap<&'static str, (Document, Arc<Template>)>;
