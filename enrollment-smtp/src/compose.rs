//! From a message to a MIME document.

use std::time::SystemTime;

use enrollment_core::domain::contact::Email;
use enrollment_core::port::{InlineImage, Message, Recipient};
use enrollment_core::time::Timestamp;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Attachment, Mailbox, MultiPart, MultiPartKind, SinglePart};

/// A mail that cannot be composed. Trying again does not help.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ComposeError {
    /// The message is for a phone.
    #[error("the recipient is not a mailbox")]
    NoMailbox,
    /// An address is none.
    #[error("the address of the {0} is not valid")]
    InvalidAddress(&'static str, #[source] lettre::address::AddressError),
    /// A line break or another control character that could begin a header of its own.
    #[error("the {0} has a control character")]
    ControlCharacter(&'static str),
    /// The content type of images is none.
    #[error("an image has no type")]
    Image(#[source] lettre::message::header::ContentTypeErr),
    /// The parts do not make a mail.
    #[error("the mail could not be put together")]
    Form(#[source] lettre::error::Error),
}

/// The same bytes for the same message and mailboxes: every try to deliver a message is the same mail.
///
/// * `Message-ID` is `<id@domain>`, with the domain of `from` (RFC 5322, section 3.6.4), whatever sender the message
///   itself names; recipients see one mail however often it was tried.
/// * `Date` is when the message was queued; before 1970 it is taken for 1970.
/// * `Auto-Submitted: auto-generated` (RFC 3834) keeps vacation notices away.
/// * `multipart/alternative`, plain text first, since readers show the last part they can (RFC 2046, section 5.1.4);
///   plain text alone for a message without HTML. HTML that shows images comes with them as `multipart/related`
///   (RFC 2387), so that nothing is loaded from anywhere.
///
/// # Errors
/// When an address is not valid or a header would have a control character. No header is ever made from a part of a
/// value.
pub fn compose(message: &Message, from: &Mailbox, reply_to: Option<&Mailbox>) -> Result<lettre::Message, ComposeError> {
    let Recipient::Email(to) = &message.to else { return Err(ComposeError::NoMailbox) };
    refuse_control_characters("subject", &message.subject)?;
    for mailbox in std::iter::once(from).chain(reply_to) {
        refuse_control_characters("sender's name", mailbox.name.as_deref().unwrap_or_default())?;
    }
    let sender = match &message.from {
        Some(chosen) => Mailbox::new(from.name.clone(), address("sender", chosen)?),
        None => from.clone(),
    };
    let mut mail = lettre::Message::builder()
        .message_id(Some(format!("<{}@{}>", message.id, from.email.domain())))
        .date(SystemTime::UNIX_EPOCH + message.queued.since(Timestamp::EPOCH))
        .from(sender)
        .to(Mailbox::new(None, address("recipient", to)?))
        .subject(message.subject.as_str())
        .raw_header(HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".into()));
    if let Some(reply_to) = reply_to {
        mail = mail.reply_to(reply_to.clone());
    }
    let text = SinglePart::plain(message.text.clone());
    let Some(html) = &message.html else { return mail.singlepart(text).map_err(ComposeError::Form) };
    let boundary = format!("enrollment-{}", message.id.uuid().simple());
    let alternatives =
        MultiPart::builder().kind(MultiPartKind::Alternative).boundary(boundary.as_str()).singlepart(text);
    let html = SinglePart::html(html.clone());
    let alternatives = match &*message.images {
        [] => alternatives.singlepart(html),
        images => alternatives.multipart(related(message, html, images)?),
    };
    mail.multipart(alternatives).map_err(ComposeError::Form)
}

/// HTML with the images that it shows.
fn related(message: &Message, html: SinglePart, images: &[InlineImage]) -> Result<MultiPart, ComposeError> {
    let png = ContentType::parse("image/png").map_err(ComposeError::Image)?;
    // Readers compare the beginnings of lines (RFC 2046, section 5.1.1): it may not begin with the outer boundary.
    let part = MultiPart::related().boundary(format!("related-{}", message.id.uuid().simple())).singlepart(html);
    Ok(images.iter().fold(part, |part, image| {
        let attached = Attachment::new_inline(image.id().to_owned()).body(image.png().to_vec(), png.clone());
        part.singlepart(attached)
    }))
}

fn address(whose: &'static str, email: &Email) -> Result<lettre::Address, ComposeError> {
    email.as_str().parse().map_err(|error| ComposeError::InvalidAddress(whose, error))
}

fn refuse_control_characters(what: &'static str, value: &str) -> Result<(), ComposeError> {
    if value.chars().any(char::is_control) { Err(ComposeError::ControlCharacter(what)) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use enrollment_core::id::OutboxId;

    use super::*;

    fn message() -> Message {
        Message {
            id: OutboxId::from_uuid(uuid::uuid!("0190b0f0-0000-7000-8000-0123456789ab")),
            from: None,
            to: to("anna.kowalska@example.com"),
            subject: "Twoje zaproszenie do Żółw VPN, a subject that is long enough to be folded into two lines".into(),
            text: "Hello Anna,\n\nyour invitation: https://vpn.example.com/enroll/abc\n\n-- \nŻółw\n".into(),
            html: Some(format!("<p>Hello Anna,</p>\n<p>{}</p>\n", "a very long line ".repeat(80))),
            images: Vec::new(),
            queued: "2026-01-31T12:00:00.5Z".parse().expect("a time"),
        }
    }

    fn to(address: &str) -> Recipient {
        Recipient::Email(address.parse().expect("an address"))
    }

    fn sender() -> Mailbox {
        "Żółw VPN <vpn@mail.example.com>".parse().expect("a mailbox")
    }

    fn raw(message: &Message) -> String {
        let mail = compose(message, &sender(), None).expect("composed");
        String::from_utf8(mail.formatted()).expect("a mail is ASCII here")
    }

    #[test]
    fn a_mail_has_its_headers_and_a_text_part_before_the_html() {
        insta::assert_snapshot!(raw(&message()).replace("\r\n", "\n"));
    }

    /// RFC 2387, RFC 2392
    #[test]
    fn an_image_comes_with_the_html_that_shows_it() {
        let image = InlineImage::of(message().id, [0x89, b'P', b'N', b'G'].repeat(40));
        let html = Some(format!("<p><img src=\"cid:{}\" alt=\"a code\"></p>\n", image.id()));
        insta::assert_snapshot!(raw(&Message { html, images: vec![image], ..message() }).replace("\r\n", "\n"));
    }

    #[test]
    fn every_try_is_the_same_mail() {
        assert_eq!(raw(&message()), raw(&message()));
    }

    #[test]
    fn every_line_ends_and_is_as_long_as_smtp_allows() {
        let raw = raw(&message());
        assert!(raw.split("\r\n").all(|line| line.len() <= 998 && !line.contains(['\r', '\n']) && line.is_ascii()));
    }

    #[test]
    fn a_value_cannot_become_a_header() {
        for line_break in ["\r\n", "\n", "\r", "\0"] {
            let injected = format!("x{line_break}Bcc: evil@example.com");
            let subject = Message { subject: injected.clone(), ..message() };
            assert!(matches!(compose(&subject, &sender(), None), Err(ComposeError::ControlCharacter("subject"))));
            let from = Mailbox::new(Some(injected), sender().email);
            assert!(matches!(compose(&message(), &from, None), Err(ComposeError::ControlCharacter(_))));
            assert!(matches!(compose(&message(), &sender(), Some(&from)), Err(ComposeError::ControlCharacter(_))));
        }
    }

    #[test]
    fn a_message_may_name_its_sender_and_keeps_its_id() {
        let other = Message { from: Some("other@example.org".parse().expect("an address")), ..message() };
        let mail = compose(&other, &sender(), Some(&"help@example.com".parse().expect("a mailbox"))).expect("composed");
        assert_eq!(mail.envelope().from().map(ToString::to_string).as_deref(), Some("other@example.org"));
        let raw = String::from_utf8(mail.formatted()).expect("ASCII");
        for line in [
            "Message-ID: <0190b0f0-0000-7000-8000-0123456789ab@mail.example.com>\r\n",
            " <other@example.org>\r\n",
            "Reply-To: help@example.com\r\n",
        ] {
            assert!(raw.contains(line), "{line} is not in {raw}");
        }
    }

    #[test]
    fn a_message_without_html_is_plain_text_alone() {
        let raw = raw(&Message { html: None, ..message() });
        assert!(raw.contains("Content-Type: text/plain; charset=utf-8\r\n") && !raw.contains("multipart"), "{raw}");
    }

    #[test]
    fn a_short_message_is_no_mail() {
        let to = Recipient::Phone("+49 30 123456".parse().expect("a number"));
        assert!(matches!(compose(&Message { to, ..message() }, &sender(), None), Err(ComposeError::NoMailbox)));
    }

    #[test]
    fn a_time_before_1970_is_1970() {
        let raw = raw(&Message { queued: Timestamp::from_seconds(-1), ..message() });
        assert!(raw.contains("Date: Thu, 01 Jan 1970 00:00:00 +0000\r\n"), "{raw}");
    }
}
