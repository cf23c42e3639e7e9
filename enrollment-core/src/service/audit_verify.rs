//! Verifying the audit log, page by page: memory does not grow with its length.

use super::{Failure, Service};
use crate::domain::audit::{AuditEntry, Link, Subject};
use crate::domain::chain::{AuditProblem, diagnose};
use crate::domain::event::Event;
use crate::domain::settings::Settings;
use crate::port::{Direction, Scan, StoreError};
use crate::record::{IndexName, KeyBook, KeyValue, RecordError, Row, RowKey, Seal, Stored, Version};
use crate::secret::{Digest, KeyError};

/// What a verification found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditReport {
    /// How many entries are as they were sealed, from the first one that is kept.
    pub entries: u64,
    /// How many before them were pruned.
    pub pruned: u64,
    /// The chain's digest up to and with the last of them. Kept elsewhere, it shows later whether the log was rolled
    /// back.
    pub chain: Digest,
    /// How many entries wait for their seal; the chain does not protect them yet.
    pub unsealed: u64,
    /// The first thing that is wrong; `None`: the log is what it was.
    pub problem: Option<AuditProblem>,
}

/// The lists in which every record stands whose changes carry an entry each ([`Subject::is_counted`]), and that a record only leaves for a later one: read in this
/// order, they show each record at least once.
const LISTS: [(IndexName, &str); 5] = [
    (IndexName::UsersByUsername, ""),
    (IndexName::LocationsByName, ""),
    (IndexName::EnrollmentsByCreated, "open"),
    (IndexName::EnrollmentsByCreated, "completed"),
    (IndexName::EnrollmentsByCreated, "closed"),
];

const PAGE: u32 = 256;

/// Why a verification ends before its end.
enum Stop {
    Found(AuditProblem),
    Failed(Failure),
}

