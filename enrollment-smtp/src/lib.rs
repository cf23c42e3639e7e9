//! Mail of [`enrollment_core`]: messages to a relay, over SMTP.
//!
//! [`SmtpNotifier`] is the [`Notifier`](enrollment_core::port::Notifier) for mail. Its connection is encrypted or, by
//! the frank name [`Tls::DangerPlaintext`], not; never only if the relay feels like it.
//!
//! ```
//! use enrollment_core::port::{Message, Notifier};
//! use enrollment_smtp::{Credentials, Mailbox, SmtpNotifier, SmtpOptions, Tls};
//!
//! async fn send(message: &Message) -> Result<(), Box<dyn std::error::Error>> {
//!     let from: Mailbox = "Example VPN <vpn@example.com>".parse()?;
//!     let mut options = SmtpOptions::new("mail.example.com", Tls::Implicit, from);
//!     options.credentials = Some(Credentials::new("vpn", "a password"));
//!     let notifier = SmtpNotifier::new(options)?;
//!
//!     notifier.test_connection().await?; // whether the relay would take our mail
//!     let receipt = notifier.deliver(message).await?;
//!     println!("{}", receipt.detail()); // 250 2.0.0 Ok: queued as 9D5959960A2
//!     Ok(())
//! }
//! ```
//!
//! # What becomes of a mail
//!
//! | the relay | [kind](enrollment_core::port::DeliveryErrorKind) |
//! |---|---|
//! | takes the mail | `Ok` |
//! | cannot be reached, breaks off, takes too long; answers 4xx | `Transient` |
//! | has another certificate, or no TLS; wants other credentials; answers 5xx to greeting or sender; refuses every recipient | `Refused` |
//! | answers 5xx to this recipient or to this mail | `Rejected` |
//!
//! The reply code alone does not tell: 550 to `MAIL FROM` concerns every mail, 550 to `RCPT TO` one. So the
//! conversation is held command by command.
//!
//! Host, credentials and certificates are read once: after a change make a new notifier.

mod compose;
mod connection;
mod failure;
mod notifier;
mod options;
mod pool;
mod quote;
mod wire;

pub use compose::{ComposeError, compose};
pub use lettre::message::Mailbox;
pub use notifier::SmtpNotifier;
pub use options::{Credentials, InvalidOptions, SmtpOptions, Tls, UnknownTls};
