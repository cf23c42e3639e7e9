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
        // Reserved at once: a text that grows leaves copies behind.
        let mut uri = Zeroizing::new(String::with_capacity(2 * issuer.len() + account.len() + 128));
        let secret = self.base32();
        for part in ["otpauth://totp/", &issuer, ":", &account, "?secret=", &secret, "&issuer=", &issuer] {
            uri.push_str(part);
        }
        uri.push_str("&algorithm=SHA1&digits=6&period=30");
        uri
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
        let code: String = code.chars().filter(|c| *c != ' ').collect();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::fixture::Repeatable;

    /// RFC 6238, appendix B: its secret for SHA-1.
    fn rfc() -> TotpSecret {
        TotpSecret::from_bytes(*b"12345678901234567890")
    }

    fn matched(code: &str, seconds: u64) -> Option<u64> {
        rfc().matched_step(code, Timestamp::from_seconds(i64::try_from(seconds).expect("a time")))
    }

    #[test]
    fn the_vectors_of_rfc_6238_match() {
        // The last six of the appendix's eight digits.
        let vectors = [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ];
        for (seconds, code) in vectors {
            assert_eq!(matched(code, seconds), Some(seconds / STEP), "{seconds}");
        }
    }

    #[test]
    fn one_step_of_skew_is_allowed_each_way() {
        let step = 1_111_111_109 / STEP;
        let (first, last) = ((step - 1) * STEP, (step + 2) * STEP - 1);
        for seconds in [first, step * STEP, last] {
            assert_eq!(matched("081804", seconds), Some(step), "{seconds}");
        }
        for seconds in [first - 1, last + 1, 0] {
            assert_eq!(matched("081804", seconds), None, "{seconds}");
        }
        assert_eq!(rfc().matched_step("287082", Timestamp::from_seconds(-1)), None, "before the epoch");
    }

    #[test]
    fn a_code_is_six_digits_with_or_without_spaces() {
        for good in ["287082", "287 082", " 2 8 7 0 8 2 "] {
            assert_eq!(matched(good, 59), Some(1), "{good:?}");
        }
        for bad in ["", "28708", "0287082", "287083", "+87082", "２８７０８２", "287-082", &" ".repeat(40)] {
            assert_eq!(matched(bad, 59), None, "{bad:?}");
        }
    }

    #[test]
    fn the_uri_is_percent_encoded() {
        let uri = rfc().otpauth_uri("Acme & Søn: VPN", "alice@example.test/?#");
        assert_eq!(
            *uri,
            "otpauth://totp/Acme%20%26%20S%C3%B8n%20%20VPN:alice%40example.test%2F%3F%23\
             ?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Acme%20%26%20S%C3%B8n%20%20VPN\
             &algorithm=SHA1&digits=6&period=30"
        );
        assert!(rfc().qr_svg("Acme", "alice").is_ok());
        assert!(rfc().qr_svg(&"x".repeat(3000), "alice").is_err());
    }

    #[test]
    fn a_secret_reads_back_what_was_sealed() {
        let secret = TotpSecret::random(&Repeatable::new(1));
        let again = TotpSecret::from_bytes(*secret.expose_bytes());
        assert_eq!(*again.base32(), *secret.base32());
        assert_eq!(secret.base32().len(), 32);
    }
}
