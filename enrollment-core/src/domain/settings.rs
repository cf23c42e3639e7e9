//! Settings: what an administrator chose inside the policy.

use serde::{Deserialize, Serialize};

use super::contact::Email;
use super::download::Downloads;
use super::enrollment::Purpose;
use super::policy::{OutOfBounds, Policy};
use super::text::Label;
use crate::time::Span;

/// Whether enrollees add a device (REQ-4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceStep {
    /// They must, where a location admits them.
    #[default]
    Mandatory,
    /// They may.
    Optional,
    /// Only administrators do.
    AdministratorsOnly,
}

/// Which front end an invitation leads to (INV-11).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FrontEnd {
    /// The wizard in the browser.
    Browser,
    /// The desktop client.
    Desktop,
    /// The person's choice.
    #[default]
    Both,
}

impl FrontEnd {
    /// Where an invitation of this purpose leads: a second factor alone is set up in a browser, no client can (`REQ-9`);
    /// that of a machine leads to a page that says what to run.
    #[must_use]
    pub const fn for_purpose(self, purpose: Purpose) -> Self {
        match purpose {
            Purpose::Factor | Purpose::NetworkDevice => Self::Browser,
            Purpose::Onboarding | Purpose::Device => self,
        }
    }

    /// Whether the client is among what it leads to.
    #[must_use]
    pub const fn has_client(self) -> bool {
        matches!(self, Self::Desktop | Self::Both)
    }
}

/// What an administrator chose. Every value lies inside the policy in force when it was saved.
///
/// Issued enrollments and begun sessions carry their own deadlines: a change here touches neither.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The organization people are let into; shown to enrollees, refused as a password.
    pub organization: Label,
    /// The name of the product; shown as the issuer in authenticator apps, refused as a password.
    pub product: Label,
    /// Whom an enrollee can ask for help; shown to everybody who opens a link.
    pub support_contact: Label,
    /// How long a token is valid from issue.
    pub token_validity: Span,
    /// How long a session lasts from its own start.
    pub session_validity: Span,
    /// How many sessions one token opens.
    pub max_sessions: u32,
    /// Whether enrollees add a device.
    pub device_step: DeviceStep,
    /// Which front end an invitation leads to.
    pub front_end: FrontEnd,
    /// Where people get the client, shown to whoever an invitation leads to it.
    #[serde(default)]
    pub downloads: Downloads,
    /// The one address all mail comes from, so that mail filters can allow it (INV-11).
    pub sender: Option<Email>,
    /// Whether the help desk may have invitations sent (ADM-7).
    pub help_desk_may_send: bool,
    /// Whether the onboarding message is mailed after completion, beside being shown (MSG-1).
    #[serde(default = "yes")]
    pub onboarding_mail: bool,
}

const fn yes() -> bool {
    true
}

/// A setting outside its policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {reason}")]
pub struct InvalidSetting {
    /// Which one.
    pub field: &'static str,
    /// Why.
    pub reason: OutOfBounds,
}

impl Settings {
    /// The settings when nobody has chosen yet.
    #[must_use]
    pub fn defaults(policy: &Policy) -> Self {
        let label = |text: &str| text.parse().unwrap_or_else(|_| unreachable!("a short constant is a label"));
        Self {
            organization: label(""),
            product: label("VPN"),
            support_contact: label(""),
            token_validity: policy.token_validity.default,
            session_validity: policy.session_validity.default,
            max_sessions: policy.max_sessions.default,
            device_step: DeviceStep::default(),
            front_end: FrontEnd::default(),
            downloads: Downloads::new(),
            sender: None,
            help_desk_may_send: false,
            onboarding_mail: yes(),
        }
    }

    /// Whether every value lies inside the policy.
    ///
    /// # Errors
    /// With the field and its bounds, when one does not.
    pub fn check(&self, policy: &Policy) -> Result<(), InvalidSetting> {
        let invalid = |field| move |reason| InvalidSetting { field, reason };
        policy.token_validity.check(self.token_validity).map_err(invalid("token_validity"))?;
        policy.session_validity.check(self.session_validity).map_err(invalid("session_validity"))?;
        policy.max_sessions.check(self.max_sessions).map_err(invalid("max_sessions"))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_lie_inside_every_preset_and_values_outside_are_refused() {
        for name in ["standard", "defguard", "duo", "nist"] {
            let policy = Policy::preset(name).expect(name);
            let settings = Settings::defaults(&policy);
            assert_eq!(settings.check(&policy), Ok(()), "{name}");
            let outside = Settings { session_validity: Span::days(9), ..settings };
            assert_eq!(outside.check(&policy).map_err(|error| error.field), Err("session_validity"));
        }
    }
}
