//! Pruning the audit log from its front, so that what is left still verifies.

use std::collections::BTreeMap;

use super::{Pruner, SYSTEM};
use crate::domain::audit::{AuditEntry, Link, Subject};
use crate::domain::event::Event;
use crate::port::{Op, Scan};
use crate::record::{IndexName, KeyValue, Kind, Row, RowKey, Seal, Stored, Version, new_row};
use crate::service::Failure;
use crate::service::turn::{Draft, INSTANCE, Written};
use crate::time::Timestamp;

/// Entries of one batch: more than a sealer ever puts under one signature.
const MOST: u32 = 1_000;

impl Pruner {
    /// Removes the oldest batch, if it was sealed before `before`: its entries and its seal go, and a signed statement
    /// takes their place, from which the rest of the chain is verified.
    ///
    /// Of every record that still stands at the version of which one of the entries tells, a new entry at the end of the
    /// log says so: a change without an entry shows as long as the record exists.
    pub(super) async fn audit_batch(&self, before: Timestamp) -> Result<usize, Failure> {
        let origin = self.service.read::<Seal>(Seal::ORIGIN.id).await?;
        let start = origin.as_ref().map_or(Link::START, |origin| origin.record.link());
        let page = self.service.store().scan(&Scan::all(IndexName::SealsByNumber, "", 1)).await?;
        let Some(seal) = page.rows.first().map(Stored::<Seal>::read).transpose()? else { return Ok(0) };
        if seal.record.at >= before {
            return Ok(0);
        }
        let entries = self.sealed_by(start, &seal.record).await?;
        let mut draft = Draft::new(self.service.now());
        draft.ops.extend(entries.iter().map(Stored::delete));
        draft.ops.push(seal.delete());
        let link = seal.record.link();
        let signature = self.service.making_ring()?.sign_audit(&link.pruned_bytes(draft.now));
        let next = Seal { id: Seal::ORIGIN.id, last: link.number, chain: link.chain, at: draft.now, signature };
        draft.ops.push(origin.map_or_else(|| new_row(&next), |origin| origin.put(&next)));
        for (key, version) in self.standing(&entries).await? {
            // Held, so that the entry stands before all that tell of later versions.
            draft.ops.push(Op::Check { key, version: Some(version) });
            self.service.audit(&mut draft, SYSTEM, key, version, Event::VersionKept);
        }
        let event = Event::Pruned { kind: Kind::Audit.as_str().to_owned(), count: entries.len() as u64 };
        self.service.audit(&mut draft, SYSTEM, INSTANCE, Version(0), event);
        match self.service.write(draft).await? {
            Written::Applied => Ok(entries.len()),
            Written::Stale | Written::Taken(_) | Written::LeaseLost => Ok(0),
        }
    }

    /// The entries of the batch of `seal`, which are those that were sealed.
    async fn sealed_by(&self, start: Link, seal: &Seal) -> Result<Vec<Stored<AuditEntry>>, Failure> {
        let mut scan = Scan::all(IndexName::AuditChain, "sealed", MOST);
        scan.to = Some(KeyValue::Int(seal.last.saturating_add(1)));
        let page = self.service.store().scan(&scan).await?;
        let entries = page.rows.iter().map(Stored::<AuditEntry>::read).collect::<Result<Vec<_>, _>>()?;
        let mut link = start;
        for entry in &entries {
            link = link.next(&entry.record);
        }
        if link != seal.link() {
            return Err(Failure::Broken("the front of the audit log is not as it was sealed, and stays".into()));
        }
        self.service.keyed(self.service.ring().verify_audit(&link.signed_bytes(seal.at), &seal.signature))?;
        Ok(entries)
    }

    /// The records that still stand at the version of which one of these entries tells.
    async fn standing(&self, entries: &[Stored<AuditEntry>]) -> Result<Vec<(RowKey, Version)>, Failure> {
        let mut told = BTreeMap::new();
        for AuditEntry { subject, subject_version, event, .. } in entries.iter().map(|entry| &entry.record) {
            if subject.is_counted() && event.tells_version() {
                let Subject { kind, id } = *subject;
                let version = told.entry(RowKey::new(kind, id)).or_insert(*subject_version);
                *version = (*version).max(*subject_version);
            }
        }
        let keys: Vec<RowKey> = told.keys().copied().collect();
        let rows = self.service.store().get(&keys).await?;
        let stands = |row: &&Row| told.get(&row.key) == Some(&row.version);
        Ok(rows.iter().flatten().filter(stands).map(|row| (row.key, row.version)).collect())
    }
}
