//! Forgetting people: what is left to do once a user is erased, or an enrollment is gone.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::api_key::ApiKey;
use crate::domain::audit::{Actor, AuditEntry};
use crate::domain::event::Event;
use crate::domain::mail::{Addressee, Mail, MailStanding};
use crate::domain::owner::Owner;
use crate::id::{ApiKeyId, EnrollmentId, UserId};
use crate::port::{Channel, Cursor, LeaseRequest, Leased, Op, Scan, Settlement};
use crate::record::{IndexName, Kind, Row, RowKey, Stored, Version};
use crate::service::turn::{Draft, Written};
use crate::service::{Answer, Failure, Service, round};
use crate::worker::{SYSTEM, backoff};

/// After this, whatever had begun before a change has ended: requests, and mails on their way to a relay.
pub(crate) const SETTLED: Duration = Duration::from_secs(300);

/// What an outbox entry of this system's own upkeep says. It names ids and nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "forget", rename_all = "snake_case")]
pub enum ErasureIntent {
    /// What hangs on an erased user: their enrollments, and the mails about them.
    User {
        /// Who was erased.
        user: UserId,
    },
    /// Where the holders of enrollments came from that are gone.
    Sources {
        /// Where in the audit log they are found.
        of: Vec<Source>,
        /// Behind this entry of the first of them.
        after: Option<Cursor>,
    },
    /// What else tells of an erased user, list by list: mails to them about others, and where they came from when they
    /// as administrators. Due once nothing can add to it.
    Traces {
        /// Who was erased.
        user: UserId,
        /// Which list.
        list: TraceList,
        /// Behind this row of it.
        after: Option<Cursor>,
    },
}

/// What the holders of one enrollment did to one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Whose holders.
    pub enrollment: EnrollmentId,
    /// Which record: the enrollment itself, or the user or machine it was for.
    pub about: Uuid,
}

impl ErasureIntent {
    /// Where the holders of these enrollments came from, each with whom it was for. By subject, since the log has no
    /// list by actor: a holder acts upon the enrollment, and by completing it upon the user or machine.
    pub(crate) fn sources(gone: impl Iterator<Item = (EnrollmentId, Owner)>) -> Self {
        let about = |(enrollment, owner): (EnrollmentId, Owner)| {
            [enrollment.uuid(), owner.uuid()].map(|about| Source { enrollment, about })
        };
        Self::Sources { of: gone.flat_map(about).collect(), after: None }
    }
}

/// Where an erased user may have left traces, in the order in which it is searched: a mail that moves while it is looked
/// for moves to a later list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TraceList {
    /// Mails on their way.
    Queue,
    /// Mails that could not be delivered.
    Dead,
    /// Mails that were sent.
    Sent,
    /// Mails that were no longer wanted.
    Obsolete,
    /// The audit log.
    Log,
}

impl TraceList {
    /// The first one.
    pub const FIRST: Self = Self::Queue;

    const fn next(self) -> Option<Self> {
        match self {
            Self::Queue => Some(Self::Dead),
            Self::Dead => Some(Self::Sent),
            Self::Sent => Some(Self::Obsolete),
            Self::Obsolete => Some(Self::Log),
            Self::Log => None,
        }
    }

    fn scan(self) -> Scan {
        let standing = match self {
            Self::Queue => MailStanding::Queue,
            Self::Dead => MailStanding::Dead,
            Self::Sent => MailStanding::Sent,
            Self::Obsolete => MailStanding::Obsolete,
            Self::Log => return Scan::all(IndexName::AuditByTime, "", PAGE),
        };
        Scan::all(IndexName::MailsByState, standing.as_str(), PAGE)
    }
}

/// Removes what tells of erased users, and where the holders of enrollments came from that are gone (SYS-9).
#[derive(Debug, Clone)]
pub struct Eraser {
    service: Service,
}

/// How long one step may take.
const LEASE: Duration = Duration::from_secs(60);
/// Rows read, and at most written, at once.
const PAGE: u32 = 256;
/// Pages read in one step when nothing on them is to be written.
const PAGES: usize = 16;
/// Enrollments removed in one step.
const ENROLLMENTS: u32 = 16;

/// What one step found: what is to be written, and what is left to do.
struct Step {
    draft: Draft,
    then: Vec<ErasureIntent>,
    /// What is not to be done before requests in flight have ended.
    later: Option<ErasureIntent>,
}

