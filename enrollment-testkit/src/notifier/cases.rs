//! The cases, and the list that names them.

use std::error::Error;
use std::sync::Arc;

use enrollment_core::port::{Channel, DeliveryErrorKind, Message, Recipient};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::desk::{Desk, SECRET, Verdict, deliver, fails, illustrated, message, recipient_on};
use super::{ArrivedImage, Case, Fate};
use crate::verdict::{Failure, ensure, ensure_eq};

/// Hands the names of all cases to another macro, so that tests and table cannot differ.
#[doc(hidden)]
#[macro_export]
macro_rules! __notifier_cases {
    ([$($apply:tt)*] ($($with:tt)*)) => {
        $($apply)*! {
            ($($with)*)
            a_message_arrives_once_with_its_id_and_text
            every_try_arrives_under_the_same_id
            two_messages_with_one_content_are_two
            messages_of_parallel_callers_arrive_at_whom_they_are_for
            the_channels_it_serves_stay_the_same
            a_message_for_another_channel_is_rejected_and_goes_nowhere
            a_message_that_is_put_off_is_transient_and_arrives_later
            an_unwelcome_message_is_rejected_and_its_neighbors_arrive
            a_notifier_that_is_not_wanted_is_refused
            a_subject_adds_no_recipients
            html_comes_with_the_images_it_shows
            answers_carry_nothing_of_the_message
        }
    };
}

