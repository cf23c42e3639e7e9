//! The keys of the ring: the commands, and what a running server does when the file has changed.

use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};

use enrollment::core::domain::enrollment::Purpose;
use enrollment::core::port::{Clock as _, SystemClock, SystemEntropy};
use enrollment::core::record::Resealing;
use enrollment::core::secret::{KeyId, KeyStatus};
use enrollment::core::service::administrator::{DeadLink, KeyReport, KeyView, PageRequest, Renewed};
use enrollment::core::service::{Answer, Failure, Principal, Service};

use super::Error;
use super::cli::Key;
use super::key_file::KeyFile;

const BY: Principal = Principal::command_line();

/// Runs one command. None of them prints a key: only names.
pub(crate) async fn run(service: &Service, file: &KeyFile, command: Key) -> Result<String, Error> {
    match command {
        Key::List => Ok(list(&service.administrator().keys(&BY).await?)?),
        Key::Rotate { prepare: true } => {
            let key = file.change(|ring| Ok(ring.prepare(SystemClock.now(), &SystemEntropy)))?;
            Ok(format!(
                "Key {key} is made and not in use. Copy {} to every server that has its own, then: key rotate\n",
                file.path().display()
            ))
        }
        Key::Rotate { prepare: false } => {
            let key = file.change(|ring| Ok(ring.rotate(SystemClock.now(), &SystemEntropy)))?;
            hold_against_the_database(service, file).await?;
            Ok(format!(
                "Key {key} is in use. What older keys made goes on working.\n\
                 Servers that read {0} take it up within 5 seconds; copy it to those that do not, and back it up.\n",
                file.path().display()
            ))
        }
        Key::Revoke { id } => {
            file.change(|ring| Ok(ring.revoke(&id)?))?;
            hold_against_the_database(service, file).await?;
            revoked(service, id).await
        }
    }
}

/// Holds the ring of a file against the database, and has the service work with it.
pub(crate) async fn hold_against_the_database(service: &Service, file: &KeyFile) -> Result<(), Error> {
    let path = file.path().display();
    let read = || file.read()?.ok_or_else(|| Error::from(format!("the key ring {path} is missing")));
    let mut fits = service.adopt(read()?).await?;
    if fits.is_err() {
        // Another process may have rotated between the two looks, at the file and at the database.
        fits = service.adopt(read()?).await?;
    }
    fits.map_err(|unfit| {
        format!("{path}: {unfit}. Put the right key ring back, from its backup or from another server").into()
    })
}

fn list(report: &KeyReport) -> Result<String, std::fmt::Error> {
    let mut text = format!("{:<9} {:<8} {:<28} {}\n", "KEY", "STATUS", "MADE", "NEEDED BY");
    for KeyView { id, known, needed_by } in &report.keys {
        let (status, made) = match known {
            Some((status, made)) => (status.as_str(), made.to_string()),
            None => ("missing", String::new()),
        };
        let id = id.to_string();
        write!(text, "{id:<9} {status:<8} {made:<28} {needed_by}")?;
        let spare = matches!(known, Some((KeyStatus::Retired | KeyStatus::Revoked, _))) && needed_by.is_none();
        writeln!(text, "{}", if spare { "; its line can be taken out of the key ring" } else { "" })?;
    }
    if let Some(Resealing { key, due, done, after, .. }) = &report.resealing {
        let done = format!("{done} records are sealed again under {key}");
        match after {
            None if *due > SystemClock.now() => writeln!(text, "{done}; a last look is due at {due}.")?,
            _ => writeln!(text, "{done} so far; running servers go on with it.")?,
        }
    }
    Ok(text)
}

async fn revoked(service: &Service, id: KeyId) -> Result<String, Error> {
    let mut text = format!("Key {id} is revoked: its links are dead, on running servers within 5 seconds.\n");
    let mut page = PageRequest { cursor: None, limit: Some(500) };
    let mut dead = Vec::new();
    loop {
        let listing = service.administrator().renew_dead_links(&BY, &page).await?;
        dead.extend(listing.items);
        match listing.next {
            Some(next) => page.cursor = Some(next),
            None => break,
        }
    }
    if !dead.is_empty() {
        writeln!(text, "{:<36} {:<24} {:<11} NEW LINK", "ENROLLMENT", "USER", "PURPOSE")?;
    }
    for DeadLink { id, username, purpose, renewed } in dead {
        let new = match renewed {
            Renewed::Sent(mail) => format!("sent by mail {mail}"),
            Renewed::ByHand => by_hand(username.as_str(), purpose),
            Renewed::Refused(code) => format!("{} ({code})", by_hand(username.as_str(), purpose)),
        };
        writeln!(text, "{id:<36} {:<24} {:<11} {new}", username.as_str(), purpose.as_str())?;
    }
    writeln!(
        text,
        "Whoever has this key and a copy of the database knows what it had sealed by then: secrets of authenticator\n\
         apps and private keys of gateways. They go on working. If there may be such a copy, replace them."
    )?;
    Ok(text)
}

fn by_hand(username: &str, purpose: Purpose) -> String {
    format!("by hand: invite {username} --purpose {}", purpose.as_str())
}

/// Takes the key ring up whenever its file has changed, and revocations that another process entered.
#[derive(Debug)]
pub(crate) struct KeyWatch {
    service: Service,
    file: KeyFile,
    /// What was reported last: the same is not said again every five seconds.
    complaint: Mutex<Option<String>>,
}

impl KeyWatch {
    pub(crate) const fn new(service: Service, file: KeyFile) -> Self {
        Self { service, file, complaint: Mutex::new(None) }
    }

    /// Reads the file once. Where it cannot be used, the keys in memory stay in force.
    pub(crate) fn run_once(&self) -> Answer<'_, usize> {
        Box::pin(async move { self.look().await.map(|()| 0) })
    }

    async fn look(&self) -> Result<(), Failure> {
        let path = self.file.path().display();
        let complaint = match self.file.read() {
            Ok(Some(ring)) => self.service.adopt(ring).await?.err().map(|unfit| format!("{path}: {unfit}")),
            Ok(None) => Some(format!("{path} is gone")),
            Err(error) => Some(error.to_string()),
        };
        let mut last = self.complaint.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(complaint) = complaint.as_ref().filter(|complaint| Some(*complaint) != last.as_ref()) {
            tracing::error!(complaint, "the key ring is not taken up; the one in memory stays in force");
        }
        *last = complaint;
        Ok(())
    }
}
