//! Starting, rotating and revoking enrollments.

use std::collections::BTreeSet;

use super::issue::Minted;
use super::resend::sent_again;
use super::wording::demand_wording;
use super::{Administrator, Delivery, Issued, StartEnrollment, Wording, doer};
use crate::domain::audit::Actor;
use crate::domain::command::{Command, Decision, Rotation};
use crate::domain::contact::Email;
use crate::domain::decide;
use crate::domain::enrollment::{Closure, Enrollment, Purpose};
use crate::domain::event::Event;
use crate::domain::location::FactorKind;
use crate::domain::mail::{Addressee, Letter};
use crate::domain::rejection::Rejection;
use crate::domain::role::Permission;
use crate::domain::settings::Settings;
use crate::domain::user::User;
use crate::id::{EnrollmentId, OutboxId, UserId};
use crate::record::{Kind, RowKey, Stored};
use crate::service::circumstances::World;
use crate::service::mail::Post;
use crate::service::turn::{Draft, TURNS, Written};
use crate::service::{Answer, Failure, Principal, operation};

/// Every past token is remembered, so that its holder hears what became of it; this bounds the record.
const MOST_GENERATIONS: u32 = 100;

impl Administrator<'_> {
    /// Starts an enrollment, and shows its token this once. An open one of the same user and purpose ends in the same
    /// change, token and session both: there is never more than one, whatever comes in parallel (INV-5).
    ///
    /// # Errors
    /// [`Rejection::UserDisabled`], [`Rejection::AlreadyEnrolled`], [`Rejection::NotEnrolled`],
    /// [`Rejection::NoLocation`], [`Rejection::FactorNotApplicable`], [`Rejection::OutOfRange`],
    /// [`Rejection::MailNotConfigured`], [`Rejection::NoEmailAddress`], [`Rejection::InvalidTemplate`] with line and
    /// suggestion; nothing is created.
    pub fn start<'a>(&'a self, by: &'a Principal, user: UserId, start: StartEnrollment) -> Answer<'a, Issued> {
        operation("administrator.start", async move {
            let about = RowKey::new(Kind::User, user.uuid());
            self.audited(by, "start_enrollment", about, self.try_start(by, user, &start)).await
        })
    }

    /// Gives an open enrollment a new token, valid from now on as long as the first one was. The old one is dead, and so
    /// is its session.
    ///
    /// # Errors
    /// When it is completed or closed; [`Rejection::InvalidField`] after 100 tokens.
    pub fn rotate<'a>(&'a self, by: &'a Principal, id: EnrollmentId) -> Answer<'a, Issued> {
        operation("administrator.rotate", async move {
            self.audited(by, "rotate_enrollment", key(id), self.rotate_now(by, id, false, None)).await
        })
    }

    /// The same, with the new link sent by mail too. It is shown as well, unless the enrollment was started with delivery
    /// by mail alone. `wording` as with [`Administrator::resend`].
    ///
    /// # Errors
    /// Those of [`Administrator::rotate`] and [`Administrator::resend`].
    pub fn rotate_and_send<'a>(
        &'a self,
        by: &'a Principal,
        id: EnrollmentId,
        wording: Option<Wording>,
    ) -> Answer<'a, Issued> {
        operation("administrator.rotate_and_send", async move {
            self.audited(by, "rotate_enrollment", key(id), self.rotate_now(by, id, true, wording.as_ref())).await
        })
    }

    /// Ends an enrollment: its token is dead at once, the user stays and can be sent a new one (ADM-5). Revoking what
    /// is over already changes nothing.
    ///
    /// # Errors
    /// [`Rejection::AlreadyCompleted`] when it is completed.
    pub fn revoke<'a>(&'a self, by: &'a Principal, id: EnrollmentId) -> Answer<'a, ()> {
        operation("administrator.revoke", async move {
            self.audited(by, "revoke_enrollment", key(id), self.try_revoke(by, id)).await
        })
    }

    async fn try_start(&self, by: &Principal, user: UserId, start: &StartEnrollment) -> Result<Issued, Failure> {
        demand_permission(by, Some(user), start)?;
        self.demand_validity(start)?;
        demand_wording(by, start.wording.as_ref(), start.delivery)?;
        for _ in 0..TURNS {
            let world = self.service.world_of(user, by.user, &[]).await?.ok_or(Rejection::NotFound { what: "user" })?;
            by.demand_rank(world.user.record.role)?;
            self.demand_delivery(by, start, &world.settings, world.user.record.email.as_ref())?;
            let reaches = world.circumstances(self.service).reachable().next().is_some();
            let accepted = world.circumstances(self.service).accepted_factors();
            demand_startable(&world.user.record, start.purpose, reaches, &accepted)?;
            let mut draft = Draft::new(self.service.now());
            let issued = self.restart(&mut draft, by, &world, start).await?;
            if let Written::Applied = self.write(by, draft).await? {
                return Ok(issued);
            }
        }
        Err(Failure::Busy)
    }

    /// Whether the link can be delivered so, and by this principal. `on_file` is the user's own address.
    pub(super) fn demand_delivery(
        &self,
        by: &Principal,
        start: &StartEnrollment,
        settings: &Settings,
        on_file: Option<&Email>,
    ) -> Result<(), Rejection> {
        if !start.delivery.mails() {
            return Ok(());
        }
        demand_sending(by, start.email.as_ref(), settings)?;
        self.demand_mail()?;
        if start.email.as_ref().or(on_file).is_some() { Ok(()) } else { Err(Rejection::NoEmailAddress) }
    }

    /// Adds a new enrollment to a draft in place of the open one, if any.
    ///
    /// The user's row moves with it. Holding it would not do: a change that disables the user, and has looked for their
    /// open enrollments before this one came, would then miss it.
    pub(super) async fn restart(
        &self,
        draft: &mut Draft,
        by: &Principal,
        world: &World,
        start: &StartEnrollment,
    ) -> Result<Issued, Failure> {
        let user = &world.user.record;
        draft.ops.push(world.user.put(user));
        self.service.audit(draft, doer(by), world.user.key(), world.user.version, Event::EnrollmentIssued);
        if let Some(open) = self.open_enrollment(user, start.purpose).await? {
            self.close(draft, by, &open, Closure::Restarted).await?;
        }
        let issued = self.issue(draft, by, user, &world.settings, start)?;
        self.tell_of_start(draft, user, start, &issued)?;
        Ok(issued)
    }

    /// Whoever can sign in already hears by mail that somebody started an enrollment for them (ADM-7). The invitation
    /// itself tells them, when it goes to their own address.
    fn tell_of_start(
        &self,
        draft: &mut Draft,
        user: &User,
        start: &StartEnrollment,
        issued: &Issued,
    ) -> Result<(), Failure> {
        let hears_anyway = start.delivery.mails() && start.email.is_none();
        if !self.service.can_mail() || !user.is_enrolled() || user.email.is_none() || hears_anyway {
            return Ok(());
        }
        let post = Post {
            id: OutboxId::new(draft.now, self.service.entropy()),
            letter: Letter::Started { purpose: start.purpose },
            user: Some(user.id),
            enrollment: Some(issued.id),
            to: Addressee::CurrentAddressOf(user.id),
            due: None,
        };
        self.service.post(draft, post)
    }

    async fn rotate_now(
        &self,
        by: &Principal,
        id: EnrollmentId,
        send: bool,
        wording: Option<&Wording>,
    ) -> Result<Issued, Failure> {
        let issued = self.try_rotate(by, id, send, wording, |_| true).await?;
        issued.ok_or_else(|| Failure::Broken("a rotation that nobody wanted".into()))
    }

    /// `None`, and nothing happens, when the enrollment as it stands then is not one that is `wanted`.
    pub(super) async fn try_rotate(
        &self,
        by: &Principal,
        id: EnrollmentId,
        send: bool,
        wording: Option<&Wording>,
        wanted: impl Fn(&Enrollment) -> bool + Send + Sync,
    ) -> Result<Option<Issued>, Failure> {
        by.demand(Permission::StartEnrollment)?;
        demand_wording(by, wording, Delivery::Email)?;
        for _ in 0..TURNS {
            let (stored, world) = self.enrollment_of(by, id).await?;
            let enrollment = &stored.record;
            if !wanted(enrollment) {
                return Ok(None);
            }
            if enrollment.generation >= MOST_GENERATIONS {
                let reason = format!("at most {MOST_GENERATIONS} links; start a new enrollment instead");
                return Err(Rejection::InvalidField { field: "generation", reason }.into());
            }
            let mut draft = Draft::new(self.service.now());
            let Minted { token, seed } = self.mint(enrollment.purpose, id, enrollment.generation + 1)?;
            let expires = draft.now.plus(enrollment.terms.validity.duration());
            let rotation = Rotation { token: token.digest(), seed, expires };
            let Decision::Changed(mut changed) = decide(enrollment, Command::Rotate(rotation), draft.now)? else {
                return Err(Failure::Broken("a rotation that changes nothing".into()));
            };
            if send {
                let to = self.resend_address(by, enrollment, &world.user.record, &world.settings)?;
                let mail = OutboxId::new(draft.now, self.service.entropy());
                changed.next.sending = sent_again(enrollment, mail, wording);
                self.post_invitation(&mut draft, &changed.next, mail, to)?;
            }
            let issued = self.issued(&world.settings, &changed.next, token);
            draft.ops.push(world.user.check());
            self.add_changed(&mut draft, by, &stored, *changed).await?;
            if let Written::Applied = self.write(by, draft).await? {
                return Ok(Some(issued));
            }
        }
        Err(Failure::Busy)
    }

    async fn try_revoke(&self, by: &Principal, id: EnrollmentId) -> Result<(), Failure> {
        by.demand(Permission::RevokeEnrollment)?;
        for _ in 0..TURNS {
            let stored = self.closable(by, id).await?;
            let mut draft = Draft::new(self.service.now());
            if !self.close(&mut draft, by, &stored, Closure::Revoked).await? {
                return Ok(());
            }
            if let Written::Applied = self.write(by, draft).await? {
                return Ok(());
            }
        }
        Err(Failure::Busy)
    }

    /// An enrollment that the principal may end: a machine's too.
    async fn closable(&self, by: &Principal, id: EnrollmentId) -> Result<Stored<Enrollment>, Failure> {
        let stored = self.service.read::<Enrollment>(id.uuid()).await?;
        match stored.filter(|stored| stored.record.user().is_none()) {
            Some(stored) => {
                by.demand(Permission::ManageMachines)?;
                Ok(stored)
            }
            None => Ok(self.enrollment_of(by, id).await?.0),
        }
    }

    /// An enrollment and the world of its user, whom the principal may act upon.
    pub(super) async fn enrollment_of(
        &self,
        by: &Principal,
        id: EnrollmentId,
    ) -> Result<(Stored<Enrollment>, World), Failure> {
        let stored = self.service.read::<Enrollment>(id.uuid()).await?;
        let gone = Rejection::NotFound { what: "enrollment" };
        let stored = stored.ok_or_else(|| gone.clone())?;
        let world = self.service.world(&stored.record, &[], gone).await?;
        by.demand_rank(world.user.record.role)?;
        Ok((stored, world))
    }
}

