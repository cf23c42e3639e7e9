//! The keys of the ring: what a running server does when the file has changed.

use std::sync::{Mutex, PoisonError};

use enrollment::core::service::{Answer, Failure, Service};

use super::Error;
use super::key_file::KeyFile;

/// Holds the ring of a file against the database, and has the service work with it.
pub(crate) async fn hold_against_the_database(service: &Service, file: &KeyFile) -> Result<(), Error> {
    let path = file.path().display();
    let read = || file.read()?.ok_or_else(|| Error::from(format!("the key ring {path} is missing")));
    let mut ring = read()?;
    loop {
        let text = ring.to_text();
        let Err(unfit) = service.adopt(ring).await? else { return Ok(()) };
        // A key is in the file before the database names it. So if others have rotated between the two looks, the file
        // is another one by now, however often they did.
        ring = read()?;
        if *ring.to_text() == *text {
            let advice = "Put the right key ring back, from its backup or from another server";
            return Err(format!("{path}: {unfit}. {advice}").into());
        }
    }
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
        if complaint.is_some() {
            // What is revoked is revoked here, whatever became of the file.
            self.service.note_revocations().await?;
        }
        let mut last = self.complaint.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(complaint) = complaint.as_ref().filter(|complaint| Some(*complaint) != last.as_ref()) {
            tracing::error!(complaint, "the key ring is not taken up; the one in memory stays in force");
        }
        *last = complaint;
        Ok(())
    }
}
