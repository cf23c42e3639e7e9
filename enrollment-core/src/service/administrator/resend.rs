//! Sending an invitation again (ADM-4).

use std::collections::BTreeMap;

use super::enrollments::{demand_sending, key};
use super::standing::ends_all;
use super::wording::demand_wording;
use super::{Administrator, Wording, doer};
use crate::domain::contact::Email;
use crate::domain::enrollment::{Enrollment, Purpose};
use crate::domain::event::Event;
use crate::domain::mail::{Delivery, Mail, MailStanding, Sending};
use crate::domain::rejection::Rejection;
use crate::domain::role::Permission;
use crate::domain::settings::Settings;
use crate::domain::token_opens;
use crate::domain::user::User;
use crate::id::{EnrollmentId, OutboxId};
use crate::port::Scan;
use crate::record::{IndexName, Stored};
use crate::service::turn::{Draft, INSTANCE, TURNS, Written};
use crate::service::{Answer, Failure, Principal, operation};
use crate::time::Timestamp;

/// An invitation that is on its way again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resent {
    /// Which enrollment.
    pub id: EnrollmentId,
    /// What it is for.
    pub purpose: Purpose,
    /// Its mail.
    pub mail: OutboxId,
    /// The first instant at which its token opens nothing.
    pub expires_at: Timestamp,
    /// Which link it is: one more with every rotation.
    pub generation: u32,
}

/// What came of sending all outstanding invitations again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResentAll {
    /// How many are on their way.
    pub sent: u64,
    /// How many are not, by the code of the reason.
    pub skipped: BTreeMap<&'static str, u64>,
}

const PAGE: u32 = 100;

