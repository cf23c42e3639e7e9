//! Adding users, and reading them.

use std::collections::BTreeSet;

use super::enrollments::{demand_permission, demand_startable};
use super::listing::{self, Listing, PageRequest};
use super::owners::concerns_owners;
use super::wording::demand_wording;
use super::{Administrator, Issued, StartEnrollment, doer};
use crate::domain::contact::{Email, Phone};
use crate::domain::event::Event;
use crate::domain::group::GroupName;
use crate::domain::location::FactorKind;
use crate::domain::rejection::Rejection;
use crate::domain::role::{Permission, Role};
use crate::domain::settings::Settings;
use crate::domain::sign_in::SignIns;
use crate::domain::text::PersonName;
use crate::domain::user::{Credentials, User, UserStatus};
use crate::domain::username::Username;
use crate::id::{Number, UserId};
use crate::record::{IndexName, Kind, RowKey, Stored, UniqueName, Version, new_row};
use crate::service::turn::{Draft, INSTANCE, TURNS, Written};
use crate::service::{Answer, Failure, Principal, operation};
use crate::time::Timestamp;

/// A user to be added. There is no password: people choose their own (INV-1).
#[derive(Debug, Clone)]
pub struct NewUser {
    /// The name to sign in with; never changes.
    pub username: Username,
    /// First name.
    pub first_name: PersonName,
    /// Last name.
    pub last_name: PersonName,
    /// Where mail goes.
    pub email: Option<Email>,
    /// Where short messages go.
    pub phone: Option<Phone>,
    /// The groups they belong to.
    pub groups: BTreeSet<GroupName>,
    /// The role they have, if they are an administrator.
    pub role: Option<Role>,
    /// An enrollment to start in the same change.
    pub enrollment: Option<StartEnrollment>,
}

/// A user, as administrators see them. No secret of theirs is part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserView {
    /// Which one.
    pub id: UserId,
    /// The same for protocols that speak int64.
    pub number: Number,
    /// The name to sign in with.
    pub username: Username,
    /// First name.
    pub first_name: PersonName,
    /// Last name.
    pub last_name: PersonName,
    /// Where mail goes.
    pub email: Option<Email>,
    /// Where short messages go.
    pub phone: Option<Phone>,
    /// The groups they belong to.
    pub groups: BTreeSet<GroupName>,
    /// The role they have.
    pub role: Option<Role>,
    /// Whether they may do anything.
    pub status: UserStatus,
    /// When their onboarding completed.
    pub enrolled: Option<Timestamp>,
    /// The kinds of second factor that are set up.
    pub factors: BTreeSet<FactorKind>,
    /// When they were added.
    pub created: Timestamp,
}

impl From<&User> for UserView {
    fn from(user: &User) -> Self {
        Self {
            id: user.id,
            number: user.number,
            username: user.username.clone(),
            first_name: user.first_name.clone(),
            last_name: user.last_name.clone(),
            email: user.email.clone(),
            phone: user.phone.clone(),
            groups: user.groups.clone(),
            role: user.role,
            status: user.status,
            enrolled: user.enrolled.map(|enrolled| enrolled.at),
            factors: user.credentials.factors(),
            created: user.created,
        }
    }
}

