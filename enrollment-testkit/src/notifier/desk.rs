//! What the cases stand on: notifiers of one relay, its recipients, and sample messages.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use enrollment_core::id::OutboxId;
use enrollment_core::port::{
    Channel, DeliveryError, DeliveryErrorKind, InlineImage, Message, Notifier, Receipt, Recipient,
};
use enrollment_core::time::Timestamp;
use uuid::Uuid;

use super::{Arrival, ArrivedImage, Fate, NotifierFactory};
use crate::verdict::{BoxError, Failure, ensure_eq};

/// How a case went.
pub(super) type Verdict = Result<(), Failure>;

/// A secret as it may stand in a message.
pub(super) const SECRET: &str = "enr_7XKQ2M9D4T6WB8RHJ3NV5YCZ1PFG0SAE42KQ7";

/// One relay.
pub(super) struct Desk(Box<dyn Relay>);

/// A factory and the relay it made.
pub(super) struct Opened<F: NotifierFactory> {
    pub(super) factory: Arc<F>,
    pub(super) relay: F::Relay,
}

#[async_trait]
trait Relay: Send + Sync {
    async fn open(&self) -> Result<Arc<dyn Notifier>, BoxError>;
    async fn open_unwanted(&self) -> Result<Arc<dyn Notifier>, BoxError>;
    fn recipient(&self, fate: Fate, n: u32) -> Recipient;
    async fn arrivals(&self, at: &Recipient) -> Result<Vec<Arrival>, BoxError>;
}

#[async_trait]
impl<F: NotifierFactory> Relay for Opened<F> {
    async fn open(&self) -> Result<Arc<dyn Notifier>, BoxError> {
        self.factory.open(&self.relay).await
    }

    async fn open_unwanted(&self) -> Result<Arc<dyn Notifier>, BoxError> {
        self.factory.open_unwanted(&self.relay).await
    }

    fn recipient(&self, fate: Fate, n: u32) -> Recipient {
        self.factory.recipient(&self.relay, fate, n)
    }

    async fn arrivals(&self, at: &Recipient) -> Result<Vec<Arrival>, BoxError> {
        self.factory.arrivals(&self.relay, at).await
    }
}

impl Desk {
    pub(super) fn new<F: NotifierFactory>(opened: Opened<F>) -> Self {
        Self(Box::new(opened))
    }

    pub(super) async fn open(&self) -> Result<Arc<dyn Notifier>, Failure> {
        self.0.open().await.map_err(|error| Failure::caused("the factory opened no notifier", error))
    }

    pub(super) async fn open_unwanted(&self) -> Result<Arc<dyn Notifier>, Failure> {
        self.0.open_unwanted().await.map_err(|error| Failure::caused("the factory opened no unwanted notifier", error))
    }

    pub(super) fn recipient(&self, fate: Fate, n: u32) -> Recipient {
        self.0.recipient(fate, n)
    }

    /// The images that arrived at a recipient, by the ids of their messages; `None` for a message without HTML.
    pub(super) async fn images(
        &self,
        to: &Recipient,
    ) -> Result<BTreeMap<OutboxId, Option<Vec<ArrivedImage>>>, Failure> {
        let arrivals = self.0.arrivals(to).await.map_err(|error| Failure::caused("looking for arrivals", error))?;
        Ok(arrivals.into_iter().map(|arrival| (arrival.id, arrival.images)).collect())
    }

    /// Messages with these ids and texts arrived at a recipient, in whatever order, and nothing else did.
    pub(super) async fn has(&self, to: &Recipient, messages: &[&Message], what: &str) -> Verdict {
        let arrivals = self.0.arrivals(to).await.map_err(|error| Failure::caused("looking for arrivals", error))?;
        let mut arrived: Vec<_> = arrivals.iter().map(|arrival| (arrival.id, arrival.text.trim())).collect();
        let mut wanted: Vec<_> = messages.iter().map(|message| (message.id, message.text.trim())).collect();
        arrived.sort_unstable();
        wanted.sort_unstable();
        ensure_eq!(arrived, wanted, "{what}");
        Ok(())
    }
}

/// The `n`th sample message, whose HTML shows an image of its own.
pub(super) fn illustrated(n: u8, to: &Recipient) -> Message {
    let message = message(n.into(), to);
    // Bytes that a line of text, or a relay that reads lines, would change.
    let png = [b"\x89PNG\r\n\x1a\n\r\n.\r\n\0\xff \n", &[n][..]].concat();
    let image = InlineImage::of(message.id, png);
    let html = Some(format!("<p>Hello {n}</p>\n<p><img src=\"cid:{}\" alt=\"a code\"></p>", image.id()));
    Message { html, images: vec![image], ..message }
}

/// The `n`th sample message, to a recipient.
pub(super) fn message(n: u32, to: &Recipient) -> Message {
    Message {
        id: OutboxId::from_uuid(Uuid::from_u128(0x0190_b0f0_0000_7000_8000_0000_0000_0000 + u128::from(n))),
        from: None,
        to: to.clone(),
        subject: format!("Message {n}"),
        text: format!("Hello {n},\n\nhttps://vpn.example.com/enroll/{SECRET}\n\n.\n. a dot begins this line\n"),
        html: Some(format!("<p>Hello {n}</p>")),
        images: Vec::new(),
        queued: Timestamp::from_seconds(1_764_000_000),
    }
}

/// A recipient on another channel.
pub(super) fn recipient_on(channel: Channel) -> Option<Recipient> {
    match channel {
        Channel::Email => "elsewhere@example.com".parse().ok().map(Recipient::Email),
        Channel::Sms => "+49 30 123456".parse().ok().map(Recipient::Phone),
        _ => None,
    }
}

/// A message that must be taken.
pub(super) async fn deliver(notifier: &dyn Notifier, message: &Message) -> Result<Receipt, Failure> {
    let answer = notifier.deliver(message).await;
    answer.map_err(|error| Failure::caused(&format!("delivering {message:?} ({:?})", error.kind()), error))
}

/// A message that must not be taken, with this kind of error.
pub(super) async fn fails(
    notifier: &dyn Notifier,
    message: &Message,
    kind: DeliveryErrorKind,
) -> Result<DeliveryError, Failure> {
    match notifier.deliver(message).await {
        Ok(receipt) => Err(Failure::new(format!("{message:?} was taken, not {kind:?}: {}", receipt.detail()))),
        Err(error) => {
            ensure_eq!(error.kind(), kind, "the kind of the error \"{error}\"");
            Ok(error)
        }
    }
}
