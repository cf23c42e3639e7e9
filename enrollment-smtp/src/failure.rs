//! What can go wrong on the way to a relay, and what it means for the mail and for the queue.

use std::error::Error as _;

use enrollment_core::port::{DeliveryError, DeliveryErrorKind};
use lettre::transport::smtp;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// How far a conversation had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Reaching the relay and hearing its greeting.
    Connect,
    /// TLS.
    Encrypt,
    /// AUTH.
    Authenticate,
    /// MAIL FROM: it is the same for all mail.
    Sender,
    /// RCPT TO.
    Recipient,
    /// RCPT TO, whomever it names.
    AnyRecipient,
    /// DATA, before the first byte of the mail.
    Data,
    /// The mail itself: from here on nobody knows what became of it unless the relay says so.
    Content,
    /// NOOP.
    Check,
}

/// What went wrong.
#[derive(Debug)]
pub(crate) enum Cause {
    /// The relay said no.
    Answer {
        /// The reply code.
        code: u16,
        /// The words.
        text: String,
    },
    /// The relay is not the one that was expected, or speaks no TLS that is safe.
    Untrusted(BoxError),
    /// The relay cannot do what we need.
    Missing(&'static str),
    /// The connection could not be made, or it broke.
    Broken(BoxError),
    /// The relay took longer than we wait.
    Late,
}

/// A try that failed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) step: Step,
    pub(crate) cause: Cause,
}

impl Failure {
    pub(crate) fn broken(step: Step, error: impl Into<BoxError>) -> Self {
        Self { step, cause: Cause::Broken(error.into()) }
    }

    pub(crate) fn smtp(step: Step, error: smtp::Error) -> Self {
        let cause = match error.status() {
            Some(code) => {
                let text = error.source().map(ToString::to_string).unwrap_or_default();
                Cause::Answer { code: code.into(), text }
            }
            // What could not be read is not passed on: nobody knows what it repeats.
            None if error.is_response() => Cause::Broken("no whole answer came".into()),
            None => Cause::Broken(error.into()),
        };
        Self { step, cause }
    }

    /// Whether the relay still listens.
    pub(crate) const fn leaves_the_connection(&self) -> bool {
        match self.cause {
            // With 421 the relay hangs up.
            Cause::Answer { code, .. } => code != 421,
            Cause::Missing(_) => true,
            Cause::Untrusted(_) | Cause::Broken(_) | Cause::Late => false,
        }
    }

    /// Whether a connection that had been idle was no longer good, and the relay cannot have taken the mail.
    pub(crate) fn is_stale_connection(&self) -> bool {
        let broken = matches!(self.cause, Cause::Broken(_) | Cause::Late | Cause::Answer { code: 421, .. });
        broken && self.step != Step::Content
    }

    /// Whether the relay said that it is policy, not this address, that stands in the way (RFC 3463, `X.7.X`).
    pub(crate) fn is_policy(&self) -> bool {
        matches!(&self.cause, Cause::Answer { text, .. } if text.starts_with("5.7."))
    }

    /// What becomes of the mail. The reply code alone does not tell: 550 to the sender concerns every mail, 550 to the
    /// recipient concerns this one.
    fn kind(&self) -> DeliveryErrorKind {
        match (&self.cause, self.step) {
            (Cause::Broken(_) | Cause::Late | Cause::Answer { code: ..500, .. }, _) => DeliveryErrorKind::Transient,
            (Cause::Missing(_), Step::Recipient) => DeliveryErrorKind::Rejected,
            (Cause::Untrusted(_) | Cause::Missing(_), _) => DeliveryErrorKind::Refused,
            (Cause::Answer { code, text }, step) => match step {
                Step::Connect | Step::Encrypt | Step::Authenticate | Step::AnyRecipient | Step::Check => {
                    DeliveryErrorKind::Refused
                }
                // 552: this mail is too large. Everything else is about the sender.
                Step::Sender if *code == 552 => DeliveryErrorKind::Rejected,
                Step::Sender => DeliveryErrorKind::Refused,
                Step::Recipient | Step::Data | Step::Content if is_about_us(*code, text) => DeliveryErrorKind::Refused,
                Step::Recipient | Step::Data | Step::Content => DeliveryErrorKind::Rejected,
            },
        }
    }

    fn why(&self) -> String {
        match &self.cause {
            Cause::Answer { code, text } => format!("the relay answered {}: {code} {text}", self.step.answered()),
            Cause::Untrusted(error) => format!("the relay cannot be trusted: {error}"),
            Cause::Missing(what) => format!("the relay does not offer {what}"),
            Cause::Broken(error) if self.step == Step::Connect => format!("the relay cannot be reached: {error}"),
            Cause::Broken(error) => format!("the connection to the relay broke {}: {error}", self.step.during()),
            Cause::Late => format!("the relay took too long {}", self.step.during()),
        }
    }
}

/// Whether an answer to one mail would be given to all: authentication is wanted (RFC 4954, section 6), or the sender
/// is none (RFC 3463, `X.1.7` and `X.1.8`), which some relays say only when they hear the recipient.
fn is_about_us(code: u16, text: &str) -> bool {
    matches!(code, 530 | 534 | 535 | 538) || text.starts_with("5.1.7 ") || text.starts_with("5.1.8 ")
}

