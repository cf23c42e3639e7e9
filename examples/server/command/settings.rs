//! Settings: what administrators choose inside the policy.

use axum::http::Method;
use clap::{Args, Subcommand};

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
            .given("sender", self.sender)
            .cleared("sender", self.no_sender)
            .given("help_desk_may_send", self.help_desk_may_send)
            .given("onboarding_mail", self.onboarding_mail)
    }
}
