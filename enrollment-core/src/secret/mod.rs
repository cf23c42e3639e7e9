//! Secrets: their types, how they are derived, kept and checked.
//!
//! Nothing here reads a clock or a generator of its own: time and [`crate::port::Entropy`] are passed in. A type that
//! holds a secret is wiped when dropped, shows nothing of it in `Debug`, cannot be cloned or compared, and gives it
//! away only where the caller writes `expose`.
//!
//! | what | type | at rest |
//! |---|---|---|
//! | the secret of an invitation | [`Token`] | [`Digest`] and [`TokenSeed`], from which only the ring derives it again |
//! | what redeeming it opens | [`SessionSecret`] | [`Digest`] |
//! | an administrator's key | [`ApiKeySecret`] | [`Digest`] |
//! | a code of a few digits, a [`RecoveryCode`] | | [`KeyedDigest`], bound to its row |
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
mod hashing;
mod key_id;
mod keyring;
mod keyring_text;
mod opaque;
mod password;
mod pool;
mod qr;
mod sealed;
mod session;
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
pub use hashing::{
    Argon2Params, HashingError, HashingOptions, HashingPool, InvalidPasswordHash, PasswordHash, StartError, Verified,
};
pub use key_id::{InvalidKeyId, KeyId};
pub use keyring::{KeyError, KeyRing, KeyStatus, RevokeError};
pub use keyring_text::KeyRingError;
pub use opaque::MalformedSecret;
pub use password::{Password, PasswordContext, PasswordRejection, PasswordRules, Strength, check};
pub use qr::{QrTooLong, qr_svg};
pub use sealed::Sealed;
pub use session::{InvalidNonce, SessionNonce, SessionSecret};
pub use token::{Token, TokenSeed};
pub use totp::TotpSecret;
pub use wireguard::PrivateKey;