impl Administrator<'_> {
    /// Sends an open invitation by mail: the same link with the same expiry, to the address in force when it is sent.
    /// While an earlier mail with this link waits in the queue, that one is the answer, and no second is sent.
    ///
    /// `wording` takes the place of what the invitation's mails have said so far, subject and body both, and stays; with
    /// [`Wording::default`] the saved texts are in force again. With `None` nothing changes. A mail that waits and would
    /// say something else is withdrawn in the same change.
    ///
    /// # Errors
    /// [`Rejection::InvalidTemplate`] with line and suggestion;
    /// [`Rejection::MailNotConfigured`], [`Rejection::NoEmailAddress`]; what became of the token, when it opens nothing;
    /// [`Rejection::Forbidden`], [`Rejection::Outranked`], [`Rejection::NotFound`].
    pub fn resend<'a>(&'a self, by: &'a Principal, id: EnrollmentId, wording: Option<Wording>) -> Answer<'a, Resent> {
        operation("administrator.resend", async move {
            self.audited(by, "resend_enrollment", key(id), self.try_resend(by, id, wording.as_ref())).await
        })
    }

    /// Sends every invitation again that could still be redeemed. Those whose mail still waits are not sent twice, so
    /// that the same call goes on where an earlier one was cut off.
    ///
    /// # Errors
    /// [`Rejection::MailNotConfigured`], [`Rejection::Forbidden`]. What stands against one invitation stops no other.
    pub fn resend_all<'a>(&'a self, by: &'a Principal) -> Answer<'a, ResentAll> {
        operation("administrator.resend_all", async move {
            self.audited(by, "resend_enrollments", INSTANCE, async {
                by.demand(Permission::SendEnrollment)?;
                demand_sending(by, None, &self.service.settings().await?)?;
                self.demand_mail()?;
                self.try_resend_all(by).await
            })
            .await
        })
    }

    async fn try_resend_all(&self, by: &Principal) -> Result<ResentAll, Failure> {
        let mut all = ResentAll::default();
        let mut scan = Scan::all(IndexName::EnrollmentsByCreated, "open", PAGE);
        loop {
            let page = self.service.store().scan(&scan).await?;
            for row in &page.rows {
                let id = Stored::<Enrollment>::read(row)?.record.id;
                match self.try_resend(by, id, None).await {
                    Ok(_) => all.sent += 1,
                    Err(Failure::Rejected(rejection)) if !ends_all(&rejection) => {
                        *all.skipped.entry(rejection.code()).or_default() += 1;
                    }
                    Err(failure) => return Err(failure),
                }
            }
            match page.next {
                Some(cursor) => scan.after = Some(cursor),
                None => return Ok(all),
            }
        }
    }

    async fn try_resend(&self, by: &Principal, id: EnrollmentId, wording: Option<&Wording>) -> Result<Resent, Failure> {
        by.demand(Permission::SendEnrollment)?;
        demand_wording(by, wording, Delivery::Email)?;
        for _ in 0..TURNS {
            let (stored, world) = self.enrollment_of(by, id).await?;
            let to = self.resend_address(by, &stored.record, &world.user.record, &world.settings)?;
            let mut draft = Draft::new(self.service.now());
            token_opens(&stored.record, draft.now)?;
            if self.service.is_of_a_revoked_key(&stored.record) {
                return Err(Rejection::TokenRevoked.into());
            }
            if !stored.record.may_begin(draft.now) {
                return Err(Rejection::SessionsExhausted.into());
            }
            let mail = OutboxId::new(draft.now, self.service.entropy());
            let next = Enrollment { sending: sent_again(&stored.record, mail, wording), ..stored.record.clone() };
            if let Some(waiting) = self.waiting_mail(&stored.record).await? {
                if next.sending.wording == stored.record.sending.wording {
                    return Ok(resent(&stored.record, waiting.record.id));
                }
                self.withdraw_mail(&mut draft, by, &waiting, "it was sent again in other words");
            }
            draft.ops.push(stored.put(&next));
            // The address must still be there, or the mail would go nowhere.
            draft.ops.push(world.user.check());
            self.post_invitation(&mut draft, &next, mail, to)?;
            self.service.audit(&mut draft, doer(by), stored.key(), stored.version, Event::InvitationResent);
            if let Written::Applied = self.write(by, draft).await? {
                return Ok(resent(&next, mail));
            }
        }
        Err(Failure::Busy)
    }

    /// Where an invitation goes when it is sent again, if not to the address on file; refused, where it cannot.
    pub(super) fn resend_address(
        &self,
        by: &Principal,
        enrollment: &Enrollment,
        user: &User,
        settings: &Settings,
    ) -> Result<Option<Email>, Rejection> {
        demand_sending(by, None, settings)?;
        self.demand_mail()?;
        // Who only sends, sends to the address on file.
        let chosen = enrollment.sending.address.clone().filter(|_| by.demand(Permission::StartEnrollment).is_ok());
        if chosen.is_none() && user.email.is_none() {
            return Err(Rejection::NoEmailAddress);
        }
        Ok(chosen)
    }

    pub(super) fn demand_mail(&self) -> Result<(), Rejection> {
        if self.service.can_mail() { Ok(()) } else { Err(Rejection::MailNotConfigured) }
    }

    /// The mail with this very link that has not left yet.
    async fn waiting_mail(&self, enrollment: &Enrollment) -> Result<Option<Stored<Mail>>, Failure> {
        let Some(mail) = enrollment.sending.mail else { return Ok(None) };
        let stored = self.service.read::<Mail>(mail.uuid()).await?;
        let generation = enrollment.generation;
        let waits =
            |mail: &Mail| mail.state.standing() == MailStanding::Queue && mail.letter.generation() == Some(generation);
        Ok(stored.filter(|stored| waits(&stored.record)))
    }
}

/// How the link gets to its person, once it was sent by this mail as well, and what its mails say from now on.
pub(super) fn sent_again(enrollment: &Enrollment, mail: OutboxId, wording: Option<&Wording>) -> Sending {
    let Sending { delivery, address, mail: _, wording: kept } = &enrollment.sending;
    let delivery = match delivery {
        Delivery::Manual | Delivery::Both => Delivery::Both,
        Delivery::Email => Delivery::Email,
    };
    let wording = wording.or(kept.as_ref()).filter(|wording| !wording.is_empty()).cloned();
    Sending { delivery, address: address.clone(), mail: Some(mail), wording }
}

const fn resent(enrollment: &Enrollment, mail: OutboxId) -> Resent {
    let Enrollment { id, purpose, expires: expires_at, generation, .. } = *enrollment;
    Resent { id, purpose, mail, expires_at, generation }
}
