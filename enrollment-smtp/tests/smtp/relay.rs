//! What postfix makes of our mail, and we of its answers.

use std::error::Error as _;

use enrollment_core::port::{DeliveryError, DeliveryErrorKind, InlineImage, Message, Notifier};
use enrollment_smtp::{Credentials, SmtpNotifier, SmtpOptions};

use crate::postfix::Postfix;
use crate::{message, unique};

fn notifier(options: SmtpOptions) -> SmtpNotifier {
    SmtpNotifier::new(options).expect("options that work")
}

async fn refusal(options: SmtpOptions) -> DeliveryError {
    let error = notifier(options).deliver(&message("anna@example.test")).await.expect_err("refused");
    assert_eq!(error.kind(), DeliveryErrorKind::Refused, "{error}");
    error
}

#[tokio::test]
async fn a_mail_arrives_as_it_was_written() {
    let postfix = Postfix::running();
    let to = format!("anna-{:x}@example.test", unique());
    let mut options = postfix.options("starttls");
    options.reply_to = Some("help@sender.test".parse().expect("a mailbox"));
    let message = message(&to);
    let receipt = notifier(options).deliver(&message).await.expect("taken");
    assert!(receipt.detail().starts_with("250 2.0.0 Ok: queued as "), "{}", receipt.detail());

    let mut arrived = postfix.arrived(&to).await;
    let mail = arrived.pop().expect("one mail");
    assert!(arrived.is_empty());
    assert_eq!(mail.id, message.id);
    assert_eq!((mail.text.trim_end(), mail.html), (message.text.trim_end(), message.html));
    for (name, value) in [
        ("From", "Żółw VPN <vpn@sender.test>"),
        ("To", to.as_str()),
        ("Reply-To", "help@sender.test"),
        ("Subject", "Żółw VPN: your invitation"),
        ("Return-Path", "<vpn@sender.test>"),
        ("Auto-Submitted", "auto-generated"),
        ("Date", "Mon, 24 Nov 2025 16:00:00 +0000"),
    ] {
        assert_eq!(mail.headers.get(name).map(String::as_str), Some(value), "{name}");
    }
}

/// INV-11: the QR code of an invitation.
#[tokio::test]
async fn an_image_arrives_with_the_html_that_shows_it() {
    let postfix = Postfix::running();
    let to = format!("anna-{:x}@example.test", unique());
    let message = message(&to);
    let png = enrollment_core::secret::qr_png("a code").expect("short enough");
    let image = InlineImage::of(message.id, png.clone());
    let html = Some(format!("<p><img src=\"cid:{}\" alt=\"a code\"></p>\n", image.id()));
    let id = format!("<{}>", image.id());
    let message = Message { html, images: vec![image], ..message };
    notifier(postfix.options("starttls")).deliver(&message).await.expect("taken");
    let mail = postfix.arrived(&to).await.pop().expect("a mail");
    assert_eq!((mail.text.trim_end(), mail.html), (message.text.trim_end(), message.html));
    assert_eq!(mail.images, [(id, "image/png".to_owned(), png)]);
}

#[tokio::test]
async fn a_sender_that_was_chosen_is_the_sender() {
    let postfix = Postfix::running();
    let to = format!("anna-{:x}@example.test", unique());
    let chosen = Message { from: Some("chosen@other.test".parse().expect("an address")), ..message(&to) };
    notifier(postfix.options("implicit")).deliver(&chosen).await.expect("taken");
    let mail = postfix.arrived(&to).await.pop().expect("a mail");
    assert_eq!(mail.headers["From"], "Żółw VPN <chosen@other.test>");
    assert_eq!(mail.headers["Return-Path"], "<chosen@other.test>");
    assert_eq!(mail.headers["Message-ID"], format!("<{}@sender.test>", chosen.id));
}

#[tokio::test]
async fn an_address_outside_of_ascii_is_reached() {
    let postfix = Postfix::running();
    let to = format!("żółw-{:x}@example.test", unique());
    notifier(postfix.options("starttls")).deliver(&message(&to)).await.expect("taken");
    assert_eq!(postfix.arrived(&to).await.len(), 1);
}

