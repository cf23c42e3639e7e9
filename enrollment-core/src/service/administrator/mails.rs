//! Mails as administrators see them: the queue, what was sent, what died and why.

use std::collections::BTreeSet;

use super::listing::{self, Listing, PageRequest};
use super::{Administrator, doer};
use crate::domain::contact::Email;
use crate::domain::event::Event;
use crate::domain::mail::{Addressee, Letter, Mail, MailStanding, MailState, Pause};
use crate::domain::rejection::Rejection;
use crate::domain::role::Permission;
use crate::domain::user::User;
use crate::id::{EnrollmentId, OutboxId, UserId};
use crate::port::{Channel, Direction};
use crate::record::{IndexName, Kind, RowKey, Stored, Version};
use crate::service::mail::{Post, encode};
use crate::service::turn::{Draft, INSTANCE, TURNS, Written};
use crate::service::{Answer, Failure, Principal, operation};
use crate::time::Timestamp;

/// A mail, as administrators see it. Never its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailView {
    /// Which one; the recipient's copy has it in its `Message-ID`.
    pub id: OutboxId,
    /// The stable name of what it tells.
    pub letter: &'static str,
    /// Whom it concerns.
    pub user: Option<UserId>,
    /// The enrollment it is about.
    pub enrollment: Option<EnrollmentId>,
    /// Where it goes; `None`: to the address on file of `recipient`, whatever that is when it is sent.
    pub address: Option<Email>,
    /// Whose address that is.
    pub recipient: Option<UserId>,
    /// When it was queued.
    pub queued: Timestamp,
    /// How far it is.
    pub state: MailState,
}

impl From<Mail> for MailView {
    fn from(mail: Mail) -> Self {
        let Mail { id, entry: _, letter, user, enrollment, to, queued, state } = mail;
        let (address, recipient) = match to {
            Addressee::Explicit(address) => (Some(address), None),
            Addressee::CurrentAddressOf(user) => (None, Some(user)),
        };
        Self { id, letter: letter.as_str(), user, enrollment, address, recipient, queued, state }
    }
}

/// Whether mail can be sent, and whether it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailStatus {
    /// There is something to send it by.
    pub configured: bool,
    /// The relay refuses this server, and the queue waits.
    pub pause: Option<Pause>,
}

