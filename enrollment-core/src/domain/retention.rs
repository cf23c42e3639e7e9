//! How long what has ended is kept.

use serde::{Deserialize, Serialize};

use crate::time::Span;

/// How long each kind of thing is kept after it has ended; `None`: for good. [`crate::worker::Pruner`] removes the rest.
///
/// Users, devices, locations, settings and texts have no period: they stay until somebody removes them. Sessions of
/// administrators go when they are over, and browsers when nobody is known by them any more. Addresses that
/// rest are given out again and need none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retention {
    /// Identifiers of changes, by which a repeated one is known. At least 25 h: stores promise a day (G3).
    pub changes: Span,
    /// Finished work of the outbox, which says no more than which mail or peer it was about. At least a day.
    pub work: Span,
    /// Mails that were sent or are no longer wanted. At least a day. The latest one of an enrollment stays as long as
    /// the enrollment, whose list shows it.
    pub mails: Option<Span>,
    /// Mails that could not be delivered. At least a day.
    pub dead_mails: Option<Span>,
    /// Enrollments that nothing can come of any more, from their end or that of their token, whichever is later. At least
    /// a week, in which a holder of the token hears what became of it; afterwards it is like one that never was.
    pub enrollments: Option<Span>,
    /// Entries of the audit log, from their seal. At least 30 days.
    pub audit: Option<Span>,
}

impl Retention {
    /// The shortest periods.
    const FLOOR: Self = Self {
        changes: Span::hours(25),
        work: Span::days(1),
        mails: Some(Span::days(1)),
        dead_mails: Some(Span::days(1)),
        enrollments: Some(Span::days(7)),
        audit: Some(Span::days(30)),
    };

    /// What is kept when nobody chose: ids of changes 25 h, finished work a week, mails 30 days, dead letters and
    /// enrollments 90 days, the audit log for good.
    #[must_use]
    pub const fn standard() -> Self {
        Self {
            changes: Span::hours(25),
            work: Span::days(7),
            mails: Some(Span::days(30)),
            dead_mails: Some(Span::days(90)),
            enrollments: Some(Span::days(90)),
            audit: None,
        }
    }

    /// What is shorter than it may be.
    pub(crate) fn reasons(&self) -> Vec<String> {
        let Self { changes, work, mails, dead_mails, enrollments, audit } = *self;
        let floor = Self::FLOOR;
        let periods = [
            ("changes", Some(changes), Some(floor.changes)),
            ("work", Some(work), Some(floor.work)),
            ("mails", mails, floor.mails),
            ("dead_mails", dead_mails, floor.dead_mails),
            ("enrollments", enrollments, floor.enrollments),
            ("audit", audit, floor.audit),
        ];
        let short = |(name, period, floor): (&str, Option<Span>, Option<Span>)| match (period, floor) {
            (Some(period), Some(floor)) if period < floor => Some(format!("retention.{name}: at least {floor}")),
            _ => None,
        };
        periods.into_iter().filter_map(short).collect()
    }
}

impl Default for Retention {
    fn default() -> Self {
        Self::standard()
    }
}
