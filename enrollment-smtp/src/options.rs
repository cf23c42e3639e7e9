//! Where the relay is, and how to speak with it.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use lettre::message::Mailbox;
use lettre::transport::smtp::authentication;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};

/// How a [`SmtpNotifier`](crate::SmtpNotifier) speaks with its relay.
#[derive(Debug)]
#[non_exhaustive]
pub struct SmtpOptions {
    /// The relay's name or address; its certificate must be for this.
    pub host: String,
    /// The relay's port.
    pub port: u16,
    /// How the connection is protected.
    pub tls: Tls,
    /// What the relay knows us by; `None` where it takes mail from this address anyway.
    pub credentials: Option<Credentials>,
    /// The sender of every mail that names no other. Its domain is also that of every `Message-ID`, so a change of the
    /// domain gives mails that are tried again a new one.
    pub from: Mailbox,
    /// Where answers go, if not to the sender.
    pub reply_to: Option<Mailbox>,
    /// The longest time to connect, once more to announce a mail, and once more to hand it over; not zero.
    pub timeout: Duration,
    /// How many connections there are at most, and so how many mails are under way at once; not zero.
    pub connections: usize,
    /// Certificates in PEM that are trusted beside those of the system, for a relay with a private one.
    pub roots: Option<String>,
}

impl SmtpOptions {
    /// The usual port of `tls`, no credentials, 60 s, 4 connections, and the certificates that the system trusts.
    #[must_use]
    pub fn new(host: impl Into<String>, tls: Tls, from: Mailbox) -> Self {
        Self {
            host: host.into(),
            port: tls.usual_port(),
            tls,
            credentials: None,
            from,
            reply_to: None,
            timeout: Duration::from_secs(60),
            connections: 4,
            roots: None,
        }
    }

    /// What no try to send could make good.
    pub(crate) fn check(&self) -> Result<Option<Protection>, InvalidOptions> {
        if self.credentials.is_some() && self.tls == Tls::DangerPlaintext {
            return Err(InvalidOptions::CredentialsInTheClear);
        }
        if self.timeout.is_zero() || self.connections == 0 {
            return Err(InvalidOptions::Zero);
        }
        if !AsRef::<str>::as_ref(&self.from.email).is_ascii() {
            return Err(InvalidOptions::Sender);
        }
        for mailbox in [Some(&self.from), self.reply_to.as_ref()].into_iter().flatten() {
            if mailbox.name.as_deref().unwrap_or_default().chars().any(char::is_control) {
                return Err(InvalidOptions::Name);
            }
        }
        let name = ServerName::try_from(self.host.clone()).map_err(InvalidOptions::Host)?;
        match self.tls {
            Tls::DangerPlaintext => Ok(None),
            Tls::Implicit | Tls::StartTls => {
                Ok(Some(Protection { name, config: client_config(self.roots.as_deref())? }))
            }
        }
    }
}

/// Whom to expect at the other end of an encrypted connection.
pub(crate) struct Protection {
    pub(crate) name: ServerName<'static>,
    pub(crate) config: Arc<ClientConfig>,
}

/// How the connection to the relay is protected. There is no way to encrypt only if the relay happens to offer it:
/// whoever sits between would take the offer away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tls {
    /// TLS from the first byte (RFC 8314), usually port 465.
    Implicit,
    /// A connection that must be encrypted by STARTTLS (RFC 3207) before anything else, usually port 587.
    StartTls,
    /// Readable and changeable by everybody on the way, links and codes included: for a relay on this machine. Port 25.
    DangerPlaintext,
}

impl Tls {
    const NAMES: [(Self, &'static str); 3] =
        [(Self::Implicit, "implicit"), (Self::StartTls, "starttls"), (Self::DangerPlaintext, "danger_plaintext")];

    const fn usual_port(self) -> u16 {
        match self {
            Self::Implicit => 465,
            Self::StartTls => 587,
            Self::DangerPlaintext => 25,
        }
    }
}

/// Reads `implicit`, `starttls` or `danger_plaintext`.
impl FromStr for Tls {
    type Err = UnknownTls;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::NAMES.iter().find(|(_, name)| *name == text).map(|(tls, _)| *tls).ok_or(UnknownTls)
    }
}

impl fmt::Display for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Self::NAMES.iter().filter(|(tls, _)| tls == self).try_for_each(|(_, name)| f.write_str(name))
    }
}

/// The text names no way to protect a connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be implicit, starttls or danger_plaintext")]
pub struct UnknownTls;

/// A name and a password for the relay. `Debug` shows neither.
pub struct Credentials(authentication::Credentials);

impl Credentials {
    /// These.
    #[must_use]
    pub fn new(username: impl Into<String>, password: impl Into<String>) -> Self {
        Self(authentication::Credentials::new(username.into(), password.into()))
    }

