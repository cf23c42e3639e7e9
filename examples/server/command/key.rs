//! The keys of the key ring. None of these commands prints a key: only names.

use clap::Subcommand;
use enrollment::core::domain::enrollment::Purpose;
use enrollment::core::port::{Clock as _, SystemClock, SystemEntropy};
use enrollment::core::record::Resealing;
use enrollment::core::secret::{KeyId, KeyStatus};
use enrollment::core::service::administrator::{DeadLink, KeyReport, KeyView, PageRequest, Renewed};
use serde_json::{Value, json};

use super::At;
use super::table::{Column, Table, plain};
use crate::Error;
use crate::keys::hold_against_the_database;

/// The keys of the key ring
#[derive(Debug, Subcommand)]
pub(crate) enum Key {
    /// List the keys, what needs each, and how far sealing again is
    #[command(after_help = "Example: server key list")]
    List,
    /// Put a new key in use; what older ones made goes on working
    #[command(after_help = "Example: server key rotate")]
    Rotate {
        /// Only make the key, so that every server can have it before one uses it; the next rotation puts it in use
        #[arg(long)]
        prepare: bool,
    },
    /// Have the links of a stolen key be dead, and send new ones
    #[command(after_help = "Example: server key revoke 1f2e3d4c")]
    Revoke {
        /// Which key
        id: KeyId,
    },
}

const KEYS: &[Column] = &[
    ("KEY", |key| plain(&key["id"])),
    ("STATUS", |key| plain(&key["status"])),
    ("MADE", |key| plain(&key["made"])),
    ("NEEDED BY", |key| {
        let spare = if key["spare"] == true { "; its line can be taken out of the key ring" } else { "" };
        format!("{}{spare}", plain(&key["needed_by"]))
    }),
];

const DEAD_LINKS: &[Column] = &[
    ("ENROLLMENT", |link| plain(&link["enrollment"])),
    ("FOR", |link| plain(&link["username"])),
    ("PURPOSE", |link| plain(&link["purpose"])),
    ("NEW LINK", |link| match (&link["mail"], &link["refused"]) {
        (Value::String(mail), _) => format!("sent by mail {mail}"),
        (_, Value::String(code)) => format!("{} ({code})", by_hand(link)),
        _ => by_hand(link),
    }),
];

pub(super) async fn run(at: &mut At<'_>, command: Key) -> Result<(), Error> {
    match command {
        Key::List => {
            let report = at.opened.service.administrator().keys(&at.by).await?;
            let text = in_words(&report);
            at.screen.answer(&document(report), |report| {
                let keys = report["keys"].as_array().map(Vec::as_slice).unwrap_or_default();
                Table::new(KEYS).text(keys) + &text
            })
        }
        Key::Rotate { prepare: true } => {
            let file = &at.opened.keys;
            let key = file.change(|ring| Ok(ring.prepare(SystemClock.now(), &SystemEntropy)))?;
            let path = file.path().display();
            at.screen.answer(&json!({"key": key.to_string(), "in_use": false}), |_| {
                format!(
                    "Key {key} is made and not in use. Copy {path} to every server that has its own, then: key rotate\n"
                )
            })
        }
        Key::Rotate { prepare: false } => rotate(at).await,
        Key::Revoke { id } => {
            at.opened.keys.change(|ring| Ok(ring.revoke(&id)?))?;
            hold_against_the_database(&at.opened.service, &at.opened.keys).await?;
            revoked(at, id).await
        }
    }
}

async fn rotate(at: &mut At<'_>) -> Result<(), Error> {
    let (service, file) = (&at.opened.service, &at.opened.keys);
    let key = file.change(|ring| {
        // The file may be a copy that has not heard of a revocation; none of those keys may come into use.
        let keys: Vec<_> = ring.keys().map(|(key, ..)| key).filter(|key| *key != ring.active()).collect();
        for key in keys.iter().filter(|key| service.is_revoked_key(key)) {
            ring.revoke(key)?;
        }
        Ok(ring.rotate(SystemClock.now(), &SystemEntropy))
    })?;
    hold_against_the_database(service, file).await?;
    let path = file.path().display();
    at.screen.answer(&json!({"key": key.to_string(), "in_use": true}), |_| {
        format!(
            "Key {key} is in use. What older keys made goes on working.\n\
             Servers that read {path} take it up within 5 seconds; copy it to those that do not, and back it up.\n"
        )
    })
}

fn document(report: KeyReport) -> Value {
    let keys = report.keys.into_iter().map(|KeyView { id, known, needed_by }| {
        let (status, made) = match known {
            Some((status, made)) => (status.as_str(), Some(made.to_string())),
            None => ("missing", None),
        };
        let spare = matches!(known, Some((KeyStatus::Retired | KeyStatus::Revoked, _))) && needed_by.is_none();
        json!({"id": id.to_string(), "status": status, "made": made, "needed_by": needed_by.to_string(), "spare": spare})
    });
    let resealing = report.resealing.map(|Resealing { key, due, done, after, .. }| {
        json!({"key": key.to_string(), "done": done, "due": due.to_string(), "under_way": after.is_some()})
    });
    json!({"keys": keys.collect::<Vec<_>>(), "resealing": resealing})
}

fn in_words(report: &KeyReport) -> String {
    let Some(Resealing { key, due, done, after, .. }) = &report.resealing else { return String::new() };
    let done = format!("{done} records are sealed again under {key}");
    match after {
        None if *due > SystemClock.now() => format!("{done}; a last look is due at {due}.\n"),
        _ => format!("{done} so far; running servers go on with it.\n"),
    }
}

async fn revoked(at: &mut At<'_>, id: KeyId) -> Result<(), Error> {
    let mut page = PageRequest { cursor: None, limit: Some(500) };
    let mut dead = Vec::new();
    loop {
        let listing = at.opened.service.administrator().renew_dead_links(&at.by, &page).await?;
        dead.extend(listing.items.into_iter().map(dead_link));
        match listing.next {
            Some(next) => page.cursor = Some(next),
            None => break,
        }
    }
    at.screen.answer(&json!({"key": id.to_string(), "dead_links": dead}), |answer| {
        let dead = answer["dead_links"].as_array().map(Vec::as_slice).unwrap_or_default();
        let table = if dead.is_empty() { String::new() } else { Table::new(DEAD_LINKS).text(dead) };
        format!(
            "Key {id} is revoked: its links are dead, on running servers within 5 seconds.\n{table}\
             Whoever has this key and a copy of the database knows what it had sealed by then: secrets of authenticator\n\
             apps and private keys of gateways. They go on working. If there may be such a copy, replace them.\n"
        )
    })
}

fn dead_link(link: DeadLink) -> Value {
    let DeadLink { id, username, location, purpose, renewed } = link;
    let (mail, refused) = match renewed {
        Renewed::Sent(mail) => (Some(mail.to_string()), None),
        Renewed::ByHand => (None, None),
        Renewed::Refused(code) => (None, Some(code)),
    };
    json!({
        "enrollment": id.to_string(), "username": username.as_str(),
        "location": location.map(|location| location.to_string()), "purpose": Purpose::as_str(purpose),
        "mail": mail, "refused": refused,
    })
}

fn by_hand(link: &Value) -> String {
    let name = plain(&link["username"]);
    match &link["location"] {
        Value::String(location) => format!("by hand: machine reissue {} {name}", word(location)),
        _ => format!("by hand: invite {name} --purpose {}", plain(&link["purpose"])),
    }
}

/// A text as one word of a shell.
fn word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if text.chars().all(is_plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}