impl Eraser {
    /// An eraser for this service's store.
    #[must_use]
    pub const fn new(service: Service) -> Self {
        Self { service }
    }

    /// Does one step of what is due, and says how many there were: 1 or 0. Call again until it says 0.
    ///
    /// A step is one change, with what is left to do as a new intention in the same change: killed at any instant,
    /// nothing is forgotten half and nothing is left out. Any number of erasers may run. The whole of an erasure takes
    /// time in proportion to the mails and the audit log that are kept.
    ///
    /// # Errors
    /// When the store cannot be asked; the step is then due again after a minute.
    pub fn run_once<'a>(&'a self) -> Answer<'a, usize> {
        round("eraser", self.try_run_once())
    }

    async fn try_run_once(&self) -> Result<usize, Failure> {
        let now = self.service.now();
        let request = LeaseRequest { channels: vec![Channel::Upkeep], now, until: now.plus(LEASE), limit: 1 };
        let Some(leased) = self.service.store().lease(&request).await?.pop() else { return Ok(0) };
        let done = match self.work(&leased).await {
            // What cannot be read waits until somebody has repaired it. The reason names the row and never its content.
            Err(Failure::Broken(error)) => {
                tracing::error!(%error, entry = %leased.entry.id, "an erasure cannot go on and will be tried again");
                let at = self.service.now().plus(backoff::wait(leased.tries, self.service.entropy()));
                self.service.settle(&leased, Settlement::Retry { at, why: error.to_string() }).await?
            }
            other => other?,
        };
        Ok(usize::from(done))
    }

    async fn work(&self, leased: &Leased) -> Result<bool, Failure> {
        let intent: ErasureIntent =
            serde_json::from_str(&leased.entry.body.json).map_err(|error| Failure::Broken(error.into()))?;
        let draft = Draft::new(self.service.now()).settling(leased.lease);
        let mut step = Step { draft, then: Vec::new(), later: None };
        match intent {
            ErasureIntent::User { user } => self.forget_user(&mut step, user).await?,
            ErasureIntent::Sources { of, after } => self.forget_sources(&mut step, of, after).await?,
            ErasureIntent::Traces { user, list, after } => self.forget_traces(&mut step, user, list, after).await?,
        }
        let Step { mut draft, then, later } = step;
        let now = draft.now;
        for intent in &then {
            self.service.intend_erasure(&mut draft, intent, now)?;
        }
        if let Some(intent) = &later {
            self.service.intend_erasure(&mut draft, intent, now.plus(SETTLED))?;
        }
        match self.service.write(draft).await? {
            Written::Applied => Ok(true),
            Written::LeaseLost => Ok(false),
            // An entry was sealed, or a mail has moved: the same step again finds what holds then.
            Written::Stale | Written::Taken(_) => self.service.settle(leased, Settlement::Release { at: now }).await,
        }
    }

    /// Enrollments first, so that nothing comes of them any more; then what is left of their signing in; then the mails.
    async fn forget_user(&self, step: &mut Step, user: UserId) -> Result<(), Failure> {
        let scan = Scan::all(IndexName::EnrollmentsBySubject, user.to_string(), ENROLLMENTS);
        let enrollments = self.service.store().scan(&scan).await?.rows;
        if !enrollments.is_empty() {
            step.draft.ops.extend(enrollments.iter().map(deletion));
            let gone = enrollments.iter().map(|row| (EnrollmentId::from_uuid(row.key.id), Owner::User(user)));
            // Whoever holds one of their tokens may just be hearing a refusal.
            step.later = Some(ErasureIntent::sources(gone));
            step.then.push(ErasureIntent::User { user });
            return Ok(());
        }
        for index in [IndexName::AdminSessionsByUser, IndexName::SignInPlacesByUser] {
            let theirs = self.service.store().scan(&Scan::all(index, user.to_string(), PAGE)).await?;
            step.draft.ops.extend(theirs.rows.iter().map(deletion));
            if !step.draft.ops.is_empty() {
                step.then.push(ErasureIntent::User { user });
                return Ok(());
            }
        }
        let page = self.service.store().scan(&Scan::all(IndexName::MailsByUser, user.to_string(), PAGE)).await?;
        step.draft.ops.extend(page.rows.iter().map(deletion));
        if page.next.is_some() {
            step.then.push(ErasureIntent::User { user });
        }
        Ok(())
    }

    async fn forget_sources(&self, step: &mut Step, mut of: Vec<Source>, after: Option<Cursor>) -> Result<(), Failure> {
        let Some(Source { enrollment, about }) = of.first().copied() else { return Ok(()) };
        let mut scan = Scan::all(IndexName::AuditBySubject, about.to_string(), PAGE);
        scan.after = after;
        let page = self.service.store().scan(&scan).await?;
        forget_details(&mut step.draft, &page.rows, |entry| entry.actor == Actor::Enrollee(enrollment));
        if page.next.is_none() {
            of.remove(0);
        }
        if !of.is_empty() {
            step.then.push(ErasureIntent::Sources { of, after: page.next });
        }
        Ok(())
    }

    async fn forget_traces(
        &self,
        step: &mut Step,
        user: UserId,
        list: TraceList,
        after: Option<Cursor>,
    ) -> Result<(), Failure> {
        let keys: Vec<Stored<ApiKey>> = self.service.all(IndexName::ApiKeysByCreated, "").await?;
        let keys: Vec<_> = keys.into_iter().filter(|key| key.record.user == Some(user)).collect();
        let theirs: BTreeSet<ApiKeyId> = keys.iter().map(|key| key.record.id).collect();
        let mut scan = Scan { after, ..list.scan() };
        for _ in 0..PAGES {
            let page = self.service.store().scan(&scan).await?;
            if list == TraceList::Log {
                forget_details(&mut step.draft, &page.rows, |entry| by_user(entry, user, &theirs));
            } else {
                forget_mails(&mut step.draft, &page.rows, user);
            }
            scan.after = page.next;
            if scan.after.is_none() || !step.draft.ops.is_empty() {
                break;
            }
        }
        match (scan.after, list.next()) {
            (Some(after), _) => step.then.push(ErasureIntent::Traces { user, list, after: Some(after) }),
            (None, Some(list)) => step.then.push(ErasureIntent::Traces { user, list, after: None }),
            (None, None) => {
                // Their keys are known by now to have done what they did; with them goes what they were called.
                step.draft.ops.extend(keys.iter().map(Stored::delete));
                let subject = RowKey::new(Kind::User, user.uuid());
                self.service.audit(&mut step.draft, SYSTEM, subject, Version(0), Event::ErasureCompleted);
            }
        }
        Ok(())
    }
}

