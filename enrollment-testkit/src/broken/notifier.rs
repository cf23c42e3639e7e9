//! Notifiers that break one promise each.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use enrollment_core::id::OutboxId;
use enrollment_core::port::{Channel, DeliveryError, DeliveryErrorKind, Message, Notifier, Receipt, Recipient};
use uuid::Uuid;

use crate::fake::{Mishap, Recorded, RecordingNotifier};
use crate::notifier::{Arrival, ArrivedImage, BoxError, Fate, NotifierFactory};

macro_rules! faults {
    ($($(#[$doc:meta])+ $name:ident => $case:literal,)*) => {
        /// How a notifier is broken.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum NotifierFault {
            $($(#[$doc])+ $name,)*
        }

        impl NotifierFault {
            /// Every fault.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The case of the suite that is there for it; others may fail too.
            #[must_use]
            pub const fn caught_by(self) -> &'static str {
                match self { $(Self::$name => $case,)* }
            }
        }
    };
}

faults! {
    /// Says `Ok` and does nothing.
    DeliversNothing => "a_message_arrives_once_with_its_id_and_text",
    /// Hands a message over again at once, to be sure.
    DeliversTwice => "a_message_arrives_once_with_its_id_and_text",
    /// Makes a new id whenever it is asked.
    RenamesMessages => "every_try_arrives_under_the_same_id",
    /// Takes messages with one text for one.
    ComparesTexts => "two_messages_with_one_content_are_two",
    /// Keeps the message under way where all callers see it.
    SharesItsDesk => "messages_of_parallel_callers_arrive_at_whom_they_are_for",
    /// Serves other channels once it has delivered.
    ChangesItsChannels => "the_channels_it_serves_stay_the_same",
    /// Says `Ok` to what it cannot deliver.
    SwallowsOtherChannels => "a_message_for_another_channel_is_rejected_and_goes_nowhere",
    /// Takes greylisting for a bad address.
    GivesUpEarly => "a_message_that_is_put_off_is_transient_and_arrives_later",
    /// Takes a bad address for a relay that does not want us.
    StopsForOneAddress => "an_unwelcome_message_is_rejected_and_its_neighbors_arrive",
    /// Takes a relay that does not want us for a bad address.
    BurnsTheQueue => "a_notifier_that_is_not_wanted_is_refused",
    /// Writes subjects into headers as they are.
    LetsSubjectsBeHeaders => "a_subject_adds_no_recipients",
    /// Leaves the images behind that the HTML shows.
    LeavesImagesBehind => "html_comes_with_the_images_it_shows",
    /// Says which message it was that was not taken.
    QuotesMessages => "answers_carry_nothing_of_the_message",
}

/// A [`RecordingNotifier`] for mail that breaks one promise.
#[derive(Debug)]
pub struct BrokenNotifier {
    fault: NotifierFault,
    inner: Arc<RecordingNotifier>,
    renamed: AtomicU64,
    delivered: AtomicBool,
    desk: Mutex<Option<Message>>,
}

impl BrokenNotifier {
    /// A handle onto `inner`, broken by `fault`.
    #[must_use]
    pub fn new(fault: NotifierFault, inner: Arc<RecordingNotifier>) -> Self {
        Self { fault, inner, renamed: AtomicU64::default(), delivered: AtomicBool::default(), desk: Mutex::default() }
    }

    /// What is handed over in place of a message.
    async fn misread(&self, message: &Message) -> Message {
        let mut read = copy(message);
        match self.fault {
            NotifierFault::RenamesMessages => {
                let n = self.renamed.fetch_add(1, Ordering::Relaxed);
                read.id = OutboxId::from_uuid(Uuid::from_u128(u128::from(n)));
            }
            NotifierFault::LeavesImagesBehind => read.images.clear(),
            NotifierFault::SharesItsDesk => {
                *self.desk.lock().unwrap_or_else(PoisonError::into_inner) = Some(read);
                for _ in 0..20 {
                    tokio::task::yield_now().await;
                }
                let desk = self.desk.lock().unwrap_or_else(PoisonError::into_inner);
                read = copy(desk.as_ref().unwrap_or(message));
            }
            _ => {}
        }
        read
    }
}

#[async_trait]
impl Notifier for BrokenNotifier {
    fn channels(&self) -> &[Channel] {
        let changed = self.fault == NotifierFault::ChangesItsChannels && self.delivered.load(Ordering::Relaxed);
        if changed { &[Channel::Email, Channel::Sms] } else { self.inner.channels() }
    }

    async fn deliver(&self, message: &Message) -> Result<Receipt, DeliveryError> {
        let known = |message: &Message| self.inner.arrived().iter().any(|other| other.text == message.text);
        let swallowed = match self.fault {
            NotifierFault::DeliversNothing => true,
            NotifierFault::ComparesTexts => known(message),
            NotifierFault::SwallowsOtherChannels => !self.inner.channels().contains(&message.to.channel()),
            _ => false,
        };
        if swallowed {
            return Ok(Receipt::new("taken"));
        }
        let answer = self.inner.deliver(&self.misread(message).await).await;
        self.delivered.store(true, Ordering::Relaxed);
        match (self.fault, answer) {
            (NotifierFault::DeliversTwice, Ok(_)) => self.inner.deliver(message).await,
            (NotifierFault::LetsSubjectsBeHeaders, Ok(receipt)) => {
                for added in message.subject.lines().filter_map(|line| line.strip_prefix("Bcc: ")?.parse().ok()) {
                    self.inner.deliver(&Message { to: Recipient::Email(added), ..copy(message) }).await?;
                }
                Ok(receipt)
            }
            (NotifierFault::QuotesMessages, Err(error)) => Err(DeliveryError::new(error.kind(), &message.text)),
            (fault, Err(error)) => Err(DeliveryError::new(misjudged(fault, error.kind()), error.why())),
            (_, Ok(receipt)) => Ok(receipt),
        }
    }
}

const fn misjudged(fault: NotifierFault, kind: DeliveryErrorKind) -> DeliveryErrorKind {
    match (fault, kind) {
        (NotifierFault::GivesUpEarly, DeliveryErrorKind::Transient)
        | (NotifierFault::BurnsTheQueue, DeliveryErrorKind::Refused) => DeliveryErrorKind::Rejected,
        (NotifierFault::StopsForOneAddress, DeliveryErrorKind::Rejected) => DeliveryErrorKind::Refused,
        (_, kind) => kind,
    }
}

fn copy(message: &Message) -> Message {
    Message {
        id: message.id,
        from: message.from.clone(),
        to: message.to.clone(),
        subject: message.subject.clone(),
        text: message.text.clone(),
        html: message.html.clone(),
        images: message.images.clone(),
        queued: message.queued,
    }
}

/// Makes notifiers that are broken by one fault, or by none.
#[derive(Debug, Clone, Copy)]
pub struct BrokenNotifierFactory(pub Option<NotifierFault>);

impl BrokenNotifierFactory {
    fn broken(self, inner: Arc<RecordingNotifier>) -> Arc<dyn Notifier> {
        match self.0 {
            Some(fault) => Arc::new(BrokenNotifier::new(fault, inner)),
            None => inner,
        }
    }
}

#[async_trait]
impl NotifierFactory for BrokenNotifierFactory {
    type Relay = Arc<RecordingNotifier>;

    async fn create(&self) -> Result<Self::Relay, BoxError> {
        Ok(Arc::new(RecordingNotifier::serving(&[Channel::Email])))
    }

    async fn open(&self, relay: &Self::Relay) -> Result<Arc<dyn Notifier>, BoxError> {
        Ok(self.broken(Arc::clone(relay)))
    }

    async fn open_unwanted(&self, _: &Self::Relay) -> Result<Arc<dyn Notifier>, BoxError> {
        let unwanted = RecordingNotifier::serving(&[Channel::Email]);
        unwanted.fail(Mishap::Fails(DeliveryErrorKind::Refused), u32::MAX);
        Ok(self.broken(Arc::new(unwanted)))
    }

    fn recipient(&self, relay: &Self::Relay, fate: Fate, n: u32) -> Recipient {
        let (name, mishap) = match fate {
            Fate::Welcome => ("welcome", None),
            Fate::PutOffOnce => ("later", Some((DeliveryErrorKind::Transient, 1))),
            Fate::Unwelcome => ("never", Some((DeliveryErrorKind::Rejected, u32::MAX))),
        };
        let address = format!("{name}-{n}@example.com").parse();
        let recipient = Recipient::Email(address.unwrap_or_else(|_| unreachable!("this is an address")));
        if let Some((kind, times)) = mishap {
            relay.fail_for(&recipient, Mishap::Fails(kind), times);
        }
        recipient
    }

    async fn arrivals(&self, relay: &Self::Relay, at: &Recipient) -> Result<Vec<Arrival>, BoxError> {
        let images = |message: &Recorded| {
            let images = message.images.iter();
            images.map(|image| ArrivedImage { id: image.id().to_owned(), png: image.png().to_vec() }).collect()
        };
        let read = |message: Recorded| {
            let images = message.html.as_ref().map(|_| images(&message));
            Arrival { id: message.id, text: message.text, images }
        };
        Ok(relay.arrived_at(at).into_iter().map(read).collect())
    }
}
