//! What is shown again, on a page that is loaded anew. Nothing here changes anything (TOK-4).

use super::{Completion, Enrollee, TotpOffer};
use crate::domain::enrollment::Phase;
use crate::domain::rejection::Rejection;
use crate::domain::session_opens;
use crate::domain::text::Label;
use crate::record::TemplateText;
use crate::secret::SessionSecret;
use crate::service::texts::ONBOARDING;
use crate::service::{Answer, Failure, Origin, operation};
use crate::time::Span;

/// What everybody may know who finds the front door.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Welcome {
    /// Whose instance it is.
    pub organization: Label,
    /// The product's name.
    pub product: Label,
    /// Whom to ask for help.
    pub support_contact: Label,
    /// How long a session lasts that begins now.
    pub session_validity: Span,
}

impl Enrollee<'_> {
    /// Whose instance this is. Asks for no token.
    ///
    /// # Errors
    /// When the store does not answer.
    pub fn welcome(&self) -> Answer<'_, Welcome> {
        operation("enrollee.welcome", async move {
            let settings = self.service.settings().await?;
            Ok(Welcome {
                organization: settings.organization,
                product: settings.product,
                support_contact: settings.support_contact,
                session_validity: settings.session_validity,
            })
        })
    }

    /// The TOTP secret that [`Enrollee::offer_totp`] offered and that is not verified yet, if there is one.
    ///
    /// # Errors
    /// When the session is not the one in force, or its time is over.
    pub fn offered_totp<'a>(&'a self, session: &'a SessionSecret, origin: Origin) -> Answer<'a, Option<TotpOffer>> {
        operation("enrollee.offered_totp", async move {
            let open = self.open(session, origin, None).await?;
            let live = session_opens(&open.stored.record, session.digest(), self.service.now())?;
            let offered = live.work.offered_totp.as_ref();
            offered.map(|sealed| self.totp_offer(&open.world, sealed)).transpose()
        })
    }

    /// What [`Enrollee::complete`] answered; `None` while the enrollment is not complete. Until the session's deadline.
    ///
    /// # Errors
    /// When the session is not the one in force, or its time is over; of a completed enrollment that is
    /// [`Rejection::TokenCompleted`], since the link opens nothing more.
    pub fn outcome<'a>(&'a self, session: &'a SessionSecret, origin: Origin) -> Answer<'a, Option<Completion>> {
        operation("enrollee.outcome", async move {
            let found = self.by_session(session.digest(), origin, None).await?;
            let open = self.open_found(found, origin, None, &[TemplateText::key(ONBOARDING)]).await?;
            let phase = &open.stored.record.phase;
            match (self.readable(&open, session.digest(), self.service.now(), None).await, phase) {
                (Ok(()), _) => {}
                (Err(Failure::Rejected(Rejection::SessionExpired)), Phase::Completed(_)) => {
                    return Err(Rejection::TokenCompleted.into());
                }
                (Err(failure), _) => return Err(failure),
            }
            match phase {
                Phase::Completed(_) => self.completed(session, &open).await.map(Some),
                Phase::InSession(_) => Ok(None),
                Phase::Invited | Phase::Closed(_) => Err(Rejection::InvalidSession.into()),
            }
        })
    }
}
