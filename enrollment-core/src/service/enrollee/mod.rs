//! What the holder of a token or session does.

mod begin;
mod client;
mod complete;
mod device;
mod email_code;
mod look;
mod machine;
pub(crate) mod mfa;
mod password;
mod profile;
mod report;
mod shown;
mod state;
mod step;

pub use begin::{BeginRequest, Begun};
pub use client::{ClientAccount, ClientBegun, ClientDevice, ClientView};
pub use complete::{Completion, Onboarding};
pub use device::{DeviceKey, DeviceRequest, NewDeviceKey};
pub use email_code::EmailCodeSent;
pub(crate) use email_code::email_code;
pub use look::Look;
pub use mfa::{RecoveryCodes, TotpOffer};
pub use shown::Welcome;
pub use state::{Contact, DeviceConfig, DeviceView, Person, SessionState, Whose};

use super::Service;
use super::operation::concerns;
use crate::domain::command::{Command, Decision};
use crate::domain::decide;
use crate::domain::enrollment::{Closure, Enrollment};
use crate::domain::rejection::Rejection;
use crate::record::Stored;
use crate::time::Timestamp;

/// Changes under one invitation: hundreds of times what a person needs, and the bound for what whoever holds a token can
/// make the audit log grow by.
const MOST_CHANGES: u64 = 1_000;

/// Says that this enrollment is what the operation is about.
fn traced(stored: Stored<Enrollment>) -> Stored<Enrollment> {
    concerns(stored.record.id);
    stored
}

/// A decision, as long as there is room for one more change; at the limit the enrollment locks instead, as it does at too
/// many wrong codes, where everybody sees it. Completing always may.
fn roomy(stored: &Stored<Enrollment>, decision: Decision, now: Timestamp) -> Result<Decision, Rejection> {
    if stored.version.0 < MOST_CHANGES || matches!(decision, Decision::Unchanged(_)) {
        return Ok(decision);
    }
    match decide(&stored.record, Command::Close(Closure::Locked), now)? {
        Decision::Changed(mut locked) => {
            locked.outcome = Err(Closure::Locked.rejection());
            Ok(Decision::Changed(locked))
        }
        unchanged @ Decision::Unchanged(_) => Ok(unchanged),
    }
}

/// What the holder of a token or session does.
#[derive(Debug, Clone, Copy)]
pub struct Enrollee<'a> {
    service: &'a Service,
}

impl<'a> Enrollee<'a> {
    pub(crate) const fn new(service: &'a Service) -> Self {
        Self { service }
    }
}
