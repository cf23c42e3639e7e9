//! Texts that administrators may write themselves.

use std::path::PathBuf;

use axum::http::Method;
use clap::Subcommand;
use serde_json::Value;

use super::api::{List, Members, escaped};
use super::table::{Column, plain};
use super::{At, find, texts};
use crate::Error;

/// Texts of mails and of the onboarding page
#[derive(Debug, Subcommand)]
pub(crate) enum Template {
    /// List the texts
    #[command(after_help = "Example: server template list")]
    List,
    /// Print a text as it is in force
    #[command(after_help = "Example: server template show onboarding > onboarding.md")]
    Show {
        /// Which one
        name: String,
    },
    /// Put a text in force, once it was checked with sample people
    #[command(after_help = "Example: server template set onboarding onboarding.md")]
    Set {
        /// Which one
        name: String,
        /// A file with Markdown and tags; - reads standard input
        file: PathBuf,
    },
    /// Show what a text looks like to a sample person; saves nothing
    #[command(after_help = "Example: server template preview onboarding onboarding.md")]
    Preview {
        /// Which one
        name: String,
        /// A file with Markdown and tags; - reads standard input [default: the text in force]
        file: Option<PathBuf>,
    },
    /// Put the built-in text in force again
    #[command(after_help = "Example: server template remove onboarding")]
    Remove {
        /// Which one
        name: String,
    },
}

const COLUMNS: &[Column] = &[
    ("NAME", |text| plain(&text["name"])),
    ("TEXT", |text| if text["is_own"] == true { "own" } else { "built in" }.to_owned()),
];

pub(super) async fn run(at: &mut At<'_>, command: Template) -> Result<(), Error> {
    match command {
        Template::List => at.screen.list(&at.api, &List::all("/templates"), COLUMNS).await,
        Template::Show { name } => {
            at.screen.answer(&find::template(&at.api, &name).await?, |text| lines(&text["source"]))
        }
        Template::Set { name, file } => {
            let members = Members::default().set("source", texts::read(&file)?);
            let saved = at.api.send(Method::PUT, &path(at, &name).await?, members).await?;
            at.screen.answer(&saved, |text| format!("{} is in force.\n", plain(&text["name"])))
        }
        Template::Preview { name, file } => {
            let source = file.as_deref().map(texts::read).transpose()?;
            let members = Members::default().given("source", source);
            let preview = at.api.send(Method::POST, &(path(at, &name).await? + "/preview"), members).await?;
            at.screen.answer(&preview, |preview| lines(&preview["text"]))
        }
        Template::Remove { name } => {
            let reset = at.api.send(Method::DELETE, &path(at, &name).await?, Members::default()).await?;
            at.screen.answer(&reset, |text| format!("The built-in {} is in force.\n", plain(&text["name"])))
        }
    }
}

async fn path(at: &At<'_>, name: &str) -> Result<String, Error> {
    let template = find::template(&at.api, name).await?;
    Ok(format!("/templates/{}", escaped(template["name"].as_str().unwrap_or_default())))
}

/// A text with the end of its last line.
fn lines(text: &Value) -> String {
    let text = text.as_str().unwrap_or_default();
    if text.ends_with('\n') { text.to_owned() } else { format!("{text}\n") }
}