/// A row goes whatever it says, also one that cannot be read.
const fn deletion(row: &Row) -> Op {
    Op::Delete { key: row.key, version: row.version }
}

/// Removes the mails to a user, and those about them.
fn forget_mails(draft: &mut Draft, rows: &[Row], user: UserId) {
    // One that cannot be read tells nobody where it went, and stays for whoever repairs it.
    let read = rows.iter().filter_map(|row| Stored::<Mail>::read(row).ok());
    let tells = |mail: &Mail| mail.user == Some(user) || mail.to == Addressee::CurrentAddressOf(user);
    draft.ops.extend(read.filter(|mail| tells(&mail.record)).map(|mail| mail.delete()));
}

/// Removes the details of entries: the chain covers their digest, which stays.
fn forget_details(draft: &mut Draft, rows: &[Row], whose: impl Fn(&AuditEntry) -> bool) {
    for row in rows {
        match Stored::<AuditEntry>::read(row) {
            Ok(stored) if stored.record.details.is_some() && whose(&stored.record) => {
                draft.ops.push(stored.put(&AuditEntry { details: None, ..stored.record.clone() }));
            }
            Ok(_) => {}
            // One that cannot be read holds up no erasure. It stays as it is, for whoever repairs it.
            Err(error) => tracing::error!(%error, entry = %row.key, "details of an audit entry may be left"),
        }
    }
}

/// Whether an erased user did it as an administrator, themself or by a key of theirs, or while signing in.
fn by_user(entry: &AuditEntry, user: UserId, keys: &BTreeSet<ApiKeyId>) -> bool {
    match &entry.actor {
        // Whoever tried to sign in as them, since most often that was they.
        Actor::Visitor => entry.subject.id == user.uuid(),
        Actor::User(actor) => *actor == user,
        Actor::ApiKey(key) => keys.contains(key),
        Actor::Enrollee(_) | Actor::CommandLine | Actor::System => false,
    }
}