impl From<AuditProblem> for Stop {
    fn from(problem: AuditProblem) -> Self {
        Self::Found(problem)
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<RecordError> for Stop {
    fn from(error: RecordError) -> Self {
        Self::Failed(error.into())
    }
}

impl Service {
    /// Recomputes the chain, verifies every signature, and looks for an entry for every version of every record. Sees
    /// the log as of its start; runs beside sealers and everybody else.
    pub(crate) async fn verify_audit(&self) -> Result<AuditReport, Failure> {
        loop {
            let origin = self.seal(Seal::ORIGIN).await?;
            let start = origin.as_ref().map_or(Link::START, Seal::link);
            let mut link = start;
            let problem = match self.examine(&mut link, origin.as_ref()).await {
                Ok(()) => None,
                Err(Stop::Found(problem)) => Some(problem),
                Err(Stop::Failed(failure)) => return Err(failure),
            };
            // What is missing may have been pruned meanwhile, which is seldom.
            if problem.is_some() && self.seal(Seal::ORIGIN).await? != origin {
                continue;
            }
            return Ok(AuditReport {
                entries: (link.number - start.number).unsigned_abs(),
                pruned: start.number.unsigned_abs(),
                chain: link.chain,
                unsealed: self.count_unsealed().await?,
                problem,
            });
        }
    }

    /// Moves `link` along the chain as far as it is right.
    async fn examine(&self, link: &mut Link, origin: Option<&Seal>) -> Result<(), Stop> {
        if let Some(origin) = origin {
            self.check_signature(origin, &link.pruned_bytes(origin.at)).await?;
        }
        // Before the head: an honest head is never behind a seal that was read earlier.
        let newest = self.newest_seal().await?;
        let head = self.seal(Seal::HEAD).await?;
        let last = head.as_ref().map_or(0, |head| head.last);
        if last < link.number {
            return Err(AuditProblem::Truncated { number: link.number.saturating_add(1) }.into());
        }
        self.follow(link, last, origin.is_some()).await?;
        if link.number < last {
            return Err(AuditProblem::Truncated { number: link.number + 1 }.into());
        }
        if let Some(head) = &head {
            self.check_seal(head, *link).await?;
        }
        if newest.is_some_and(|seal| seal.last > last) {
            return Err(AuditProblem::Truncated { number: last.saturating_add(1) }.into());
        }
        self.nothing_behind(last).await?;
        self.every_record_is_told_of().await
    }

    /// Follows the chain up to the place `last`. `pruned`: its front is gone.
    async fn follow(&self, link: &mut Link, last: i64, pruned: bool) -> Result<(), Stop> {
        let mut scan = sealed(None, Some(last.saturating_add(1)));
        loop {
            let page = self.store().scan(&scan).await?;
            let seals = self.seals(link.number + 1, link.number + 1 + i64::from(PAGE)).await?;
            for row in &page.rows {
                let number = link.number + 1;
                let entry = Stored::<AuditEntry>::read(row).map_err(|_| AuditProblem::Altered { number })?.record;
                let next = link.next(&entry);
                if entry.sealed != Some(next) {
                    return Err(self.what_is_wrong(*link, &entry).await?.into());
                }
                if !entry.details_fit() {
                    return Err(AuditProblem::Altered { number }.into());
                }
                for seal in seals.iter().filter(|seal| seal.last == number) {
                    self.check_seal(seal, next).await?;
                }
                *link = next;
                self.follows_its_predecessor(&entry, pruned).await?;
            }
            match page.next {
                Some(cursor) => scan.after = Some(cursor),
                None => return Ok(()),
            }
        }
    }

    /// Names what is wrong behind `link`, with the help of as many later entries as one page holds.
    async fn what_is_wrong(&self, link: Link, found: &AuditEntry) -> Result<AuditProblem, Failure> {
        let page = self.store().scan(&sealed(Some(link.number + 1), None)).await?;
        let later: Vec<AuditEntry> =
            page.rows.iter().filter_map(|row| Stored::read(row).ok()).map(|stored| stored.record).collect();
        Ok(diagnose(link, found, &later))
    }

    async fn check_seal(&self, seal: &Seal, link: Link) -> Result<(), Stop> {
        if seal.link() != link {
            return Err(AuditProblem::BadSignature { number: seal.last }.into());
        }
        self.check_signature(seal, &link.signed_bytes(seal.at)).await
    }

    /// A signature by a key that was never in use is as wrong as one of other bytes. By a key that was, and that this
    /// process does not have, it cannot be judged here.
    async fn check_signature(&self, seal: &Seal, bytes: &[u8]) -> Result<(), Stop> {
        let bad = AuditProblem::BadSignature { number: seal.last };
        match self.ring().verify_audit(bytes, &seal.signature) {
            Ok(()) => Ok(()),
            Err(error @ KeyError::Missing(key)) => {
                let book = self.read::<KeyBook>(KeyBook::KEY.id).await?;
                let was_in_use = book.is_some_and(|book| book.record.used.contains(&key));
                if was_in_use { Ok(self.keyed(Err(error))?) } else { Err(bad.into()) }
            }
            Err(_) => Err(bad.into()),
        }
    }

    /// Entries behind the head are a sealer's, which has moved the head since; otherwise nobody signed them.
    async fn nothing_behind(&self, last: i64) -> Result<(), Stop> {
        let behind = self.store().scan(&Scan { limit: 1, ..sealed(Some(last.saturating_add(1)), None) }).await?;
        if behind.rows.is_empty() || self.seal(Seal::HEAD).await?.is_some_and(|head| head.last > last) {
            return Ok(());
        }
        Err(AuditProblem::BadSignature { number: last.saturating_add(1) }.into())
    }

    /// Before an entry that tells of a record's version there is one that tells of the version before, unless that one
    /// was pruned: then nothing older is left of the same record either.
    async fn follows_its_predecessor(&self, entry: &AuditEntry, pruned: bool) -> Result<(), Stop> {
        let AuditEntry { subject, subject_version: Version(version), event, .. } = entry;
        if matches!(event, Event::VersionKept) {
            return self.takes_the_place_of_pruned(entry, pruned).await;
        }
        if !event.is_change() || !subject.is_counted() || *version <= Version::FIRST.0 {
            return Ok(());
        }
        let before = Version(version - 1);
        if self.tells(*subject, Some(before), before).await? || (pruned && !self.tells(*subject, None, before).await?) {
            return Ok(());
        }
        Err(AuditProblem::MissingEntry { subject: *subject, version: before }.into())
    }

    /// A version is told of by [`Event::VersionKept`] only when the entry that told of it was pruned: then nothing older
    /// is left of the same record. Otherwise it stands for a change of which no entry ever told.
    async fn takes_the_place_of_pruned(&self, kept: &AuditEntry, pruned: bool) -> Result<(), Stop> {
        let AuditEntry { subject, subject_version: version, .. } = *kept;
        let before = Version(version.0.saturating_sub(1));
        if pruned && !self.tells(subject, None, before).await? {
            return Ok(());
        }
        Err(AuditProblem::MissingEntry { subject, version }.into())
    }

    /// There is an entry for the version at which every record stands.
    async fn every_record_is_told_of(&self) -> Result<(), Stop> {
        let settings = self.store().get(&[Settings::KEY]).await?;
        for row in settings.iter().flatten() {
            self.is_told_of(row.key.into(), row.version).await?;
        }
        for (index, within) in LISTS {
            let mut scan = Scan::all(index, within, PAGE);
            loop {
                let page = self.store().scan(&scan).await?;
                for row in &page.rows {
                    self.is_told_of(row.key.into(), row.version).await?;
                }
                match page.next {
                    Some(cursor) => scan.after = Some(cursor),
                    None => break,
                }
            }
        }
        Ok(())
    }

    /// Whether an entry, sealed or not, tells how `subject` came to `version`.
    async fn is_told_of(&self, subject: Subject, version: Version) -> Result<(), Stop> {
        if self.tells(subject, Some(version), version).await? {
            Ok(())
        } else {
            Err(AuditProblem::MissingEntry { subject, version }.into())
        }
    }

    /// Whether an entry tells at which version `subject` stood, of a version from `from` up to and with `to`.
    async fn tells(&self, subject: Subject, from: Option<Version>, to: Version) -> Result<bool, Failure> {
        let at = |Version(version)| i64::try_from(version).unwrap_or(i64::MAX);
        let mut scan = Scan::all(IndexName::AuditBySubject, subject.id.to_string(), PAGE);
        scan.from = from.map(|from| KeyValue::Int(at(from)));
        scan.to = Some(KeyValue::Int(at(to).saturating_add(1)));
        let tells = |row: &Row| {
            Stored::<AuditEntry>::read(row)
                .is_ok_and(|stored| stored.record.subject == subject && stored.record.event.tells_version())
        };
        loop {
            let page = self.store().scan(&scan).await?;
            if page.rows.iter().any(tells) {
                return Ok(true);
            }
            match page.next {
                Some(cursor) => scan.after = Some(cursor),
                None => return Ok(false),
            }
        }
    }

    async fn count_unsealed(&self) -> Result<u64, Failure> {
        let mut scan = Scan::all(IndexName::AuditChain, "unsealed", PAGE);
        let mut count = 0;
        loop {
            let page = self.store().scan(&scan).await?;
            count += page.rows.len() as u64;
            match page.next {
                Some(cursor) => scan.after = Some(cursor),
                None => return Ok(count),
            }
        }
    }

    /// The seal of a fixed row: [`Seal::HEAD`] or [`Seal::ORIGIN`].
    pub(crate) async fn seal(&self, key: RowKey) -> Result<Option<Seal>, Failure> {
        Ok(self.read::<Seal>(key.id).await?.map(|stored| stored.record))
    }

    async fn newest_seal(&self) -> Result<Option<Seal>, Failure> {
        let scan = Scan { direction: Direction::Descending, ..Scan::all(IndexName::SealsByNumber, "", 1) };
        let page = self.store().scan(&scan).await?;
        Ok(page.rows.first().map(Stored::read).transpose()?.map(|stored| stored.record))
    }

    /// The seals whose last entry stands in `[from, to)`.
    pub(crate) async fn seals(&self, from: i64, to: i64) -> Result<Vec<Seal>, Failure> {
        let mut scan = Scan::all(IndexName::SealsByNumber, "", 1000);
        scan.from = Some(KeyValue::Int(from));
        scan.to = Some(KeyValue::Int(to));
        let page = self.store().scan(&scan).await?;
        page.rows.iter().map(|row| Ok(Stored::read(row)?.record)).collect()
    }
}

/// The sealed entries with numbers in `[from, to)`, in their order.
fn sealed(from: Option<i64>, to: Option<i64>) -> Scan {
    let mut scan = Scan::all(IndexName::AuditChain, "sealed", PAGE);
    scan.from = from.map(KeyValue::Int);
    scan.to = to.map(KeyValue::Int);
    scan
}
