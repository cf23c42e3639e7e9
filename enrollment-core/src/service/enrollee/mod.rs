//! What the holder of a token or session does.

mod begin;
mod complete;
mod device;
mod look;
mod mfa;
mod password;
mod profile;
mod report;
mod state;
mod step;

pub use begin::{BeginRequest, Begun};
pub use complete::{Completion, Onboarding};
pub use device::{DeviceKey, DeviceRequest, NewDeviceKey};
pub use look::Look;
pub use mfa::{RecoveryCodes, TotpOffer};
pub use state::{Contact, DeviceConfig, DeviceView, Person, SessionState};

use super::Service;

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
