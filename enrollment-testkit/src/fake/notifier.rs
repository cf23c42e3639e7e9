//! Mailboxes and phones in memory.

use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use enrollment_core::domain::contact::Email;
use enrollment_core::id::OutboxId;
use enrollment_core::port::{
    Channel, DeliveryError, DeliveryErrorKind, InlineImage, Message, Notifier, Receipt, Recipient,
};
use enrollment_core::time::Timestamp;

/// How a try to deliver fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mishap {
    /// The message goes nowhere, and the error is of this kind.
    Fails(DeliveryErrorKind),
    /// The message arrives, and the error is [`DeliveryErrorKind::Transient`]: the answer was lost.
    AnswerLost,
}

/// A message as its recipient has it, with every secret in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// [`Message::id`].
    pub id: OutboxId,
    /// [`Message::from`].
    pub from: Option<Email>,
    /// [`Message::to`].
    pub to: Recipient,
    /// [`Message::subject`].
    pub subject: String,
    /// [`Message::text`].
    pub text: String,
    /// [`Message::html`].
    pub html: Option<String>,
    /// [`Message::images`].
    pub images: Vec<InlineImage>,
    /// [`Message::queued`].
    pub queued: Timestamp,
}

/// A notifier that writes down what arrives, and fails as it is told. Works until told otherwise. Share it by `Arc`.
#[derive(Debug)]
pub struct RecordingNotifier {
    channels: Vec<Channel>,
    keeps: bool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    arrived: Vec<Recorded>,
    tries: Vec<OutboxId>,
    count: u64,
    planned: Vec<Plan>,
}

/// What happens to the next `left` tries, of one recipient or of all.
#[derive(Debug)]
struct Plan {
    to: Option<Recipient>,
    mishap: Mishap,
    left: u32,
}

impl RecordingNotifier {
    /// For mail and short messages.
    #[must_use]
    pub fn new() -> Self {
        Self::serving(&[Channel::Email, Channel::Sms])
    }

    /// For these channels alone.
    #[must_use]
    pub fn serving(channels: &[Channel]) -> Self {
        Self { channels: channels.to_vec(), keeps: true, state: Mutex::default() }
    }

    /// For mail and short messages; counts what arrives and keeps nothing, so that a test can send very many.
    #[must_use]
    pub fn null() -> Self {
        Self { keeps: false, ..Self::new() }
    }

    /// What arrived, in order; a message that arrived twice stands here twice.
    #[must_use]
    pub fn arrived(&self) -> Vec<Recorded> {
        self.state().arrived.clone()
    }

    /// What arrived at one recipient, in order.
    #[must_use]
    pub fn arrived_at(&self, to: &Recipient) -> Vec<Recorded> {
        self.state().arrived.iter().filter(|message| message.to == *to).cloned().collect()
    }

    /// How many messages arrived.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.state().count
    }

    /// The id of every message handed over so far, in order, those that failed included.
    #[must_use]
    pub fn tries(&self) -> Vec<OutboxId> {
        self.state().tries.clone()
    }

    /// Lets the next `times` tries fail, whoever they are for; `u32::MAX`: all, until [`recover`](Self::recover).
    pub fn fail(&self, mishap: Mishap, times: u32) {
        self.state().planned.push(Plan { to: None, mishap, left: times });
    }

    /// The same for one recipient.
    pub fn fail_for(&self, to: &Recipient, mishap: Mishap, times: u32) {
        self.state().planned.push(Plan { to: Some(to.clone()), mishap, left: times });
    }

    /// All is well again.
    pub fn recover(&self) {
        self.state().planned.clear();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for RecordingNotifier {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Notifier for RecordingNotifier {
    fn channels(&self) -> &[Channel] {
        &self.channels
    }

    async fn deliver(&self, message: &Message) -> Result<Receipt, DeliveryError> {
        if !self.channels.contains(&message.to.channel()) {
            return Err(DeliveryError::new(DeliveryErrorKind::Rejected, "no such channel here"));
        }
        let mut state = self.state();
        let mishap = state.next_mishap(&message.to);
        if self.keeps {
            state.tries.push(message.id);
        }
        if let Some(Mishap::Fails(kind)) = mishap {
            return Err(DeliveryError::new(kind, "as the test wants it"));
        }
        state.count += 1;
        if self.keeps {
            state.arrived.push(record(message));
        }
        match mishap {
            Some(_) => Err(DeliveryError::new(DeliveryErrorKind::Transient, "the answer was lost")),
            None => Ok(Receipt::new("taken")),
        }
    }
}

impl State {
    fn next_mishap(&mut self, to: &Recipient) -> Option<Mishap> {
        let applies = |plan: &&mut Plan| plan.left > 0 && plan.to.as_ref().is_none_or(|planned| planned == to);
        let plan = self.planned.iter_mut().find(applies)?;
        if plan.left < u32::MAX {
            plan.left -= 1;
        }
        Some(plan.mishap)
    }
}

fn record(message: &Message) -> Recorded {
    // Named one by one: a new field must be written down, too.
    let Message { id, from, to, subject, text, html, images, queued } = message;
    Recorded {
        id: *id,
        from: from.clone(),
        to: to.clone(),
        subject: subject.clone(),
        text: text.clone(),
        html: html.clone(),
        images: images.clone(),
        queued: *queued,
    }
}
