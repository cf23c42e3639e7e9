//! What an enrollment requires (REQ-2, REQ-3, REQ-4, REQ-9, PWD-1).

use std::collections::BTreeSet;
use std::sync::Arc;

use enrollment_core::domain::enrollment::{Purpose, Work};
use enrollment_core::domain::location::{FactorKind, Location, MfaMode};
use enrollment_core::domain::policy::{Policy, StandardMfaRule};
use enrollment_core::domain::requirement::Requirement;
use enrollment_core::domain::role::Role;
use enrollment_core::domain::settings::DeviceStep;
use enrollment_core::domain::user::{TotpFactor, User};

use super::common::{World, device, elsewhere, location, password, profile, sealed};

fn codes(world: &World, purpose: Purpose, work: &Work) -> Vec<&'static str> {
    world.circumstances().missing(purpose, work).into_iter().map(Requirement::code).collect()
}

fn onboarding(world: &World, work: &Work) -> Vec<&'static str> {
    codes(world, Purpose::Onboarding, work)
}

fn with_totp() -> Work {
    Work { totp: Some(TotpFactor { secret: sealed(1), last_step: 7 }), ..Work::default() }
}

/// REQ-2
#[test]
fn every_unmet_requirement_is_named_in_the_order_it_is_shown() {
    let world = World::new(vec![location(MfaMode::Internal)], DeviceStep::Mandatory);
    assert_eq!(onboarding(&world, &Work::default()), ["profile", "password", "mfa", "device"]);
    let work = Work { password: Some(password(1, false)), ..Work::default() };
    assert_eq!(onboarding(&world, &work), ["profile", "password_length", "mfa", "device"]);
    let work =
        Work { profile: Some(profile(1)), password: Some(password(1, true)), device: Some(device(1)), ..with_totp() };
    assert_eq!(onboarding(&world, &work), [""; 0]);
}

/// REQ-3
#[test]
fn mfa_is_mandatory_exactly_when_a_location_has_internal_mfa() {
    use MfaMode::{Disabled, External, Internal};
    for (modes, mandatory) in [
        (&[][..], false),
        (&[Disabled][..], false),
        (&[External][..], false),
        (&[Disabled, External][..], false),
        (&[Internal][..], true),
        (&[Disabled, External, Internal][..], true),
    ] {
        let locations: Vec<Location> = modes.iter().map(|mode| location(*mode)).collect();
        let world = World::new(locations, DeviceStep::Optional);
        let requirements = world.circumstances().requirements(Purpose::Onboarding);
        assert_eq!(requirements.required.contains(&Requirement::Mfa), mandatory, "{modes:?}");
        assert_eq!(requirements.optional.contains(&Requirement::Mfa), !mandatory, "{modes:?}: offered otherwise");
        assert_eq!(onboarding(&world, &Work::default()).contains(&"mfa"), mandatory, "{modes:?}");
        assert!(!onboarding(&world, &with_totp()).contains(&"mfa"), "{modes:?}");
    }
    let unreachable = World::new(vec![elsewhere(Internal)], DeviceStep::Optional);
    assert!(onboarding(&unreachable, &Work::default()).contains(&"mfa"), "whether the user reaches it or not");
}

/// REQ-3
#[test]
fn another_mfa_rule_can_be_plugged_in() {
    let world = |rule, locations| World {
        policy: Policy { mfa: Arc::new(rule), ..Policy::standard() },
        ..World::new(locations, DeviceStep::Optional)
    };
    let demands = |world: World| onboarding(&world, &Work::default()).contains(&"mfa");
    let (here, there) = (location(MfaMode::Internal), elsewhere(MfaMode::Internal));
    assert!(demands(world(StandardMfaRule::Always, vec![])));
    assert!(!demands(world(StandardMfaRule::Never, vec![here.clone()])));
    assert!(demands(world(StandardMfaRule::ReachableInternalLocation, vec![here])));
    assert!(!demands(world(StandardMfaRule::ReachableInternalLocation, vec![there])));
}

/// REQ-3
#[test]
fn a_factor_that_the_locations_do_not_accept_does_not_count() {
    let by_mail = Location { factors: BTreeSet::from([FactorKind::Email]), ..location(MfaMode::Internal) };
    let world = World::new(vec![by_mail, location(MfaMode::Disabled)], DeviceStep::Optional);
    assert!(onboarding(&world, &with_totp()).contains(&"mfa"));
}

