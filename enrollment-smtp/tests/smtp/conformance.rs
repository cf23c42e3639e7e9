//! The conformance suite, over every way to speak with postfix.

use std::sync::Arc;

use async_trait::async_trait;
use enrollment_core::port::{Notifier, Recipient};
use enrollment_smtp::{Credentials, SmtpNotifier, Tls};
use enrollment_testkit::notifier::{Arrival, ArrivedImage, BoxError, Fate, NotifierFactory};

use crate::postfix::{Arrived, Postfix};
use crate::{email, unique};

struct Over(&'static str);

struct Relay {
    postfix: Postfix,
    run: u64,
}

#[async_trait]
impl NotifierFactory for Over {
    type Relay = Relay;

    async fn create(&self) -> Result<Relay, BoxError> {
        Ok(Relay { postfix: Postfix::running(), run: unique() })
    }

    async fn open(&self, relay: &Relay) -> Result<Arc<dyn Notifier>, BoxError> {
        Ok(Arc::new(SmtpNotifier::new(relay.postfix.options(self.0))?))
    }

    async fn open_unwanted(&self, relay: &Relay) -> Result<Arc<dyn Notifier>, BoxError> {
        let mut options = relay.postfix.options(self.0);
        if options.tls == Tls::DangerPlaintext {
            options.from = "barred@sender.test".parse()?;
        } else {
            options.credentials = Some(Credentials::new("alice", "another password"));
        }
        Ok(Arc::new(SmtpNotifier::new(options)?))
    }

    fn recipient(&self, relay: &Relay, fate: Fate, n: u32) -> Recipient {
        let name = match fate {
            Fate::Welcome => "welcome",
            Fate::PutOffOnce => "later",
            Fate::Unwelcome => "never",
        };
        email(&format!("{name}-{:x}-{n}@example.test", relay.run))
    }

    async fn arrivals(&self, relay: &Relay, at: &Recipient) -> Result<Vec<Arrival>, BoxError> {
        let Recipient::Email(at) = at else { return Ok(vec![]) };
        let arrived = relay.postfix.arrived(at.as_str()).await;
        Ok(arrived.into_iter().map(read).collect())
    }
}

fn read(mail: Arrived) -> Arrival {
    let images = mail.images.into_iter().map(|(id, _, png)| {
        let id = id.trim_start_matches('<').trim_end_matches('>').to_owned();
        ArrivedImage { id, png }
    });
    Arrival { id: mail.id, text: mail.text, images: mail.html.map(|_| images.collect()) }
}

mod starttls {
    use super::Over;
    enrollment_testkit::notifier_conformance!(Over("starttls"));
}

mod implicit {
    use super::Over;
    enrollment_testkit::notifier_conformance!(Over("implicit"));
}

mod plaintext {
    use super::Over;
    enrollment_testkit::notifier_conformance!(Over("plaintext"));
}
