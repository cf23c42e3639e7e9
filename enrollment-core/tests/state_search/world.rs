//! The circumstances a search tries, each beside what a person would say of it, and the values it uses.

use std::collections::BTreeSet;

use enrollment_core::domain::enrollment::Purpose;
use enrollment_core::domain::location::{FactorKind, Location, MfaMode};
use enrollment_core::domain::policy::EmailCodeRules;
use enrollment_core::domain::settings::DeviceStep;
use enrollment_core::domain::user::{ChosenPassword, UserStatus};
use enrollment_core::secret::{KeyedDigest, Sealed};
use enrollment_core::time::Span;

use super::action::Tag;
use super::common::{World, codes, elsewhere, location, password, sealed};

/// Small bounds for codes by e-mail, so that each is reached: two in a session, valid for half of it.
pub(crate) const RULES: EmailCodeRules =
    EmailCodeRules { digits: 6, validity: Span::minutes(5), per_session: 2, again_after: Span::seconds(30) };

/// Circumstances, and the facts of them that the rules are about. The facts are stated, not computed, so that they
/// can contradict the code.
#[derive(Debug)]
pub(crate) struct Variant {
    pub(crate) world: World,
    /// The user is active.
    pub(crate) active: bool,
    /// Some location admits the user.
    pub(crate) reach: bool,
    /// A location asks for our factor.
    pub(crate) mfa: bool,
    /// Every location that asks for our factor accepts an authenticator app.
    pub(crate) totp: bool,
    /// Every location that asks for our factor accepts codes by e-mail, the policy does, and they reach the user.
    pub(crate) email: bool,
    pub(crate) step: DeviceStep,
}

fn variant(world: World, reach: bool, mfa: bool) -> Variant {
    Variant { active: true, reach, mfa, totp: true, email: !mfa, step: world.settings.device_step, world }
}

/// Every circumstance worth telling apart.
pub(crate) fn worlds() -> Vec<Variant> {
    let plain = || World::new(vec![location(MfaMode::Disabled)], DeviceStep::Mandatory);
    let mut disabled = plain();
    disabled.user.status = UserStatus::Disabled;
    let by_mail = Location { factors: BTreeSet::from([FactorKind::Email]), ..location(MfaMode::Internal) };
    let mut strict = World::new(vec![], DeviceStep::Mandatory);
    strict.policy.require_strong_factor = true;
    let mut mute = World::new(vec![location(MfaMode::External)], DeviceStep::Optional);
    mute.mail = false;
    let mut nowhere = World::new(vec![location(MfaMode::Disabled)], DeviceStep::AdministratorsOnly);
    nowhere.user.email = None;
    vec![
        Variant { email: false, ..variant(strict, false, false) },
        variant(plain(), true, false),
        Variant { email: false, ..variant(mute, true, false) },
        Variant { email: false, ..variant(nowhere, true, false) },
        variant(World::new(vec![location(MfaMode::Internal)], DeviceStep::Mandatory), true, true),
        variant(World::new(vec![elsewhere(MfaMode::Internal)], DeviceStep::Optional), false, true),
        Variant { totp: false, email: true, ..variant(World::new(vec![by_mail], DeviceStep::Optional), true, true) },
        Variant { active: false, ..variant(disabled, true, false) },
    ]
}

impl Variant {
    /// What `purpose` is missing here, said once more in plain words (REQ-2, REQ-3, REQ-4, PWD-1).
    pub(crate) fn missing(
        &self,
        purpose: Purpose,
        profile: bool,
        password: Option<bool>,
        (totp, email): (bool, bool),
        device: bool,
    ) -> Vec<&'static str> {
        let factor = (totp && self.totp) || (email && self.email);
        let says = |code, holds: bool| if holds { None } else { Some(code) };
        match purpose {
            Purpose::Onboarding => [
                says("profile", profile),
                says("password", password.is_some()),
                says("password_length", password != Some(false) || factor),
                says("mfa", factor || !self.mfa),
                says("device", device || !self.reach || self.step != DeviceStep::Mandatory),
            ]
            .into_iter()
            .flatten()
            .collect(),
            Purpose::Device | Purpose::NetworkDevice => says("device", device).into_iter().collect(),
            Purpose::Factor => says("mfa", factor).into_iter().collect(),
        }
    }

    /// Whether a device staged before becomes a peer here: the device step may have been reserved meanwhile (REQ-4).
    pub(crate) fn keeps_device(&self, purpose: Purpose) -> bool {
        purpose != Purpose::Onboarding || self.step != DeviceStep::AdministratorsOnly
    }

    /// Why a device cannot be added here, if it cannot.
    pub(crate) fn refuses_device(&self, purpose: Purpose) -> Option<&'static str> {
        match purpose {
            Purpose::Onboarding if !self.reach || self.step == DeviceStep::AdministratorsOnly => {
                Some("step_not_offered")
            }
            Purpose::Factor | Purpose::NetworkDevice => Some("step_not_offered"),
            Purpose::Device if !self.reach => Some("no_location"),
            Purpose::Onboarding | Purpose::Device => None,
        }
    }
}

/// Values made once: a search needs them a million times.
#[derive(Debug)]
pub(crate) struct Values {
    passwords: Vec<ChosenPassword>,
    sealed: Vec<Sealed>,
    codes: Vec<Vec<KeyedDigest>>,
}

impl Values {
    pub(crate) fn new() -> Self {
        let tags = 0..80;
        Self {
            passwords: tags.clone().map(|tag| password(tag, false)).collect(),
            sealed: tags.clone().map(sealed).collect(),
            codes: tags.map(codes).collect(),
        }
    }

    pub(crate) fn password(&self, tag: Tag, long_enough_alone: bool) -> ChosenPassword {
        ChosenPassword { hash: self.passwords[usize::from(tag)].hash.clone(), long_enough_alone }
    }

    pub(crate) fn sealed(&self, tag: Tag) -> &Sealed {
        &self.sealed[usize::from(tag)]
    }

    pub(crate) fn codes(&self, tag: Tag) -> &[KeyedDigest] {
        &self.codes[usize::from(tag)]
    }

    /// Which password this is.
    pub(crate) fn which_password(&self, password: &ChosenPassword) -> Tag {
        position(self.passwords.iter().map(|known| known.hash == password.hash))
    }

    /// Which TOTP secret this is.
    pub(crate) fn which_sealed(&self, secret: &Sealed) -> Tag {
        position(self.sealed.iter().map(|known| known == secret))
    }
}

fn position(mut matches: impl Iterator<Item = bool>) -> Tag {
    let index = matches.position(|found| found).expect("only values of this search are used");
    Tag::try_from(index).expect("a small number")
}
