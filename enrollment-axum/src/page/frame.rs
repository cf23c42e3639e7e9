//! What stands around every page.

use serde::Serialize;

use super::branding::Branding;
use crate::state::EnrollmentState;

/// What the layout shows around every page, as `frame` in its template.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Frame {
    /// The organization, or the product where nobody has named it, or a word that is never wrong.
    pub(crate) name: String,
    /// Whom to ask; empty when nobody has said.
    pub(crate) support_contact: String,
    /// The support contact as an address to write to, when it is one.
    pub(crate) support_email: bool,
    /// Everybody on the way can read along, and the page says so (`--insecure-http`).
    pub(crate) insecure: bool,
}

impl Frame {
    /// The frame of this instance, with the branding that was seen last.
    pub(super) fn of(state: &EnrollmentState) -> Self {
        Self::new(&state.branding().get(), state.options().insecure_http)
    }

    pub(super) fn new(branding: &Branding, insecure: bool) -> Self {
        let Branding { organization, product, support_contact } = branding;
        let name = [organization, product].into_iter().find(|name| !name.is_empty());
        Self {
            name: name.map_or_else(|| "VPN".to_owned(), Clone::clone),
            support_contact: support_contact.clone(),
            support_email: support_contact.parse::<enrollment_core::domain::contact::Email>().is_ok(),
            insecure,
        }
    }
}
