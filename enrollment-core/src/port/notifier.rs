//! Getting a message to a person.

use std::error::Error;
use std::fmt;

use async_trait::async_trait;

use super::Channel;
use crate::domain::contact::{Email, Phone};
use crate::id::OutboxId;
use crate::time::Timestamp;

/// Hands messages to whatever brings them to people: a mail relay, a gateway for short messages.
///
/// # Contract
/// * `Ok` means that somebody else has taken responsibility for the message: it survives the death of this process.
/// * **At least once.** After an error, or when the future was dropped, the message may have been taken all the same.
///   It comes again with the same [`Message::id`], and what the recipient sees identifies it by that id alone (for mail:
///   the `Message-ID`), so that two arrivals can be told for one.
/// * Messages are independent: any number of calls may run at once, and one that is slow or fails holds up no other
///   for longer than a timeout of its own.
/// * A message for a channel that is not served goes nowhere and is [`DeliveryErrorKind::Rejected`].
/// * Errors are classified truthfully, since the kind decides what becomes of the queue.
#[async_trait]
pub trait Notifier: fmt::Debug + Send + Sync + 'static {
    /// The channels it serves, always the same.
    fn channels(&self) -> &[Channel];

    /// Delivers one message.
    async fn deliver(&self, message: &Message) -> Result<Receipt, DeliveryError>;
}

/// A message that is ready but for its form. Its text may hold a secret such as an invitation's link, so it is neither
/// copied nor compared, and `Debug` shows only its id.
pub struct Message {
    /// The outbox entry that it delivers; the same on every try.
    pub id: OutboxId,
    /// The address it comes from, when an administrator chose one
    /// ([`Settings::sender`](crate::domain::settings::Settings::sender)); `None`: the notifier's own.
    pub from: Option<Email>,
    /// Whom it is for.
    pub to: Recipient,
    /// What it is about, in one line of plain text. Short messages do not carry it.
    pub subject: String,
    /// The whole message as plain text.
    pub text: String,
    /// The same as HTML, where the channel can carry it.
    pub html: Option<String>,
    /// The images that the HTML shows. A channel that carries HTML carries them with it.
    pub images: Vec<InlineImage>,
    /// When it was queued; the same on every try.
    pub queued: Timestamp,
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message").field("id", &self.id).finish_non_exhaustive()
    }
}

/// An image that comes with a message. It may hold a secret, so `Debug` shows only its id.
#[derive(Clone, PartialEq, Eq)]
pub struct InlineImage {
    id: String,
    png: Vec<u8>,
}

impl InlineImage {
    /// The one image of a message.
    #[must_use]
    pub fn of(message: OutboxId, png: Vec<u8>) -> Self {
        Self { id: format!("{message}@image.invalid"), png }
    }

    /// Its content id, unlike that of any other image: the HTML shows `cid:` and this (RFC 2392). Letters, digits, dots,
    /// dashes and one `@`.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The image as PNG.
    #[must_use]
    pub fn png(&self) -> &[u8] {
        &self.png
    }
}

impl fmt::Debug for InlineImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InlineImage").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Where a message goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recipient {
    /// To a mailbox.
    Email(Email),
    /// To a phone, as a short message.
    Phone(Phone),
}

impl Recipient {
    /// The channel that reaches it.
    #[must_use]
    pub const fn channel(&self) -> Channel {
        match self {
            Self::Email(_) => Channel::Email,
            Self::Phone(_) => Channel::Sms,
        }
    }
}

/// That a message was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    detail: String,
}

impl Receipt {
    /// A receipt with what was answered, which may carry no secret; made one line of at most 300 characters.
    #[must_use]
    pub fn new(detail: &str) -> Self {
        Self { detail: one_line(detail) }
    }

    /// What was answered, for whoever looks for the message later.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }
}

/// What stands in a message's way, and so what becomes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeliveryErrorKind {
    /// It may pass, or nobody knows what became of the message: the same message again, later.
    Transient,
    /// This message or this recipient is not wanted, and others are: never again, visible with the reason.
    Rejected,
    /// We are not wanted, whatever the message: wrong credentials, a certificate that is not trusted, a sender that may
    /// not send. The channel pauses and the message waits, for every other would fare the same.
    Refused,
}

/// A message that was not taken, as far as is known.
#[derive(Debug, thiserror::Error)]
#[error("{why}")]
pub struct DeliveryError {
    kind: DeliveryErrorKind,
    why: String,
    #[source]
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl DeliveryError {
    /// An error with its reason for administrators, which may carry no secret; made one line of at most 300
    /// characters.
    #[must_use]
    pub fn new(kind: DeliveryErrorKind, why: &str) -> Self {
        Self { kind, why: one_line(why), source: None }
    }

    /// The same error with its cause, which may carry no secret either.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What becomes of the message.
    #[must_use]
    pub const fn kind(&self) -> DeliveryErrorKind {
        self.kind
    }

    /// Why, for administrators: one line of at most 300 characters.
    #[must_use]
    pub fn why(&self) -> &str {
        &self.why
    }
}

/// What others wrote, fit to stand in a list.
fn one_line(text: &str) -> String {
    const LONGEST: usize = 300;
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing_of_a_message() {
        let message = Message {
            id: OutboxId::from_uuid(uuid::Uuid::nil()),
            from: None,
            to: Recipient::Email("anna@example.com".parse().expect("an address")),
            subject: "Your invitation".into(),
            text: "Hello Anna".into(),
            html: Some("<p>Hello Anna</p>".into()),
            images: Vec::new(),
            queued: Timestamp::EPOCH,
        };
        assert_eq!(format!("{message:?}"), "Message { id: OutboxId(00000000-0000-0000-0000-000000000000), .. }");
    }

    #[test]
    fn what_a_server_says_becomes_one_short_line() {
        let rambling = format!("no\r\nway\0 {}", "x".repeat(10_000));
        let error = DeliveryError::new(DeliveryErrorKind::Rejected, &rambling);
        assert!(error.why().starts_with("no  way  xxx"), "{}", error.why());
        assert_eq!(error.why().chars().count(), 300);
        assert_eq!(Receipt::new(&rambling).detail(), error.why());
        assert_eq!(error.to_string(), error.why());
    }
}
