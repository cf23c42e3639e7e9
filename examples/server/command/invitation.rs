//! Enrollments: starting, following, sending again, withdrawing.

use std::path::PathBuf;

use axum::http::Method;
use clap::{Args, Subcommand};
use enrollment::core::domain::username::Username;
use serde_json::Value;
use uuid::Uuid;

use super::api::{List, Members};
use super::table::{Column, details, plain};
use super::{At, find, texts};
use crate::Error;

/// Enrollments
#[derive(Debug, Subcommand)]
pub(crate) enum Enrollment {
    /// List enrollments, the latest first
    #[command(after_help = "Example: server enrollment list --status completed")]
    List(Which),
    /// Tell everything about an enrollment
    #[command(after_help = "Example: server enrollment show 0190b3c4-5d6e-7f80-9123-456789abcdef")]
    Show {
        /// Which one
        id: Uuid,
    },
    /// Start an enrollment and print its link, once
    #[command(after_help = "Example: server enrollment start anna --validity 48h")]
    Start(Invite),
    /// Send the link again by mail, or make a new one
    #[command(after_help = "Example: server enrollment resend 0190b3c4-5d6e-7f80-9123-456789abcdef")]
    Resend(Resend),
    /// Withdraw an enrollment: its link is dead at once, the user stays
    #[command(after_help = "Example: server enrollment delete 0190b3c4-5d6e-7f80-9123-456789abcdef")]
    Delete {
        /// Which one
        id: Uuid,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Which {
    /// Those that are not finished, were completed, or ended otherwise [default: pending]
    #[arg(long, value_parser = ["pending", "completed", "closed"])]
    pub(super) status: Option<String>,
    /// How the name of the user or machine begins
    #[arg(long, value_name = "PREFIX")]
    pub(super) search: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Invite {
    /// For whom
    username: Username,
    /// What for [default: onboarding]
    #[arg(long, value_parser = ["onboarding", "device", "factor"])]
    purpose: Option<String>,
    /// How long the link is valid, such as 24h [default: the setting]
    #[arg(long)]
    validity: Option<String>,
    /// Mail the link instead of printing it
    #[arg(long)]
    mail: bool,
    /// Mail the link and print it too
    #[arg(long, conflicts_with = "mail")]
    both: bool,
    /// Where the mail goes, in place of the address on file
    #[arg(long, value_name = "ADDRESS")]
    email: Option<String>,
    #[command(flatten)]
    words: Words,
}

#[derive(Debug, Args)]
pub(crate) struct Words {
    /// The subject of the mail, with tags such as {{ first_name }} [default: the saved one]
    #[arg(long, value_name = "TEXT")]
    subject: Option<String>,
    /// A file with the body of the mail, Markdown with tags; header, link and validity stay [default: the saved one]
    #[arg(long, value_name = "FILE")]
    body: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Resend {
    /// Which one
    #[arg(required_unless_present = "all")]
    id: Option<Uuid>,
    /// Every invitation that can still be redeemed: the same links with the same expiries
    #[arg(long, conflicts_with_all = ["id", "rotate", "delivery", "subject", "body"])]
    all: bool,
    /// A new link; the old one and its session are dead
    #[arg(long)]
    rotate: bool,
    /// How a new link gets to the person [default: as the first one did]
    #[arg(long, requires = "rotate", value_parser = ["manual", "email", "both"])]
    delivery: Option<String>,
    #[command(flatten)]
    words: Words,
}

const COLUMNS: &[Column] = &[
    ("FOR", |item| {
        plain(if item["machine"].is_object() { &item["machine"]["name"] } else { &item["user"]["username"] })
    }),
    ("PURPOSE", |item| plain(&item["purpose"])),
    ("VALID UNTIL", |item| if item["expired"] == true { "expired".to_owned() } else { plain(&item["expires_at"]) }),
    ("PROGRESS", progress),
    ("MAIL", |item| plain(&item["mail"]["state"])),
    ("ID", |item| plain(&item["id"])),
];

pub(super) async fn run(at: &mut At<'_>, command: Enrollment) -> Result<(), Error> {
    match command {
        Enrollment::List(which) => list(at, which).await,
        Enrollment::Show { id } => {
            let enrollment = at.api.get(&format!("/enrollments/{id}")).await?;
            at.screen.answer(&enrollment, details)
        }
        Enrollment::Start(invite) => start(at, invite).await,
        Enrollment::Resend(Resend { id: Some(id), all: _, rotate, delivery, words }) => {
            let members = words.into_members()?.set("rotate", rotate).given("delivery", delivery);
            let issued = at.api.send(Method::POST, &format!("/enrollments/{id}/resend"), members).await?;
            at.screen.answer(&issued, shown_once)
        }
        Enrollment::Resend(_) => {
            let resent = at.api.send(Method::POST, "/enrollments/resend", Members::default()).await?;
            at.screen.answer(&resent, details)
        }
        Enrollment::Delete { id } => {
            let answer = at.api.send(Method::DELETE, &format!("/enrollments/{id}"), Members::default()).await?;
            at.screen.answer(&answer, |_| "Withdrawn: its link is dead.\n".to_owned())
        }
    }
}

pub(super) async fn list(at: &mut At<'_>, Which { status, search }: Which) -> Result<(), Error> {
    let list = List::all("/enrollments").only("status", status.as_deref()).only("q", search.as_deref());
    at.screen.list(&at.api, &list, COLUMNS).await
}

pub(super) async fn start(at: &mut At<'_>, invite: Invite) -> Result<(), Error> {
    let Invite { username, purpose, validity, mail, both, email, words } = invite;
    let id = find::user_id(&at.api, &username).await?;
    let delivery = match (mail, both) {
        (true, _) => "email",
        (_, true) => "both",
        _ => "manual",
    };
    let members = words
        .into_members()?
        .given("purpose", purpose)
        .given("validity", validity)
        .set("delivery", delivery)
        .given("email", email);
    let issued = at.api.send(Method::POST, &format!("/users/{id}/enrollments"), members).await?;
    at.screen.answer(&issued, shown_once)
}

/// A link, for the one who asked; or where it went.
pub(super) fn shown_once(issued: &Value) -> String {
    match (&issued["url"], &issued["mail"]) {
        (Value::String(url), _) => format!("{url}\n"),
        (_, mail) => format!("The link is queued as mail {}\n", plain(mail)),
    }
}

impl Words {
    fn into_members(self) -> Result<Members, Error> {
        let body = self.body.as_deref().map(texts::read).transpose()?;
        Ok(Members::default().given("subject", self.subject).given("body", body))
    }
}

fn progress(item: &Value) -> String {
    let progress = &item["progress"];
    match progress["stage"].as_str() {
        Some("invited") => return "not begun".to_owned(),
        Some("completed") => return "completed".to_owned(),
        Some("closed") => return plain(&progress["why"]),
        _ => {}
    }
    let done: Vec<&str> =
        ["profile", "password", "mfa", "device"].into_iter().filter(|step| progress[step] == true).collect();
    if done.is_empty() { "begun".to_owned() } else { done.join(", ") }
}