/// One test for every case of the suite: `notifier_conformance!(factory)`, where `factory` is an expression that makes
/// a [`NotifierFactory`](crate::notifier::NotifierFactory). Stands in a module of tests.
#[macro_export]
macro_rules! notifier_conformance {
    ($factory:expr) => {
        $crate::__notifier_cases! { [$crate::__notifier_tests] ($factory) }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __notifier_tests {
    (($factory:expr) $($case:ident)*) => {
        $(
            #[test]
            fn $case() -> Result<(), $crate::notifier::Failure> {
                $crate::notifier::run_case($factory, stringify!($case))
            }
        )*
    };
}

macro_rules! table {
    (() $($case:ident)*) => {
        /// Every case.
        pub const CASES: &[Case] = &[
            $(Case { name: stringify!($case), run: |desk| Box::pin(async move { $case(&desk).await }) },)*
        ];
    };
}

crate::__notifier_cases! { [table] () }

/// After `Ok` the message arrives without further help, once, and as it was written.
async fn a_message_arrives_once_with_its_id_and_text(desk: &Desk) -> Verdict {
    let (notifier, to) = (desk.open().await?, desk.recipient(Fate::Welcome, 1));
    let message = message(1, &to);
    deliver(&*notifier, &message).await?;
    drop(notifier);
    desk.has(&to, &[&message], "what arrived").await
}

/// Another process tries again because nobody recorded the first answer: the recipient can tell that it is one message.
async fn every_try_arrives_under_the_same_id(desk: &Desk) -> Verdict {
    let to = desk.recipient(Fate::Welcome, 1);
    let message = message(1, &to);
    let (first, second) = (desk.open().await?, desk.open().await?);
    for notifier in [&first, &second, &first] {
        deliver(&**notifier, &message).await?;
    }
    desk.has(&to, &[&message, &message, &message], "three tries of one message").await
}

/// Only the id makes two messages one.
async fn two_messages_with_one_content_are_two(desk: &Desk) -> Verdict {
    let (notifier, to) = (desk.open().await?, desk.recipient(Fate::Welcome, 1));
    let first = message(1, &to);
    let second = Message { id: message(2, &to).id, ..message(1, &to) };
    deliver(&*notifier, &first).await?;
    deliver(&*notifier, &second).await?;
    desk.has(&to, &[&first, &second], "two messages").await
}

/// Eight callers on two notifiers at once: everybody gets their own messages, once.
async fn messages_of_parallel_callers_arrive_at_whom_they_are_for(desk: &Desk) -> Verdict {
    let notifiers = [desk.open().await?, desk.open().await?];
    let start = Arc::new(Barrier::new(8));
    let mut running = JoinSet::new();
    for caller in 0..8_u32 {
        let (notifier, start) = (Arc::clone(&notifiers[caller as usize % 2]), Arc::clone(&start));
        let to = desk.recipient(Fate::Welcome, caller);
        running.spawn(async move {
            start.wait().await;
            for n in 0..5 {
                deliver(&*notifier, &message(100 * caller + n, &to)).await?;
            }
            Ok::<(), Failure>(())
        });
    }
    while let Some(done) = running.join_next().await {
        done.map_err(|error| Failure::caused("the notifier panicked", error))??;
    }
    for caller in 0..8 {
        let to = desk.recipient(Fate::Welcome, caller);
        let messages: Vec<Message> = (0..5).map(|n| message(100 * caller + n, &to)).collect();
        desk.has(&to, &messages.iter().collect::<Vec<_>>(), &format!("what arrived for caller {caller}")).await?;
    }
    Ok(())
}

/// A worker leases what the notifier serves, and asks once.
async fn the_channels_it_serves_stay_the_same(desk: &Desk) -> Verdict {
    let (notifier, to) = (desk.open().await?, desk.recipient(Fate::Welcome, 1));
    let channels = notifier.channels().to_vec();
    ensure!(channels.contains(&to.channel()), "{channels:?} is without the channel of its recipients");
    let people = |channel: &Channel| matches!(channel, Channel::Email | Channel::Sms);
    ensure!(channels.iter().all(people), "{channels:?} has a channel that reaches nobody");
    deliver(&*notifier, &message(1, &to)).await?;
    ensure_eq!(notifier.channels(), channels, "the channels afterwards");
    ensure_eq!(desk.open().await?.channels(), channels, "the channels of another notifier");
    Ok(())
}

/// What a notifier cannot deliver it says so of.
async fn a_message_for_another_channel_is_rejected_and_goes_nowhere(desk: &Desk) -> Verdict {
    let notifier = desk.open().await?;
    let others = [Channel::Email, Channel::Sms].into_iter().filter(|channel| !notifier.channels().contains(channel));
    for to in others.filter_map(recipient_on) {
        fails(&*notifier, &message(1, &to), DeliveryErrorKind::Rejected).await?;
    }
    Ok(())
}

/// Greylisting: the same message again, later.
async fn a_message_that_is_put_off_is_transient_and_arrives_later(desk: &Desk) -> Verdict {
    let (notifier, to) = (desk.open().await?, desk.recipient(Fate::PutOffOnce, 1));
    let message = message(1, &to);
    fails(&*notifier, &message, DeliveryErrorKind::Transient).await?;
    desk.has(&to, &[], "a message that was put off").await?;
    deliver(&*notifier, &message).await?;
    desk.has(&to, &[&message], "the second try").await
}

/// One bad address among good ones costs the good ones nothing, in turn and at once.
async fn an_unwelcome_message_is_rejected_and_its_neighbors_arrive(desk: &Desk) -> Verdict {
    let (notifier, good) = (desk.open().await?, desk.recipient(Fate::Welcome, 1));
    let messages: Vec<Message> = (0..4).map(|n| message(n, &good)).collect();
    let bad = desk.recipient(Fate::Unwelcome, 1);
    for n in [0, 1] {
        deliver(&*notifier, &messages[n]).await?;
        fails(&*notifier, &message(10, &bad), DeliveryErrorKind::Rejected).await?;
    }
    let poison = message(11, &bad);
    let (before, refused, after) = tokio::join!(
        deliver(&*notifier, &messages[2]),
        fails(&*notifier, &poison, DeliveryErrorKind::Rejected),
        deliver(&*notifier, &messages[3]),
    );
    before.and(after)?;
    refused?;
    desk.has(&good, &messages.iter().collect::<Vec<_>>(), "the neighbors").await?;
    desk.has(&bad, &[], "unwelcome messages").await
}

/// It is told apart from a bad address, since the queue must wait and not be burned.
async fn a_notifier_that_is_not_wanted_is_refused(desk: &Desk) -> Verdict {
    let to = desk.recipient(Fate::Welcome, 1);
    let message = message(1, &to);
    let unwanted = desk.open_unwanted().await?;
    for _ in 0..2 {
        fails(&*unwanted, &message, DeliveryErrorKind::Refused).await?;
    }
    desk.has(&to, &[], "refused messages").await?;
    deliver(&*desk.open().await?, &message).await?;
    desk.has(&to, &[&message], "the message after the repair").await
}

/// A line break in a subject becomes no header: the message is rejected, or arrives at its recipient alone.
async fn a_subject_adds_no_recipients(desk: &Desk) -> Verdict {
    let (notifier, to, bystander) =
        (desk.open().await?, desk.recipient(Fate::Welcome, 1), desk.recipient(Fate::Welcome, 2));
    let address = match &bystander {
        Recipient::Email(email) => email.as_str().to_owned(),
        Recipient::Phone(phone) => phone.as_str().to_owned(),
    };
    for line_break in ["\r\n", "\n", "\r"] {
        let subject = format!("hello{line_break}Bcc: {address}{line_break}To: {address}");
        match notifier.deliver(&Message { subject, ..message(1, &to) }).await {
            Ok(_) => {}
            Err(error) => ensure_eq!(error.kind(), DeliveryErrorKind::Rejected, "a subject with a line break"),
        }
    }
    desk.has(&bystander, &[], "what arrived for a bystander").await
}

/// Where HTML arrives, each message comes with its own images, as they were. Over a channel that carries no HTML it comes
/// without, and all the same.
async fn html_comes_with_the_images_it_shows(desk: &Desk) -> Verdict {
    let (notifier, to) = (desk.open().await?, desk.recipient(Fate::Welcome, 1));
    let messages = [illustrated(1, &to), message(2, &to), illustrated(3, &to)];
    for message in &messages {
        deliver(&*notifier, message).await?;
    }
    desk.has(&to, &messages.iter().collect::<Vec<_>>(), "what arrived").await?;
    let arrived = desk.images(&to).await?;
    if arrived.values().all(Option::is_none) {
        return Ok(());
    }
    for message in &messages {
        let images = message.images.iter();
        let images = images.map(|image| ArrivedImage { id: image.id().to_owned(), png: image.png().to_vec() });
        ensure_eq!(arrived.get(&message.id), Some(&Some(images.collect())), "the images of {message:?}");
    }
    Ok(())
}

/// Receipts and errors are kept and shown to administrators, who may not know the secrets in a message.
async fn answers_carry_nothing_of_the_message(desk: &Desk) -> Verdict {
    let (notifier, unwanted) = (desk.open().await?, desk.open_unwanted().await?);
    let receipt = deliver(&*notifier, &message(1, &desk.recipient(Fate::Welcome, 1))).await?;
    let mut texts = vec![receipt.detail().to_owned()];
    for (notifier, fate, kind) in [
        (&notifier, Fate::PutOffOnce, DeliveryErrorKind::Transient),
        (&notifier, Fate::Unwelcome, DeliveryErrorKind::Rejected),
        (&unwanted, Fate::Welcome, DeliveryErrorKind::Refused),
    ] {
        let error = fails(&**notifier, &message(2, &desk.recipient(fate, 2)), kind).await?;
        texts.extend([error.why().to_owned(), format!("{error:?}")]);
        let mut cause = error.source();
        while let Some(error) = cause {
            texts.extend([error.to_string(), format!("{error:?}")]);
            cause = error.source();
        }
    }
    let telling = texts.iter().find(|text| text.contains(SECRET) || text.contains("Hello"));
    ensure!(telling.is_none(), "an answer quotes the message: {telling:?}");
    Ok(())
}
