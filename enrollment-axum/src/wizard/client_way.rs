//! The way to the client, on the page an invitation leads to: where to get it, and what fills it in.

use enrollment_core::domain::download::{Downloads, Platform};
use enrollment_core::domain::settings::FrontEnd;
use enrollment_core::secret::{Token, qr_svg};
use enrollment_core::service::Instance;
use serde::Serialize;

/// Where the page leads (INV-11).
#[derive(Clone, Serialize)]
#[serde(tag = "to", rename_all = "snake_case")]
pub(super) enum Leads {
    /// To the steps in the browser.
    Browser,
    /// To the client; the browser does, too.
    Desktop(ClientWay),
    /// To whichever the person likes.
    Both(ClientWay),
}

/// What leads into the client. It has no `Debug`: the token is in all of it.
#[derive(Clone, Serialize)]
pub(super) struct ClientWay {
    /// Those of the visitor's platform first.
    pub(super) downloads: Vec<Download>,
    /// What opens the client of this computer with everything filled in.
    pub(super) deep_link: String,
    /// What the client of a phone scans.
    pub(super) qr_svg: Option<String>,
}

/// Where the client for one platform is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Download {
    pub(super) label: &'static str,
    pub(super) url: String,
    /// It is for what the visitor seems to use.
    pub(super) here: bool,
}

impl Leads {
    pub(super) fn new(front_end: FrontEnd, way: impl FnOnce() -> ClientWay) -> Self {
        match front_end {
            FrontEnd::Browser => Self::Browser,
            FrontEnd::Desktop => Self::Desktop(way()),
            FrontEnd::Both => Self::Both(way()),
        }
    }
}

impl ClientWay {
    pub(super) fn new(instance: &Instance, token: &Token, downloads: Downloads, user_agent: &str) -> Self {
        Self {
            downloads: ordered(downloads, platform_of(user_agent)),
            deep_link: instance.deep_link(token).expose().to_owned(),
            qr_svg: qr_svg(instance.client_code(token).expose()).ok(),
        }
    }
}

fn ordered(downloads: Downloads, here: Option<Platform>) -> Vec<Download> {
    let mut all: Vec<_> = downloads
        .into_iter()
        .map(|(platform, url)| Download { label: label(platform), url: url.into(), here: here == Some(platform) })
        .collect();
    all.sort_by_key(|download| !download.here);
    all
}

const fn label(platform: Platform) -> &'static str {
    match platform {
        Platform::Windows => "Windows",
        Platform::Macos => "macOS",
        Platform::Linux => "Linux",
        Platform::Ios => "iPhone and iPad",
        Platform::Android => "Android",
    }
}

/// What a browser says it runs on. A guess that decides nothing but which link comes first.
fn platform_of(user_agent: &str) -> Option<Platform> {
    // Android says "Linux" too, and an iPhone "like Mac OS X".
    let telling = [
        ("Android", Platform::Android),
        ("iPhone", Platform::Ios),
        ("iPad", Platform::Ios),
        ("Windows", Platform::Windows),
        ("Macintosh", Platform::Macos),
        ("Linux", Platform::Linux),
    ];
    telling.into_iter().find(|(word, _)| user_agent.contains(word)).map(|(_, platform)| platform)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_are_known_by_what_they_say() {
        for (user_agent, platform) in [
            ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36", Some(Platform::Windows)),
            ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15", Some(Platform::Macos)),
            ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", Some(Platform::Linux)),
            ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X)", Some(Platform::Ios)),
            ("Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36", Some(Platform::Android)),
            ("curl/8.0", None),
        ] {
            assert_eq!(platform_of(user_agent), platform, "{user_agent}");
        }
    }

    #[test]
    fn every_download_is_there_and_the_visitors_is_first() {
        let url = |name: &str| format!("https://example.com/{name}").parse().expect("a URL");
        let downloads = Downloads::from([
            (Platform::Windows, url("windows")),
            (Platform::Linux, url("linux")),
            (Platform::Android, url("android")),
        ]);
        let labels = |here| {
            let all = ordered(downloads.clone(), here);
            all.into_iter().map(|download| (download.label, download.here)).collect::<Vec<_>>()
        };
        assert_eq!(labels(Some(Platform::Linux)), [("Linux", true), ("Windows", false), ("Android", false)]);
        let any = [("Windows", false), ("Linux", false), ("Android", false)];
        assert_eq!((labels(None), labels(Some(Platform::Ios))), (any.to_vec(), any.to_vec()));
    }
}
