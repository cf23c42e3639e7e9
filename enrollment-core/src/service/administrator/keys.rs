//! The keys of the ring: what needs them, and whose links died with one (SYS-10).

use super::listing::{self, Listing, PageRequest};
use super::standing::ends_all;
use super::{Administrator, Delivery};
use crate::domain::enrollment::{Enrollment, Purpose};
use crate::domain::owner::Owner;
use crate::domain::role::Permission;
use crate::domain::text::LocationName;
use crate::domain::token_opens;
use crate::domain::username::Username;
use crate::id::{EnrollmentId, OutboxId};
use crate::record::{IndexName, KeyBook, Resealing, Stored};
use crate::secret::{KeyId, KeyStatus};
use crate::service::keys::{KeyUse, survey};
use crate::service::turn::INSTANCE;
use crate::service::{Answer, Failure, Principal, operation};
use crate::time::Timestamp;

/// The keys, and how far sealing again is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyReport {
    /// Those of the ring in order of making, then those that only records name.
    pub keys: Vec<KeyView>,
    /// What is left of sealing again since the last rotation; `None`: nothing.
    pub resealing: Option<Resealing>,
}

/// A key, as administrators see it. Never the key itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyView {
    /// Which one.
    pub id: KeyId,
    /// What it may do, and when it was made; `None`: the ring does not have it.
    pub known: Option<(KeyStatus, Timestamp)>,
    /// What needs it. A retired or revoked key that nothing needs can be taken out of the ring.
    pub needed_by: KeyUse,
}

/// An enrollment whose link is dead since the key that made it was revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLink {
    /// Which one.
    pub id: EnrollmentId,
    /// For whom, or for which machine.
    pub username: Username,
    /// The location of the machine; `None`: it is for a person.
    pub location: Option<LocationName>,
    /// What for.
    pub purpose: Purpose,
    /// What became of it.
    pub renewed: Renewed,
}

/// Whether the person gets a new link by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renewed {
    /// A new one is on its way by this mail.
    Sent(OutboxId),
    /// No: it is handed over personally. A rotation shows a new one; where it is for a machine, reissuing it does.
    ByHand,
    /// No: it cannot be sent, by the code of the reason.
    Refused(&'static str),
}

impl Administrator<'_> {
    /// Every key with what needs it. Reads every record that names a key, page by page: it takes as long as they are
    /// many, so that it is not for a page that is opened all day.
    ///
    /// # Errors
    /// [`Rejection::Forbidden`](crate::domain::rejection::Rejection::Forbidden).
    pub fn keys<'a>(&'a self, by: &'a Principal) -> Answer<'a, KeyReport> {
        operation("administrator.keys", async move {
            self.audited(by, "keys", INSTANCE, async {
                by.demand(Permission::ManageAdministrators)?;
                let mut uses = survey(&**self.service.store(), self.service.now()).await?.0;
                let ring = self.service.ring();
                let known = ring.keys().map(|(id, status, made)| KeyView {
                    id,
                    known: Some((status, made)),
                    needed_by: uses.remove(&id).unwrap_or_default(),
                });
                let mut keys: Vec<KeyView> = known.collect();
                keys.extend(uses.into_iter().map(|(id, needed_by)| KeyView { id, known: None, needed_by }));
                let book = self.service.read::<KeyBook>(KeyBook::KEY.id).await?;
                Ok(KeyReport { keys, resealing: book.and_then(|book| book.record.resealing) })
            })
            .await
        })
    }

    /// Moves enrollments on whose key was revoked, and lists them: those of one page of the open enrollments, the oldest
    /// first. Whoever got their link by mail gets a new one, under the active key; of the others, and of those to
    /// whom nothing can be sent, the list says so.
    ///
    /// A link is renewed once: the same call again lists only those that are still dead.
    ///
    /// # Errors
    /// When cursor or limit do not fit; [`Rejection::Forbidden`](crate::domain::rejection::Rejection::Forbidden). What
    /// stands against one enrollment stops no other.
    pub fn renew_dead_links<'a>(&'a self, by: &'a Principal, page: &'a PageRequest) -> Answer<'a, Listing<DeadLink>> {
        operation("administrator.renew_dead_links", async move {
            self.audited(by, "renew_dead_links", INSTANCE, async {
                by.demand(Permission::ManageAdministrators)?;
                self.try_renew_dead_links(by, page).await
            })
            .await
        })
    }

    async fn try_renew_dead_links(&self, by: &Principal, page: &PageRequest) -> Result<Listing<DeadLink>, Failure> {
        let page = self.service.store().scan(&page.scan(IndexName::EnrollmentsByCreated, "open")?).await?;
        let mut items = Vec::new();
        for row in &page.rows {
            let enrollment = match Stored::<Enrollment>::read(row) {
                Ok(stored) => stored.record,
                Err(error) => {
                    tracing::error!(%error, row = %row.key, "an enrollment cannot be read: whether its link is dead");
                    continue;
                }
            };
            if !self.has_dead_link(&enrollment) {
                continue;
            }
            let renewed = match enrollment.sending.delivery {
                Delivery::Manual => Renewed::ByHand,
                Delivery::Email | Delivery::Both => match self.renew(by, &enrollment).await? {
                    Some(renewed) => renewed,
                    None => continue,
                },
            };
            let location = match enrollment.subject {
                Owner::User(_) => None,
                Owner::Machine { machine } => match self.service.machine_world(machine, None).await? {
                    Some(world) => Some(world.location.name),
                    // Removed meanwhile, link and all.
                    None => continue,
                },
            };
            items.push(DeadLink {
                id: enrollment.id,
                username: enrollment.username,
                location,
                purpose: enrollment.purpose,
                renewed,
            });
        }
        Ok(Listing { items, next: page.next.as_ref().and_then(listing::text) })
    }

    /// `None`: somebody else has renewed it meanwhile.
    async fn renew(&self, by: &Principal, enrollment: &Enrollment) -> Result<Option<Renewed>, Failure> {
        match self.try_rotate(by, enrollment.id, true, None, |enrollment| self.has_dead_link(enrollment)).await {
            Ok(None) => Ok(None),
            Ok(Some(issued)) => Ok(issued.mail.map(Renewed::Sent)),
            Err(Failure::Rejected(rejection)) if !ends_all(&rejection) => Ok(Some(Renewed::Refused(rejection.code()))),
            Err(failure) => Err(failure),
        }
    }

    /// Whether its link would open something, had its key not been revoked.
    fn has_dead_link(&self, enrollment: &Enrollment) -> bool {
        token_opens(enrollment, self.service.now()).is_ok() && self.service.is_of_a_revoked_key(enrollment)
    }
}
