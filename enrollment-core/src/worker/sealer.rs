//! Sealing the audit log.

use crate::domain::audit::{AuditEntry, Link};
use crate::id::new_uuid;
use crate::port::Scan;
use crate::record::{IndexName, Seal, Stored, new_row};
use crate::service::turn::{Draft, Written};
use crate::service::{Answer, Failure, Service, round};

/// Numbers, chains and signs audit entries (ADM-8); [`crate::domain::chain`] says how.
#[derive(Debug, Clone)]
pub struct Sealer {
    service: Service,
}

/// Entries sealed in one change and under one signature.
const BATCH: u32 = 256;

impl Sealer {
    /// The sealer of a service.
    #[must_use]
    pub const fn new(service: Service) -> Self {
        Self { service }
    }

    /// Seals one batch of what is not sealed yet, and says how many entries it had. Call again until it says 0, and
    /// at least once a second.
    ///
    /// All of the batch, its seal and the head are one change. Any number of sealers may run: of two that meet, one
    /// writes, and the other says 0 and finds the rest at its next turn. Entries of a batch are in order of time; one
    /// that was committed late, with an earlier time, is sealed later.
    ///
    /// # Errors
    /// When the store cannot be asked; when this process does not have a key yet that it needs; when the head is not
    /// signed by a key of the ring, or an entry stands where the next one belongs: then somebody else than a sealer
    /// wrote into the log, and a verification names the place.
    pub fn run_once<'a>(&'a self) -> Answer<'a, usize> {
        round("sealer", self.try_run_once())
    }

    async fn try_run_once(&self) -> Result<usize, Failure> {
        let head = self.service.read::<Seal>(Seal::HEAD.id).await?;
        let page = self.service.store().scan(&Scan::all(IndexName::AuditChain, "unsealed", BATCH)).await?;
        if page.rows.is_empty() {
            return Ok(0);
        }
        let mut draft = Draft::new(self.service.now());
        let mut link = Link::START;
        if let Some(Stored { record: head, .. }) = &head {
            link = head.link();
            // What was not signed here is not signed now.
            self.service.keyed(self.service.ring().verify_audit(&link.signed_bytes(head.at), &head.signature))?;
        }
        for row in &page.rows {
            let entry = Stored::<AuditEntry>::read(row)?;
            link = link.next(&entry.record);
            draft.ops.push(entry.put(&AuditEntry { sealed: Some(link), ..entry.record.clone() }));
        }
        let signature = self.service.making_ring()?.sign_audit(&link.signed_bytes(draft.now));
        let seal = Seal {
            id: new_uuid(draft.now, self.service.entropy()),
            last: link.number,
            chain: link.chain,
            at: draft.now,
            signature,
        };
        draft.ops.push(new_row(&seal));
        let next_head = Seal { id: Seal::HEAD.id, ..seal };
        draft.ops.push(head.map_or_else(|| new_row(&next_head), |head| head.put(&next_head)));
        match self.service.write(draft).await? {
            Written::Applied => Ok(page.rows.len()),
            Written::Stale | Written::LeaseLost => Ok(0),
            // The head stands where it was read, and yet somebody holds the number behind it.
            Written::Taken(_) => Err(Failure::Broken("an audit entry stands behind the head of the chain".into())),
        }
    }
}
