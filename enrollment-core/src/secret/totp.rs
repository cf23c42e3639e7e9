//! Time-based one-time codes (RFC 6238).

use std::fmt;

use data_encoding::BASE32_NOPAD;
use totp_rs::{Builder, Totp};
use zeroize::Zeroizing;

use super::qr::{QrTooLong, qr_svg};
use crate::port::Entropy;
use crate::time::Timestamp;

/// Seconds per step.
const STEP: u64 = 30;

/// The secret an authenticator app shares with us: 160 bits, SHA-1, six digits, 30 seconds, as every app expects.
/// At rest it is [`super::Sealed`].
pub struct TotpSecret(Zeroizing<[u8; 20]>);

impl TotpSecret {
    /// A new secret.
    #[must_use]
    pub fn random(entropy: &dyn Entropy) -> Self {
        let mut bytes = Zeroizing::new([0; 20]);
        entropy.fill(bytes.as_mut_slice());
        Self(bytes)
    }

    /// The secret with these bytes, as read from where it was sealed.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 20]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The secret's bytes, to be sealed.
    #[must_use]
    pub fn expose_bytes(&self) -> &[u8; 20] {
        &self.0
    }

    /// The secret as text for an app without a camera: Base32 (RFC 4648) without padding, 32 characters.
    #[must_use]
    pub fn base32(&self) -> Zeroizing<String> {
        Zeroizing::new(BASE32_NOPAD.encode(self.0.as_slice()))
    }

    /// The secret as a link for an app, after Google Authenticator's "Key URI Format".
    ///
    /// Issuer and account are percent-encoded (a space is `%20`). Neither may hold a colon there, because a colon
    /// parts them; it is written as a space.
    #[must_use]
    pub fn otpauth_uri(&self, issuer: &str, account: &str) -> Zeroizing<String> {
        let (issuer, account) = (percent_encoded(issuer), percent_encoded(account));
        let secret = self.base32();
        Zeroizing::new(format!(
            "otpauth://totp/{issuer}:{account}?secret={}&issuer={issuer}&algorithm=SHA1&digits=6&period={STEP}",
            *secret
        ))
    }

    /// That link as a QR code; see [`qr_svg`].
    ///
    /// # Errors
    /// When issuer and account together are too long for one.
    pub fn qr_svg(&self, issuer: &str, account: &str) -> Result<Zeroizing<String>, QrTooLong> {
        qr_svg(&self.otpauth_uri(issuer, account)).map(Zeroizing::new)
    }

    /// The step whose code this is: the current one, the one before or the one after (RFC 6238, section 5.2, allows
    /// for one step of delay; clocks of phones are also ahead). `None` for a wrong code.
    ///
    /// A code is six ASCII digits; spaces are ignored. All three are compared in constant time. The caller accepts a
    /// step only when it is later than every one accepted before; should one code fit two steps, the later is
    /// answered.
    #[must_use]
    pub fn matched_step(&self, code: &str, now: Timestamp) -> Option<u64> {
        if code.len() > 32 {
            return None;
        }
        let code: Zeroizing<String> = Zeroizing::new(code.chars().filter(|c| *c != ' ').collect());
        let current = u64::try_from(now.seconds()).ok()? / STEP;
        let totp = self.totp();
        let steps = current.saturating_sub(1)..=current + 1;
        // Not the first that fits: all three are tried for every code.
        steps.fold(None, |matched, step| totp.check(&code, step * STEP).or(matched))
    }

    fn totp(&self) -> Totp {
        Builder::new()
            .with_secret(self.0.to_vec())
            .with_skew(0)
            .with_step_duration(STEP)
            .build()
            .expect("160 bits, 30 seconds and the six digits of the default are what RFC 6238 asks for")
    }
}

impl fmt::Debug for TotpSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TotpSecret(…)")
    }
}

/// All but the unreserved characters of RFC 3986 percent-encoded.
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
            b':' => encoded.push_str("%20"),
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    encoded
}
