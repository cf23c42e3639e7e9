//! Settings: what administrators choose inside the policy.

use axum::http::Method;
use clap::{Args, Subcommand};
use serde_json::{Map, Value};

use super::At;
use super::api::Members;
use super::refusal::Unclear;
use super::table::details;
use crate::Error;

/// Settings
#[derive(Debug, Subcommand)]
pub(crate) enum Settings {
    /// Tell the settings in force
    #[command(after_help = "Example: server settings show")]
    Show,
    /// Change settings, all that are named or none; enrollments and sessions under way keep their deadlines
    #[command(after_help = "Example: server settings set --organization 'Example Ltd' --token-validity 48h")]
    Set(Box<Set>),
}

#[derive(Debug, Args)]
pub(crate) struct Set {
    /// The organization people are let into
    #[arg(long)]
    organization: Option<String>,
    /// The name of the product
    #[arg(long)]
    product: Option<String>,
    /// Whom an enrollee can ask for help
    #[arg(long)]
    support_contact: Option<String>,
    /// How long a token is valid from issue, such as 24h
    #[arg(long)]
    token_validity: Option<String>,
    /// How long a session lasts from its own start, such as 10m
    #[arg(long)]
    session_validity: Option<String>,
    /// How many sessions one token opens
    #[arg(long)]
    max_sessions: Option<u32>,
    /// Whether enrollees add a device
    #[arg(long, value_parser = ["mandatory", "optional", "administrators_only"])]
    device_step: Option<String>,
    /// Which front end an invitation leads to
    #[arg(long, value_parser = ["browser", "desktop", "both"])]
    front_end: Option<String>,
    /// Where people get the client for a platform: windows, macos, linux, ios or android; may be repeated
    #[arg(long, value_name = "PLATFORM=URL", value_parser = download)]
    download: Vec<(String, String)>,
    /// There is no client for this platform; may be repeated
    #[arg(long, value_name = "PLATFORM", value_parser = PLATFORMS)]
    no_download: Vec<String>,
    /// The address all mail comes from
    #[arg(long)]
    sender: Option<String>,
    /// Mail comes from the address of the configuration
    #[arg(long, conflicts_with = "sender")]
    no_sender: bool,
    /// Whether the help desk may have invitations sent
    #[arg(long, value_name = "YES")]
    help_desk_may_send: Option<bool>,
    /// Whether the onboarding message is mailed after completion
    #[arg(long, value_name = "YES")]
    onboarding_mail: Option<bool>,
}

pub(super) async fn run(at: &mut At<'_>, command: Settings) -> Result<(), Error> {
    let settings = match command {
        Settings::Show => at.api.get("/settings").await?,
        Settings::Set(set) => {
            let members = set.members();
            if members.is_empty() {
                return Err(Unclear("nothing to change: name a setting, such as --token-validity".to_owned()).into());
            }
            at.api.send(Method::PATCH, "/settings", members).await?
        }
    };
    at.screen.answer(&settings, details)
}

impl Set {
    fn members(self) -> Members {
        Members::default()
            .given("organization", self.organization)
            .given("product", self.product)
            .given("support_contact", self.support_contact)
            .given("token_validity", self.token_validity)
            .given("session_validity", self.session_validity)
            .given("max_sessions", self.max_sessions)
            .given("device_step", self.device_step)
            .given("front_end", self.front_end)
            .given("downloads", downloads(self.download, self.no_download))
            .given("sender", self.sender)
            .cleared("sender", self.no_sender)
            .given("help_desk_may_send", self.help_desk_may_send)
            .given("onboarding_mail", self.onboarding_mail)
    }
}

const PLATFORMS: [&str; 5] = ["windows", "macos", "linux", "ios", "android"];

fn download(text: &str) -> Result<(String, String), &'static str> {
    let (platform, url) = text
        .split_once('=')
        .filter(|(platform, _)| PLATFORMS.contains(platform))
        .ok_or("one of windows, macos, linux, ios and android with a URL, as in linux=https://example.com/client")?;
    Ok((platform.to_owned(), url.to_owned()))
}

/// The member, where any of it was given.
fn downloads(given: Vec<(String, String)>, taken: Vec<String>) -> Option<Value> {
    let given = given.into_iter().map(|(platform, url)| (platform, Value::from(url)));
    let members: Map<_, _> = given.chain(taken.into_iter().map(|platform| (platform, Value::Null))).collect();
    (!members.is_empty()).then_some(Value::Object(members))
}
