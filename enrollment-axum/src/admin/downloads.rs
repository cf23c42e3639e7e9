//! Changes to where people get the client.

use std::collections::BTreeMap;

use enrollment_core::domain::download::{DownloadUrl, Platform};
use serde::Deserialize;
use utoipa::ToSchema;

use super::patch::given;
use crate::extract::optional;
use crate::problem::Answer;

/// Where people get the client for a platform: an `https` URL. `null` takes one away; absent members stay as they are.
#[derive(Default, Deserialize, ToSchema)]
pub(super) struct ChangeDownloads {
    /// For Windows.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    windows: Option<Option<String>>,
    /// For macOS.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    macos: Option<Option<String>>,
    /// For Linux.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    linux: Option<Option<String>>,
    /// For iOS and iPadOS.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    ios: Option<Option<String>>,
    /// For Android.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    android: Option<Option<String>>,
}

impl ChangeDownloads {
    pub(super) fn read(self) -> Answer<BTreeMap<Platform, Option<DownloadUrl>>> {
        let Self { windows, macos, linux, ios, android } = self;
        let members = [
            (Platform::Windows, "downloads.windows", windows),
            (Platform::Macos, "downloads.macos", macos),
            (Platform::Linux, "downloads.linux", linux),
            (Platform::Ios, "downloads.ios", ios),
            (Platform::Android, "downloads.android", android),
        ];
        let changed = members.into_iter().filter_map(|(platform, name, url)| Some((platform, name, url?)));
        changed.map(|(platform, name, url)| Ok((platform, optional(name, url.as_deref())?))).collect()
    }
}
