//! Mail: the relay of the configuration, and commands about it.

use std::fmt;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use enrollment::core::domain::mail::{MailStanding, MailState};
use enrollment::core::port::Notifier;
use enrollment::core::service::administrator::PageRequest;
use enrollment::core::service::{Principal, Service};
use enrollment::core::worker::OutboxWorker;
use enrollment::smtp::{Credentials, SmtpNotifier, SmtpOptions, Tls};
use serde::Deserialize;

use super::Error;
use super::cli::{Mail, MailList};

/// A mail is handed over in three steps; the worker gives all of them together a minute.
const STEP: Duration = Duration::from_secs(20);
/// As many as the worker sends at once.
const CONNECTIONS: usize = 8;

/// `[smtp]`: the relay that takes mail.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Smtp {
    host: String,
    /// The usual one of `tls` when nobody says otherwise.
    port: Option<u16>,
    username: Option<String>,
    password: Option<String>,
    /// The sender: `VPN <vpn@example.com>`. The setting `sender` replaces its address.
    from: String,
    /// `implicit` (default), `starttls` or `danger_plaintext`.
    tls: Option<String>,
}

/// Without the password.
impl fmt::Debug for Smtp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Smtp").field("host", &self.host).field("from", &self.from).finish_non_exhaustive()
    }
}

impl Smtp {
    /// What sends mail to this relay. It connects when there is something to send.
    pub(crate) fn notifier(&self) -> Result<Arc<dyn Notifier>, Error> {
        let tls: Tls =
            self.tls.as_deref().unwrap_or("implicit").parse().map_err(|error| format!("smtp.tls: {error}"))?;
        let from = self.from.parse().map_err(|error| format!("smtp.from: {error}"))?;
        let mut options = SmtpOptions::new(self.host.as_str(), tls, from);
        options.port = self.port.unwrap_or(options.port);
        options.timeout = STEP;
        options.connections = CONNECTIONS;
        options.credentials = match (&self.username, &self.password) {
            (None, None) => None,
            (Some(username), Some(password)) => Some(Credentials::new(username.as_str(), password.as_str())),
            _ => return Err("smtp: username and password come together or not at all".into()),
        };
        Ok(Arc::new(SmtpNotifier::new(options).map_err(|error| format!("smtp: {error}"))?))
    }
}

const BY: Principal = Principal::command_line();

/// Runs one command about mail.
pub(crate) async fn run(
    service: &Service,
    notifier: Option<&Arc<dyn Notifier>>,
    command: Mail,
) -> Result<String, Error> {
    let administrator = service.administrator();
    match command {
        Mail::List(list) => self::list(service, list).await,
        Mail::Retry { id } => Ok(format!("{}\n", administrator.revive_mail(&BY, id).await?.state.as_str())),
        Mail::Drop { id } => Ok(format!("{}\n", administrator.drop_mail(&BY, id).await?.state.as_str())),
        Mail::Test { to } => {
            let id = administrator.send_test_mail(&BY, Some(to)).await?;
            let notifier = notifier.ok_or("mail is not configured")?;
            // Now, whether or not a server runs: any number of workers may.
            let worker = OutboxWorker::new(service.clone(), Arc::clone(notifier));
            while worker.run_once().await? > 0 {}
            let status = administrator.mail_status(&BY).await?;
            if let Some(pause) = status.pause {
                return Err(format!("the relay refuses this server since {}: {}", pause.since, pause.why).into());
            }
            for standing in [MailStanding::Sent, MailStanding::Dead, MailStanding::Queue] {
                let mails = administrator.mails(&BY, standing, &PageRequest::default()).await?.items;
                if let Some(mail) = mails.into_iter().find(|mail| mail.id == id) {
                    return match mail.state {
                        MailState::Dead { why, .. } | MailState::Retrying { why, .. } => Err(why.into()),
                        state => Ok(format!("{}: {id}\n", state.as_str())),
                    };
                }
            }
            Ok(format!("queued: {id}\n"))
        }
    }
}

async fn list(service: &Service, list: MailList) -> Result<String, Error> {
    let standing = match list {
        MailList::Queue => MailStanding::Queue,
        MailList::Sent => MailStanding::Sent,
        MailList::Dead => MailStanding::Dead,
        MailList::Obsolete => MailStanding::Obsolete,
    };
    let mut text = format!("{:<36} {:<24} {:<9} {}\n", "ID", "LETTER", "STATE", "WHY");
    let mut page = PageRequest { cursor: None, limit: Some(500) };
    loop {
        let listing = service.administrator().mails(&BY, standing, &page).await?;
        for mail in &listing.items {
            let why = match &mail.state {
                MailState::Queued => "",
                MailState::Sent { receipt, .. } => receipt,
                MailState::Retrying { why, .. } | MailState::Dead { why, .. } | MailState::Obsolete { why, .. } => why,
            };
            writeln!(text, "{:<36} {:<24} {:<9} {why}", mail.id, mail.letter, mail.state.as_str())?;
        }
        match listing.next {
            Some(next) => page.cursor = Some(next),
            None => return Ok(text),
        }
    }
}
