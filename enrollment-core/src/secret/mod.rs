//! Secrets: their types, how they are derived, kept and checked.
//!
//! Nothing here reads a clock or a generator of its own: time and [`crate::port::Entropy`] are passed in. A type that
//! holds a secret is wiped when dropped, shows nothing of it in `Debug`, cannot be cloned or compared, and gives it
//! away only where the caller writes `expose`.
//!
//! | what | type | at rest |
//! |---|---|---|
//! | the secret of an invitation | [`Token`] | [`Digest`] and [`TokenSeed`]; only the ring derives it again |
//! | what redeeming it opens | [`SessionSecret`] | [`Digest`] |
//! | an administrator's key | [`ApiKeySecret`] | [`Digest`] |
//! | what signing in opens, and what a browser is known by | [`AdminSessionSecret`], [`BrowserSecret`] | [`Digest`] |
//! | what a device asks for its configuration with | [`PollingToken`] | [`Digest`] |
//! | a [`RecoveryCode`] | | [`KeyedDigest`], bound to its row |
//! | a [`ShortCode`] in a message | | [`KeyedDigest`], bound to its row, and [`TokenSeed`]; only the ring derives it again |
//! | a [`TotpSecret`], a gateway's [`PrivateKey`] | | [`Sealed`], bound to its row |
//! | a [`Password`] | | [`PasswordHash`] |
//! | the ring itself | [`KeyRing`] | a file outside the database |

mod api_key;
mod audit;
mod binding;
mod blocklist;
mod code;
mod crockford;
mod digest;
#[cfg(test)]
pub(crate) mod fixture;
mod hashing;
mod key_id;
mod keyring;
mod keyring_text;
mod opaque;
mod password;
mod password_hash;
mod polling;
mod pool;
mod qr;
mod sealed;
mod session;
mod short_code;
mod sign_in;
mod token;
mod totp;
mod wireguard;

pub use api_key::ApiKeySecret;
pub use audit::{AuditSignature, verify_audit_with};
pub use binding::Binding;
pub(crate) use binding::framed;
pub use blocklist::{Blocklist, BundledBlocklist};
pub use code::{KeyedDigest, RecoveryCode};
pub use digest::{Digest, InvalidDigest};
pub use hashing::{HashingError, HashingLoad, HashingOptions, HashingPool, StartError, Verified};
pub use key_id::{InvalidKeyId, KeyId};
pub use keyring::{KeyError, KeyRing, KeyStatus, RevokeError};
pub use keyring_text::KeyRingError;
pub use opaque::MalformedSecret;
pub use password::{Password, PasswordContext, PasswordRejection, PasswordRules, Strength, check};
pub use password_hash::{Argon2Params, InvalidPasswordHash, PasswordHash};
pub use polling::PollingToken;
pub use qr::{QrTooLong, qr_png, qr_svg};
pub use sealed::Sealed;
pub use session::{InvalidNonce, SessionNonce, SessionSecret};
pub use short_code::ShortCode;
pub(crate) use sign_in::Named;
pub use sign_in::{AdminSessionSecret, BrowserSecret};
pub use token::{Token, TokenSeed};
pub use totp::TotpSecret;
pub use wireguard::PrivateKey;

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::fixture::{Repeatable, ring};
    use super::*;

    /// I12: `Debug` of nothing that holds a secret shows any of it.
    #[test]
    fn debug_shows_nothing_of_a_secret() {
        let (ring, entropy) = (ring(), Repeatable::new(1));
        let place = Binding { table: "users", row: Uuid::nil(), column: "totp" };
        let api_key = ApiKeySecret::random(&entropy);
        let session = SessionSecret::random(&entropy);
        let device = PrivateKey::pair(&entropy).expect("a pair").1;
        let polling = ring.polling_tokens(&session, &device).next().expect("an active key");
        let seed = TokenSeed::new(&ring, &entropy);
        let token = ring.token(&seed, "onboarding", crate::id::EnrollmentId::from_uuid(Uuid::nil()), 1).expect("a key");
        let nonce_text = "8f2Kq0ZtX5vB7yLw3Hs9Rd";
        let nonce = SessionNonce::parse(nonce_text).expect("a nonce");
        let sealed = ring.seal(&place, b"secret", &entropy).expect("a key");
        let digest = ring.keyed_digest(&place, "123456");
        let recovery = RecoveryCode::random(&entropy);
        let short = ShortCode::parse("481516").expect("a code");
        let password = Password::parse("correct horse battery".to_owned()).expect("a password");
        let hash_text = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
        let hash = PasswordHash::parse(hash_text).expect("a hash");
        let totp = TotpSecret::random(&entropy);
        let signature = ring.sign_audit(b"batch");
        let key_of = |value: serde_json::Value, field: &str| value[field].as_str().expect("a text").to_owned();

        let (admin, browser) = (AdminSessionSecret::random(&entropy), BrowserSecret::random(&entropy));
        let cases = [
            (format!("{admin:?}"), admin.expose().to_owned()),
            (format!("{browser:?}"), browser.expose().to_owned()),
            (format!("{api_key:?}"), api_key.expose().to_owned()),
            (format!("{session:?}"), session.expose().to_owned()),
            (format!("{polling:?}"), polling.expose().to_owned()),
            (format!("{token:?}"), token.expose().to_owned()),
            (format!("{seed:?}"), key_of(serde_json::to_value(&seed).expect("JSON"), "nonce")),
            (format!("{seed:?}"), format!("{:?}", seed.nonce)),
            (format!("{nonce:?}"), nonce_text.to_owned()),
            (format!("{sealed:?}"), key_of(serde_json::to_value(&sealed).expect("JSON"), "sealed")),
            (format!("{digest:?}"), key_of(serde_json::to_value(&digest).expect("JSON"), "mac")),
            (format!("{signature:?}"), key_of(serde_json::to_value(signature).expect("JSON"), "signature")),
            (format!("{recovery:?}"), recovery.expose().to_owned()),
            (format!("{short:?}"), short.expose().to_owned()),
            (format!("{password:?}"), password.expose().to_owned()),
            (format!("{hash:?}"), hash_text.rsplit_once('$').expect("a hash").1.to_owned()),
            (format!("{totp:?}"), totp.base32().to_string()),
            (format!("{totp:?}"), format!("{:?}", totp.expose_bytes())),
            (format!("{ring:?}"), "202122232425262728292a2b2c2d2e2f".to_owned()),
            (format!("{ring:?}"), "32, 33, 34".to_owned()),
        ];
        for (shown, secret) in cases {
            assert!(shown.len() < 160, "{shown}");
            // No four characters in a row of it.
            for part in secret.as_bytes().windows(4).filter(|part| *part != b"enr_") {
                let part = std::str::from_utf8(part).expect("ASCII");
                assert!(!shown.contains(part), "{shown} shows {part}");
            }
        }
    }
}
