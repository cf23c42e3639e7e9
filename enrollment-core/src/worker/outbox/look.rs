//! What is to be done about entries. Their mails, and what those are made from, are read together; whatever cannot be read
//! is looked at alone, so that it holds up no other.

use super::ending::{self, Ending};
use super::{MailIntent, OutboxWorker};
use crate::domain::mail::{Mail, MailState};
use crate::port::{Leased, Message, Settlement};
use crate::record::{Kind, Row, RowKey, Stored};
use crate::service::Failure;
use crate::service::mail::Prepared;
use crate::worker::unless_broken;

/// What is to be done about an entry.
#[derive(Debug)]
pub(super) enum Step {
    /// Its mail goes.
    Deliver(Stored<Mail>, Message),
    /// Its mail ends unsent, for this reason.
    End(Stored<Mail>, Ending, &'static str),
    /// There is nothing to send.
    Settle(Settlement),
    /// Another time, for this reason; the mail, unless it cannot be read.
    Retry(Option<Stored<Mail>>, String),
    /// It is given back untried.
    Release,
    /// It cannot be told.
    Fail(Failure),
}

/// How an entry's mail stands.
enum Standing {
    Waits(Stored<Mail>),
    Ended(Settlement),
}

impl OutboxWorker {
    /// What is to be done about each of these entries, as their mails and all that those tell of stand now.
    ///
    /// # Errors
    /// When the store cannot be asked.
    pub(super) async fn look<'a>(&self, leased: &[&'a Leased]) -> Result<Vec<(&'a Leased, Step)>, Failure> {
        let mut steps = Vec::with_capacity(leased.len());
        let mut meant = Vec::with_capacity(leased.len());
        for leased in leased {
            match serde_json::from_str::<MailIntent>(&leased.entry.body.json) {
                Ok(intent) => meant.push((*leased, RowKey::new(Kind::Mail, intent.mail.uuid()))),
                Err(error) => {
                    let why = format!("not an intent for a mail: {error}");
                    steps.push((*leased, Step::Settle(Settlement::Dead { why })));
                }
            }
        }
        let rows = unless_broken(self.service.rows(meant.iter().map(|(_, key)| *key)).await)?;
        let mut mails = Vec::with_capacity(meant.len());
        for (leased, key) in meant {
            let standing = match &rows {
                Some(rows) => standing(leased, rows.get(&key)),
                None => self.service.rows([key]).await.and_then(|rows| standing(leased, rows.get(&key))),
            };
            match standing {
                Ok(Standing::Waits(stored)) => mails.push((leased, stored)),
                Ok(Standing::Ended(how)) => steps.push((leased, Step::Settle(how))),
                Err(failure) => steps.push((leased, unreadable(leased, failure))),
            }
        }
        self.make(mails, &mut steps).await?;
        Ok(steps)
    }

    /// Makes these mails.
    async fn make<'a>(
        &self,
        mails: Vec<(&'a Leased, Stored<Mail>)>,
        steps: &mut Vec<(&'a Leased, Step)>,
    ) -> Result<(), Failure> {
        if mails.is_empty() {
            return Ok(());
        }
        let all: Vec<&Mail> = mails.iter().map(|(_, stored)| &stored.record).collect();
        let sources = unless_broken(self.service.sources(&all).await)?;
        for (leased, stored) in mails {
            let mail = &stored.record;
            let prepared = match &sources {
                Some(sources) => self.service.prepare(mail, sources),
                None => self.service.sources(&[mail]).await.and_then(|sources| self.service.prepare(mail, &sources)),
            };
            steps.push((leased, step(stored, prepared)));
        }
        Ok(())
    }
}

fn standing(leased: &Leased, row: Option<&Row>) -> Result<Standing, Failure> {
    let obsolete = |why: &str| Standing::Ended(Settlement::Obsolete { why: why.to_owned() });
    let Some(row) = row else { return Ok(obsolete("the mail is gone")) };
    let stored = Stored::<Mail>::read(row)?;
    if stored.record.entry != leased.entry.id {
        return Ok(obsolete("another entry delivers it"));
    }
    Ok(match &stored.record.state {
        MailState::Queued | MailState::Retrying { .. } => Standing::Waits(stored),
        // An earlier worker wrote the end down and died before it settled, or somebody dropped the mail.
        MailState::Sent { .. } => Standing::Ended(Settlement::Done),
        MailState::Dead { .. } => Standing::Ended(ending::dead()),
        MailState::Obsolete { .. } => Standing::Ended(ending::obsolete()),
    })
}

/// The reason names the row and never its content.
fn unreadable(leased: &Leased, failure: Failure) -> Step {
    match failure {
        Failure::Broken(error) => {
            tracing::error!(%error, entry = %leased.entry.id, "a mail cannot be read and will be tried again");
            Step::Retry(None, error.to_string())
        }
        other => Step::Fail(other),
    }
}

fn step(stored: Stored<Mail>, prepared: Result<Prepared, Failure>) -> Step {
    match prepared {
        Ok(Prepared::Ready(message)) => Step::Deliver(stored, message),
        Ok(Prepared::Obsolete(why)) => Step::End(stored, Ending::Obsolete, why),
        Ok(Prepared::Dead(why)) => Step::End(stored, Ending::Dead, why),
        // Shown beside the mail as well: a damaged record.
        Err(Failure::Broken(error)) => {
            tracing::error!(%error, mail = %stored.record.id, "a mail cannot be made and will be tried again");
            Step::Retry(Some(stored), error.to_string())
        }
        // Another process, or this one a little later, has the key.
        Err(Failure::UnknownKey(key)) => {
            Step::Retry(Some(stored), format!("the key {key} of its link is not known here yet"))
        }
        Err(other) => Step::Fail(other),
    }
}
