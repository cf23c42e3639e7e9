//! Queueing mails: a row and its outbox entry, in the change that causes them (MSG-8).

use crate::domain::enrollment::Enrollment;
use crate::domain::event::Event;
use crate::domain::mail::{Addressee, Caused, Delivery, Letter, Mail, MailState, caused_by};
use crate::domain::settings::Settings;
use crate::domain::user::User;
use crate::id::{EnrollmentId, OutboxId, UserId};
use crate::port::{Channel, OutboxEntry};
use crate::record::{Document, Kind, Row, RowKey, Stored, new_row};
use crate::service::turn::Draft;
use crate::service::{Failure, Service};
use crate::time::Timestamp;
use crate::worker::MailIntent;

/// A mail to be queued.
#[derive(Debug, Clone)]
pub(crate) struct Post {
    pub(crate) id: OutboxId,
    pub(crate) letter: Letter,
    pub(crate) user: Option<UserId>,
    pub(crate) enrollment: Option<EnrollmentId>,
    pub(crate) to: Addressee,
    /// Not before this instant; `None`: at once.
    pub(crate) due: Option<Timestamp>,
}

/// The people that mails about an enrollment may go to, as they are now.
struct People {
    subject: Option<User>,
    initiator: Option<User>,
    onboarding: bool,
    /// The invitation was sent, or handed over.
    invited: bool,
}

impl Service {
    /// Adds a mail to a draft.
    pub(crate) fn post(&self, draft: &mut Draft, post: Post) -> Result<(), Failure> {
        let Post { id, letter, user, enrollment, to, due } = post;
        let mail = Mail { id, entry: id, letter, user, enrollment, to, queued: draft.now, state: MailState::Queued };
        draft.ops.push(new_row(&mail));
        draft.enqueue(encode(&mail, due.unwrap_or(draft.now))?);
        Ok(())
    }

    /// Adds the mails that a change to an enrollment causes, to those who can be reached. Nothing, where there is no
    /// mail: everything works without (INV-2).
    pub(crate) async fn post_caused(
        &self,
        draft: &mut Draft,
        event: &Event,
        before: &Enrollment,
        after: &Enrollment,
    ) -> Result<(), Failure> {
        let caused = if self.can_mail() { caused_by(event, before, after) } else { Vec::new() };
        if caused.is_empty() {
            return Ok(());
        }
        let people = self.people(before).await?;
        for Caused { letter, due } in caused {
            let Some(to) = people.addressee(letter, before) else { continue };
            let id = OutboxId::new(draft.now, self.entropy());
            let (user, enrollment) = (before.user(), Some(before.id));
            self.post(draft, Post { id, letter, user, enrollment, to, due })?;
        }
        Ok(())
    }

    async fn people(&self, enrollment: &Enrollment) -> Result<People, Failure> {
        let user = |id: UserId| RowKey::new(Kind::User, id.uuid());
        let mail = enrollment.sending.mail.map(|mail| RowKey::new(Kind::Mail, mail.uuid()));
        let [subject, initiator] = [enrollment.user().map(user), enrollment.initiator.map(user)];
        let keys: Vec<_> = [Some(Settings::KEY), subject, initiator, mail].into_iter().flatten().collect();
        let rows = self.store().get(&keys).await?;
        let row = |key: Option<RowKey>| rows.iter().flatten().find(|row| Some(row.key) == key).cloned();
        let (settings, _) = self.settings_of(row(Some(Settings::KEY)))?;
        let person = |row: Option<Row>| -> Result<Option<User>, Failure> {
            let user = row.as_ref().map(Stored::<User>::read).transpose()?.map(|stored| stored.record);
            Ok(user.filter(User::is_active))
        };
        let subject = person(row(subject))?;
        let initiator = person(row(initiator))?;
        // A mail that cannot be read holds up nothing but itself.
        let invitation = row(mail).and_then(|row| Stored::<Mail>::read(&row).ok());
        let is_sent = |mail: &Stored<Mail>| matches!(mail.record.state, MailState::Sent { .. });
        let invited = enrollment.sending.delivery != Delivery::Email || invitation.as_ref().is_some_and(is_sent);
        Ok(People { subject, initiator, onboarding: settings.onboarding_mail, invited })
    }
}

impl People {
    /// Where a letter goes, if it goes anywhere.
    fn addressee(&self, letter: Letter, enrollment: &Enrollment) -> Option<Addressee> {
        let current = |user: &Option<User>| {
            let user = user.as_ref().filter(|user| user.email.is_some())?;
            Some(Addressee::CurrentAddressOf(user.id))
        };
        let explicit = || enrollment.sending.address.clone().map(Addressee::Explicit);
        match letter {
            _ if letter.is_to_initiator() => current(&self.initiator),
            // A factor is set up for the address on file, wherever the invitation went.
            Letter::MfaCode { .. } => current(&self.subject),
            Letter::Onboarding if !self.onboarding => None,
            // Whoever never got the link need not hear that it is dead; whoever got it hears it where they got it.
            Letter::Revoked if !self.invited => None,
            Letter::Revoked => explicit().or_else(|| current(&self.subject)),
            _ => current(&self.subject).or_else(explicit),
        }
    }
}

/// The outbox entry that delivers a mail. All it says is which one.
pub(crate) fn encode(mail: &Mail, due: Timestamp) -> Result<OutboxEntry, Failure> {
    let json = serde_json::to_string(&MailIntent { mail: mail.id }).map_err(|error| Failure::Broken(error.into()))?;
    Ok(OutboxEntry { id: mail.entry, channel: Channel::Email, stream: None, due, body: Document { layout: 1, json } })
}
