//! Whose pages these are.

use std::sync::{Arc, PoisonError, RwLock};

use enrollment_core::domain::settings::Settings;

/// Whose pages these are, and whom to ask for help: what stands in every header and footer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Branding {
    /// The organization; empty when nobody has named it.
    pub(crate) organization: String,
    /// The product; empty when it is not known yet.
    pub(crate) product: String,
    /// Whom to ask; empty when nobody has said.
    pub(crate) support_contact: String,
}

impl From<&Settings> for Branding {
    fn from(settings: &Settings) -> Self {
        Self {
            organization: settings.organization.to_string(),
            product: settings.product.to_string(),
            support_contact: settings.support_contact.to_string(),
        }
    }
}

/// The branding as this process has seen it last.
///
/// A page that refuses something must not ask the store for it: a mistyped token is refused without a read, and all
/// strangers by the same reads (TOK-7). It shows what the pages before it have read.
#[derive(Debug, Default)]
pub(crate) struct KnownBranding(RwLock<Arc<Branding>>);

impl KnownBranding {
    /// As it was seen last.
    pub(crate) fn get(&self) -> Arc<Branding> {
        // Replaced whole or not at all, so a poisoned lock holds a branding like any other.
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Keeps what was just read.
    pub(crate) fn seen(&self, branding: Branding) {
        if *self.get() != branding {
            *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(branding);
        }
    }
}