impl Step {
    const fn answered(self) -> &'static str {
        match self {
            Self::Connect => "our greeting",
            Self::Encrypt => "our wish to encrypt",
            Self::Authenticate => "our credentials",
            Self::Sender => "the sender's address",
            Self::Recipient => "the recipient's address",
            Self::AnyRecipient => "any recipient's address",
            Self::Data | Self::Content => "the mail",
            Self::Check => "a check",
        }
    }

    const fn during(self) -> &'static str {
        match self {
            Self::Connect => "to greet",
            Self::Encrypt => "during the TLS handshake",
            Self::Authenticate => "during authentication",
            Self::Sender | Self::Recipient | Self::AnyRecipient | Self::Data => "before the mail",
            Self::Content => "during the mail",
            Self::Check => "during a check",
        }
    }
}

impl From<Failure> for DeliveryError {
    fn from(failure: Failure) -> Self {
        let error = Self::new(failure.kind(), &failure.why());
        match failure.cause {
            Cause::Untrusted(source) | Cause::Broken(source) => error.caused_by(source),
            Cause::Answer { .. } | Cause::Missing(_) | Cause::Late => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use DeliveryErrorKind::{Refused, Rejected, Transient};

    fn answered(step: Step, code: u16, text: &str) -> DeliveryErrorKind {
        Failure { step, cause: Cause::Answer { code, text: text.into() } }.kind()
    }

    #[test]
    fn an_answer_means_what_it_means_at_its_step() {
        for (step, code, text, kind) in [
            (Step::Connect, 421, "4.3.2 shutting down", Transient),
            (Step::Connect, 554, "5.7.1 you are on a list", Refused),
            (Step::Encrypt, 454, "4.7.0 TLS is not available now", Transient),
            (Step::Encrypt, 502, "5.5.1 not implemented", Refused),
            (Step::Authenticate, 454, "4.7.0 the password server is away", Transient),
            (Step::Authenticate, 535, "5.7.8 wrong", Refused),
            (Step::Authenticate, 534, "5.7.9 an application password is required", Refused),
            (Step::Sender, 451, "4.3.0 not now", Transient),
            (Step::Sender, 530, "5.7.0 authentication required", Refused),
            (Step::Sender, 550, "5.7.1 this sender may not send", Refused),
            (Step::Sender, 552, "5.3.4 too large", Rejected),
            (Step::Recipient, 450, "4.2.1 greylisted", Transient),
            (Step::Recipient, 452, "4.2.2 mailbox full", Transient),
            (Step::Recipient, 550, "5.1.1 mailbox unknown", Rejected),
            (Step::Recipient, 550, "5.7.1 this mailbox is private", Rejected),
            (Step::Recipient, 530, "5.7.0 authentication required", Refused),
            (Step::Recipient, 550, "5.1.8 <vpn@example.com>: Sender address rejected: domain not found", Refused),
            (Step::AnyRecipient, 554, "5.7.1 relay access denied", Refused),
            (Step::Data, 451, "4.3.0 not now", Transient),
            (Step::Data, 554, "5.5.1 no valid recipients", Rejected),
            (Step::Content, 451, "4.7.1 the filter is away", Transient),
            (Step::Content, 552, "5.2.2 mailbox full", Rejected),
            (Step::Content, 554, "5.7.1 looks like spam", Rejected),
        ] {
            assert_eq!(answered(step, code, text), kind, "{step:?} {code} {text}");
        }
    }

    #[test]
    fn what_is_no_answer_is_about_the_relay() {
        let kind = |step, cause| Failure { step, cause }.kind();
        for step in [Step::Connect, Step::Encrypt, Step::Authenticate, Step::Recipient, Step::Content] {
            assert_eq!(kind(step, Cause::Broken("reset".into())), Transient, "{step:?}");
            assert_eq!(kind(step, Cause::Late), Transient, "{step:?}");
        }
        assert_eq!(kind(Step::Encrypt, Cause::Untrusted("unknown issuer".into())), Refused);
        assert_eq!(kind(Step::Encrypt, Cause::Missing("STARTTLS")), Refused);
        assert_eq!(kind(Step::Recipient, Cause::Missing("SMTPUTF8")), Rejected);
    }

    #[test]
    fn a_connection_is_replaced_only_while_the_mail_cannot_have_been_taken() {
        let stale = |step, cause| Failure { step, cause }.is_stale_connection();
        for step in [Step::Sender, Step::Recipient, Step::Data] {
            assert!(stale(step, Cause::Broken("reset".into())) && stale(step, Cause::Late), "{step:?}");
            assert!(stale(step, Cause::Answer { code: 421, text: "4.4.2 timeout".into() }), "{step:?}");
            assert!(!stale(step, Cause::Answer { code: 450, text: String::new() }), "{step:?}");
        }
        assert!(!stale(Step::Content, Cause::Broken("reset".into())));
        assert!(!stale(Step::Content, Cause::Late));
    }
}
