//! API keys: how programs act as administrators.

use super::{Administrator, doer};
use crate::domain::api_key::ApiKey;
use crate::domain::audit::Actor;
use crate::domain::event::Event;
use crate::domain::rejection::Rejection;
use crate::domain::role::{Permission, Role};
use crate::domain::text::Label;
use crate::domain::user::User;
use crate::id::{ApiKeyId, UserId};
use crate::record::{IndexName, Kind, RowKey, Stored, UniqueKey, UniqueName, Version, new_row};
use crate::secret::ApiKeySecret;
use crate::service::turn::{Doer, Draft, INSTANCE, TURNS, Written};
use crate::service::{Answer, Failure, Origin, Principal, operation};
use crate::time::Timestamp;

/// A key to be made.
#[derive(Debug, Clone)]
pub struct NewApiKey {
    /// What it is for, for people.
    pub name: Label,
    /// What it may do.
    pub role: Role,
    /// The administrator it acts for: the initiator of what it starts.
    pub user: Option<UserId>,
}

/// A key, as administrators see it. Its secret is shown once, when it is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKeyView {
    /// Which one.
    pub id: ApiKeyId,
    /// What it is for.
    pub name: Label,
    /// What it may do.
    pub role: Role,
    /// The administrator it acts for.
    pub user: Option<UserId>,
    /// When it was made.
    pub created: Timestamp,
    /// When it was revoked.
    pub revoked: Option<Timestamp>,
}

impl From<&ApiKey> for ApiKeyView {
    fn from(key: &ApiKey) -> Self {
        Self {
            id: key.id,
            name: key.name.clone(),
            role: key.role,
            user: key.user,
            created: key.created,
            revoked: key.revoked,
        }
    }
}

impl Administrator<'_> {
    /// Makes a key, and shows its secret this once. A key that acts for a user never may more than they may.
    ///
    /// # Errors
    /// [`Rejection::Forbidden`] for everybody but Owners; [`Rejection::InvalidField`] for a role beyond the user's;
    /// [`Rejection::UserDisabled`].
    pub fn create_api_key<'a>(&'a self, by: &'a Principal, new: NewApiKey) -> Answer<'a, (ApiKeyView, ApiKeySecret)> {
        operation("administrator.create_api_key", async move {
            let about = new.user.map_or(INSTANCE, |user| RowKey::new(Kind::User, user.uuid()));
            self.audited(by, "create_api_key", about, self.try_create_api_key(by, &new)).await
        })
    }

    /// All keys by time of making, revoked ones too.
    ///
    /// # Errors
    /// [`Rejection::Forbidden`] for everybody but Owners.
    pub fn api_keys<'a>(&'a self, by: &'a Principal) -> Answer<'a, Vec<ApiKeyView>> {
        operation("administrator.api_keys", async move {
            self.audited(by, "api_keys", INSTANCE, async {
                by.demand(Permission::ManageAdministrators)?;
                let keys = self.service.all::<ApiKey>(IndexName::ApiKeysByCreated, "").await?;
                Ok(keys.iter().map(|key| ApiKeyView::from(&key.record)).collect())
            })
            .await
        })
    }

    /// Revokes a key, for good. Revoking again changes nothing.
    ///
    /// # Errors
    /// [`Rejection::Forbidden`] for everybody but Owners; [`Rejection::NotFound`].
    pub fn revoke_api_key<'a>(&'a self, by: &'a Principal, id: ApiKeyId) -> Answer<'a, ()> {
        operation("administrator.revoke_api_key", async move {
            let about = RowKey::new(Kind::ApiKey, id.uuid());
            self.audited(by, "revoke_api_key", about, self.try_revoke_api_key(by, id)).await
        })
    }

    /// Whom a key makes of its holder. One that was never made, one that was revoked, and one whose user is disabled
    /// or no longer an administrator are refused alike.
    ///
    /// # Errors
    /// [`Rejection::Unauthorized`].
    pub fn authenticate<'a>(&'a self, secret: &'a ApiKeySecret, origin: Origin) -> Answer<'a, Principal> {
        operation("administrator.authenticate", self.try_authenticate(secret, origin))
    }

    async fn try_authenticate(&self, secret: &ApiKeySecret, origin: Origin) -> Result<Principal, Failure> {
        let by_digest = UniqueKey::new(UniqueName::ApiKeyDigest, secret.digest());
        let Some(stored) = self.service.find::<ApiKey>(&by_digest).await? else {
            return Err(Rejection::Unauthorized.into());
        };
        let key = &stored.record;
        let actor = Actor::ApiKey(key.id);
        let user = match key.user {
            Some(user) => self.service.read::<User>(user.uuid()).await?,
            None => None,
        };
        match role_in_force(key, user.as_ref().map(|user| &user.record)) {
            Some(role) => Ok(Principal { actor, role: Some(role), user: key.user, origin, epoch: None }),
            None => {
                let doer = Doer { actor, origin };
                let rejection = Rejection::Unauthorized;
                Err(self.service.refuse(doer, stored.key(), stored.version, "authenticate", rejection).await)
            }
        }
    }

    async fn try_create_api_key(&self, by: &Principal, new: &NewApiKey) -> Result<(ApiKeyView, ApiKeySecret), Failure> {
        by.demand(Permission::ManageAdministrators)?;
        by.demand_rank(Some(new.role))?;
        for _ in 0..TURNS {
            let mut draft = Draft::new(self.service.now());
            if let Some(user) = new.user {
                let user = self.service.read::<User>(user.uuid()).await?.ok_or(Rejection::NotFound { what: "user" })?;
                demand_fitting(by, &user.record, new.role)?;
                draft.ops.push(user.check());
            }
            let secret = ApiKeySecret::random(self.service.entropy());
            let key = ApiKey {
                id: ApiKeyId::new(draft.now, self.service.entropy()),
                name: new.name.clone(),
                digest: secret.digest(),
                role: new.role,
                user: new.user,
                created: draft.now,
                revoked: None,
            };
            let row = new_row(&key);
            let subject = row.key();
            draft.ops.push(row);
            self.service.audit(&mut draft, doer(by), subject, Version::FIRST, Event::ApiKeyCreated);
            if let Written::Applied = self.write(by, draft).await? {
                return Ok((ApiKeyView::from(&key), secret));
            }
        }
        Err(Failure::Busy)
    }

    async fn try_revoke_api_key(&self, by: &Principal, id: ApiKeyId) -> Result<(), Failure> {
        by.demand(Permission::ManageAdministrators)?;
        for _ in 0..TURNS {
            let stored: Stored<ApiKey> =
                self.service.read(id.uuid()).await?.ok_or(Rejection::NotFound { what: "API key" })?;
            by.demand_rank(Some(stored.record.role))?;
            if stored.record.revoked.is_some() {
                return Ok(());
            }
            let mut draft = Draft::new(self.service.now());
            draft.ops.push(stored.put(&ApiKey { revoked: Some(draft.now), ..stored.record.clone() }));
            self.service.audit(&mut draft, doer(by), stored.key(), stored.version, Event::ApiKeyRevoked);
            if let Written::Applied = self.write(by, draft).await? {
                return Ok(());
            }
        }
        Err(Failure::Busy)
    }
}