impl Administrator<'_> {
    /// Adds a user and, if asked, starts their enrollment: both in one change, or neither. Until they complete it, there
    /// is nothing they could sign in with (INV-1).
    ///
    /// # Errors
    /// [`Rejection::UsernameTaken`]; those of [`Administrator::start`]; with a role, [`Rejection::Forbidden`] for
    /// everybody but Owners.
    pub fn create_user<'a>(&'a self, by: &'a Principal, new: NewUser) -> Answer<'a, (UserView, Option<Issued>)> {
        operation("administrator.create_user", async move {
            self.audited(by, "create_user", INSTANCE, self.try_create_user(by, &new)).await
        })
    }

    /// A user.
    ///
    /// # Errors
    /// [`Rejection::NotFound`].
    pub fn user<'a>(&'a self, by: &'a Principal, id: UserId) -> Answer<'a, UserView> {
        operation("administrator.user", async move {
            self.audited(by, "user", RowKey::new(Kind::User, id.uuid()), async {
                by.demand(Permission::ReadUsers)?;
                let stored = self.service.read::<User>(id.uuid()).await?;
                Ok(UserView::from(&stored.ok_or(Rejection::NotFound { what: "user" })?.record))
            })
            .await
        })
    }

    /// Users by username, those whose username begins with `prefix` if one is given.
    ///
    /// # Errors
    /// When cursor or limit do not fit.
    pub fn users<'a>(
        &'a self,
        by: &'a Principal,
        prefix: Option<&'a str>,
        page: &'a PageRequest,
    ) -> Answer<'a, Listing<UserView>> {
        operation("administrator.users", async move {
            self.audited(by, "users", INSTANCE, self.try_users(by, prefix, page)).await
        })
    }

    async fn try_users(
        &self,
        by: &Principal,
        prefix: Option<&str>,
        page: &PageRequest,
    ) -> Result<Listing<UserView>, Failure> {
        by.demand(Permission::ReadUsers)?;
        let mut scan = page.scan(IndexName::UsersByUsername, "")?;
        match prefix.filter(|prefix| !prefix.is_empty()).map(str::parse::<Username>) {
            None => {}
            Some(Ok(prefix)) => listing::beginning_with(&mut scan, prefix.as_str()),
            // No username begins with what is not one.
            Some(Err(_)) => return Ok(Listing { items: Vec::new(), next: None }),
        }
        let page = self.service.store().scan(&scan).await?;
        let mut items = Vec::new();
        for row in &page.rows {
            items.push(UserView::from(&Stored::<User>::read(row)?.record));
        }
        Ok(Listing { items, next: page.next.as_ref().and_then(listing::text) })
    }

    async fn try_create_user(&self, by: &Principal, new: &NewUser) -> Result<(UserView, Option<Issued>), Failure> {
        by.demand(Permission::ManageUsers)?;
        if new.role.is_some() {
            by.demand(Permission::ManageAdministrators)?;
            by.demand_rank(new.role)?;
        }
        if let Some(start) = &new.enrollment {
            demand_permission(by, None, start)?;
            self.demand_validity(start)?;
            demand_wording(by, start.wording.as_ref(), start.delivery)?;
        }
        for _ in 0..TURNS {
            let row = self.service.store().get(&[Settings::KEY]).await?.pop().flatten();
            let (settings, _) = self.service.settings_of(row)?;
            let mut draft = Draft::new(self.service.now());
            let user = self.new_user(&draft, new);
            let issued = match &new.enrollment {
                None => None,
                Some(start) => {
                    self.demand_delivery(by, start, &settings, user.email.as_ref())?;
                    demand_startable(&user, start.purpose, false, &BTreeSet::new())?;
                    Some(self.issue(&mut draft, by, &user, &settings, start)?)
                }
            };
            if concerns_owners(None, &user) {
                draft.ops.push(self.owners().await?.with(&user));
            }
            self.add_user(&mut draft, by, &user);
            match self.write(by, draft).await? {
                Written::Applied => return Ok((UserView::from(&user), issued)),
                Written::Taken(key) if key.name == UniqueName::Username => return Err(Rejection::UsernameTaken.into()),
                Written::Stale | Written::Taken(_) | Written::LeaseLost => {}
            }
        }
        Err(Failure::Busy)
    }

    pub(super) fn new_user(&self, draft: &Draft, new: &NewUser) -> User {
        User {
            id: UserId::new(draft.now, self.service.entropy()),
            number: Number::new(self.service.entropy()),
            username: new.username.clone(),
            first_name: new.first_name.clone(),
            last_name: new.last_name.clone(),
            email: new.email.clone(),
            phone: new.phone.clone(),
            groups: new.groups.clone(),
            role: new.role,
            status: UserStatus::Active,
            enrolled: None,
            credentials: Credentials::default(),
            sign_ins: SignIns::default(),
            created: draft.now,
        }
    }

    /// Adds a new user to a draft. An Owner's draft puts the set of Owners too.
    pub(super) fn add_user(&self, draft: &mut Draft, by: &Principal, user: &User) {
        let row = new_row(user);
        let key = row.key();
        draft.ops.push(row);
        self.service.audit(draft, doer(by), key, Version::FIRST, Event::UserCreated);
    }
}
