//! The first Owner, who is enrolled through the product itself (ADM-11).

use super::owners::Owners;
use super::{Administrator, Delivery, Issued, NewUser, StartEnrollment};
use crate::domain::contact::Email;
use crate::domain::enrollment::Purpose;
use crate::domain::rejection::Rejection;
use crate::domain::role::{Permission, Role};
use crate::domain::settings::Settings;
use crate::domain::text::PersonName;
use crate::domain::username::Username;
use crate::id::UserId;
use crate::record::{Stored, UniqueKey, UniqueName};
use crate::service::turn::{Draft, INSTANCE, TURNS, Written};
use crate::service::{Answer, Failure, Principal, operation};
use crate::time::Timestamp;

/// Who the first Owner shall be. Only what matters when there is none yet.
#[derive(Debug, Clone, Default)]
pub struct FirstOwner {
    /// Their username; `owner` when nobody chose, or the first free one of `owner-2`, `owner-3` and so on.
    pub username: Option<Username>,
    /// Where mail goes.
    pub email: Option<Email>,
}

/// What there is of the first Owner's link.
#[derive(Debug)]
pub enum OwnerLink {
    /// It opens something: here it is.
    Open(Box<Issued>),
    /// It opens nothing any more, and somebody whom it let in is still enrolling: until this instant no other is made,
    /// which would end what they do.
    Enrolling {
        /// When their session is over.
        until: Timestamp,
    },
    /// There is none: an active Owner is enrolled.
    Enrolled,
}

impl OwnerLink {
    /// The invitation, if it opens something.
    #[must_use]
    pub fn issued(self) -> Option<Issued> {
        match self {
            Self::Open(issued) => Some(*issued),
            Self::Enrolling { .. } | Self::Enrolled => None,
        }
    }
}

const DEFAULT_USERNAME: &str = "owner";

const ONBOARDING: StartEnrollment = StartEnrollment {
    purpose: Purpose::Onboarding,
    delivery: Delivery::Manual,
    email: None,
    validity: None,
    wording: None,
};

impl Administrator<'_> {
    /// The invitation of the first Owner: the same as long as it opens something, a new one once that and every session
    /// begun with it are over, and none once an active Owner is enrolled. Where there is no Owner to be enrolled, one is
    /// made; however many processes start at once, they make one.
    ///
    /// # Errors
    /// [`Rejection::UsernameTaken`] when somebody else has the username that was chosen.
    pub fn owner_link<'a>(&'a self, by: &'a Principal, first: FirstOwner) -> Answer<'a, OwnerLink> {
        operation("administrator.owner_link", async move {
            self.audited(by, "owner_link", INSTANCE, self.try_owner_link(by, &first)).await
        })
    }

    async fn try_owner_link(&self, by: &Principal, first: &FirstOwner) -> Result<OwnerLink, Failure> {
        by.demand(Permission::ManageAdministrators)?;
        for _ in 0..TURNS {
            let owners = self.owners().await?;
            if owners.any_is_enrolled() {
                return Ok(OwnerLink::Enrolled);
            }
            let link = match owners.waiting(|owner| Some(&owner.username) == first.username.as_ref()) {
                Some(owner) => self.link_of(by, owner).await?,
                None => self.make_owner(by, first, &owners).await?,
            };
            if let Some(link) = link {
                return Ok(link);
            }
        }
        Err(Failure::Busy)
    }

    /// The link of an Owner who waits; `None` when others were faster.
    async fn link_of(&self, by: &Principal, owner: UserId) -> Result<Option<OwnerLink>, Failure> {
        let Some(world) = self.service.world_of(owner, None, &[]).await? else { return Ok(None) };
        let user = &world.user.record;
        if !user.is_active() || user.is_enrolled() {
            return Ok(None);
        }
        let now = self.service.now();
        if let Some(Stored { record: open, .. }) = self.open_enrollment(user, Purpose::Onboarding).await? {
            if let Some(issued) = self.again(&world.settings, &open, now)? {
                return Ok(Some(OwnerLink::Open(Box::new(issued))));
            }
            // A session of a revoked key opens nothing either.
            let session = open.session().filter(|_| !self.service.is_of_a_revoked_key(&open));
            if let Some(session) = session.filter(|session| now < session.deadline) {
                return Ok(Some(OwnerLink::Enrolling { until: session.deadline }));
            }
        }
        let mut draft = Draft::new(now);
        let issued = self.restart(&mut draft, by, &world, &ONBOARDING).await?;
        match self.write(by, draft).await? {
            Written::Applied => Ok(Some(OwnerLink::Open(Box::new(issued)))),
            Written::Stale | Written::Taken(_) | Written::LeaseLost => Ok(None),
        }
    }

    /// A new Owner and their link, in one change that holds only while `owners` are all there are; `None` when others were
    /// faster.
    async fn make_owner(
        &self,
        by: &Principal,
        first: &FirstOwner,
        owners: &Owners,
    ) -> Result<Option<OwnerLink>, Failure> {
        let row = self.service.store().get(&[Settings::KEY]).await?.pop().flatten();
        let (settings, _) = self.service.settings_of(row)?;
        let unnamed: PersonName = "".parse().map_err(|error| Failure::Broken(Box::new(error)))?;
        let username = match &first.username {
            Some(username) => username.clone(),
            None => self.free_owner_name().await?,
        };
        let new = NewUser {
            username,
            first_name: unnamed.clone(),
            last_name: unnamed,
            email: first.email.clone(),
            phone: None,
            groups: std::collections::BTreeSet::new(),
            role: Some(Role::Owner),
            enrollment: None,
        };
        let mut draft = Draft::new(self.service.now());
        let user = self.new_user(&draft, &new);
        let issued = self.issue(&mut draft, by, &user, &settings, &ONBOARDING)?;
        draft.ops.push(owners.with(&user));
        self.add_user(&mut draft, by, &user);
        match self.write(by, draft).await? {
            Written::Applied => Ok(Some(OwnerLink::Open(Box::new(issued)))),
            Written::Taken(key) if key.name == UniqueName::Username && first.username.is_some() => {
                Err(Rejection::UsernameTaken.into())
            }
            Written::Stale | Written::Taken(_) | Written::LeaseLost => Ok(None),
        }
    }

    /// The first free one of `owner`, `owner-2`, `owner-3` and so on: a server starts, whoever has the name.
    async fn free_owner_name(&self) -> Result<Username, Failure> {
        let mut nth = 1_u32;
        loop {
            let text = if nth == 1 { DEFAULT_USERNAME.to_owned() } else { format!("{DEFAULT_USERNAME}-{nth}") };
            let username: Username = text.parse().map_err(|error| Failure::Broken(Box::new(error)))?;
            let key = UniqueKey::new(UniqueName::Username, username.as_str());
            if self.service.store().find(&key).await?.is_none() {
                return Ok(username);
            }
            nth += 1;
        }
    }
}
