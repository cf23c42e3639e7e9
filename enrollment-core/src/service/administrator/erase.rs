//! Erasing users.

use super::owners::concerns_owners;
use super::{Administrator, doer};
use crate::domain::device::Device;
use crate::domain::enrollment::{Closure, Purpose};
use crate::domain::event::Event;
use crate::domain::rejection::Rejection;
use crate::domain::role::{Permission, Role};
use crate::domain::user::User;
use crate::id::UserId;
use crate::record::{IndexName, Kind, RowKey, Stored};
use crate::service::turn::{Draft, TURNS, Written};
use crate::service::{Answer, Failure, Principal, operation};
use crate::worker::{ErasureIntent, SETTLED, TraceList};

impl Administrator<'_> {
    /// Erases a user. In one change their record goes, and with it their credentials; their open enrollments end, links
    /// and sessions both; their devices go, and their peers go out of force; their API keys do nothing any more. Their
    /// username is free. The same change commits the intention to remove everything else that tells of them, which
    /// [`Eraser`](crate::worker::Eraser) carries out: enrollments, mails sent and unsent, and the addresses from which
    /// they came in the audit log, which keeps ids and digests and still verifies (SYS-9).
    ///
    /// Enrollments that they started for others go on (INV-7).
    ///
    /// # Errors
    /// [`Rejection::NotFound`], also for one who is erased already; [`Rejection::Outranked`]; [`Rejection::Forbidden`]
    /// for an administrator's record, except to Owners; [`Rejection::LastOwner`].
    pub fn erase_user<'a>(&'a self, by: &'a Principal, id: UserId) -> Answer<'a, ()> {
        operation("administrator.erase_user", async move {
            let about = RowKey::new(Kind::User, id.uuid());
            self.audited(by, "erase_user", about, self.try_erase_user(by, id)).await
        })
    }

    async fn try_erase_user(&self, by: &Principal, id: UserId) -> Result<(), Failure> {
        by.demand(Permission::ManageUsers)?;
        for _ in 0..TURNS {
            let stored = self.service.read::<User>(id.uuid()).await?.ok_or(Rejection::NotFound { what: "user" })?;
            let user = &stored.record;
            by.demand_rank(user.role)?;
            if user.role.is_some() {
                by.demand(Permission::ManageAdministrators)?;
            }
            let mut draft = Draft::new(self.service.now());
            self.leave_owners(&mut draft, user).await?;
            for purpose in Purpose::OF_PEOPLE {
                if let Some(open) = self.open_enrollment(user, purpose).await? {
                    self.close(&mut draft, by, &open, Closure::UserDisabled).await?;
                }
            }
            for device in self.service.all::<Device>(IndexName::DevicesByOwner, id.to_string()).await? {
                // A staged one goes with its enrollment.
                if !draft.writes(device.key()) {
                    self.take_away(&mut draft, by, &device).await?;
                }
            }
            self.remove_record(&mut draft, by, &stored)?;
            if let Written::Applied = self.write(by, draft).await? {
                return Ok(());
            }
        }
        Err(Failure::Busy)
    }

    async fn leave_owners(&self, draft: &mut Draft, user: &User) -> Result<(), Failure> {
        if !concerns_owners(None, user) {
            return Ok(());
        }
        let owners = self.owners().await?;
        if user.is_active() && user.role == Some(Role::Owner) {
            owners.demand_another(user)?;
        }
        draft.ops.push(owners.with(&User { role: None, ..user.clone() }));
        Ok(())
    }

    /// The user's own row, and the intention to forget the rest. Whatever would add to that rest holds or writes the row,
    /// and finds it gone.
    fn remove_record(&self, draft: &mut Draft, by: &Principal, stored: &Stored<User>) -> Result<(), Failure> {
        let user = stored.record.id;
        draft.ops.push(stored.delete());
        self.service.audit(draft, doer(by), stored.key(), stored.version, Event::UserErased);
        let now = draft.now;
        self.service.intend_erasure(draft, &ErasureIntent::User { user }, now)?;
        let traces = ErasureIntent::Traces { user, list: TraceList::FIRST, after: None };
        self.service.intend_erasure(draft, &traces, now.plus(SETTLED))
    }
}
