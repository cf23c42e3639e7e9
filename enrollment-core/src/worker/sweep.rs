//! Giving back what abandoned enrollments reserve.

use crate::domain::command::{Command, Decision};
use crate::domain::decide;
use crate::domain::enrollment::Enrollment;
use crate::port::Scan;
use crate::record::{IndexName, KeyValue, Row, Stored};
use crate::service::turn::{Draft, Written};
use crate::service::{Answer, Failure, Service, round};
use crate::worker::SYSTEM;

/// Releases the addresses of enrollments that nothing can complete any more (DEV-3), and writes down how many refusals of
/// this process were only counted (ADM-8). Nothing depends on when it runs:
/// whether a token or session is over is decided by the clock alone.
#[derive(Debug, Clone)]
pub struct Sweeper {
    service: Service,
}

/// Enrollments swept in one run.
const BATCH: u32 = 32;

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
        round("sweeper", self.try_run_once())
    }

    async fn try_run_once(&self) -> Result<usize, Failure> {
        self.service.count_refusals().await?;
        let now = self.service.now();
        let mut scan = Scan::all(IndexName::EnrollmentsReserving, "", BATCH);
        // Up to and with now: an end is the first instant at which nothing comes any more.
        scan.to = Some(KeyValue::Int(now.micros() + 1));
        loop {
            let page = self.service.store().scan(&scan).await?;
            let mut swept = 0;
            for row in &page.rows {
                match self.sweep(row).await {
                    Ok(released) => swept += usize::from(released),
                    // What cannot be read holds up nothing else.
                    Err(Failure::Broken(error)) => {
                        tracing::error!(%error, row = %row.key, "an enrollment cannot be swept and will be tried again");
                    }
                    Err(failure) => return Err(failure),
                }
            }
            // A page of nothing but damaged ones must not hide those behind it.
            match page.next {
                Some(next) if swept == 0 => scan.after = Some(next),
                _ => return Ok(swept),
            }
        }
    }

    async fn sweep(&self, row: &Row) -> Result<bool, Failure> {
        let stored = &Stored::<Enrollment>::read(row)?;
        let mut draft = Draft::new(self.service.now());
        let Decision::Changed(changed) = decide(&stored.record, Command::Sweep, draft.now)? else { return Ok(false) };
        self.service.add_changed(&mut draft, SYSTEM, stored, None, *changed).await?;
        match self.service.write(draft).await? {
            Written::Applied => Ok(true),
            // Renewed or closed meanwhile, which settles its reservations too.
            Written::Stale | Written::Taken(_) | Written::LeaseLost => Ok(false),
        }
    }
}
