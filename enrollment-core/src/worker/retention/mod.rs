//! Removing what has been kept long enough.

mod audit;

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::domain::enrollment::{Enrollment, Phase};
use crate::domain::event::Event;
use crate::domain::mail::{Mail, MailStanding};
use crate::domain::sign_in::{AdminSession, KNOWN_FOR, Place};
use crate::id::EnrollmentId;
use crate::port::{Page, Retained, Scan};
use crate::record::{IndexName, KeyValue, Kind, Record, RowKey, Stored, Version};
use crate::service::turn::{Draft, INSTANCE, Written};
use crate::service::{Answer, Failure, Service, round};
use crate::time::{Span, Timestamp};
use crate::worker::SYSTEM;
use crate::worker::erasure::{ErasureIntent, SETTLED};

/// Identifiers and finished work removed at once.
const AT_ONCE: u32 = 1_000;
/// Mails removed in one change.
const MAILS: u32 = 256;
/// Sessions and places removed in one change.
const SIGN_INS: u32 = 256;
/// Enrollments removed in one change, and of each as many mails.
const ENROLLMENTS: u32 = 16;

/// Removes what has been kept as long as the policy's [`Retention`](crate::domain::retention::Retention) says (SYS-8).
#[derive(Debug, Clone)]
pub struct Pruner {
    service: Service,
}

impl Pruner {
    /// A pruner of this service's store, by its policy.
    #[must_use]
    pub const fn new(service: Service) -> Self {
        Self { service }
    }

