//! Giving back what abandoned enrollments reserve.

use crate::domain::audit::Actor;
use crate::domain::command::{Command, Decision};
use crate::domain::decide;
use crate::domain::enrollment::Enrollment;
use crate::port::Scan;
use crate::record::{IndexName, KeyValue, Stored};
use crate::service::turn::{Doer, Draft, Written};
use crate::service::{Answer, Failure, Origin, Service};

/// Releases the addresses of enrollments that nothing can complete any more (DEV-3). Nothing depends on when it runs:
/// whether a token or session is over is decided by the clock alone.
#[derive(Debug, Clone)]
pub struct Sweeper {
    service: Service,
}

/// Enrollments swept in one run.
const BATCH: u32 = 32;

const SYSTEM: Doer = Doer { actor: Actor::System, origin: Origin { source: None } };

impl Sweeper {
    /// A sweeper of this service's store.
    #[must_use]
    pub const fn new(service: Service) -> Self {
        Self { service }
    }

    /// Sweeps one batch, those first that ended first, and says how many enrollments gave something back. Call again
    /// until it says 0.
    ///
    /// One change per enrollment: killed at any instant, it leaves the rest to the next run.
    ///
    /// # Errors
    /// When the store cannot be asked.
    pub fn run_once<'a>(&'a self) -> Answer<'a, usize> {
        Box::pin(self.try_run_once())
    }

    async fn try_run_once(&self) -> Result<usize, Failure> {
        let now = self.service.now();
        let mut scan = Scan::all(IndexName::EnrollmentsReserving, "", BATCH);
        // Up to and with now: an end is the first instant at which nothing comes any more.
        scan.to = Some(KeyValue::Int(now.micros() + 1));
        let mut swept = 0;
        for row in &self.service.store().scan(&scan).await?.rows {
            if self.sweep(&Stored::read(row)?).await? {
                swept += 1;
            }
        }
        Ok(swept)
    }

    async fn sweep(&self, stored: &Stored<Enrollment>) -> Result<bool, Failure> {
        let mut draft = Draft::new(self.service.now());
        let Decision::Changed(changed) = decide(&stored.record, Command::Sweep, draft.now)? else { return Ok(false) };
        draft.ops.push(stored.put(&changed.next));
        self.service.add_effects(&mut draft, None, changed.effects).await?;
        self.service.audit(&mut draft, SYSTEM, stored.key(), stored.version, changed.event);
        match self.service.write(draft).await? {
            Written::Applied => Ok(true),
            // Renewed or closed meanwhile, which settles its reservations too.
            Written::Stale | Written::Taken(_) | Written::LeaseLost => Ok(false),
        }
    }
}
