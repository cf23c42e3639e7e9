//! The audit log.

use axum::http::Method;
use clap::Subcommand;
use futures_util::StreamExt as _;
use serde_json::Value;
use uuid::Uuid;

use super::At;
use super::api::{Members, escaped};
use super::table::{Column, Table, plain};
use crate::Error;

/// The audit log
#[derive(Debug, Subcommand)]
pub(crate) enum Audit {
    /// List entries, the latest first
    #[command(after_help = "Example: server audit list --limit 20")]
    List {
        /// Only those about the record with this id
        #[arg(long, value_name = "ID")]
        about: Option<Uuid>,
        /// At most this many, 1 to 1000
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
        /// The `next` of the entries before, from the answer with --json
        #[arg(long)]
        cursor: Option<String>,
    },
    /// Print entries and seals in the order of the chain, one JSON document per line
    #[command(after_help = "Example: server audit export > audit.ndjson")]
    Export,
    /// Check the whole chain; names the first entry that is altered, missing or out of order
    #[command(after_help = "Example: server audit verify")]
    Verify,
}

const COLUMNS: &[Column] = &[
    ("AT", |entry| plain(&entry["at"])),
    ("ACTOR", |entry| plain(&entry["actor"]["kind"])),
    ("WHAT", |entry| plain(&entry["event"]["action"])),
    ("UPON", |entry| format!("{} {}", plain(&entry["subject_kind"]), plain(&entry["subject"]))),
    ("FROM", |entry| plain(&entry["source"])),
];

pub(super) async fn run(at: &mut At<'_>, command: Audit) -> Result<(), Error> {
    match command {
        Audit::List { about, limit, cursor } => {
            let mut path = format!("/audit?limit={limit}");
            let about = about.map(|id| id.to_string());
            for (name, value) in [("subject", &about), ("cursor", &cursor)] {
                if let Some(value) = value {
                    path += &format!("&{name}={}", escaped(value));
                }
            }
            let page = at.api.get(&path).await?;
            at.screen.answer(&page, |page| {
                let entries = page["items"].as_array().map(Vec::as_slice).unwrap_or_default();
                Table::new(COLUMNS).text(entries)
            })
        }
        Audit::Export => {
            let answer = at.api.ask(Method::GET, "/audit/export", Members::default()).await?;
            let mut lines = answer.into_body().into_data_stream();
            while let Some(some) = lines.next().await {
                at.screen.raw(std::str::from_utf8(&some?)?)?;
            }
            Ok(())
        }
        Audit::Verify => {
            let report = at.api.send(Method::POST, "/audit/verify", Members::default()).await?;
            verified(at, &report)
        }
    }
}

fn verified(at: &mut At<'_>, report: &Value) -> Result<(), Error> {
    let member = |name: &str| plain(&report[name]);
    if report["ok"] == true {
        return at.screen.answer(report, |_| {
            format!(
                "{} entries are as they were sealed, {} before them were pruned; {} wait for their seal. Chain: {}\n",
                member("entries"),
                member("pruned"),
                member("unsealed"),
                member("chain")
            )
        });
    }
    at.screen.answer(report, |_| String::new())?;
    Err(format!("{} ({} entries before it are right)", member("problem"), member("entries")).into())
}