    /// Removes a batch of each kind, and says how many things that were. Call again until it says 0, some times a day.
    ///
    /// Every batch is one change, which removes only what is still as it was judged: killed at any instant it leaves the
    /// rest to the next run, and of any number of processes that meet one removes and the others go on.
    ///
    /// # Errors
    /// When the store cannot be asked; when the front of the audit log is not as it was sealed, which is then evidence
    /// and stays. The other kinds are pruned all the same.
    pub fn run_once<'a>(&'a self) -> Answer<'a, usize> {
        round("pruner", self.try_run_once())
    }

    async fn try_run_once(&self) -> Result<usize, Failure> {
        let now = self.service.now();
        let keep = self.service.policy().retention;
        let before = |period: Span| now.minus(period.duration());
        let mut removed = self.outbox(Retained::Changes, before(keep.changes)).await?;
        removed += self.outbox(Retained::Settled, before(keep.work)).await?;
        removed += self.outbox(Retained::Dead, before(keep.work)).await?;
        for (standing, period) in [
            (MailStanding::Sent, keep.mails),
            (MailStanding::Obsolete, keep.mails),
            (MailStanding::Dead, keep.dead_mails),
        ] {
            if let Some(period) = period {
                removed += self.mails(standing, before(period)).await?;
            }
        }
        if let Some(period) = keep.enrollments {
            for standing in ["open", "completed", "closed"] {
                removed += self.enrollments(standing, before(period)).await?;
            }
        }
        removed += self.passed::<AdminSession>(IndexName::AdminSessionsByEnd, now).await?;
        removed += self.passed::<Place>(IndexName::SignInPlacesPassing, now.minus(KNOWN_FOR)).await?;
        match keep.audit {
            // Last, so that a log which is not as it was sealed stops nothing else.
            Some(period) if removed == 0 => self.audit_batch(before(period)).await,
            _ => Ok(removed),
        }
    }

    async fn outbox(&self, what: Retained, before: Timestamp) -> Result<usize, Failure> {
        let removed = self.service.store().prune(what, before, AT_ONCE).await?;
        Ok(usize::try_from(removed).unwrap_or(usize::MAX))
    }

    /// One batch of the mails that have stood so since before `before`.
    async fn mails(&self, standing: MailStanding, before: Timestamp) -> Result<usize, Failure> {
        let mut scan = Scan::all(IndexName::MailsByState, standing.as_str(), MAILS);
        scan.to = Some(KeyValue::Int(before.micros()));
        loop {
            let page = self.service.store().scan(&scan).await?;
            let mails: Vec<Stored<Mail>> = readable(&page);
            let about: Vec<EnrollmentId> = mails.iter().filter_map(|mail| mail.record.enrollment).collect();
            let latest = self.latest_mails(about).await?;
            let mut draft = Draft::new(self.service.now());
            let shown = |mail: &Mail| mail.enrollment.and_then(|id| latest.get(&id.uuid())) == Some(&mail.id.uuid());
            draft.ops.extend(mails.iter().filter(|mail| !shown(&mail.record)).map(Stored::delete));
            let removed = self.remove(draft, Kind::Mail).await?;
            // A page of nothing but those that stay must not hide those behind it.
            match page.next {
                Some(next) if removed == 0 => scan.after = Some(next),
                _ => return Ok(removed),
            }
        }
    }

    /// The latest mail with the link of each enrollment that there is.
    async fn latest_mails(&self, mut enrollments: Vec<EnrollmentId>) -> Result<BTreeMap<Uuid, Uuid>, Failure> {
        enrollments.sort();
        enrollments.dedup();
        let keys: Vec<RowKey> = enrollments.iter().map(|id| RowKey::new(Kind::Enrollment, id.uuid())).collect();
        let mut latest = BTreeMap::new();
        for row in self.service.store().get(&keys).await?.iter().flatten() {
            if let Ok(Stored { record: Enrollment { sending, .. }, .. }) = Stored::read(row) {
                latest.extend(sending.mail.map(|mail| (row.key.id, mail.uuid())));
            }
        }
        Ok(latest)
    }

    /// One batch of the enrollments of which nothing could come any more since before `before`, with their mails. Their
    /// users and devices stay.
    async fn enrollments(&self, standing: &str, before: Timestamp) -> Result<usize, Failure> {
        let mut scan = Scan::all(IndexName::EnrollmentsByExpiry, standing, ENROLLMENTS);
        scan.to = Some(KeyValue::Int(before.micros()));
        loop {
            let page = self.service.store().scan(&scan).await?;
            let mut draft = Draft::new(self.service.now());
            let mut gone = Vec::new();
            for stored in readable::<Enrollment>(&page) {
                // What it still reserves is given back first, by the sweeper.
                if over(&stored.record) >= before || !stored.record.reserved_devices().is_empty() {
                    continue;
                }
                let id = stored.record.id;
                let mails = Scan::all(IndexName::MailsByEnrollment, id.to_string(), ENROLLMENTS);
                let mails = self.service.store().scan(&mails).await?;
                draft.ops.extend(readable::<Mail>(&mails).iter().map(Stored::delete));
                if mails.next.is_none() {
                    draft.ops.push(stored.delete());
                    gone.push((id, stored.record.subject));
                }
            }
            if !gone.is_empty() {
                let due = draft.now.plus(SETTLED);
                self.service.intend_erasure(&mut draft, &ErasureIntent::sources(gone.into_iter()), due)?;
            }
            let removed = self.remove(draft, Kind::Enrollment).await?;
            match page.next {
                Some(next) if removed == 0 => scan.after = Some(next),
                _ => return Ok(removed),
            }
        }
    }

    /// One batch of what an index has before `before`: sessions that are over, and places nobody is known by any more.
    async fn passed<R: Record + Send>(&self, index: IndexName, before: Timestamp) -> Result<usize, Failure> {
        let mut scan = Scan::all(index, "", SIGN_INS);
        scan.to = Some(KeyValue::Int(before.micros()));
        let page = self.service.store().scan(&scan).await?;
        let mut draft = Draft::new(self.service.now());
        draft.ops.extend(readable::<R>(&page).iter().map(Stored::delete));
        self.remove(draft, R::KIND).await
    }

    /// Writes a draft of deletions, with an entry that counts them. Says how many took place.
    async fn remove(&self, mut draft: Draft, kind: Kind) -> Result<usize, Failure> {
        let count = draft.ops.len();
        if count == 0 {
            return Ok(0);
        }
        let event = Event::Pruned { kind: kind.as_str().to_owned(), count: count as u64 };
        self.service.audit(&mut draft, SYSTEM, INSTANCE, Version(0), event);
        match self.service.write(draft).await? {
            Written::Applied => Ok(count),
            // Somebody renewed one or was faster: the next run looks again.
            Written::Stale | Written::Taken(_) | Written::LeaseLost => Ok(0),
        }
    }
}

/// The first instant at which neither the enrollment nor a holder of its token or session had anything to expect of it.
fn over(enrollment: &Enrollment) -> Timestamp {
    let ended = match &enrollment.phase {
        Phase::Invited => enrollment.expires,
        Phase::InSession(session) => session.deadline,
        Phase::Completed(completed) => completed.deadline.max(completed.at),
        Phase::Closed(closed) => closed.at,
    };
    ended.max(enrollment.expires)
}

/// The records of a page that can be read. What cannot holds up nothing else, and stays for whoever repairs it.
fn readable<R: Record>(page: &Page) -> Vec<Stored<R>> {
    let read = |row| match Stored::read(row) {
        Ok(stored) => Some(stored),
        Err(error) => {
            tracing::error!(%error, row = %row.key, "a record cannot be read and is not pruned");
            None
        }
    };
    page.rows.iter().filter_map(read).collect()
}
