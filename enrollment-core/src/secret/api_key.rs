//! The secret of an administrator's API key.

use super::opaque::{Opaque, secret_text};
use crate::port::Entropy;

secret_text! {
    /// An administrator's key for the API: 160 random bits, shown once. At rest there is only its digest.
    ApiKeySecret, "enk_"
}

impl ApiKeySecret {
    /// A new key.
    #[must_use]
    pub fn random(entropy: &dyn Entropy) -> Self {
        Self(Opaque::random(Self::PREFIX, entropy))
    }
}
