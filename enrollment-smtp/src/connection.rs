//! One conversation with the relay, command by command: the step at which it says no decides what that means.

use lettre::Address;
use lettre::address::Envelope;
use lettre::transport::smtp::authentication::DEFAULT_MECHANISMS;
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::{Data, Mail, Noop, Rcpt, Rset};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use lettre::transport::smtp::response::Response;

use crate::failure::{Cause, Failure, Step};
use crate::options::{Protection, SmtpOptions};
use crate::wire;

/// A connection that is encrypted and authenticated as the options want it.
pub(crate) struct Connection(AsyncSmtpConnection);

impl Connection {
    pub(crate) async fn open(options: &SmtpOptions, protection: Option<&Protection>) -> Result<Self, Failure> {
        let hello = ClientId::default();
        let stream = wire::connect(&options.host, options.port, options.tls, protection, &hello).await?;
        let connected = AsyncSmtpConnection::connect_with_transport(stream, &hello).await;
        let mut smtp = connected.map_err(|error| Failure::smtp(Step::Connect, error))?;
        if let Some(credentials) = &options.credentials {
            let step = Step::Authenticate;
            if smtp.server_info().get_auth_mechanism(DEFAULT_MECHANISMS).is_none() {
                return Err(Failure { step, cause: Cause::Missing("AUTH PLAIN or AUTH LOGIN") });
            }
            let answer = smtp.auth(DEFAULT_MECHANISMS, credentials.expose()).await;
            answer.map_err(|error| Failure::smtp(step, error))?;
        }
        Ok(Self(smtp))
    }

    /// Announces one mail; `Ok` when the relay waits for it.
    pub(crate) async fn announce(&mut self, envelope: &Envelope) -> Result<(), Failure> {
        let mut parameters = Vec::new();
        if let Some(step) = international(envelope) {
            if !self.0.server_info().supports_feature(Extension::SmtpUtfEight) {
                return Err(Failure { step, cause: Cause::Missing("SMTPUTF8, which an address needs") });
            }
            parameters.extend([MailParameter::SmtpUtfEight, MailParameter::Body(MailBodyParameter::EightBitMime)]);
        }
        self.say(Mail::new(envelope.from().cloned(), parameters), Step::Sender).await?;
        for to in envelope.to() {
            if let Err(refused) = self.say(Rcpt::new(to.clone(), vec![]), Step::Recipient).await {
                return Err(self.whomever_it_concerns(refused, envelope.from()).await);
            }
        }
        self.say(Data, Step::Data).await.map(drop)
    }

    /// Hands over the mail that was announced; `Ok` is the relay's word that it has taken it, as code and text.
    pub(crate) async fn hand_over(&mut self, mail: &[u8]) -> Result<String, Failure> {
        let answer = self.0.message(mail).await.map_err(|error| Failure::smtp(Step::Content, error))?;
        Ok(in_words(&answer))
    }

    /// Nothing is under way any more; false when the relay does not agree.
    pub(crate) async fn reset(&mut self) -> bool {
        self.0.command(Rset).await.is_ok()
    }

    /// Whether the relay still listens, in its words.
    pub(crate) async fn check(&mut self) -> Result<String, Failure> {
        self.say(Noop, Step::Check).await.map(|answer| in_words(&answer))
    }

    /// A relay that is not there for us refuses every recipient, by its policy. It is asked for one more, the sender,
    /// to tell that from a policy about this recipient.
    async fn whomever_it_concerns(&mut self, refused: Failure, sender: Option<&Address>) -> Failure {
        let Some(sender) = sender.filter(|_| refused.is_policy()) else { return refused };
        match self.say(Rcpt::new(sender.clone(), vec![]), Step::AnyRecipient).await {
            Err(again) if again.is_policy() => Failure { step: Step::AnyRecipient, ..refused },
            _ => refused,
        }
    }

    async fn say(&mut self, command: impl std::fmt::Display, step: Step) -> Result<Response, Failure> {
        self.0.command(command).await.map_err(|error| Failure::smtp(step, error))
    }
}

/// At which step an address outside of ASCII comes up, if there is one (RFC 6531).
fn international(envelope: &Envelope) -> Option<Step> {
    let foreign = |address: &Address| !AsRef::<str>::as_ref(address).is_ascii();
    let sender = envelope.from().is_some_and(foreign).then_some(Step::Sender);
    sender.or_else(|| envelope.to().iter().any(foreign).then_some(Step::Recipient))
}

fn in_words(answer: &Response) -> String {
    let text = answer.message().collect::<Vec<_>>().join(" ");
    format!("{} {text}", answer.code())
}
