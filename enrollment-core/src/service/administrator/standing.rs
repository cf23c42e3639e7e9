//! Whether whoever was let in still is, at the instant of the change.

use super::Administrator;
use super::api_keys::role_in_force;
use crate::domain::api_key::ApiKey;
use crate::domain::audit::Actor;
use crate::domain::rejection::Rejection;
use crate::domain::user::User;
use crate::id::{ApiKeyId, UserId};
use crate::port::Op;
use crate::record::{Kind, RowKey, Stored};
use crate::service::turn::{Draft, Written};
use crate::service::{Failure, Principal};

impl Administrator<'_> {
    /// Commits a draft of this principal. It takes effect only while what let them in stands: between the request's first
    /// byte and its last somebody may have disabled them, taken their role or revoked their key (AUTH-4).
    ///
    /// # Errors
    /// [`Rejection::NotSignedIn`] and [`Rejection::Unauthorized`] when it stands no more.
    pub(super) async fn write(&self, by: &Principal, mut draft: Draft) -> Result<Written, Failure> {
        let standing = match (by.actor, by.epoch) {
            (Actor::ApiKey(key), _) => self.key_stands(key, by).await?,
            (Actor::User(user), Some(epoch)) => vec![self.session_stands(user, epoch, by).await?],
            _ => Vec::new(),
        };
        // What the draft holds by itself was read earlier, so it is no less strict.
        standing.into_iter().for_each(|check| draft.hold(check));
        self.service.write(draft).await
    }

    async fn session_stands(&self, user: UserId, epoch: u32, by: &Principal) -> Result<Op, Failure> {
        let user = self.service.read::<User>(user.uuid()).await?.ok_or(Rejection::NotSignedIn)?;
        let User { role, ref sign_ins, .. } = user.record;
        if user.record.is_active() && role == by.role && sign_ins.epoch == epoch {
            Ok(user.check())
        } else {
            Err(Rejection::NotSignedIn.into())
        }
    }

    async fn key_stands(&self, key: ApiKeyId, by: &Principal) -> Result<Vec<Op>, Failure> {
        let user = by.user.map(|user| RowKey::new(Kind::User, user.uuid()));
        let keys: Vec<_> = [RowKey::new(Kind::ApiKey, key.uuid())].into_iter().chain(user).collect();
        let mut rows = self.service.store().get(&keys).await?.into_iter();
        let key = rows.next().flatten().ok_or(Rejection::Unauthorized)?;
        let key = Stored::<ApiKey>::read(&key)?;
        let user = rows.next().flatten().as_ref().map(Stored::<User>::read).transpose()?;
        if key.record.user != by.user || role_in_force(&key.record, user.as_ref().map(|user| &user.record)) != by.role {
            return Err(Rejection::Unauthorized.into());
        }
        Ok([key.check()].into_iter().chain(user.map(|user| user.check())).collect())
    }
}

/// Whether this is about whoever asks: then it is no use going on with the next piece of what they asked for.
pub(super) const fn ends_all(rejection: &Rejection) -> bool {
    matches!(rejection, Rejection::NotSignedIn | Rejection::Unauthorized)
}
