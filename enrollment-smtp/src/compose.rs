//! From a draft to a MIME document.

use std::fmt;
use std::time::SystemTime;

use enrollment_core::id::OutboxId;
use enrollment_core::time::Timestamp;
use lettre::Message;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart, MultiPartKind, SinglePart};

/// A mail that is ready but for its form. Its text may hold a secret such as an invitation's link, so `Debug` shows
/// only the id.
pub struct Draft {
    /// The outbox entry that this mail delivers.
    pub id: OutboxId,
    /// The address of the recipient.
    pub to: String,
    /// The subject, in plain text.
    pub subject: String,
    /// The whole mail as plain text.
    pub text: String,
    /// The same as HTML.
    pub html: String,
}

impl fmt::Debug for Draft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Draft").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A mail that cannot be composed. Trying again does not help.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ComposeError {
    /// The recipient's address is none.
    #[error("the recipient's address is not valid")]
    InvalidRecipient(#[source] lettre::address::AddressError),
    /// A line break or another control character that could begin a header of its own.
    #[error("the {0} has a control character")]
    ControlCharacter(&'static str),
    /// The parts do not make a mail.
    #[error("the mail could not be put together")]
    Form(#[source] lettre::error::Error),
}

/// The same bytes for the same draft, sender and time: every try to deliver an outbox entry is the same mail.
///
/// * `Message-ID` is `<id@domain>`, with the domain of the sender (RFC 5322, section 3.6.4); recipients see one mail
///   however often it was tried.
/// * `Auto-Submitted: auto-generated` (RFC 3834) keeps vacation notices away.
/// * `multipart/alternative`, plain text first, since readers show the last part they can (RFC 2046, section 5.1.4).
///
/// `queued` becomes the `Date`; before 1970 it is taken for 1970.
///
/// # Errors
/// When an address is not valid or a header would have a control character. No header is ever made from a part of a
/// value.
pub fn compose(draft: &Draft, from: &Mailbox, queued: Timestamp) -> Result<Message, ComposeError> {
    refuse_control_characters("subject", &draft.subject)?;
    refuse_control_characters("sender's name", from.name.as_deref().unwrap_or_default())?;
    let to = draft.to.parse().map_err(ComposeError::InvalidRecipient)?;
    let date = SystemTime::UNIX_EPOCH + queued.since(Timestamp::EPOCH);
    let parts = MultiPart::builder()
        .kind(MultiPartKind::Alternative)
        .boundary(format!("enrollment-{}", draft.id.uuid().simple()))
        .singlepart(SinglePart::plain(draft.text.clone()))
        .singlepart(SinglePart::html(draft.html.clone()));
    Message::builder()
        .message_id(Some(format!("<{}@{}>", draft.id, from.email.domain())))
        .date(date)
        .from(from.clone())
        .to(Mailbox::new(None, to))
        .subject(draft.subject.as_str())
        .raw_header(HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".into()))
        .multipart(parts)
        .map_err(ComposeError::Form)
}

fn refuse_control_characters(what: &'static str, value: &str) -> Result<(), ComposeError> {
    if value.chars().any(char::is_control) { Err(ComposeError::ControlCharacter(what)) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft() -> Draft {
        Draft {
            id: OutboxId::from_uuid(uuid::uuid!("0190b0f0-0000-7000-8000-0123456789ab")),
            to: "anna.kowalska@example.com".into(),
            subject: "Twoje zaproszenie do Żółw VPN, a subject that is long enough to be folded into two lines".into(),
            text: "Hello Anna,\n\nyour invitation: https://vpn.example.com/enroll/abc\n\n-- \nŻółw\n".into(),
            html: format!("<p>Hello Anna,</p>\n<p>{}</p>\n", "a very long line ".repeat(80)),
        }
    }

    fn sender() -> Mailbox {
        "Żółw VPN <vpn@mail.example.com>".parse().expect("a mailbox")
    }

    fn queued() -> Timestamp {
        "2026-01-31T12:00:00.5Z".parse().expect("a time")
    }

    fn raw(draft: &Draft) -> String {
        let message = compose(draft, &sender(), queued()).expect("composed");
        String::from_utf8(message.formatted()).expect("a mail is ASCII here")
    }

    #[test]
    fn a_mail_has_its_headers_and_a_text_part_before_the_html() {
        insta::assert_snapshot!(raw(&draft()).replace("\r\n", "\n"));
    }

    #[test]
    fn every_try_is_the_same_mail() {
        assert_eq!(raw(&draft()), raw(&draft()));
    }

    #[test]
    fn every_line_ends_and_is_as_long_as_smtp_allows() {
        let raw = raw(&draft());
        assert!(raw.split("\r\n").all(|line| line.len() <= 998 && !line.contains(['\r', '\n']) && line.is_ascii()));
    }

    #[test]
    fn a_value_cannot_become_a_header() {
        for line_break in ["\r\n", "\n", "\r", "\0"] {
            let injected = format!("x{line_break}Bcc: evil@example.com");
            let subject = Draft { subject: injected.clone(), ..draft() };
            assert!(matches!(compose(&subject, &sender(), queued()), Err(ComposeError::ControlCharacter("subject"))));
            let to = Draft { to: format!("anna@example.com{line_break}Bcc: evil@example.com"), ..draft() };
            assert!(matches!(compose(&to, &sender(), queued()), Err(ComposeError::InvalidRecipient(_))));
            let from = Mailbox::new(Some(injected), sender().email);
            assert!(matches!(compose(&draft(), &from, queued()), Err(ComposeError::ControlCharacter(_))));
        }
        for to in ["", "anna", "a@example.com, b@example.com", "Anna <a@example.com>"] {
            let to = Draft { to: to.into(), ..draft() };
            assert!(matches!(compose(&to, &sender(), queued()), Err(ComposeError::InvalidRecipient(_))));
        }
    }

    #[test]
    fn debug_shows_nothing_of_the_mail() {
        let shown = format!("{:?}", draft());
        assert!(!["anna", "invitation", "Hello"].iter().any(|secret| shown.contains(secret)), "{shown}");
    }

    #[test]
    fn a_time_before_1970_is_1970() {
        let message = compose(&draft(), &sender(), Timestamp::from_seconds(-1)).expect("composed");
        let raw = String::from_utf8(message.formatted()).expect("ASCII");
        assert!(raw.contains("Date: Thu, 01 Jan 1970 00:00:00 +0000\r\n"), "{raw}");
    }
}
