//! The stable words for choices, in both directions.

use std::fmt;

use enrollment_core::domain::enrollment::{Closure, Purpose};
use enrollment_core::domain::location::{FactorKind, MfaMode, Ownership};
use enrollment_core::domain::settings::{DeviceStep, FrontEnd};
use enrollment_core::domain::user::UserStatus;
use enrollment_core::service::administrator::{Delivery, Standing};

use crate::problem::Problem;

/// Words and what they mean.
pub(super) type Words<T> = [(&'static str, T)];

pub(super) const PURPOSES: &Words<Purpose> = &[
    (Purpose::Onboarding.as_str(), Purpose::Onboarding),
    (Purpose::Device.as_str(), Purpose::Device),
    (Purpose::Factor.as_str(), Purpose::Factor),
];
pub(super) const DELIVERIES: &Words<Delivery> = &[
    (Delivery::Manual.as_str(), Delivery::Manual),
    (Delivery::Email.as_str(), Delivery::Email),
    (Delivery::Both.as_str(), Delivery::Both),
];
pub(super) const STANDINGS: &Words<Standing> =
    &[("pending", Standing::Open), ("completed", Standing::Completed), ("closed", Standing::Closed)];
pub(super) const STATUSES: &Words<UserStatus> = &[("active", UserStatus::Active), ("disabled", UserStatus::Disabled)];
pub(super) const MFA_MODES: &Words<MfaMode> =
    &[("disabled", MfaMode::Disabled), ("internal", MfaMode::Internal), ("external", MfaMode::External)];
pub(super) const FACTORS: &Words<FactorKind> =
    &[(FactorKind::Totp.as_str(), FactorKind::Totp), (FactorKind::Email.as_str(), FactorKind::Email)];
pub(super) const OWNERSHIPS: &Words<Ownership> = &[("shared", Ownership::Shared), ("exclusive", Ownership::Exclusive)];
pub(super) const DEVICE_STEPS: &Words<DeviceStep> = &[
    ("mandatory", DeviceStep::Mandatory),
    ("optional", DeviceStep::Optional),
    ("administrators_only", DeviceStep::AdministratorsOnly),
];
pub(super) const FRONT_ENDS: &Words<FrontEnd> =
    &[("browser", FrontEnd::Browser), ("desktop", FrontEnd::Desktop), ("both", FrontEnd::Both)];
pub(super) const CLOSURES: &Words<Closure> = &[
    ("revoked", Closure::Revoked),
    ("restarted", Closure::Restarted),
    ("locked", Closure::Locked),
    ("user_disabled", Closure::UserDisabled),
    ("reported", Closure::Reported),
];

/// What a word means.
pub(super) fn choice<T: Copy>(field: &'static str, words: &Words<T>, text: &str) -> Result<T, Problem> {
    let found = words.iter().find(|(word, _)| *word == text);
    found.map(|(_, meaning)| *meaning).ok_or_else(|| Problem::invalid_field(field, OneOf(words)))
}

/// What a word means, if there is one.
pub(super) fn optional_choice<T: Copy>(
    field: &'static str,
    words: &Words<T>,
    text: Option<&str>,
) -> Result<Option<T>, Problem> {
    text.map(|text| choice(field, words, text)).transpose()
}

/// The word for a meaning.
pub(super) fn word<T: PartialEq>(words: &Words<T>, meaning: &T) -> &'static str {
    // Every table names every variant, as the test below shows by the compiler's own list.
    words.iter().find(|(_, known)| known == meaning).map_or("unknown", |(word, _)| word)
}

struct OneOf<'a, T>(&'a Words<T>);

impl<T> fmt::Display for OneOf<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<_> = self.0.iter().map(|(word, _)| *word).collect();
        write!(f, "must be one of {}", words.join(", "))
    }
}