/// What a key may do, given its user as they are now; `None` for nothing.
pub(super) fn role_in_force(key: &ApiKey, user: Option<&User>) -> Option<Role> {
    match (key.revoked, key.user) {
        (Some(_), _) => None,
        (None, None) => Some(key.role),
        (None, Some(_)) => {
            let role = user.filter(|user| user.is_active()).and_then(|user| user.role);
            role.and_then(|role| lower(key.role, role))
        }
    }
}

/// Whether a key of this role may act for the user.
fn demand_fitting(by: &Principal, user: &User, role: Role) -> Result<(), Rejection> {
    by.demand_rank(user.role)?;
    if !user.is_active() {
        return Err(Rejection::UserDisabled);
    }
    if user.role.is_some_and(|of| is_within(role, of)) {
        Ok(())
    } else {
        Err(Rejection::InvalidField { field: "role", reason: "a key may no more than the user it acts for".to_owned() })
    }
}

/// Whether `role` may nothing that `of` may not, to nobody that `of` may not.
fn is_within(role: Role, of: Role) -> bool {
    !of.is_outranked_by(Some(role)) && Permission::ALL.into_iter().all(|what| of.may(what) || !role.may(what))
}

/// Of two roles the one that lies within the other.
fn lower(one: Role, other: Role) -> Option<Role> {
    if is_within(one, other) {
        Some(one)
    } else if is_within(other, one) {
        Some(other)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_roles_only_what_both_may_is_left() {
        for one in Role::ALL {
            for other in Role::ALL {
                let Some(both) = lower(one, other) else { continue };
                assert_eq!(Some(both), lower(other, one));
                for what in Permission::ALL {
                    assert!(!both.may(what) || (one.may(what) && other.may(what)), "{one} {other} {what:?}");
                }
            }
        }
        assert_eq!(lower(Role::Owner, Role::UserManager), Some(Role::UserManager));
        assert_eq!(lower(Role::HelpDesk, Role::ApplicationManager), None, "neither may all that the other may");
    }
}
