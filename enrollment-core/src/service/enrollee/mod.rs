//! What the holder of a token or session does.

mod begin;
mod complete;
mod device;
mod look;
mod mfa;
mod password;
mod profile;
mod state;
mod step;

pub use begin::{BeginRequest, Begun};
pub use complete::{Completion, Onboarding};
pub use device::{DeviceKey, DeviceRequest, NewDeviceKey};
pub use look::Look;
pub use mfa::{RecoveryCodes, TotpOffer};
pub use state::{Contact, DeviceConfig, DeviceView, Person, SessionState};

use super::Service;
use crate::domain::command::Decision;
use crate::domain::enrollment::Enrollment;
use crate::domain::rejection::Rejection;
use crate::record::Stored;

/// Changes under one invitation, its restarts of sessions included: hundreds of times what a person needs, and the bound
/// for what whoever holds a token can make the audit log grow by.
const MOST_CHANGES: u64 = 1_000;

/// A decision, as long as one more change may be written. Completing always may.
fn roomy(stored: &Stored<Enrollment>, decision: Decision) -> Result<Decision, Rejection> {
    match decision {
        Decision::Changed(_) if stored.version.0 >= MOST_CHANGES => Err(Rejection::ChangesExhausted),
        decision => Ok(decision),
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
