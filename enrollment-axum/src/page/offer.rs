//! What an authenticator app is set up with, as the pages of enrollees and of administrators show it.

use enrollment_core::service::enrollee::TotpOffer;
use serde::Serialize;

/// A secret for an authenticator app. It has no `Debug`: nothing writes it down.
#[derive(Clone, Serialize)]
pub(crate) struct OfferView {
    /// In groups of four, as people read it to themselves; apps ignore spaces.
    pub(crate) secret: String,
    pub(crate) uri: String,
    pub(crate) qr_svg: String,
}

impl From<TotpOffer> for OfferView {
    fn from(offer: TotpOffer) -> Self {
        let TotpOffer { secret, uri, qr_svg } = offer;
        let letters: Vec<char> = secret.chars().collect();
        let groups: Vec<String> = letters.chunks(4).map(|group| group.iter().collect()).collect();
        Self { secret: groups.join(" "), uri: uri.to_string(), qr_svg: qr_svg.to_string() }
    }
}
