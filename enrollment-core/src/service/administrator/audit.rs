//! Reading, exporting and verifying the audit log.

use uuid::Uuid;

use super::Administrator;
use crate::domain::audit::AuditEntry;
use crate::domain::rejection::Rejection;
use crate::domain::role::Permission;
use crate::port::{Cursor, Direction, Scan};
use crate::record::{IndexName, KeyValue, Seal, Stored};
use crate::service::audit_verify::AuditReport;
use crate::service::turn::INSTANCE;
use crate::service::{Answer, Failure, Principal, operation};

/// Which entries, and how many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditQuery {
    /// Only those about the record with this id.
    pub subject: Option<Uuid>,
    /// Continue behind an earlier page.
    pub after: Option<Cursor>,
    /// At most this many, 1 to 1,000.
    pub limit: u32,
}

/// Some entries, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditPage {
    /// The entries, sealed or not.
    pub entries: Vec<AuditEntry>,
    /// Where the next page starts; `None`: nothing is left.
    pub next: Option<Cursor>,
}

/// A stretch of the chain, with the signatures over it. [`crate::domain::chain`] says how to verify it elsewhere;
/// [`KeyRing::audit_public_key`](crate::secret::KeyRing::audit_public_key) gives the keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditExport {
    /// The entries, in the order of the chain.
    pub entries: Vec<AuditEntry>,
    /// The seals of the batches that end among them.
    pub seals: Vec<Seal>,
    /// Where the chain begins, once its front was pruned; its signature is that of
    /// [`Link::pruned_bytes`](crate::domain::audit::Link::pruned_bytes).
    pub origin: Option<Seal>,
    /// After which number the next stretch starts; `None`: nothing more was sealed.
    pub next: Option<i64>,
}

impl Administrator<'_> {
    /// A page of the audit log, newest first; of one record, its latest version first.
    ///
    /// # Errors
    /// [`Rejection::InvalidField`] for a limit out of range or another list's cursor; [`Rejection::Forbidden`].
    pub fn audit_entries<'a>(&'a self, by: &'a Principal, query: AuditQuery) -> Answer<'a, AuditPage> {
        operation("administrator.audit_entries", self.try_audit_entries(by, query))
    }

    async fn try_audit_entries(&self, by: &Principal, query: AuditQuery) -> Result<AuditPage, Failure> {
        self.audited(by, "audit_entries", INSTANCE, async {
            by.demand(Permission::ReadAudit)?;
            let (index, within) = match query.subject {
                Some(subject) => (IndexName::AuditBySubject, subject.to_string()),
                None => (IndexName::AuditByTime, String::new()),
            };
            let scan = Scan {
                direction: Direction::Descending,
                after: query.after.map(|cursor| cursor_of(index, cursor)).transpose()?,
                ..Scan::all(index, within, page_size(query.limit)?)
            };
            let page = self.service.store().scan(&scan).await?;
            let entries = page.rows.iter().map(|row| Ok(Stored::read(row)?.record)).collect::<Result<_, Failure>>()?;
            Ok(AuditPage { entries, next: page.next })
        })
        .await
    }

    /// A stretch of the sealed log behind the entry with the number `after` (0: from the start), in the order of the
    /// chain, at most `limit` entries, 1 to 1,000.
    ///
    /// # Errors
    /// [`Rejection::InvalidField`] for a limit out of range; [`Rejection::Forbidden`].
    pub fn export_audit<'a>(&'a self, by: &'a Principal, after: i64, limit: u32) -> Answer<'a, AuditExport> {
        operation("administrator.export_audit", self.try_export_audit(by, after, limit))
    }

    async fn try_export_audit(&self, by: &Principal, after: i64, limit: u32) -> Result<AuditExport, Failure> {
        self.audited(by, "export_audit", INSTANCE, async {
            by.demand(Permission::ReadAudit)?;
            let origin = self.service.seal(Seal::ORIGIN).await?;
            let mut scan = Scan::all(IndexName::AuditChain, "sealed", page_size(limit)?);
            scan.from = Some(KeyValue::Int(after.saturating_add(1)));
            let page = self.service.store().scan(&scan).await?;
            let entries: Vec<AuditEntry> =
                page.rows.iter().map(|row| Ok(Stored::read(row)?.record)).collect::<Result<_, Failure>>()?;
            let Some(last) = entries.last().and_then(|entry| entry.sealed).map(|link| link.number) else {
                return Ok(AuditExport { entries, seals: Vec::new(), origin, next: None });
            };
            let seals = self.service.seals(after.saturating_add(1), last.saturating_add(1)).await?;
            Ok(AuditExport { entries, seals, origin, next: page.next.map(|_| last) })
        })
        .await
    }

    /// Verifies the whole log and names the first thing that is wrong. Takes time in proportion to the log, and memory
    /// in proportion to nothing.
    ///
    /// # Errors
    /// [`Rejection::Forbidden`]; a wrong log is no error but [`AuditReport::problem`].
    pub fn verify_audit<'a>(&'a self, by: &'a Principal) -> Answer<'a, AuditReport> {
        operation("administrator.verify_audit", async move {
            self.audited(by, "verify_audit", INSTANCE, async {
                by.demand(Permission::ReadAudit)?;
                self.service.verify_audit().await
            })
            .await
        })
    }
}

fn page_size(limit: u32) -> Result<u32, Rejection> {
    if (1..=1000).contains(&limit) {
        Ok(limit)
    } else {
        Err(Rejection::InvalidField { field: "limit", reason: "1 to 1000".to_owned() })
    }
}

fn cursor_of(index: IndexName, cursor: Cursor) -> Result<Cursor, Rejection> {
    if cursor.at.value_type() == index.value_type() {
        Ok(cursor)
    } else {
        Err(Rejection::InvalidField { field: "cursor", reason: "the one that came with the page before".to_owned() })
    }
}
