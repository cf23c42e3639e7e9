//! The stable words for choices, in both directions.

use enrollment_core::domain::enrollment::{Closure, Purpose};
use enrollment_core::domain::location::{FactorKind, MfaMode, Ownership};
use enrollment_core::domain::mail::MailStanding;
use enrollment_core::domain::settings::{DeviceStep, FrontEnd};
use enrollment_core::domain::user::UserStatus;
use enrollment_core::service::administrator::{Delivery, Standing};

use crate::problem::Problem;

/// The words for a choice.
pub(crate) struct Words<T: 'static> {
    all: &'static [(&'static str, T)],
    word: fn(&T) -> &'static str,
}

impl<T: Copy> Words<T> {
    /// The word for a meaning.
    pub(crate) fn word(&self, meaning: T) -> &'static str {
        (self.word)(&meaning)
    }

    /// What the word in this field means.
    pub(crate) fn read(&self, field: &'static str, text: &str) -> Result<T, Problem> {
        let found = self.all.iter().find(|(word, _)| *word == text);
        found.map(|(_, meaning)| *meaning).ok_or_else(|| {
            let words: Vec<_> = self.all.iter().map(|(word, _)| *word).collect();
            Problem::invalid_field(field, format_args!("must be one of {}", words.join(", ")))
        })
    }

    /// What the word in this field means, if there is one.
    pub(crate) fn read_optional(&self, field: &'static str, text: Option<&str>) -> Result<Option<T>, Problem> {
        text.map(|text| self.read(field, text)).transpose()
    }
}

/// One list for both directions. The match makes a choice without a word a failed build.
macro_rules! words {
    ($name:ident: $type:ty { $($word:literal = $meaning:path,)* }) => {
        pub(crate) const $name: Words<$type> = Words {
            all: &[$(($word, $meaning),)*],
            word: |meaning| match meaning { $($meaning => $word,)* },
        };
    };
}

words! { PURPOSES: Purpose {
    "onboarding" = Purpose::Onboarding,
    "device" = Purpose::Device,
    "factor" = Purpose::Factor,
    "network_device" = Purpose::NetworkDevice,
}}
words! { DELIVERIES: Delivery {
    "manual" = Delivery::Manual,
    "email" = Delivery::Email,
    "both" = Delivery::Both,
}}
words! { STANDINGS: Standing {
    "pending" = Standing::Open,
    "completed" = Standing::Completed,
    "closed" = Standing::Closed,
}}
words! { MAIL_STANDINGS: MailStanding {
    "queue" = MailStanding::Queue,
    "sent" = MailStanding::Sent,
    "dead" = MailStanding::Dead,
    "obsolete" = MailStanding::Obsolete,
}}
words! { CLOSURES: Closure {
    "revoked" = Closure::Revoked,
    "restarted" = Closure::Restarted,
    "locked" = Closure::Locked,
    "user_disabled" = Closure::UserDisabled,
    "reported" = Closure::Reported,
}}
words! { STATUSES: UserStatus {
    "active" = UserStatus::Active,
    "disabled" = UserStatus::Disabled,
}}
words! { MFA_MODES: MfaMode {
    "disabled" = MfaMode::Disabled,
    "internal" = MfaMode::Internal,
    "external" = MfaMode::External,
}}
words! { FACTORS: FactorKind {
    "totp" = FactorKind::Totp,
    "email" = FactorKind::Email,
}}
words! { OWNERSHIPS: Ownership {
    "shared" = Ownership::Shared,
    "exclusive" = Ownership::Exclusive,
}}
words! { DEVICE_STEPS: DeviceStep {
    "mandatory" = DeviceStep::Mandatory,
    "optional" = DeviceStep::Optional,
    "administrators_only" = DeviceStep::AdministratorsOnly,
}}
words! { FRONT_ENDS: FrontEnd {
    "browser" = FrontEnd::Browser,
    "desktop" = FrontEnd::Desktop,
    "both" = FrontEnd::Both,
}}
