//! The texts in force: an administrator's own, or the built-in ones.

use std::collections::HashMap;
use std::sync::{Arc, MutexGuard, PoisonError};

use super::circumstances::World;
use super::{Failure, Service};
use crate::record::{Row, Stored, TemplateText, Version};
use crate::template::{Rendered, Template, builtin};

/// The name of the onboarding page's text.
pub(crate) const ONBOARDING: &str = "onboarding";

/// Every text that an administrator may write anew, with its built-in source.
pub(crate) const BUILT_IN: [(&str, &str); 1] = [(ONBOARDING, builtin::ONBOARDING)];

/// The name and built-in source of a text, if there is a text of this name.
pub(crate) fn built_in(name: &str) -> Option<(&'static str, &'static str)> {
    BUILT_IN.into_iter().find(|(known, _)| *known == name)
}

impl Service {
    /// The onboarding message for the world's user, of a world that was read with the key of its text. A text that
    /// fails against all expectation is replaced by the built-in one and reported to the operator: no text holds anybody
    /// up.
    pub(crate) fn onboarding(&self, world: &World) -> Result<Rendered, Failure> {
        let builtin = builtin::onboarding();
        let tags = world.tags(self.instance());
        let (rendered, error) = match self.saved_text(ONBOARDING, world.row(TemplateText::key(ONBOARDING)))? {
            Some(saved) => saved.render_or(builtin, &tags),
            None => builtin.render_or(builtin, &tags),
        };
        if let Some(error) = error {
            tracing::error!(%error, template = ONBOARDING, "a text did not render; the built-in one was shown");
        }
        Ok(rendered)
    }

    /// The saved text of this name, compiled once per version: checking a text renders it three times.
    fn saved_text(&self, name: &'static str, row: Option<&Row>) -> Result<Option<Arc<Template>>, Failure> {
        let Some(row) = row else { return Ok(None) };
        let mut known = self.known_texts();
        if let Some((version, template)) = known.get(name)
            && *version == row.version
        {
            return Ok(Some(Arc::clone(template)));
        }
        let stored = Stored::<TemplateText>::read(row)?;
        let template = match Template::compile(&stored.record.source) {
            Ok(template) => Arc::new(template),
            Err(error) => {
                tracing::error!(%error, template = name, "a saved text does not compile; the built-in one is shown");
                return Ok(None);
            }
        };
        known.insert(name, (row.version, Arc::clone(&template)));
        Ok(Some(template))
    }

    fn known_texts(&self) -> MutexGuard<'_, KnownTexts> {
        self.0.texts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Compiled texts by name, with the version of the row they were compiled from.
pub(super) type KnownTexts = HashMap<&'static str, (Version, Arc<Template>)>;
