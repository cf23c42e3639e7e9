//! Machines that nobody sits at.

use axum::http::Method;
use clap::Subcommand;
use serde_json::Value;

use super::api::{List, Members};
use super::table::{Column, details, plain};
use super::{At, find};
use crate::Error;

/// Unattended machines
#[derive(Debug, Subcommand)]
pub(crate) enum Machine {
    /// List the machines of a location, and how far each is
    #[command(after_help = "Example: server machine list office")]
    List {
        /// The location's name
        location: String,
    },
    /// Tell everything about a machine
    #[command(after_help = "Example: server machine show office build-01")]
    Show {
        /// The location's name
        location: String,
        /// The machine's name
        name: String,
    },
    /// Add a machine to a location and print what to run there, once
    #[command(after_help = "Example: server machine add office build-01 --validity 48h")]
    Add {
        /// The location's name
        location: String,
        /// The machine's name
        name: String,
        /// How long its token is valid, such as 24h [default: the setting]
        #[arg(long)]
        validity: Option<String>,
    },
    /// Give a machine that is not enrolled another token; the one before is dead
    #[command(after_help = "Example: server machine reissue office build-01")]
    Reissue {
        /// The location's name
        location: String,
        /// The machine's name
        name: String,
        /// How long its token is valid, such as 24h [default: the setting]
        #[arg(long)]
        validity: Option<String>,
    },
    /// Remove a machine: its token is dead, its peer goes out of force
    #[command(after_help = "Example: server machine remove office build-01")]
    Remove {
        /// The location's name
        location: String,
        /// The machine's name
        name: String,
    },
}

const COLUMNS: &[Column] = &[
    ("NAME", |machine| plain(&machine["name"])),
    ("STAGE", |machine| plain(&machine["stage"])),
    ("PEER", |machine| plain(&machine["device"]["status"])),
    ("ADDRESSES", |machine| plain(&machine["addresses"])),
    ("TOKEN VALID UNTIL", |machine| plain(&machine["expires_at"])),
    ("ID", |machine| plain(&machine["id"])),
];

pub(super) async fn run(at: &mut At<'_>, command: Machine) -> Result<(), Error> {
    match command {
        Machine::List { location } => {
            let path = find::machines(&at.api, &location).await?;
            at.screen.list(&at.api, &List::all(&path), COLUMNS).await
        }
        Machine::Show { location, name } => {
            let id = find::id(&find::machine(&at.api, &location, &name).await?);
            at.screen.answer(&at.api.get(&format!("/machines/{id}")).await?, details)
        }
        Machine::Add { location, name, validity } => {
            let path = find::machines(&at.api, &location).await?;
            let members = Members::default().set("name", name).given("validity", validity);
            let added = at.api.send(Method::POST, &path, members).await?;
            at.screen.answer(&added, |added| to_run(&added["enrollment"]))
        }
        Machine::Reissue { location, name, validity } => {
            let id = find::id(&find::machine(&at.api, &location, &name).await?);
            let members = Members::default().given("validity", validity);
            let issued = at.api.send(Method::POST, &format!("/machines/{id}/reissue"), members).await?;
            at.screen.answer(&issued, to_run)
        }
        Machine::Remove { location, name } => {
            let id = find::id(&find::machine(&at.api, &location, &name).await?);
            let answer = at.api.send(Method::DELETE, &format!("/machines/{id}"), Members::default()).await?;
            at.screen.answer(&answer, |_| "Removed. A running server takes its peer out of force.\n".to_owned())
        }
    }
}

/// What to run on the machine.
fn to_run(issued: &Value) -> String {
    format!("{}\n", plain(&issued["command"]))
}
