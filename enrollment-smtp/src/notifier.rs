//! Mail over SMTP.

use std::fmt;

use async_trait::async_trait;
use enrollment_core::port::{Channel, DeliveryError, DeliveryErrorKind, Message, Notifier, Receipt};
use lettre::address::Envelope;
use tokio::time::{Instant, timeout};

use crate::compose::{ComposeError, compose};
use crate::connection::Connection;
use crate::failure::{Cause, Failure, Step};
use crate::options::{InvalidOptions, Protection, SmtpOptions};
use crate::pool::Pool;
use crate::quote::without_quotations;

/// Delivers mail through a relay: `Ok` is the relay's word that it has taken the mail.
///
/// * A mail has the same `Message-ID` on every try. When the connection breaks after the mail and before the answer,
///   the error is [`Transient`](DeliveryErrorKind::Transient), and the recipient may get the mail twice.
/// * Connections are kept for the mails that follow. One that turns out to be dead is replaced once, as long as the
///   relay cannot have taken the mail.
/// * One delivery waits for a free connection, then at most four times [`SmtpOptions::timeout`].
/// * What the relay says is quoted in errors and receipts, without the links and codes that it repeats of a mail.
///
/// To be used within a tokio runtime that has I/O and time.
pub struct SmtpNotifier {
    options: SmtpOptions,
    protection: Option<Protection>,
    pool: Pool<Connection>,
}

impl SmtpNotifier {
    /// A notifier for one relay; connects when there is something to deliver. The system's certificates are read now,
    /// and not again.
    ///
    /// # Errors
    /// When the options could not work, or would send credentials in the clear.
    pub fn new(options: SmtpOptions) -> Result<Self, InvalidOptions> {
        let protection = options.check()?;
        let pool = Pool::new(options.connections);
        Ok(Self { options, protection, pool })
    }

    /// Connects anew, encrypts, authenticates and asks whether the relay listens; sends no mail.
    ///
    /// # Errors
    /// As [`deliver`](Notifier::deliver) would fail for every mail.
    pub async fn test_connection(&self) -> Result<Receipt, DeliveryError> {
        let mut connection = self.connect().await?;
        let answer = self.in_time(Step::Check, connection.check()).await?;
        Ok(Receipt::new(&answer))
    }

    async fn connect(&self) -> Result<Connection, Failure> {
        self.in_time(Step::Connect, Connection::open(&self.options, self.protection.as_ref())).await
    }

    async fn send(&self, letter: &Letter) -> Result<String, Failure> {
        let place = self.pool.place().await;
        let (connection, answer) = match place.idle_connection(Instant::now()) {
            Some(idle) => match self.converse(idle, letter).await {
                (_, Err(failure)) if failure.is_stale_connection() => {
                    self.converse(self.connect().await?, letter).await
                }
                answered => answered,
            },
            None => self.converse(self.connect().await?, letter).await,
        };
        if let Some(connection) = connection {
            place.give_back(connection, Instant::now());
        }
        answer
    }

    /// One try; the connection comes back when it is good for another mail.
    async fn converse(
        &self,
        mut connection: Connection,
        letter: &Letter,
    ) -> (Option<Connection>, Result<String, Failure>) {
        let answer = match self.in_time(Step::Data, connection.announce(&letter.envelope)).await {
            Ok(()) => self.in_time(Step::Content, connection.hand_over(&letter.mail)).await,
            Err(failure) => Err(failure),
        };
        let usable = match &answer {
            Ok(_) => true,
            Err(failure) => {
                let reset = timeout(self.options.timeout, connection.reset());
                failure.leaves_the_connection() && reset.await.unwrap_or(false)
            }
        };
        (usable.then_some(connection), answer)
    }

    async fn in_time<T>(&self, step: Step, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        timeout(self.options.timeout, work).await.unwrap_or(Err(Failure { step, cause: Cause::Late }))
    }
}

/// What goes over the wire.
struct Letter {
    envelope: Envelope,
    mail: Vec<u8>,
}

impl Letter {
    fn new(message: &Message, options: &SmtpOptions) -> Result<Self, ComposeError> {
        let mime = compose(message, &options.from, options.reply_to.as_ref())?;
        Ok(Self { envelope: mime.envelope().clone(), mail: mime.formatted() })
    }
}

#[async_trait]
impl Notifier for SmtpNotifier {
    fn channels(&self) -> &[Channel] {
        &[Channel::Email]
    }

    async fn deliver(&self, message: &Message) -> Result<Receipt, DeliveryError> {
        let letter = Letter::new(message, &self.options).map_err(|error| {
            DeliveryError::new(DeliveryErrorKind::Rejected, &format!("not sent: {error}")).caused_by(error)
        })?;
        let hidden = |text: &str| {
            let html = message.html.as_deref().unwrap_or_default();
            without_quotations(text, &[&message.subject, &message.text, html])
        };
        match self.send(&letter).await {
            Ok(answer) => Ok(Receipt::new(&hidden(&answer))),
            Err(Failure { step: Step::Content, cause: Cause::Answer { code, text } }) => {
                Err(Failure { step: Step::Content, cause: Cause::Answer { code, text: hidden(&text) } }.into())
            }
            Err(failure) => Err(failure.into()),
        }
    }
}

impl fmt::Debug for SmtpNotifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SmtpNotifier").field("options", &self.options).finish_non_exhaustive()
    }
}
