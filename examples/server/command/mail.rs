//! Mail: what waits, what died and why.

use std::sync::Arc;

use axum::http::Method;
use clap::Subcommand;
use enrollment::core::worker::OutboxWorker;
use serde_json::Value;
use uuid::Uuid;

use super::At;
use super::api::{List, Members};
use super::table::{Column, details, plain};
use crate::Error;

/// Mail
#[derive(Debug, Subcommand)]
pub(crate) enum Mail {
    /// Send a mail that says that mail works, and tell what became of it
    #[command(after_help = "Example: server mail test you@example.com")]
    Test {
        /// Where to
        to: String,
    },
    /// Tell whether mail can be sent, and whether it is
    #[command(after_help = "Example: server mail status")]
    Status,
    /// List those on their way
    #[command(after_help = "Example: server mail queue")]
    Queue,
    /// List those the relay took
    #[command(after_help = "Example: server mail sent")]
    Sent,
    /// List those that could not be delivered
    #[command(after_help = "Example: server mail dead")]
    Dead,
    /// List those nobody wanted any more
    #[command(after_help = "Example: server mail obsolete")]
    Obsolete,
    /// Try a mail again that could not be delivered
    #[command(after_help = "Example: server mail retry 0190b3c4-5d6e-7f80-9123-456789abcdef")]
    Retry {
        /// Which one
        id: Uuid,
    },
    /// Drop a mail that was not sent
    #[command(after_help = "Example: server mail drop 0190b3c4-5d6e-7f80-9123-456789abcdef")]
    Drop {
        /// Which one
        id: Uuid,
    },
}

const COLUMNS: &[Column] = &[
    ("ID", |mail| plain(&mail["id"])),
    ("LETTER", |mail| plain(&mail["letter"])),
    ("STATE", |mail| plain(&mail["state"])),
    ("WHEN", |mail| plain(if mail["at"].is_null() { &mail["queued"] } else { &mail["at"] })),
    ("WHY", |mail| plain(if mail["why"].is_null() { &mail["receipt"] } else { &mail["why"] })),
];

pub(super) async fn run(at: &mut At<'_>, command: Mail) -> Result<(), Error> {
    match command {
        Mail::Test { to } => test(at, to).await,
        Mail::Status => {
            let status = at.api.get("/mail/status").await?;
            at.screen.answer(&status, details)
        }
        Mail::Queue => list(at, "queue").await,
        Mail::Sent => list(at, "sent").await,
        Mail::Dead => list(at, "dead").await,
        Mail::Obsolete => list(at, "obsolete").await,
        Mail::Retry { id } => {
            let mail = at.api.send(Method::POST, &format!("/mail/{id}/retry"), Members::default()).await?;
            at.screen.answer(&mail, state)
        }
        Mail::Drop { id } => {
            let mail = at.api.send(Method::DELETE, &format!("/mail/{id}"), Members::default()).await?;
            at.screen.answer(&mail, state)
        }
    }
}

async fn list(at: &mut At<'_>, standing: &str) -> Result<(), Error> {
    at.screen.list(&at.api, &List::all("/mail").only("status", Some(standing)), COLUMNS).await
}

fn state(mail: &Value) -> String {
    format!("{}\n", plain(&mail["state"]))
}

async fn test(at: &mut At<'_>, to: String) -> Result<(), Error> {
    let queued = at.api.send(Method::POST, "/mail/test", Members::default().set("email", to)).await?;
    let notifier = at.opened.notifier.as_ref().ok_or("mail is not configured")?;
    // Now, whether or not a server runs: any number of workers may.
    let worker = OutboxWorker::new(at.opened.service.clone(), Arc::clone(notifier));
    while worker.run_once().await? > 0 {}
    let status = at.api.get("/mail/status").await?;
    if let Some(pause) = status["pause"].as_object() {
        let (since, why) = (plain(&pause["since"]), plain(&pause["why"]));
        return Err(format!("the relay refuses this server since {since}: {why}").into());
    }
    for standing in ["sent", "dead", "queue"] {
        let (mails, _) = at.api.page(&List::all("/mail").only("status", Some(standing)), None).await?;
        if let Some(mail) = mails.iter().find(|mail| mail["id"] == queued["id"]) {
            if let Some(why) = mail["why"].as_str() {
                return Err(why.into());
            }
            return at.screen.answer(mail, |mail| format!("{}: {}\n", plain(&mail["state"]), plain(&mail["id"])));
        }
    }
    at.screen.answer(&queued, |mail| format!("queued: {}\n", plain(&mail["id"])))
}
