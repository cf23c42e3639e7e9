//! The texts in force: an administrator's own, or the built-in ones.

use std::collections::HashMap;
use std::sync::{Arc, MutexGuard, PoisonError};

use super::circumstances::World;
use super::{Failure, Service};
use crate::record::{Stored, TemplateText, Version};
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
    /// The onboarding message for the world's user. A text that fails against all expectation is replaced by the
    /// built-in one and reported to the operator: no text holds anybody up.
    pub(crate) async fn onboarding(&self, world: &World) -> Result<Rendered, Failure> {
        let builtin = self.builtin_onboarding()?;
        let template = self.template_in_force(ONBOARDING, &builtin).await?;
        let (rendered, error) = template.render_or(&builtin, &world.tags(self.instance()));
        if let Some(error) = error {
            tracing::error!(%error, template = ONBOARDING, "a saved text did not render; the built-in one was shown");
        }
        Ok(rendered)
    }

    /// Compiled at its first use: checking a text renders it three times.
    fn builtin_onboarding(&self) -> Result<Arc<Template>, Failure> {
        let mut known = self.known_texts();
        if let Some((None, template)) = known.get(BUILTIN_ONBOARDING) {
            return Ok(Arc::clone(template));
        }
        let template = Arc::new(builtin::onboarding().map_err(|error| Failure::Broken(error.into()))?);
        known.insert(BUILTIN_ONBOARDING, (None, Arc::clone(&template)));
        Ok(template)
    }

    /// The saved text of this name, or `builtin`. Compiled once per version.
    async fn template_in_force(&self, name: &'static str, builtin: &Arc<Template>) -> Result<Arc<Template>, Failure> {
        let row = self.store().get(&[TemplateText::key(name)]).await?.pop().flatten();
        let Some(row) = row else { return Ok(Arc::clone(builtin)) };
        let mut known = self.known_texts();
        if let Some((version, template)) = known.get(name)
            && *version == Some(row.version)
        {
            return Ok(Arc::clone(template));
        }
        let stored = Stored::<TemplateText>::read(&row)?;
        let template = match Template::compile(&stored.record.source) {
            Ok(template) => Arc::new(template),
            Err(error) => {
                tracing::error!(%error, template = name, "a saved text does not compile; the built-in one is shown");
                Arc::clone(builtin)
            }
        };
        known.insert(name, (Some(row.version), Arc::clone(&template)));
        Ok(template)
    }

    fn known_texts(&self) -> MutexGuard<'_, KnownTexts> {
        self.0.texts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where the built-in onboarding page is kept once compiled.
const BUILTIN_ONBOARDING: &str = "onboarding (built in)";

/// Compiled texts by name, with the version of the row they were compiled from; `None` for built-in ones.
pub(super) type KnownTexts = HashMap<&'static str, (Option<Version>, Arc<Template>)>;
