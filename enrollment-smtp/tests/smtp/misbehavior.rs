//! Relays that cut, keep silent, or are not who they seem.

use std::time::Duration;

use enrollment_core::port::{DeliveryErrorKind, Message, Notifier};
use enrollment_smtp::{Credentials, Tls};

use crate::fake::{FakeRelay, Habit};
use crate::message;
use crate::postfix::Postfix;

/// Nobody knows whether the relay keeps a mail after which it hung up. It may, so it is not offered again at once, and
/// what comes later is the same mail.
#[tokio::test]
async fn a_mail_whose_answer_was_lost_is_transient_and_comes_again_as_the_same() {
    for before in [0, 1] {
        let relay = FakeRelay::start(&[Habit::CutsAfterTheMail(before), Habit::Good]).await;
        let notifier = relay.notifier(|_| {});
        for _ in 0..before {
            notifier.deliver(&message("anna@example.test")).await.expect("taken");
        }
        let mail = message("anna@example.test");
        let error = notifier.deliver(&mail).await.expect_err("no answer");
        assert_eq!(error.kind(), DeliveryErrorKind::Transient, "{error}");
        assert_eq!(relay.heard().mails.len(), before + 1, "it was offered once");

        notifier.deliver(&mail).await.expect("taken");
        let heard = relay.heard();
        assert_eq!(heard.mails[before], heard.mails[before + 1], "the same mail, to the byte");
        assert!(heard.mails[before].contains(&format!("Message-ID: <{}@sender.test>\r\n", mail.id)));
    }
}

#[tokio::test]
async fn a_relay_that_keeps_silent_is_transient_when_time_is_over() {
    for (habit, why) in [
        (Habit::Silent, "the relay took too long to greet"),
        (Habit::SilentAfterTheMail, "the relay took too long during the mail"),
    ] {
        let relay = FakeRelay::start(&[habit]).await;
        let notifier = relay.notifier(|options| options.timeout = Duration::from_millis(200));
        let error = notifier.deliver(&message("anna@example.test")).await.expect_err("silence");
        assert_eq!((error.kind(), error.why()), (DeliveryErrorKind::Transient, why), "{habit:?}");
    }
}

/// An error is shown to administrators, who may not know what is in a mail.
#[tokio::test]
async fn an_answer_that_makes_no_sense_is_transient_and_not_repeated() {
    let relay = FakeRelay::start(&[Habit::EchoesTheMail]).await;
    let mail = message("anna@example.test");
    let error = relay.notifier(|_| {}).deliver(&mail).await.expect_err("no answer");
    assert_eq!(error.kind(), DeliveryErrorKind::Transient);
    assert_eq!(error.why(), "the connection to the relay broke during the mail: no whole answer came");
    let told = format!("{error:?}");
    assert!(!told.contains("Hello") && !told.contains(&mail.id.to_string()), "{told}");
}

/// Whoever stands between us and the relay can take the offer to encrypt away, and must gain nothing by it.
#[tokio::test]
async fn a_relay_that_does_not_offer_to_encrypt_hears_nothing() {
    let relay = FakeRelay::start(&[Habit::Good]).await;
    let error = over_starttls(&relay).await;
    assert_eq!((error.kind(), error.why()), (DeliveryErrorKind::Refused, "the relay does not offer STARTTLS"));
    let heard = relay.heard();
    assert!(matches!(heard.commands.as_slice(), [hello] if hello.starts_with("EHLO ")), "{:?}", heard.commands);
}

/// Words in plain text must not be taken for words under TLS.
#[tokio::test]
async fn what_is_said_before_the_handshake_is_not_believed_after_it() {
    let relay = FakeRelay::start(&[Habit::SpeaksBeforeTls]).await;
    let error = over_starttls(&relay).await;
    assert_eq!(error.kind(), DeliveryErrorKind::Refused, "{error}");
    assert!(error.why().starts_with("the relay cannot be trusted: "), "{error}");
    assert_eq!(relay.heard().commands.last().map(String::as_str), Some("STARTTLS"));
}

async fn over_starttls(relay: &FakeRelay) -> enrollment_core::port::DeliveryError {
    let roots = Postfix::running().options("starttls").roots;
    let notifier = relay.notifier(|options| {
        options.tls = Tls::StartTls;
        options.credentials = Some(Credentials::new("alice", "secret123"));
        options.roots = roots;
    });
    notifier.deliver(&message("anna@example.test")).await.expect_err("not encrypted")
}

#[tokio::test]
async fn an_address_that_the_relay_does_not_understand_is_rejected() {
    let relay = FakeRelay::start(&[Habit::Good]).await;
    let notifier = relay.notifier(|_| {});
    let error = notifier.deliver(&message("żółw@example.test")).await.expect_err("no SMTPUTF8");
    assert_eq!(error.kind(), DeliveryErrorKind::Rejected, "{error}");
    notifier.deliver(&message("anna@example.test")).await.expect("the next is not concerned");
    assert_eq!(relay.heard().connections, 1);
}

#[tokio::test]
async fn what_would_begin_a_header_is_rejected_before_anything_is_said() {
    let relay = FakeRelay::start(&[Habit::Good]).await;
    let notifier = relay.notifier(|_| {});
    let subject = "hello\r\nBcc: ben@example.test".to_owned();
    let error = notifier.deliver(&Message { subject, ..message("anna@example.test") }).await.expect_err("two lines");
    assert_eq!(
        (error.kind(), error.why()),
        (DeliveryErrorKind::Rejected, "not sent: the subject has a control character")
    );
    assert_eq!(relay.heard().connections, 0);
}
