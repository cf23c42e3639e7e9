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

/// So many rows are there for names that nobody has, however many of them somebody makes up. It takes about as many
/// sign-ins to push one name out of its row.
const SLOTS: u32 = 1 << 17;

/// Of whom places are told apart: a user, or a name that nobody has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Named {
    who: Uuid,
    /// The row of a name that nobody has, which it shares with others.
    slot: Option<u32>,
}

impl Named {
    pub(crate) const fn user(id: UserId) -> Self {
        Self { who: id.uuid(), slot: None }
    }

    /// What tells a name that nobody has from the others of its row.
    pub(crate) fn name(self) -> Option<Uuid> {
        self.slot.map(|_| self.who)
    }

    /// All who are not known.
    pub(crate) fn strangers(self) -> PlaceId {
        match self.slot {
            None => self.place(b"strangers", b""),
            Some(slot) => place_of(&[b"names that nobody has", &slot.to_be_bytes()]),
        }
    }

    /// The browser with this secret.
    pub(crate) fn browser(self, secret: &BrowserSecret) -> PlaceId {
        self.place(b"browser", secret.digest().as_bytes())
    }

    fn place(self, by: &[u8], secret: &[u8]) -> PlaceId {
        place_of(&[b"sign-in place", self.who.as_bytes(), by, secret])
    }
}

fn place_of(fields: &[&[u8]]) -> PlaceId {
    PlaceId::from_uuid(uuid_of(Digest::of(&framed(fields)).as_bytes()))
}

impl KeyRing {
    /// What stands for a name that nobody has. It is derived under the ring, so that nothing at rest tells what somebody
    /// typed, which may have been their password; and under its [oldest](KeyRing::oldest) key, so that a rotation
    /// forgets no wrong answers, as it forgets none to the name of a user.
    pub(crate) fn nobody(&self, name: &str) -> Named {
        let subkey = self.subkey(&self.oldest(), Purpose::Codes).expect("a key of the ring that is not revoked");
        let derived = derive::<20>(subkey.as_slice(), b"a name that nobody has", &[name.as_bytes()]);
        let (who, slot) = derived.split_at(16);
        let slot = slot.iter().fold(0, |slot, byte| (slot << 8) | u32::from(*byte));
        Named { who: uuid_of(who), slot: Some(slot % SLOTS) }
    }

    /// The place of whoever has this recovery code of theirs. It is derived under the active key, so that nothing at rest
    /// tells whether a guessed code is right; after a rotation it is another place.
    pub(crate) fn recovery_place(&self, of: Named, code: &RecoveryCode) -> PlaceId {
        let fields = [of.who.as_bytes().as_slice(), code.expose().as_bytes()];
        let subkey = self.subkey(&self.active(), Purpose::Codes).expect("the active key is in the ring");
        let derived = derive::<32>(subkey.as_slice(), b"sign-in place by recovery code", &fields);
        PlaceId::from_uuid(uuid_of(derived.as_slice()))
    }
}

/// Of the first 16 bytes.
fn uuid_of(bytes: &[u8]) -> Uuid {
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

    /// AUTH-1: neither is the count of a user's wrong answers.
    #[test]
    fn a_name_that_nobody_has_stays_the_same_across_rotations() {
        let entropy = Repeatable::new(1);
        let mut ring = KeyRing::generate(now(), &entropy);
        let before = (ring.nobody("anna").strangers(), ring.nobody("anna").name());
        assert!(before.1.is_some());
        ring.rotate(now(), &entropy);
        ring.prepare(now(), &entropy);
        assert_eq!((ring.nobody("anna").strangers(), ring.nobody("anna").name()), before);
    }

    /// Whatever names somebody makes up, they fill so many rows.
    #[test]
    fn names_that_nobody_has_share_rows() {
        let ring = ring();
        let rows: std::collections::BTreeSet<_> =
            (0..SLOTS).map(|n| ring.nobody(&n.to_string()).slot.expect("a row")).collect();
        assert!(rows.iter().all(|slot| *slot < SLOTS));
        // Of as many names as there are rows about two thirds have a row of their own.
        let share = 1000 * rows.len() / usize::try_from(SLOTS).expect("a number of rows");
        assert!((625..640).contains(&share), "{share}");
        let of = |name: &str| ring.nobody(name).strangers();
        assert_ne!(of("anna"), of("berta"));
        assert_eq!(Named::user(UserId::from_uuid(Uuid::nil())).name(), None);
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
