//! Where people get the client, as both APIs tell it.

use enrollment_core::domain::download::{Downloads, Platform};
use serde::Serialize;
use utoipa::ToSchema;

/// Where people get the client: an `https` URL for each platform that has one.
#[derive(Serialize, ToSchema)]
pub(crate) struct DownloadsDto {
    /// For Windows.
    windows: Option<String>,
    /// For macOS.
    macos: Option<String>,
    /// For Linux.
    linux: Option<String>,
    /// For iOS and iPadOS.
    ios: Option<String>,
    /// For Android.
    android: Option<String>,
}

impl From<Downloads> for DownloadsDto {
    fn from(mut downloads: Downloads) -> Self {
        let mut url = |platform| downloads.remove(&platform).map(String::from);
        Self {
            windows: url(Platform::Windows),
            macos: url(Platform::Macos),
            linux: url(Platform::Linux),
            ios: url(Platform::Ios),
            android: url(Platform::Android),
        }
    }
}
