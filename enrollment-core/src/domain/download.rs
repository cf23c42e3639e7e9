//! Where people get the client.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use url::Url;

/// What a computer or phone runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Platform {
    /// Windows.
    Windows,
    /// macOS.
    Macos,
    /// Linux.
    Linux,
    /// iOS and iPadOS.
    Ios,
    /// Android.
    Android,
}

impl Platform {
    /// Every one, in the order in which people see them.
    pub const ALL: [Self; 5] = [Self::Windows, Self::Macos, Self::Linux, Self::Ios, Self::Android];
}

/// Where the client for each platform is. One that is not named has none: nothing is preset, since only who runs the
/// instance knows which client they trust.
pub type Downloads = BTreeMap<Platform, DownloadUrl>;

/// An `https` URL (RFC 3986) of at most 500 bytes, without credentials, in its normal form: percent-encoded ASCII. Plain
/// `http` would let anybody on the way hand out another program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DownloadUrl(String);

/// The text is not such a URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an https address such as https://example.com/client, of at most {max} bytes", max = DownloadUrl::MAX)]
pub struct InvalidDownloadUrl;

impl DownloadUrl {
    /// The longest, in bytes.
    pub const MAX: usize = 500;

    /// The URL.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for DownloadUrl {
    type Err = InvalidDownloadUrl;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() > Self::MAX {
            return Err(InvalidDownloadUrl);
        }
        let url = Url::parse(text.trim()).map_err(|_| InvalidDownloadUrl)?;
        let anonymous = url.username().is_empty() && url.password().is_none();
        // Encoding may have made it longer.
        let fits = url.scheme() == "https" && url.has_host() && anonymous && url.as_str().len() <= Self::MAX;
        if fits { Ok(Self(url.into())) } else { Err(InvalidDownloadUrl) }
    }
}

impl TryFrom<String> for DownloadUrl {
    type Error = InvalidDownloadUrl;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<DownloadUrl> for String {
    fn from(url: DownloadUrl) -> Self {
        url.0
    }
}

impl fmt::Display for DownloadUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_download_is_an_https_url_and_nothing_else() {
        let read = |text: &str| text.parse::<DownloadUrl>().map(String::from);
        assert_eq!(read(" https://Example.com/client "), Ok("https://example.com/client".to_owned()));
        assert_eq!(read("https://example.com/\"><b>ż"), Ok("https://example.com/%22%3E%3Cb%3E%C5%BC".to_owned()));
        let long = format!("https://example.com/{}", "x".repeat(481));
        let grows = format!("https://example.com/{}", "ż".repeat(200));
        for bad in [
            "",
            "example.com",
            "http://example.com/client",
            "javascript:alert(1)",
            "data:text/html,x",
            "defguard://addinstance?token=x",
            "https://",
            "https://user@example.com/",
            "https://:secret@example.com/",
            &long,
            &grows,
        ] {
            assert_eq!(read(bad), Err(InvalidDownloadUrl), "{bad}");
        }
        assert!(read(&long[..500]).is_ok());
    }
}
