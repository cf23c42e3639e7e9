//! Looking at a token, which changes nothing.

use super::{Enrollee, traced};
use crate::domain::download::Downloads;
use crate::domain::enrollment::{Enrollment, Phase, Purpose};
use crate::domain::rejection::Rejection;
use crate::domain::settings::{FrontEnd, Settings};
use crate::domain::text::Label;
use crate::domain::token_opens;
use crate::record::{Stored, UniqueKey, UniqueName};
use crate::secret::{KeyError, Token};
use crate::service::{Answer, Failure, operation};
use crate::time::{Span, Timestamp};

/// What everybody with the token may know before they begin: nothing about people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// What it is for.
    pub purpose: Purpose,
    /// Whose instance it is.
    pub organization: Label,
    /// The product's name.
    pub product: Label,
    /// Where the instance is reached.
    pub instance_url: String,
    /// Whom to ask for help.
    pub support_contact: Label,
    /// The first instant at which the token opens nothing.
    pub expires_at: Timestamp,
    /// Which front end it leads to.
    pub front_end: FrontEnd,
    /// Where people get the client.
    pub downloads: Downloads,
    /// How long a session lasts from its own start (TOK-1).
    pub session_validity: Span,
}

impl Enrollee<'_> {
    /// Tells what a token is for, and changes nothing: however often a mail scanner looks, the token stays as it is
    /// (TOK-4).
    ///
    /// # Errors
    /// [`Rejection::InvalidToken`] for a token that never was; what became of it for one that was (TOK-7).
    pub fn look<'a>(&'a self, token: &'a Token) -> Answer<'a, Look> {
        operation("enrollee.look", self.try_look(token))
    }

    async fn try_look(&self, token: &Token) -> Result<Look, Failure> {
        let enrollment = match self.by_token(token).await? {
            Known::Current(stored) => stored.record,
            Known::Past(_, rejection) => return Err(rejection.into()),
        };
        token_opens(&enrollment, self.service.now())?;
        let row = self.service.store().get(&[Settings::KEY]).await?.pop().flatten();
        let (settings, _) = self.service.settings_of(row)?;
        Ok(Look {
            purpose: enrollment.purpose,
            organization: settings.organization,
            product: settings.product,
            instance_url: self.service.instance().url.clone(),
            support_contact: settings.support_contact,
            expires_at: enrollment.expires,
            front_end: settings.front_end.for_purpose(enrollment.purpose),
            downloads: settings.downloads,
            session_validity: enrollment.terms.session,
        })
    }

    /// What a token is. Whoever holds none that ever was hears one answer after the same two reads.
    pub(super) async fn by_token(&self, token: &Token) -> Result<Known, Failure> {
        let digest = token.digest();
        if let Some(current) =
            self.service.find::<Enrollment>(&UniqueKey::new(UniqueName::Token, digest)).await?.map(traced)
        {
            if self.service.is_of_a_revoked_key(&current.record) {
                return Ok(Known::Past(current, Rejection::TokenRevoked));
            }
            // Without its key nobody can say whether it was revoked. Where it opens nothing, nobody needs to.
            if let Some(seed) = &current.record.seed
                && self.service.ring().status(&seed.key).is_none()
                && token_opens(&current.record, self.service.now()).is_ok()
            {
                return self.service.keyed(Err(KeyError::Missing(seed.key)));
            }
            return Ok(Known::Current(current));
        }
        let past = self.service.find::<Enrollment>(&UniqueKey::new(UniqueName::PastToken, digest)).await?.map(traced);
        let Some(past) = past else { return Err(Rejection::InvalidToken.into()) };
        let rejection = match &past.record.phase {
            Phase::Completed(_) => Rejection::TokenCompleted,
            Phase::Closed(closed) => closed.why.rejection(),
            Phase::Invited | Phase::InSession(_) => Rejection::TokenSuperseded,
        };
        Ok(Known::Past(past, rejection))
    }
}

/// A token that is, or was, an enrollment's.
pub(super) enum Known {
    /// Of the present generation.
    Current(Stored<Enrollment>),
    /// Of an earlier one, or made with a key that was revoked since; with what its holder is told.
    Past(Stored<Enrollment>, Rejection),
}
