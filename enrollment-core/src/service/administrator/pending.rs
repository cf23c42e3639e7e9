//! Reading enrollments: the pending list and its neighbors (ADM-3). Never a token.

use std::collections::HashMap;

use uuid::Uuid;

use super::listing::{self, Listing, PageRequest};
use super::{Administrator, Delivery};
use crate::domain::contact::Email;
use crate::domain::enrollment::{Closure, Enrollment, Phase, Purpose, Refusal};
use crate::domain::mail::{Mail, MailState};
use crate::domain::owner::Owner;
use crate::domain::rejection::Rejection;
use crate::domain::role::Permission;
use crate::domain::text::PersonName;
use crate::domain::user::User;
use crate::domain::username::Username;
use crate::id::{EnrollmentId, MachineId, UserId};
use crate::port::Direction;
use crate::record::{IndexName, Kind, RowKey, Stored};
use crate::service::turn::INSTANCE;
use crate::service::{Answer, Failure, Principal, operation};
use crate::time::Timestamp;

/// Which enrollments.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EnrollmentFilter {
    /// Where they stand.
    pub standing: Standing,
    /// How the name of their user or machine begins. The list is then ordered by name, otherwise the latest comes first.
    pub prefix: Option<String>,
}

/// Which of the three lists an enrollment is in. Expired ones stay among the open: they can be renewed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Standing {
    /// Neither completed nor closed.
    #[default]
    Open,
    /// Completed.
    Completed,
    /// Ended without completion.
    Closed,
}

impl Standing {
    /// The stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Completed => "completed",
            Self::Closed => "closed",
        }
    }
}

/// An enrollment, as administrators see it. No secret is part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnrollmentView {
    /// Which one.
    pub id: EnrollmentId,
    /// For whom.
    pub whose: WhoseView,
    /// Their address on file; a machine has none.
    pub email: Option<Email>,
    /// What it is for.
    pub purpose: Purpose,
    /// When it was issued.
    pub created: Timestamp,
    /// The first instant at which its token opens nothing.
    pub expires_at: Timestamp,
    /// Whether that instant has come, for one that is still open.
    pub expired: bool,
    /// How many more sessions its token opens after the present one; none when it is over. A link that has none left
    /// needs a new one once its session is over, though it has not expired.
    pub sessions_left: u32,
    /// How far it is.
    pub progress: Progress,
    /// How often a new holder of the token took the session over (TOK-5).
    pub takeovers: u32,
    /// Wrong codes so far.
    pub wrong_codes: u32,
    /// Why the last completion was refused (REQ-10).
    pub last_refusal: Option<Refusal>,
    /// How the link gets to the person.
    pub delivery: Delivery,
    /// How far the latest mail with the link is; `None`: none was ever asked for, so that sending it is not sending it
    /// again (ADM-4).
    pub mail: Option<MailState>,
    /// The administrator who started it, if a person did.
    pub initiator: Option<UserId>,
}

/// Whom an enrollment is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WhoseView {
    /// A person.
    Person(SubjectView),
    /// A machine.
    Machine {
        /// Which one; it may be gone.
        id: MachineId,
        /// Its name.
        name: Username,
    },
}

impl EnrollmentView {
    /// The person it is for, if it is not for a machine.
    #[must_use]
    pub const fn person(&self) -> Option<&SubjectView> {
        match &self.whose {
            WhoseView::Person(person) => Some(person),
            WhoseView::Machine { .. } => None,
        }
    }
}

/// The person an enrollment is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubjectView {
    /// Which user.
    pub id: UserId,
    /// Their username.
    pub username: Username,
    /// First name.
    pub first_name: PersonName,
    /// Last name.
    pub last_name: PersonName,
}

/// How far an enrollment is, as far as its record shows: what its present holder has done, or what came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Where it stands.
    pub stage: Stage,
    /// The profile is confirmed.
    pub profile: bool,
    /// A password is chosen.
    pub password: bool,
    /// A factor is verified.
    pub mfa: bool,
    /// A device is added.
    pub device: bool,
}

/// Where an enrollment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Nobody has begun.
    Invited,
    /// Somebody has begun.
    InSession,
    /// Done.
    Completed {
        /// When.
        at: Timestamp,
    },
    /// Over without completion.
    Closed {
        /// When.
        at: Timestamp,
        /// Why.
        why: Closure,
    },
}

impl Stage {
    /// The stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Invited => "invited",
            Self::InSession => "in_session",
            Self::Completed { .. } => "completed",
            Self::Closed { .. } => "closed",
        }
    }
}

impl Progress {
    const fn nothing(stage: Stage) -> Self {
        Self { stage, profile: false, password: false, mfa: false, device: false }
    }

    fn of(enrollment: &Enrollment) -> Self {
        match &enrollment.phase {
            Phase::Invited => Self::nothing(Stage::Invited),
            Phase::InSession(session) => Self {
                stage: Stage::InSession,
                profile: session.work.profile.is_some(),
                password: session.work.password.is_some(),
                mfa: session.work.has_factor(),
                device: session.work.device.is_some(),
            },
            Phase::Completed(completed) => Self {
                profile: enrollment.purpose == Purpose::Onboarding,
                password: enrollment.purpose == Purpose::Onboarding,
                mfa: enrollment.purpose == Purpose::Factor,
                device: completed.device.is_some(),
                stage: Stage::Completed { at: completed.at },
            },
            Phase::Closed(closed) => Self::nothing(Stage::Closed { at: closed.at, why: closed.why }),
        }
    }
}

