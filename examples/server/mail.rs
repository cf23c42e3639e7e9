//! Mail: the relay of the configuration.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use enrollment::core::port::Notifier;
use enrollment::smtp::{Credentials, SmtpNotifier, SmtpOptions, Tls};
use serde::Deserialize;
use utoipa::ToSchema;

use super::Error;

/// A mail is handed over in three steps; the worker gives all of them together a minute.
const STEP: Duration = Duration::from_secs(20);
/// As many as the worker sends at once.
const CONNECTIONS: usize = 8;

/// The relay that takes mail. Without this table no mail is sent; in it `host` and `from` must stand.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Smtp {
    /// The name of the relay, which its certificate has too.
    host: String,
    /// Default: the usual one of `tls`: 465, 587 or 25.
    port: Option<u16>,
    /// Both `username` and `password`, or neither.
    username: Option<String>,
    /// See `username`.
    password: Option<String>,
    /// The sender: `VPN <vpn@example.com>`. The setting `sender` replaces its address.
    from: String,
    /// `implicit`, `starttls` or `danger_plaintext`. Default: `implicit`.
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
