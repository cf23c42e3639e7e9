//! The texts in force: an administrator's own, or the built-in ones.

use std::sync::{Arc, PoisonError};

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
        let builtin = builtin::onboarding().map_err(|error| Failure::Broken(error.into()))?;
        let template = self.template_in_force(ONBOARDING, &builtin).await?;
        let (rendered, error) = template.render_or(&builtin, &world.tags(self.instance()));
        if let Some(error) = error {
            tracing::error!(%error, template = ONBOARDING, "a saved text did not render; the built-in one was shown");
        }
        Ok(rendered)
    }

    /// The saved text of this name, or `builtin`. Compiled once per version: checking a text renders it thrice.
    async fn template_in_force(&self, name: &'static str, builtin: &Template) -> Result<Arc<Template>, Failure> {
        let row = self.store().get(&[TemplateText::key(name)]).await?.pop().flatten();
        let Some(row) = row else { return Ok(Arc::new(builtin.clone())) };
        let mut known = self.0.texts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((version, template)) = known.get(name)
            && *version == row.version
        {
            return Ok(Arc::clone(template));
        }
        let stored = Stored::<TemplateText>::read(&row)?;
        let template = match Template::compile(&stored.record.source) {
            Ok(template) => template,
            Err(error) => {
                tracing::error!(%error, template = name, "a saved text does not compile; the built-in one is shown");
                builtin.clone()
            }
        };
        let template = Arc::new(template);
        known.insert(name, (row.version, Arc::clone(&template)));
        Ok(template)
    }
}

/// Compiled texts by name, with the version of the row they were compiled from.
pub(super) type KnownTexts = std::collections::HashMap<&'static str, (Version, Arc<Template>)>;
