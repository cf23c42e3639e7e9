//! What must be true before an enrollment completes, computed by one pure function (REQ-2).

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::enrollment::{Purpose, Work};
use super::location::{FactorKind, Location};
use super::policy::Policy;
use super::settings::{DeviceStep, Settings};
use super::user::User;

/// Something that must be true.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Requirement {
    /// The person confirmed their data.
    Profile,
    /// A password is chosen.
    Password,
    /// The password is long enough to stand alone, or a factor is verified (PWD-1).
    PasswordLength,
    /// A factor is verified that the locations accept.
    Mfa,
    /// A device is added.
    Device,
}

impl Requirement {
    /// The stable code that API, wizard and clients show.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Profile => "profile",
            Self::Password => "password",
            Self::PasswordLength => "password_length",
            Self::Mfa => "mfa",
            Self::Device => "device",
        }
    }

    /// What the person does next.
    #[must_use]
    pub const fn help(self) -> &'static str {
        match self {
            Self::Profile => "Check and confirm your data.",
            Self::Password => "Choose a password.",
            Self::PasswordLength => {
                "Your password is too short to stand alone: choose a longer one, or set up a second factor."
            }
            Self::Mfa => "Set up a second factor.",
            Self::Device => "Add your device.",
        }
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// The world an enrollment is judged against.
#[derive(Debug, Clone, Copy)]
pub struct Circumstances<'a> {
    /// The user it is for.
    pub user: &'a User,
    /// All locations.
    pub locations: &'a [Location],
    /// The settings in force.
    pub settings: &'a Settings,
    /// The policy in force.
    pub policy: &'a Policy,
    /// Whether mail can be sent.
    pub mail: bool,
}

/// What is required of an enrollment, and what is offered beyond.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirements {
    /// Must be true before it completes.
    pub required: BTreeSet<Requirement>,
    /// May be done.
    pub optional: BTreeSet<Requirement>,
    /// Kinds of factor that can be set up and count.
    pub factors: BTreeSet<FactorKind>,
}

/// The kinds of factor that every one of `locations` asking for ours accepts, less the weak ones where the policy asks
/// for strong ones, and less codes by e-mail where no `mail` can be sent.
#[must_use]
pub fn accepted_factors<'a>(
    locations: impl IntoIterator<Item = &'a Location>,
    policy: &Policy,
    mail: bool,
) -> BTreeSet<FactorKind> {
    let mut kinds = BTreeSet::from([FactorKind::Totp, FactorKind::Email]);
    if policy.require_strong_factor || !mail {
        kinds.remove(&FactorKind::Email);
    }
    for location in locations.into_iter().filter(|location| location.asks_for_our_factor()) {
        kinds.retain(|kind| location.factors.contains(kind));
    }
    kinds
}

impl Circumstances<'_> {
    /// The locations the user reaches.
    pub fn reachable(&self) -> impl Iterator<Item = &Location> {
        self.locations.iter().filter(|location| location.admits(self.user))
    }

    /// The kinds of factor that count for this user: those every location asking for ours accepts, less the weak ones
    /// where the policy asks for strong ones, and less codes by e-mail where they could not reach the user.
    ///
    /// For whoever has a role an app alone counts, wherever one is accepted: codes by e-mail open no administration
    /// ([`demand`](super::sign_in::demand)), so whoever had nothing else would sign in by recovery codes until none is
    /// left.
    #[must_use]
    pub fn accepted_factors(&self) -> BTreeSet<FactorKind> {
        let kinds = accepted_factors(self.locations, self.policy, self.mail && self.user.email.is_some());
        if self.user.role.is_some() && kinds.contains(&FactorKind::Totp) {
            BTreeSet::from([FactorKind::Totp])
        } else {
            kinds
        }
    }

    /// The kinds of factor that count for `purpose`. Whoever has a role and no app can be sent for one, whatever the
    /// locations accept and whatever else they have: nothing else lets them in for long.
    fn counting_for(&self, purpose: Purpose) -> BTreeSet<FactorKind> {
        if purpose == Purpose::Factor && self.user.lacks_app() {
            BTreeSet::from([FactorKind::Totp])
        } else {
            self.accepted_factors()
        }
    }

    /// What `purpose` requires here.
    #[must_use]
    pub fn requirements(&self, purpose: Purpose) -> Requirements {
        let mut required = BTreeSet::new();
        let mut optional = BTreeSet::new();
        match purpose {
            Purpose::Onboarding => {
                required.extend([Requirement::Profile, Requirement::Password]);
                let mfa =
                    if self.policy.mfa.demands(self.user, self.locations) { &mut required } else { &mut optional };
                mfa.insert(Requirement::Mfa);
                // Without a location there is nothing to add a device to: the first Owner comes before the first one.
                if self.reachable().next().is_some() {
                    match self.settings.device_step {
                        DeviceStep::Mandatory => required.insert(Requirement::Device),
                        DeviceStep::Optional => optional.insert(Requirement::Device),
                        DeviceStep::AdministratorsOnly => false,
                    };
                }
            }
            Purpose::Device | Purpose::NetworkDevice => {
                required.insert(Requirement::Device);
            }
            Purpose::Factor => {
                required.insert(Requirement::Mfa);
            }
        }
        Requirements { required, optional, factors: self.counting_for(purpose) }
    }

    /// What is still missing, in the order in which it is shown.
    #[must_use]
    pub fn missing(&self, purpose: Purpose, work: &Work) -> Vec<Requirement> {
        let Requirements { required, factors: accepted, .. } = self.requirements(purpose);
        let mut verified = work.factors();
        verified.extend(self.user.credentials.factors());
        let has_mfa = !verified.is_disjoint(&accepted);
        let mut missing: Vec<Requirement> = required
            .into_iter()
            .filter(|requirement| match requirement {
                Requirement::Profile => work.profile.is_none(),
                Requirement::Password => work.password.is_none(),
                Requirement::Mfa => !has_mfa,
                Requirement::Device => work.device.is_none(),
                Requirement::PasswordLength => false,
            })
            .collect();
        if work.password.as_ref().is_some_and(|password| !password.long_enough_alone && !has_mfa) {
            missing.push(Requirement::PasswordLength);
            missing.sort();
        }
        missing
    }
}