pub(super) const fn key(id: EnrollmentId) -> RowKey {
    RowKey::new(Kind::Enrollment, id.uuid())
}

/// Whether the principal may ask for this at all. `user` is `None` for one who does not exist yet.
pub(super) fn demand_permission(
    by: &Principal,
    user: Option<UserId>,
    start: &StartEnrollment,
) -> Result<(), Rejection> {
    // Whoever signed in adds their own devices (INV-9). A program that acts for them does not.
    let own_device = start.purpose == Purpose::Device && user.is_some_and(|user| by.actor == Actor::User(user));
    match start.delivery {
        Delivery::Manual | Delivery::Both if own_device => Ok(()),
        Delivery::Manual | Delivery::Both => by.demand(Permission::StartEnrollment),
        Delivery::Email => by.demand(Permission::SendEnrollment),
    }
}

/// Whether the principal may have a link sent to this address; `None`: the one on file.
///
/// Who may send without seeing the token sends only where the settings allow it, and to the address on file.
pub(super) fn demand_sending(by: &Principal, address: Option<&Email>, settings: &Settings) -> Result<(), Rejection> {
    let may_send = by.demand(Permission::StartEnrollment).is_ok() || (settings.help_desk_may_send && address.is_none());
    if may_send { Ok(()) } else { Err(Rejection::Forbidden) }
}

/// Whether an enrollment for this purpose makes sense for the user (INV-6, INV-9).
///
/// `accepted`: the kinds of factor that count for them. Who has none of those needs another, whatever else they have; and
/// whoever has a role needs an app.
pub(super) fn demand_startable(
    user: &User,
    purpose: Purpose,
    reaches_a_location: bool,
    accepted: &BTreeSet<FactorKind>,
) -> Result<(), Rejection> {
    if !user.is_active() {
        return Err(Rejection::UserDisabled);
    }
    match purpose {
        Purpose::NetworkDevice => Err(Rejection::ForMachine),
        Purpose::Onboarding if user.is_enrolled() => Err(Rejection::AlreadyEnrolled),
        Purpose::Device if !user.is_enrolled() => Err(Rejection::NotEnrolled),
        Purpose::Device if !reaches_a_location => Err(Rejection::NoLocation),
        Purpose::Factor if user.credentials.password.is_none() => Err(Rejection::FactorNotApplicable),
        Purpose::Factor if !user.lacks_app() && !user.credentials.factors().is_disjoint(accepted) => {
            Err(Rejection::FactorNotApplicable)
        }
        Purpose::Onboarding | Purpose::Device | Purpose::Factor => Ok(()),
    }
}
