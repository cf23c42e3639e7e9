//! A password that is asked for elsewhere than at a sign-in.

use std::sync::Arc;

use super::SignIn;
use super::begin::Judged;
use super::places::{Counted, Found};
use crate::domain::rejection::Rejection;
use crate::domain::sign_in::{Place, PlaceBy};
use crate::domain::user::User;
use crate::id::UserId;
use crate::record::{Kind, RowKey, Stored};
use crate::secret::{Named, Password};
use crate::service::turn::{Draft, TURNS, Written};
use crate::service::{Failure, Origin};

impl SignIn<'_> {
    /// Whether this is the password of a user. A wrong one is counted before it is answered, together with those of
    /// strangers who try to sign in as them, and is not heard while those are not (AUTH-2): there is no other place to
    /// guess at. A right one resets nothing.
    ///
    /// # Errors
    /// [`Rejection::TooMany`], [`Rejection::SignInStopped`]; `gone` when there is no such user.
    pub(crate) async fn is_password_of(
        &self,
        user: UserId,
        password: &Password,
        origin: Origin,
        operation: &str,
        gone: Rejection,
    ) -> Result<bool, Failure> {
        let id = Named::user(user).strangers();
        let pass = Arc::new(self.service.0.passwords.enter(id.uuid()).await);
        let keys = [RowKey::new(Kind::User, user.uuid()), RowKey::new(Kind::Place, id.uuid())];
        let mut judged: Option<Judged> = None;
        for _ in 0..TURNS {
            let mut rows = self.service.store().get(&keys).await?.into_iter();
            let user = rows.next().flatten().as_ref().map(Stored::<User>::read).transpose()?;
            let place = rows.next().flatten().as_ref().map(Stored::<Place>::read).transpose()?;
            let Some(user) = user else { return Err(gone.into()) };
            let draft = Draft::new(self.service.now());
            let counted = match place {
                Some(place) => place.into(),
                None => Counted::new(Place::new(id, Some(user.record.id), PlaceBy::Nothing, draft.now)),
            };
            if let Err(rejection) = counted.place.password.admit(draft.now) {
                self.count_unheard(Some(&user));
                return Err(rejection.into());
            }
            let hash = user.record.credentials.password.as_ref().map(|password| password.hash.clone());
            let known = match judged.take().filter(|judged| judged.is_against(hash.as_ref())) {
                Some(judged) => judged,
                None => self.judge(password, hash, &pass).await?,
            };
            if known.matches {
                return Ok(true);
            }
            let found = Found { stands: user.check(), user: Some(user), counted };
            if let Written::Applied = self.service.write(self.wrong_password(draft, &found, origin, operation)).await? {
                return Ok(false);
            }
            judged = Some(known);
        }
        Err(Failure::Busy)
    }
}