/// MFA-2, REQ-3
#[test]
fn codes_by_mail_count_where_mail_policy_locations_and_an_address_allow() {
    let by_mail = |world: World| {
        let work = Work { email: true, ..Work::default() };
        let accepted = world.circumstances().accepted_factors();
        assert!(accepted.contains(&FactorKind::Totp), "the other factor is not touched");
        assert_eq!(onboarding(&world, &work).contains(&"mfa"), !accepted.contains(&FactorKind::Email));
        accepted.contains(&FactorKind::Email)
    };
    let both =
        Location { factors: BTreeSet::from([FactorKind::Totp, FactorKind::Email]), ..location(MfaMode::Internal) };
    let world = World::new(vec![both.clone()], DeviceStep::Optional);
    assert!(by_mail(world.clone()));
    assert!(!by_mail(World { policy: Policy::nist(), ..world.clone() }));
    assert!(!by_mail(World { mail: false, ..world.clone() }));
    assert!(!by_mail(World { user: User { email: None, ..world.user.clone() }, ..world.clone() }));
    assert!(!by_mail(World { locations: vec![both, location(MfaMode::Internal)], ..world }));
}

/// MFA-2: codes by e-mail open no administration, so an app alone counts for whoever has a role; where none is accepted,
/// nobody is kept from what is.
#[test]
fn for_whoever_has_a_role_an_app_alone_counts() {
    let of = |factors: &[FactorKind], role| {
        let location = Location { factors: factors.iter().copied().collect(), ..location(MfaMode::Internal) };
        let world = World::new(vec![location], DeviceStep::Optional);
        let world = World { user: User { role, ..world.user.clone() }, ..world };
        let by_mail = Work { email: true, ..Work::default() };
        (world.circumstances().accepted_factors(), onboarding(&world, &by_mail).contains(&"mfa"))
    };
    let both = [FactorKind::Totp, FactorKind::Email];
    for role in Role::ALL {
        assert_eq!(of(&both, Some(role)), ([FactorKind::Totp].into(), true), "{role:?}");
        assert_eq!(of(&both[1..], Some(role)), ([FactorKind::Email].into(), false), "{role:?}");
    }
    assert_eq!(of(&both, None), (both.into(), false));
}

/// MFA-2, AUTH-1: an administrator whom codes by e-mail alone got in is sent for an app, whatever the locations accept.
#[test]
fn whoever_has_a_role_and_no_app_is_sent_for_one() {
    let location = Location { factors: BTreeSet::from([FactorKind::Email]), ..location(MfaMode::Internal) };
    let mut world = World::new(vec![location], DeviceStep::Optional);
    world.user.credentials.email = true;
    let by_mail = Work { email: true, ..Work::default() };
    assert_eq!(
        codes(&world, Purpose::Factor, &by_mail),
        [""; 0],
        "without a role what counts is what locations accept"
    );
    world.user.role = Some(Role::UserManager);
    assert_eq!(codes(&world, Purpose::Factor, &Work::default()), ["mfa"]);
    assert_eq!(codes(&world, Purpose::Factor, &by_mail), ["mfa"]);
    assert_eq!(codes(&world, Purpose::Factor, &with_totp()), [""; 0]);
    assert_eq!(world.circumstances().requirements(Purpose::Factor).factors, [FactorKind::Totp].into());
}

/// REQ-4
#[test]
fn the_device_step_is_mandatory_optional_or_reserved_to_administrators() {
    for (step, required, optional) in [
        (DeviceStep::Mandatory, true, false),
        (DeviceStep::Optional, false, true),
        (DeviceStep::AdministratorsOnly, false, false),
    ] {
        let world = World::new(vec![location(MfaMode::Disabled)], step);
        let requirements = world.circumstances().requirements(Purpose::Onboarding);
        assert_eq!(requirements.required.contains(&Requirement::Device), required, "{step:?}");
        assert_eq!(requirements.optional.contains(&Requirement::Device), optional, "{step:?}");
    }
}

/// REQ-4: the first Owner comes before the first location.
#[test]
fn nobody_needs_a_device_where_no_location_admits_them() {
    for locations in [vec![], vec![elsewhere(MfaMode::Disabled)]] {
        let world = World::new(locations, DeviceStep::Mandatory);
        assert_eq!(onboarding(&world, &Work::default()), ["profile", "password"]);
    }
}

/// PWD-1
#[test]
fn a_password_of_eight_needs_a_factor_and_one_of_fifteen_does_not() {
    let world = World::new(vec![location(MfaMode::Disabled)], DeviceStep::Optional);
    let done = |long, totp: Work| Work { profile: Some(profile(1)), password: Some(password(1, long)), ..totp };
    assert_eq!(onboarding(&world, &done(false, Work::default())), ["password_length"]);
    assert_eq!(onboarding(&world, &done(false, with_totp())), [""; 0]);
    assert_eq!(onboarding(&world, &done(true, Work::default())), [""; 0]);
}

/// REQ-9
#[test]
fn a_device_enrollment_asks_for_a_device_and_a_factor_enrollment_for_a_factor_only() {
    let world = World::new(vec![location(MfaMode::Internal)], DeviceStep::AdministratorsOnly);
    assert_eq!(codes(&world, Purpose::Device, &Work::default()), ["device"]);
    assert_eq!(codes(&world, Purpose::Factor, &Work::default()), ["mfa"]);
    assert_eq!(codes(&world, Purpose::Factor, &with_totp()), [""; 0]);
}