#[tokio::test]
async fn wrong_or_no_credentials_are_refused() {
    let postfix = Postfix::running();
    for port in ["starttls", "implicit"] {
        let mut options = postfix.options(port);
        options.credentials = Some(Credentials::new("alice", "another password"));
        let error = refusal(options).await;
        assert!(error.why().starts_with("the relay answered our credentials: 535 5.7.8 "), "{error}");

        let mut options = postfix.options(port);
        options.credentials = None;
        let error = refusal(options).await;
        assert!(error.why().starts_with("the relay answered any recipient's address: 554 5.7.1 "), "{error}");
    }
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_is_refused() {
    let postfix = Postfix::running();
    for port in ["starttls", "implicit"] {
        let mut options = postfix.options(port);
        options.roots = None;
        let error = refusal(options).await;
        assert!(error.why().starts_with("the relay cannot be trusted: invalid peer certificate"), "{error}");
        assert!(error.source().is_some(), "the source is kept");
    }
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let postfix = Postfix::running();
    for port in ["starttls", "implicit"] {
        let mut options = postfix.options(port);
        // The same relay, at an address that its certificate does not have.
        options.host = "127.0.0.2".into();
        let error = refusal(options).await;
        assert!(error.why().starts_with("the relay cannot be trusted: invalid peer certificate"), "{error}");
    }
}

#[tokio::test]
async fn a_port_without_tls_is_refused_where_tls_is_wanted() {
    let postfix = Postfix::running();
    let plaintext = postfix.options("plaintext").port;
    for port in ["starttls", "implicit"] {
        let mut options = postfix.options(port);
        options.port = plaintext;
        refusal(options).await;
    }
}

#[tokio::test]
async fn a_sender_that_may_not_send_is_refused_whenever_the_relay_says_so() {
    let postfix = Postfix::running();
    // This port says it at MAIL FROM, and that one waits for RCPT TO.
    for (port, whose) in [("starttls", "the sender's"), ("plaintext", "any recipient's")] {
        let mut options = postfix.options(port);
        options.from = "barred@sender.test".parse().expect("a mailbox");
        let error = refusal(options).await;
        assert!(error.why().starts_with(&format!("the relay answered {whose} address: 550 5.7.1 ")), "{error}");
    }
}

#[tokio::test]
async fn a_relay_that_serves_nobody_is_told_from_one_that_serves_some() {
    let postfix = Postfix::running();
    let elsewhere = message("anna@elsewhere.test");
    let mut stranger = postfix.options("stranger");
    let error = notifier(stranger).deliver(&elsewhere).await.expect_err("relay access denied");
    assert_eq!(error.kind(), DeliveryErrorKind::Refused, "{error}");

    stranger = postfix.options("stranger");
    stranger.from = "vpn@example.test".parse().expect("a mailbox");
    let error = notifier(stranger).deliver(&elsewhere).await.expect_err("relay access denied");
    assert_eq!(error.kind(), DeliveryErrorKind::Rejected, "it takes mail for its own domain: {error}");
}

#[tokio::test]
async fn a_filter_that_quotes_the_mail_is_not_quoted() {
    let postfix = Postfix::running();
    let link = "https://vpn.example.com/enroll/enr_7XKQ2M9D4T6WB8RHJ3NV5YCZ1PFG0SAE42KQ7";
    let text = format!("Hello,\nunwanted {link}\n");
    let notifier = notifier(postfix.options("starttls"));
    let error = notifier.deliver(&Message { text, ..message("anna@example.test") }).await.expect_err("unwanted");
    assert_eq!(error.kind(), DeliveryErrorKind::Rejected);
    assert_eq!(error.why(), "the relay answered the mail: 550 5.7.1 unwanted words: unwanted …");
    assert!(error.source().is_none());
    let mut next = message("anna@example.test");
    next.text = "wanted".into();
    notifier.deliver(&next).await.expect("the next is not concerned");
}

#[tokio::test]
async fn a_port_where_nobody_listens_is_transient() {
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let mut options = Postfix::running().options("starttls");
    options.port = closed.local_addr().expect("a bound port").port();
    drop(closed);
    let error = notifier(options).deliver(&message("anna@example.test")).await.expect_err("nobody there");
    assert_eq!(error.kind(), DeliveryErrorKind::Transient, "{error}");
    assert!(error.why().starts_with("the relay cannot be reached: "), "{error}");
    assert!(error.source().is_some(), "the source is kept");
}

#[tokio::test]
async fn a_connection_is_tested_without_a_mail() {
    let postfix = Postfix::running();
    for port in ["starttls", "implicit", "plaintext"] {
        let receipt = notifier(postfix.options(port)).test_connection().await.expect("a good relay");
        assert_eq!(receipt.detail(), "250 2.0.0 Ok");
    }
    let mut options = postfix.options("starttls");
    options.credentials = Some(Credentials::new("alice", "another password"));
    let error = notifier(options).test_connection().await.expect_err("a wrong password");
    assert_eq!(error.kind(), DeliveryErrorKind::Refused, "{error}");
}
