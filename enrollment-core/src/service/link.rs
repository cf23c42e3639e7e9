//! Links with a token in them. They come from the configured address alone (SYS-5).

use std::fmt;

use data_encoding::BASE64;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use zeroize::Zeroizing;

use super::Instance;
use crate::secret::Token;

/// A link with a token in it, and therefore a secret.
pub struct Link(Zeroizing<String>);

impl Link {
    /// The link.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Link(…)")
    }
}

/// All but the unreserved characters of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

impl Instance {
    /// Where the browser goes with an invitation.
    pub(crate) fn invitation(&self, token: &Token) -> Link {
        Link(Zeroizing::new(format!("{}/enroll/{}", self.url, token.expose())))
    }

    /// What opens the desktop client with an invitation: `defguard://addinstance?token=…&url=…`.
    #[must_use]
    pub fn deep_link(&self, token: &Token) -> Link {
        let [token, url] = [token.expose(), &self.url].map(|text| utf8_percent_encode(text, RESERVED));
        Link(Zeroizing::new(format!("defguard://addinstance?token={token}&url={url}")))
    }

    /// What enrolls an unattended machine when it is run there: Defguard's command line.
    #[must_use]
    pub fn machine_command(&self, token: &Token) -> Link {
        // Of all that an origin or a token can have, shells take brackets alone for anything else: a pattern.
        let quote = if self.url.contains('[') { "\"" } else { "" };
        Link(Zeroizing::new(format!("dg enroll -u {quote}{}{quote} -t {}", self.url, token.expose())))
    }

    /// What a phone's client scans as a QR code: Base64 of the JSON `{"url": …, "token": …}`.
    #[must_use]
    pub fn client_code(&self, token: &Token) -> Link {
        // Neither an origin nor a token has a character that JSON would escape.
        let json = Zeroizing::new(format!(r#"{{"url":"{}","token":"{}"}}"#, self.url, token.expose()));
        // Reserved at once: a text that grows leaves copies behind.
        let mut text = Zeroizing::new(String::with_capacity(BASE64.encode_len(json.len())));
        BASE64.encode_append(json.as_bytes(), &mut text);
        Link(text)
    }

    /// Where the holder of an invitation says that it was not meant for them (TOK-10). The page changes nothing; the
    /// button on it does.
    pub(crate) fn report(&self, token: &Token) -> Link {
        Link(Zeroizing::new(format!("{}/report/{}", self.url, token.expose())))
    }
}