impl Administrator<'_> {
    /// Mails of one standing; those on their way with the oldest first, the others with the latest.
    ///
    /// # Errors
    /// When cursor or limit do not fit; [`Rejection::Forbidden`].
    pub fn mails<'a>(
        &'a self,
        by: &'a Principal,
        standing: MailStanding,
        page: &'a PageRequest,
    ) -> Answer<'a, Listing<MailView>> {
        operation("administrator.mails", self.try_mails(by, standing, page))
    }

    async fn try_mails(
        &self,
        by: &Principal,
        standing: MailStanding,
        page: &PageRequest,
    ) -> Result<Listing<MailView>, Failure> {
        self.audited(by, "mails", INSTANCE, async {
            by.demand(Permission::ReadUsers)?;
            let mut scan = page.scan(IndexName::MailsByState, standing.as_str())?;
            if standing != MailStanding::Queue {
                scan.direction = Direction::Descending;
            }
            let page = self.service.store().scan(&scan).await?;
            let items = page.rows.iter().map(|row| Ok(Stored::<Mail>::read(row)?.record.into()));
            Ok(Listing {
                items: items.collect::<Result<_, Failure>>()?,
                next: page.next.as_ref().and_then(listing::text),
            })
        })
        .await
    }

    /// Whether mail can be sent, and whether it is.
    ///
    /// # Errors
    /// [`Rejection::Forbidden`].
    pub fn mail_status<'a>(&'a self, by: &'a Principal) -> Answer<'a, MailStatus> {
        operation("administrator.mail_status", async move {
            self.audited(by, "mail_status", INSTANCE, async {
                by.demand(Permission::ReadUsers)?;
                let pause = self.service.read::<Pause>(Pause::key(Channel::Email).id).await?;
                Ok(MailStatus { configured: self.service.can_mail(), pause: pause.map(|stored| stored.record) })
            })
            .await
        })
    }

    /// Has a mail that could not be delivered be tried again, with the address and the texts in force then.
    ///
    /// # Errors
    /// [`Rejection::MailNotDead`]; [`Rejection::NotFound`], [`Rejection::Forbidden`], [`Rejection::Outranked`].
    pub fn revive_mail<'a>(&'a self, by: &'a Principal, id: OutboxId) -> Answer<'a, MailView> {
        operation("administrator.revive_mail", self.try_revive_mail(by, id))
    }

    async fn try_revive_mail(&self, by: &Principal, id: OutboxId) -> Result<MailView, Failure> {
        self.audited(by, "revive_mail", RowKey::new(Kind::Mail, id.uuid()), async {
            for _ in 0..TURNS {
                let stored = self.mail_of(by, id).await?;
                if !matches!(stored.record.state, MailState::Dead { .. }) {
                    return Err(Rejection::MailNotDead.into());
                }
                let mut draft = Draft::new(self.service.now());
                // An entry is used once: a new one delivers it, under the mail's own id.
                let entry = OutboxId::new(draft.now, self.service.entropy());
                let next = Mail { entry, state: MailState::Queued, ..stored.record.clone() };
                draft.ops.push(stored.put(&next));
                draft.enqueue(encode(&next, draft.now)?);
                let event = Event::MailRevived { letter: next.letter.as_str().to_owned() };
                self.service.audit(&mut draft, doer(by), stored.key(), stored.version, event);
                if let Written::Applied = self.write(by, draft).await? {
                    return Ok(next.into());
                }
            }
            Err(Failure::Busy)
        })
        .await
    }

    /// Drops a mail that was not sent; if it waits, it is not sent any more. Dropping one that has ended otherwise
    /// changes nothing.
    ///
    /// # Errors
    /// [`Rejection::NotFound`], [`Rejection::Forbidden`], [`Rejection::Outranked`].
    pub fn drop_mail<'a>(&'a self, by: &'a Principal, id: OutboxId) -> Answer<'a, MailView> {
        operation("administrator.drop_mail", self.try_drop_mail(by, id))
    }

    async fn try_drop_mail(&self, by: &Principal, id: OutboxId) -> Result<MailView, Failure> {
        self.audited(by, "drop_mail", RowKey::new(Kind::Mail, id.uuid()), async {
            for _ in 0..TURNS {
                let stored = self.mail_of(by, id).await?;
                if matches!(stored.record.state, MailState::Sent { .. } | MailState::Obsolete { .. }) {
                    return Ok(stored.record.into());
                }
                let mut draft = Draft::new(self.service.now());
                let next = self.withdraw_mail(&mut draft, by, &stored, "dropped by an administrator");
                if let Written::Applied = self.write(by, draft).await? {
                    return Ok(next.into());
                }
            }
            Err(Failure::Busy)
        })
        .await
    }

    /// Adds to a draft that a mail is no longer wanted. A worker who has it in hand may still send it, and then says so.
    pub(super) fn withdraw_mail(&self, draft: &mut Draft, by: &Principal, stored: &Stored<Mail>, why: &str) -> Mail {
        let state = MailState::Obsolete { why: why.to_owned(), at: draft.now };
        let next = Mail { state, ..stored.record.clone() };
        draft.ops.push(stored.put(&next));
        let event = Event::MailObsolete { letter: next.letter.as_str().to_owned() };
        self.service.audit(draft, doer(by), stored.key(), stored.version, event);
        next
    }

    /// Queues a mail that says no more than that mail works: to `address`, or to the one on file of whoever asks. What
    /// became of it stands in the list of mails.
    ///
    /// # Errors
    /// [`Rejection::MailNotConfigured`], [`Rejection::NoEmailAddress`], [`Rejection::Forbidden`].
    pub fn send_test_mail<'a>(&'a self, by: &'a Principal, address: Option<Email>) -> Answer<'a, OutboxId> {
        operation("administrator.send_test_mail", self.try_send_test_mail(by, address))
    }

    async fn try_send_test_mail(&self, by: &Principal, address: Option<Email>) -> Result<OutboxId, Failure> {
        self.audited(by, "send_test_mail", INSTANCE, async {
            by.demand(Permission::ManageSettings)?;
            self.demand_mail()?;
            let to = match address {
                Some(address) => Addressee::Explicit(address),
                None => self.own_address(by).await?,
            };
            let mut draft = Draft::new(self.service.now());
            let id = OutboxId::new(draft.now, self.service.entropy());
            let post = Post { id, letter: Letter::Test, user: by.user, enrollment: None, to, due: None };
            self.service.post(&mut draft, post)?;
            let subject = RowKey::new(Kind::Mail, id.uuid());
            self.service.audit(&mut draft, doer(by), subject, Version::FIRST, Event::TestMailQueued);
            match self.write(by, draft).await? {
                Written::Applied => Ok(id),
                Written::Stale | Written::Taken(_) | Written::LeaseLost => Err(Failure::Busy),
            }
        })
        .await
    }

    async fn own_address(&self, by: &Principal) -> Result<Addressee, Failure> {
        let id = by.user.ok_or(Rejection::NoEmailAddress)?;
        let user = self.service.read::<User>(id.uuid()).await?;
        let has_one = user.is_some_and(|user| user.record.email.is_some());
        if has_one { Ok(Addressee::CurrentAddressOf(id)) } else { Err(Rejection::NoEmailAddress.into()) }
    }

    /// A mail that the principal may act upon: neither whom it concerns nor whom it goes to outranks them, and machines are
    /// their business if it is about one.
    async fn mail_of(&self, by: &Principal, id: OutboxId) -> Result<Stored<Mail>, Failure> {
        by.demand(Permission::ManageUsers)?;
        let stored = self.service.read::<Mail>(id.uuid()).await?.ok_or(Rejection::NotFound { what: "mail" })?;
        let Mail { user, enrollment, to, .. } = &stored.record;
        if user.is_none() && enrollment.is_some() {
            by.demand(Permission::ManageMachines)?;
        }
        let recipient = match to {
            Addressee::CurrentAddressOf(user) => Some(user),
            Addressee::Explicit(_) => None,
        };
        let people: BTreeSet<&UserId> = user.iter().chain(recipient).collect();
        let keys: Vec<RowKey> = people.into_iter().map(|user| RowKey::new(Kind::User, user.uuid())).collect();
        for row in self.service.store().get(&keys).await?.iter().flatten() {
            by.demand_rank(Stored::<User>::read(row)?.record.role)?;
        }
        Ok(stored)
    }
}
