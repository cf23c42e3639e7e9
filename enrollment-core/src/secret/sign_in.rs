//! Secrets of signing in: an administrator's session, and what a browser is known by.

use uuid::Uuid;

use super::binding::framed;
use super::code::RecoveryCode;
use super::digest::Digest;
use super::keyring::{KeyRing, Purpose, derive};
use super::opaque::{Opaque, secret_text};
use crate::id::{PlaceId, UserId};
use crate::port::Entropy;

secret_text! {
    /// The secret of an administrator's session: 160 random bits. At rest there is only its digest. Signing in has two
    /// steps, and each gives a new one.
    AdminSessionSecret, "ena_"
}

impl AdminSessionSecret {
    /// A new secret.
    #[must_use]
    pub fn random(entropy: &dyn Entropy) -> Self {
        Self(Opaque::random(Self::PREFIX, entropy))
    }
}

secret_text! {
    /// What a browser keeps after a sign-in: 160 random bits. It opens nothing. It only tells the browser of a person
    /// from those of strangers, whose wrong guesses are counted apart.
    BrowserSecret, "enb_"
}

impl BrowserSecret {
    /// A new secret.
    #[must_use]
    pub fn random(entropy: &dyn Entropy) -> Self {
        Self(Opaque::random(Self::PREFIX, entropy))
    }
}

/// Of whom places are told apart: a user, or a name that nobody has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Named(Uuid);

impl Named {
    pub(crate) const fn user(id: UserId) -> Self {
        Self(id.uuid())
    }

    /// All who are not known.
    pub(crate) fn strangers(self) -> PlaceId {
        self.place(b"strangers", b"")
    }

    /// The browser with this secret.
    pub(crate) fn browser(self, secret: &BrowserSecret) -> PlaceId {
        self.place(b"browser", secret.digest().as_bytes())
    }

    fn place(self, by: &[u8], secret: &[u8]) -> PlaceId {
        let digest = Digest::of(&framed(&[b"sign-in place", self.0.as_bytes(), by, secret]));
        PlaceId::from_uuid(uuid_of(digest.as_bytes()))
    }
}

impl KeyRing {
    /// What stands for a name that nobody has. It is derived under the active key, so that nothing at rest tells what
    /// somebody typed, which may have been their password.
    pub(crate) fn nobody(&self, name: &str) -> Named {
        Named(self.derived_uuid(b"a name that nobody has", &[name.as_bytes()]))
    }

    /// The place of whoever has this recovery code of theirs. It is derived under the active key, so that nothing at rest
    /// tells whether a guessed code is right; after a rotation it is another place.
    pub(crate) fn recovery_place(&self, of: Named, code: &RecoveryCode) -> PlaceId {
        let fields = [of.0.as_bytes().as_slice(), code.expose().as_bytes()];
        PlaceId::from_uuid(self.derived_uuid(b"sign-in place by recovery code", &fields))
    }

    fn derived_uuid(&self, salt: &[u8], fields: &[&[u8]]) -> Uuid {
        let key = self.active();
        let subkey = self.subkey(&key, Purpose::Codes).expect("the active key is in the ring");
        uuid_of(&derive(subkey.as_slice(), salt, fields))
    }
}

fn uuid_of(bytes: &[u8; 32]) -> Uuid {
    let mut first = [0; 16];
    first.copy_from_slice(&bytes[..16]);
    // Version 8 (RFC 9562): a value of our own making.
    uuid::Builder::from_bytes(first)
        .with_version(uuid::Version::Custom)
        .with_variant(uuid::Variant::RFC4122)
        .into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::fixture::{Repeatable, now, ring};

    /// Places of two users never meet.
    #[test]
    fn places_are_told_apart_by_user_and_by_what_was_shown() {
        let entropy = Repeatable::new(1);
        let (browser, other) = (BrowserSecret::random(&entropy), BrowserSecret::random(&entropy));
        let code = RecoveryCode::random(&entropy);
        let named = [1, 2].map(|n| Named::user(UserId::from_uuid(Uuid::from_u128(n))));
        let mut places = Vec::new();
        for named in named.into_iter().chain([ring().nobody("anna"), ring().nobody("berta")]) {
            places.extend([named.strangers(), named.browser(&browser), named.browser(&other)]);
            places.push(ring().recovery_place(named, &code));
        }
        let all = places.len();
        places.sort();
        places.dedup();
        assert_eq!(places.len(), all);
        assert_eq!(ring().nobody("anna").strangers(), ring().nobody("anna").strangers());
    }

    /// What stands for a recovery code is derived under the ring: without it nothing at rest verifies a code.
    #[test]
    fn the_place_of_a_recovery_code_depends_on_the_ring() {
        let entropy = Repeatable::new(1);
        let code = RecoveryCode::random(&entropy);
        let named = Named::user(UserId::from_uuid(Uuid::from_u128(1)));
        let other = KeyRing::generate(now(), &entropy);
        assert_eq!(ring().recovery_place(named, &code), ring().recovery_place(named, &code));
        assert_ne!(ring().recovery_place(named, &code), other.recovery_place(named, &code));
    }
}
