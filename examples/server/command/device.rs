//! Devices of people.

use axum::http::Method;
use clap::Subcommand;
use enrollment::core::domain::username::Username;
use serde_json::Value;
use uuid::Uuid;

use super::api::{List, Members};
use super::table::{Column, plain};
use super::{At, find};
use crate::Error;

/// Devices
#[derive(Debug, Subcommand)]
pub(crate) enum Device {
    /// List the devices of a person, and how far each peer is
    #[command(after_help = "Example: server device list anna")]
    List {
        /// Whose
        username: Username,
    },
    /// Remove a device: its peers go out of force
    #[command(after_help = "Example: server device remove 0190b3c4-5d6e-7f80-9123-456789abcdef")]
    Remove {
        /// Which one
        id: Uuid,
    },
}

const COLUMNS: &[Column] = &[
    ("NAME", |device| plain(&device["name"])),
    ("STATUS", |device| plain(&device["status"])),
    ("ADDRESSES", |device| of_each(device, "addresses")),
    ("PUBLIC KEY", |device| plain(&device["public_key"])),
    ("ID", |device| plain(&device["id"])),
    ("WHY", |device| of_each(device, "failure")),
];

pub(super) async fn run(at: &mut At<'_>, command: Device) -> Result<(), Error> {
    match command {
        Device::List { username } => {
            let id = find::user_id(&at.api, &username).await?;
            at.screen.list(&at.api, &List::all(&format!("/users/{id}/devices")), COLUMNS).await
        }
        Device::Remove { id } => {
            let answer = at.api.send(Method::DELETE, &format!("/devices/{id}"), Members::default()).await?;
            at.screen.answer(&answer, |_| "Removed. A running server takes its peers out of force.\n".to_owned())
        }
    }
}

/// What its attachments say, where they say something.
fn of_each(device: &Value, member: &str) -> String {
    let attachments = device["attachments"].as_array().map(Vec::as_slice).unwrap_or_default();
    let said: Vec<String> =
        attachments.iter().map(|attachment| plain(&attachment[member])).filter(|text| !text.is_empty()).collect();
    said.join(", ")
}
