//! The secret with which a device asks for its configuration again.

use super::keyring::{KeyRing, Purpose, derive};
use super::opaque::{Opaque, secret_text};
use super::session::SessionSecret;
use crate::domain::device::PublicKey;

secret_text! {
    /// What a client asks with, long after its session, whether its configuration has changed: 160 bits. It reads one
    /// device's configuration and nothing else. At rest there is only its digest.
    PollingToken, "enp_"
}

impl KeyRing {
    /// The polling tokens of a device for the holder of a session: the active key's first, then those of the keys it
    /// replaced. Each is the same for the same session and device, so that an answer that was lost can be given again
    /// although the token is kept nowhere. It takes ring and session secret together, and of the latter only its digest
    /// is kept.
    ///
    /// HKDF-SHA-256 (RFC 5869) of the key's subkey for polling, salted with the session's secret.
    pub fn polling_tokens(&self, session: &SessionSecret, device: &PublicKey) -> impl Iterator<Item = PollingToken> {
        self.subkeys(Purpose::Polling).map(move |subkey| {
            let payload = derive(subkey.as_slice(), session.expose().as_bytes(), &[device.as_bytes()]);
            PollingToken(Opaque::new(PollingToken::PREFIX, &payload))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::PrivateKey;
    use crate::secret::fixture::{Repeatable, now, ring};

    fn first(ring: &KeyRing, session: &SessionSecret, device: &PublicKey) -> String {
        ring.polling_tokens(session, device).next().expect("an active key").expose().to_owned()
    }

    #[test]
    fn a_token_is_the_same_only_for_the_same_session_and_device() {
        let entropy = Repeatable::new(1);
        let [one, other] = [(); 2].map(|()| SessionSecret::random(&entropy));
        let [phone, laptop] = [(); 2].map(|()| PrivateKey::pair(&entropy).expect("a pair").1);
        let token = first(&ring(), &one, &phone);
        assert_eq!(first(&ring(), &one, &phone), token);
        assert_ne!(first(&ring(), &other, &phone), token);
        assert_ne!(first(&ring(), &one, &laptop), token);
        assert_ne!(first(&KeyRing::generate(now(), &entropy), &one, &phone), token);
    }

    #[test]
    fn a_rotation_leaves_the_token_among_those_that_can_be_made_again() {
        let entropy = Repeatable::new(2);
        let session = SessionSecret::random(&entropy);
        let device = PrivateKey::pair(&entropy).expect("a pair").1;
        let mut ring = KeyRing::generate(now(), &entropy);
        let token = first(&ring, &session, &device);
        ring.rotate(now(), &entropy);
        assert_ne!(first(&ring, &session, &device), token);
        assert!(ring.polling_tokens(&session, &device).any(|again| again.expose() == token));
    }
}
