//! Keys for the API.

use axum::http::Method;
use clap::Subcommand;
use enrollment::core::domain::username::Username;
use uuid::Uuid;

use super::api::{List, Members};
use super::table::{Column, plain};
use super::{At, ROLES, find};
use crate::Error;

/// Keys for the API
#[derive(Debug, Subcommand)]
pub(crate) enum ApiKey {
    /// Make a key and print it, once and alone
    #[command(after_help = "Example: server api-key create --role user_manager --name 'HR import'")]
    Create {
        /// What it may do
        #[arg(long, value_parser = ROLES)]
        role: String,
        /// The administrator it acts for
        #[arg(long, value_name = "USERNAME")]
        user: Option<Username>,
        /// What it is for
        #[arg(long)]
        name: Option<String>,
    },
    /// List the keys, revoked ones too
    #[command(after_help = "Example: server api-key list")]
    List,
    /// Revoke a key, for good
    #[command(after_help = "Example: server api-key revoke 0190b3c4-5d6e-7f80-9123-456789abcdef")]
    Revoke {
        /// Which one
        id: Uuid,
    },
}

const COLUMNS: &[Column] = &[
    ("ID", |key| plain(&key["id"])),
    ("NAME", |key| plain(&key["name"])),
    ("ROLE", |key| plain(&key["role"])),
    ("FOR USER", |key| plain(&key["user"])),
    ("MADE", |key| plain(&key["created"])),
    ("REVOKED", |key| plain(&key["revoked"])),
];

pub(super) async fn run(at: &mut At<'_>, command: ApiKey) -> Result<(), Error> {
    match command {
        ApiKey::Create { role, user, name } => {
            let user = match user {
                Some(username) => Some(find::user_id(&at.api, &username).await?),
                None => None,
            };
            let members = Members::default().set("role", role).given("user", user).given("name", name);
            let made = at.api.send(Method::POST, "/api-keys", members).await?;
            at.screen.answer(&made, |made| format!("{}\n", plain(&made["key"])))
        }
        ApiKey::List => at.screen.list(&at.api, &List::all("/api-keys"), COLUMNS).await,
        ApiKey::Revoke { id } => {
            let answer = at.api.send(Method::DELETE, &format!("/api-keys/{id}"), Members::default()).await?;
            at.screen.answer(&answer, |_| "Revoked.\n".to_owned())
        }
    }
}
