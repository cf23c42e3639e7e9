//! What administrators do to sign in, and with their own account once they have.
//!
//! Two steps: the password, then the second factor. Whoever fails the first is told nothing, whatever it was that
//! failed: a name that nobody has, one who is disabled, not an administrator or not enrolled, and a wrong password are
//! read, hashed, counted and answered alike (AUTH-1). Only a right password hears of the factor, opens nothing, and is
//! audited.

mod account;
mod begin;
mod elsewhere;
mod factor;
mod places;
mod reauthenticate;
mod sessions;

pub use account::{AccountView, NewRecoveryCodes};
pub use begin::{SignInRequest, SignInStep};
pub use factor::FactorAnswer;
pub use reauthenticate::Proof;
pub use sessions::{AdminSessionView, SignedIn};

use super::turn::{Doer, Draft, INSTANCE};
use super::{Origin, Service};
use crate::domain::audit::Actor;
use crate::domain::event::Event;
use crate::domain::rejection::Rejection;
use crate::domain::user::User;
use crate::record::{Stored, Version};
use crate::secret::{AdminSessionSecret, BrowserSecret};

/// What the audit log calls it.
const OPERATION: &str = "sign_in";

/// What administrators do to sign in, and with their own account.
#[derive(Debug, Clone, Copy)]
pub struct SignIn<'a> {
    service: &'a Service,
}

/// A session that has just begun. Its secrets are shown here only.
#[derive(Debug)]
pub struct Opened {
    /// What opens it.
    pub session: AdminSessionSecret,
    /// What the browser is known by from now on; `None`: it keeps what it has.
    pub browser: Option<BrowserSecret>,
}

impl<'a> SignIn<'a> {
    pub(crate) const fn new(service: &'a Service) -> Self {
        Self { service }
    }

    /// Adds an audit entry of a wrong answer to the change that counts it, as far as this minute's bound allows. Wrong
    /// answers to names that nobody has are the instance's, and share one bound.
    fn log_refusal(&self, draft: &mut Draft, user: Option<&Stored<User>>, origin: Origin, operation: &str) {
        let doer = visitor(origin);
        let (subject, version) = user.map_or((INSTANCE, Version(0)), |user| (user.key(), user.version));
        let admitted = self.service.0.refusals.admit(doer.actor, subject, draft.now);
        if let Some(count) = admitted.counted {
            self.service.audit(draft, doer, subject, version, Event::RefusalsCounted { count });
        }
        if admitted.write {
            let code = Rejection::SignInRefused.code().to_owned();
            let event = Event::Refused { operation: operation.to_owned(), code };
            self.service.audit(draft, doer, subject, version, event);
        }
    }

    /// Counts an answer that was not heard; how many there were is written later. A write now would let whoever guesses
    /// keep the database busy.
    fn count_unheard(&self, user: Option<&Stored<User>>) {
        let subject = user.map_or(INSTANCE, Stored::key);
        self.service.0.refusals.count(Actor::Visitor, subject, self.service.now());
    }
}

const fn visitor(origin: Origin) -> Doer {
    Doer { actor: Actor::Visitor, origin }
}
