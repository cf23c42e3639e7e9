//! "This wasn't me" (TOK-10).

use super::Enrollee;
use super::look::Known;
use crate::domain::audit::Actor;
use crate::domain::command::{Command, Decision};
use crate::domain::decide;
use crate::domain::enrollment::Closure;
use crate::domain::rejection::Rejection;
use crate::secret::Token;
use crate::service::turn::{Doer, Draft, TURNS, Written};
use crate::service::{Answer, Failure, Origin, operation};

impl Enrollee<'_> {
    /// Revokes the enrollment of a token whose holder says that it was not meant for them, and tells the initiator. The
    /// token itself is what shows that they hold the invitation, so nothing more is kept for it. What is over already
    /// stays as it is.
    ///
    /// Looking is not reporting: only this call, made by a person, changes anything (TOK-4).
    ///
    /// # Errors
    /// [`Rejection::InvalidToken`] for a token that never was; [`Rejection::TokenCompleted`], and
    /// [`Rejection::TokenSuperseded`] for an earlier generation's.
    pub fn report<'a>(&'a self, token: &'a Token, origin: Origin) -> Answer<'a, ()> {
        operation("enrollee.report", self.try_report(token, origin))
    }

    async fn try_report(&self, token: &Token, origin: Origin) -> Result<(), Failure> {
        const OPERATION: &str = "report";
        for _ in 0..TURNS {
            let stored = match self.by_token(token).await? {
                Known::Current(stored) => stored,
                Known::Past(stored, rejection) => {
                    return Err(self.refuse_known(&stored, origin, Some(OPERATION), rejection).await);
                }
            };
            let mut draft = Draft::new(self.service.now());
            match decide(&stored.record, Command::Close(Closure::Reported), draft.now) {
                Err(_) => {
                    return Err(self.refuse_known(&stored, origin, Some(OPERATION), Rejection::TokenCompleted).await);
                }
                Ok(Decision::Unchanged(_)) => return Ok(()),
                Ok(Decision::Changed(changed)) => {
                    let doer = Doer { actor: Actor::Enrollee(stored.record.id), origin };
                    self.service.add_changed(&mut draft, doer, &stored, None, *changed).await?;
                }
            }
            if let Written::Applied = self.service.write(draft).await? {
                return Ok(());
            }
        }
        Err(Failure::Busy)
    }
}