    pub(crate) const fn expose(&self) -> &authentication::Credentials {
        &self.0
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(…)")
    }
}

/// Options with which no mail should or could be sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidOptions {
    /// A password would be readable on the way.
    #[error("credentials are not sent over a connection in plain text")]
    CredentialsInTheClear,
    /// A timeout of zero, or no connection at all.
    #[error("timeout and connections must not be zero")]
    Zero,
    /// A sender that only some relays could take, in an id that none should see.
    #[error("the address of the sender must be ASCII; a domain has such a form, which begins with xn--")]
    Sender,
    /// A name that could not stand in a header.
    #[error("the name of a mailbox has a control character")]
    Name,
    /// Neither a name nor an address.
    #[error("the host is not the name or the address of a relay")]
    Host(#[source] rustls::pki_types::InvalidDnsNameError),
    /// What should be trusted cannot be read.
    #[error("the certificates to trust are not in PEM")]
    Pem(#[source] rustls::pki_types::pem::Error),
    /// What should be trusted is no certificate.
    #[error("a certificate to trust is not valid")]
    Certificate(#[source] rustls::Error),
    /// With nothing trusted, no relay is.
    #[error("the system trusts no certificate, and none was given")]
    NothingTrusted,
}

fn client_config(pem: Option<&str>) -> Result<Arc<ClientConfig>, InvalidOptions> {
    let mut roots = RootCertStore::empty();
    // A system's collection may hold what rustls cannot read; what is missing shows when a relay is not trusted.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(pem) = pem {
        let given: Vec<_> =
            CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<_, _>>().map_err(InvalidOptions::Pem)?;
        if given.is_empty() {
            return Err(InvalidOptions::Pem(rustls::pki_types::pem::Error::NoItemsFound));
        }
        for certificate in given {
            roots.add(certificate).map_err(InvalidOptions::Certificate)?;
        }
    }
    if roots.is_empty() {
        return Err(InvalidOptions::NothingTrusted);
    }
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(InvalidOptions::Certificate)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(tls: Tls) -> SmtpOptions {
        SmtpOptions::new("localhost", tls, "VPN <vpn@example.com>".parse().expect("a mailbox"))
    }

    fn refused(change: impl FnOnce(&mut SmtpOptions)) -> InvalidOptions {
        let mut options = options(Tls::StartTls);
        change(&mut options);
        options.check().err().expect("refused")
    }

    #[test]
    fn credentials_are_never_sent_in_the_clear() {
        let credentials = || Some(Credentials::new("alice", "secret123"));
        let refused = refused(|options| {
            options.tls = Tls::DangerPlaintext;
            options.credentials = credentials();
        });
        assert!(matches!(refused, InvalidOptions::CredentialsInTheClear));
        assert!(options(Tls::DangerPlaintext).check().is_ok());
        assert!(SmtpOptions { credentials: credentials(), ..options(Tls::StartTls) }.check().is_ok());
    }

    #[test]
    fn what_cannot_work_is_refused() {
        assert!(matches!(refused(|options| options.timeout = Duration::ZERO), InvalidOptions::Zero));
        assert!(matches!(refused(|options| options.connections = 0), InvalidOptions::Zero));
        assert!(matches!(refused(|options| options.host = "not a host".into()), InvalidOptions::Host(_)));
        assert!(matches!(refused(|options| options.host = String::new()), InvalidOptions::Host(_)));
        assert!(matches!(refused(|options| options.from.name = Some("a\r\nBcc: b".into())), InvalidOptions::Name));
        assert!(matches!(
            refused(|options| options.from = "a@żółw.pl".parse().expect("a mailbox")),
            InvalidOptions::Sender
        ));
        assert!(matches!(refused(|options| options.roots = Some("no PEM".into())), InvalidOptions::Pem(_)));
        let no_certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let refused = refused(|options| options.roots = Some(no_certificate.into()));
        assert!(matches!(refused, InvalidOptions::Certificate(_)));
    }

    #[test]
    fn every_protection_has_its_name_and_port() {
        for (tls, name, port) in [
            (Tls::Implicit, "implicit", 465),
            (Tls::StartTls, "starttls", 587),
            (Tls::DangerPlaintext, "danger_plaintext", 25),
        ] {
            assert_eq!((tls.to_string().as_str(), name.parse(), options(tls).port), (name, Ok(tls), port));
        }
        assert_eq!("opportunistic".parse::<Tls>(), Err(UnknownTls));
    }

    #[test]
    fn debug_shows_no_credentials() {
        let options =
            SmtpOptions { credentials: Some(Credentials::new("alice", "secret123")), ..options(Tls::StartTls) };
        let shown = format!("{options:?}");
        assert!(!shown.contains("alice") && !shown.contains("secret123"), "{shown}");
    }
}