impl Administrator<'_> {
    /// An enrollment.
    ///
    /// # Errors
    /// [`Rejection::NotFound`].
    pub fn enrollment<'a>(&'a self, by: &'a Principal, id: EnrollmentId) -> Answer<'a, EnrollmentView> {
        operation("administrator.enrollment", async move {
            self.audited(by, "enrollment", RowKey::new(Kind::Enrollment, id.uuid()), async {
                by.demand(Permission::ReadUsers)?;
                let stored = self.service.read::<Enrollment>(id.uuid()).await?;
                let stored = stored.ok_or(Rejection::NotFound { what: "enrollment" })?;
                let mut views = self.views(vec![stored.record]).await?;
                views.pop().ok_or_else(|| Failure::Broken("an enrollment's user is gone".into()))
            })
            .await
        })
    }

    /// Enrollments, page by page; a page costs the same however many come before it.
    ///
    /// # Errors
    /// When cursor or limit do not fit.
    pub fn enrollments<'a>(
        &'a self,
        by: &'a Principal,
        filter: &'a EnrollmentFilter,
        page: &'a PageRequest,
    ) -> Answer<'a, Listing<EnrollmentView>> {
        operation("administrator.enrollments", async move {
            self.audited(by, "enrollments", INSTANCE, self.try_enrollments(by, filter, page)).await
        })
    }

    async fn try_enrollments(
        &self,
        by: &Principal,
        filter: &EnrollmentFilter,
        page: &PageRequest,
    ) -> Result<Listing<EnrollmentView>, Failure> {
        by.demand(Permission::ReadUsers)?;
        let within = filter.standing.as_str();
        let scan = match filter.prefix.as_deref().filter(|prefix| !prefix.is_empty()) {
            None => {
                let mut scan = page.scan(IndexName::EnrollmentsByCreated, within)?;
                scan.direction = Direction::Descending;
                scan
            }
            Some(prefix) => {
                let mut scan = page.scan(IndexName::EnrollmentsByUsername, within)?;
                // No username begins with what is not one.
                let Ok(prefix) = prefix.parse::<Username>() else {
                    return Ok(Listing { items: Vec::new(), next: None });
                };
                listing::beginning_with(&mut scan, prefix.as_str());
                scan
            }
        };
        let page = self.service.store().scan(&scan).await?;
        let mut enrollments = Vec::new();
        for row in &page.rows {
            enrollments.push(Stored::<Enrollment>::read(row)?.record);
        }
        let items = self.views(enrollments).await?;
        Ok(Listing { items, next: page.next.as_ref().and_then(listing::text) })
    }

    /// Enrollments with their users as they are now.
    async fn views(&self, enrollments: Vec<Enrollment>) -> Result<Vec<EnrollmentView>, Failure> {
        let user = |enrollment: &Enrollment| enrollment.user().map(|user| RowKey::new(Kind::User, user.uuid()));
        let mail = |enrollment: &Enrollment| enrollment.sending.mail.map(|id| RowKey::new(Kind::Mail, id.uuid()));
        let mut keys: Vec<RowKey> =
            enrollments.iter().filter_map(user).chain(enrollments.iter().filter_map(mail)).collect();
        keys.sort();
        keys.dedup();
        let mut users: HashMap<Uuid, User> = HashMap::new();
        let mut mails: HashMap<Uuid, MailState> = HashMap::new();
        for row in self.service.store().get(&keys).await?.iter().flatten() {
            if row.key.kind == Kind::User {
                users.insert(row.key.id, Stored::read(row)?.record);
            } else if let Ok(mail) = Stored::<Mail>::read(row) {
                // One that cannot be read hides no enrollment.
                mails.insert(row.key.id, mail.record.state);
            }
        }
        let now = self.service.now();
        let view = |enrollment: Enrollment| {
            let (whose, email) = match enrollment.subject {
                Owner::User(id) => {
                    let user = users.get(&id.uuid())?;
                    (WhoseView::Person(user.into()), user.email.clone())
                }
                Owner::Machine { machine: id } => (WhoseView::Machine { id, name: enrollment.username.clone() }, None),
            };
            let mail = enrollment.sending.mail.and_then(|id| mails.get(&id.uuid()).cloned());
            Some(EnrollmentView::new(enrollment, (whose, email), mail, now))
        };
        Ok(enrollments.into_iter().filter_map(view).collect())
    }
}

impl EnrollmentView {
    fn new(
        enrollment: Enrollment,
        (whose, email): (WhoseView, Option<Email>),
        mail: Option<MailState>,
        now: Timestamp,
    ) -> Self {
        Self {
            id: enrollment.id,
            whose,
            email,
            purpose: enrollment.purpose,
            created: enrollment.created,
            expires_at: enrollment.expires,
            expired: enrollment.is_open() && now >= enrollment.expires,
            sessions_left: if enrollment.is_open() { enrollment.sessions_left() } else { 0 },
            progress: Progress::of(&enrollment),
            takeovers: enrollment.takeovers,
            wrong_codes: enrollment.wrong_codes,
            last_refusal: enrollment.last_refusal,
            delivery: enrollment.sending.delivery,
            mail,
            initiator: enrollment.initiator,
        }
    }
}

impl From<&User> for SubjectView {
    fn from(user: &User) -> Self {
        Self {
            id: user.id,
            username: user.username.clone(),
            first_name: user.first_name.clone(),
            last_name: user.last_name.clone(),
        }
    }
}
