//! Locations.

use std::collections::BTreeSet;
use std::sync::Arc;

use enrollment_core::domain::device::PublicKey;
use enrollment_core::domain::event::Event;
use enrollment_core::domain::group::Access;
use enrollment_core::domain::location::{FactorKind, Location, MfaMode, Ownership};
use enrollment_core::domain::policy::Policy;
use enrollment_core::domain::rejection::Rejection;
use enrollment_core::domain::role::Role;
use enrollment_core::id::LocationId;
use enrollment_core::record::{Guard, Version};
use enrollment_core::service::administrator::{LocationPatch, LocationView, NewLocation};
use enrollment_testkit::fake::RacedStore;
use uuid::Uuid;

use super::bed::{Bed, owner, refusal, refused, somebody};

pub(crate) fn new(name: &str) -> NewLocation {
    NewLocation {
        name: name.parse().expect("a name"),
        endpoint: "vpn.example.org:51820".parse().expect("an endpoint"),
        public_key: None,
        pools: vec!["10.1.0.0/16".parse().expect("a pool"), "fd00:1::/64".parse().expect("a pool")],
        allowed_ips: vec!["10.0.0.0/8".parse().expect("a network")],
        dns: vec!["10.1.0.1".parse().expect("an entry")],
        keepalive: 25,
        mtu: Some(1420),
        mfa: MfaMode::Disabled,
        factors: None,
        access: Access::Everyone,
        ownership: Ownership::Shared,
    }
}

pub(crate) async fn add(bed: &Bed, location: NewLocation) -> LocationView {
    bed.service.administrator().create_location(&owner(), location).await.expect("created").location
}

/// Which field is not accepted.
async fn refused_field(bed: &Bed, location: NewLocation) -> &'static str {
    match refused(bed.service.administrator().create_location(&owner(), location).await) {
        Rejection::InvalidField { field, .. } => field,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_private_half_of_a_gateway_made_here_is_sealed_and_reading_it_is_audited() {
    let bed = Bed::new();
    let administrator = bed.service.administrator();
    let created = administrator.create_location(&owner(), new("Home")).await.expect("created");
    let shown = created.private_key.expect("a private key");
    let public = x25519_dalek::PublicKey::from(&x25519_dalek::StaticSecret::from(*shown.expose_bytes()));
    assert_eq!(created.location.public_key, PublicKey::from_bytes(*public.as_bytes()).expect("a key"));
    assert_eq!(format!("{shown:?}"), "PrivateKey(…)");

    let id = created.location.id;
    let stored = bed.read::<Location>(id.uuid()).await;
    assert!(!serde_json::to_string(&stored.record).expect("JSON").contains(shown.expose_base64().as_str()));
    let again = administrator.gateway_private_key(&owner(), id).await.expect("the key");
    assert_eq!(again.expose_base64(), shown.expose_base64());
    let read = bed.entries().await.pop().expect("an entry").record;
    assert_eq!((read.event, read.subject.id, read.actor), (Event::GatewayKeyRead, id.uuid(), owner().actor));
}

#[tokio::test]
async fn a_gateway_whose_key_was_made_elsewhere_has_no_private_key_here() {
    let bed = Bed::new();
    let key: PublicKey = "jNQKmw+IF9llxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxw=".parse().expect("a key");
    let given = NewLocation { public_key: Some(key), ..new("Home") };
    let created = bed.service.administrator().create_location(&owner(), given).await.expect("created");
    assert!(created.private_key.is_none() && !created.location.has_private_key);
    assert_eq!(created.location.public_key, key);
    let read = bed.service.administrator().gateway_private_key(&owner(), created.location.id).await;
    assert_eq!(refused(read).code(), "not_found");
}

/// DEV-2
#[tokio::test]
async fn pools_of_one_location_do_not_overlap() {
    let bed = Bed::new();
    for pools in [["10.1.0.0/16", "10.1.2.0/24"], ["10.1.2.0/24", "10.1.0.0/16"], ["fd00::/64", "fd00::/64"]] {
        let pools = pools.map(|pool| pool.parse().expect("a pool")).to_vec();
        assert_eq!(refused_field(&bed, NewLocation { pools, ..new("Home") }).await, "pools");
    }
    add(&bed, new("Home")).await;
    add(&bed, new("The same addresses elsewhere")).await;
}

#[tokio::test]
async fn counts_and_the_mtu_of_a_location_are_bounded() {
    let bed = Bed::new();
    let pools = |count: u8| (0..count).map(|nth| format!("10.{nth}.0.0/16").parse().expect("a pool")).collect();
    let networks = |count: u8| (0..count).map(|nth| format!("10.{nth}.0.0/16").parse().expect("a network")).collect();
    let dns = |count| vec!["10.1.0.1".parse().expect("an entry"); count];
    let outside = [
        ("pools", NewLocation { pools: pools(0), ..new("Home") }),
        ("pools", NewLocation { pools: pools(9), ..new("Home") }),
        ("allowed_ips", NewLocation { allowed_ips: networks(0), ..new("Home") }),
        ("allowed_ips", NewLocation { allowed_ips: networks(65), ..new("Home") }),
        ("dns", NewLocation { dns: dns(17), ..new("Home") }),
        ("mtu", NewLocation { mtu: Some(575), ..new("Home") }),
        ("mtu", NewLocation { mtu: Some(9217), ..new("Home") }),
    ];
    for (field, location) in outside {
        assert_eq!(refused_field(&bed, location).await, field);
    }
    assert_eq!(bed.version(Guard::Locations.key()).await, None, "nothing was added");

    let id = add(
        &bed,
        NewLocation { pools: pools(8), allowed_ips: networks(64), dns: dns(16), mtu: Some(9216), ..new("Home") },
    )
    .await
    .id;
    let patch = LocationPatch { mtu: Some(Some(575)), ..LocationPatch::default() };
    let rejection = refused(bed.service.administrator().change_location(&owner(), id, patch).await);
    assert!(matches!(rejection, Rejection::InvalidField { field: "mtu", .. }), "{rejection:?}");
}

#[tokio::test]
async fn two_locations_never_have_one_name() {
    let bed = Bed::new();
    let administrator = bed.service.administrator();
    add(&bed, new("Home")).await;
    let other = add(&bed, new("Office")).await;
    assert_eq!(refused(administrator.create_location(&owner(), new("HOME")).await), Rejection::LocationNameTaken);
    let rename = LocationPatch { name: Some("home".parse().expect("a name")), ..LocationPatch::default() };
    assert_eq!(refused(administrator.change_location(&owner(), other.id, rename).await), Rejection::LocationNameTaken);
    let names: Vec<String> =
        administrator.locations(&owner()).await.expect("a list").iter().map(|view| view.name.to_string()).collect();
    assert_eq!(names, ["Home", "Office"]);
}

/// REQ-3: whoever completes holds this guard, so no change to a location slips past a completion.
#[tokio::test]
async fn every_change_to_the_locations_moves_their_guard() {
    let bed = Bed::new();
    let guard = || bed.version(Guard::Locations.key());
    assert_eq!(guard().await, None);
    let home = add(&bed, new("Home")).await;
    assert_eq!(guard().await, Some(Version(1)));
    add(&bed, new("Office")).await;
    assert_eq!(guard().await, Some(Version(2)));
    let administrator = bed.service.administrator();
    let mfa = LocationPatch { mfa: Some(MfaMode::Internal), ..LocationPatch::default() };
    let access = LocationPatch { access: Some(Access::Groups(BTreeSet::new())), ..LocationPatch::default() };
    for (patch, version) in [(mfa, 3), (access, 4)] {
        administrator.change_location(&owner(), home.id, patch).await.expect("changed");
        assert_eq!(guard().await, Some(Version(version)));
    }
}

/// REQ-3: two locations added at the same instant both move the guard, so that neither goes unseen.
#[tokio::test]
async fn a_location_is_judged_against_those_added_at_the_same_instant() {
    let bed = Bed::new();
    let first = bed.service.clone();
    let rival =
        async move { drop(first.administrator().create_location(&owner(), new("First")).await.expect("created")) };
    let late = bed.service_on(RacedStore::new(Arc::clone(&bed.store), rival));
    late.administrator().create_location(&owner(), new("Second")).await.expect("created");
    assert_eq!(bed.version(Guard::Locations.key()).await, Some(Version(2)));
}

/// REQ-3, MFA-2: without mail, one that takes nothing but codes by e-mail would stop every enrollment, also where it is the
/// only one.
#[tokio::test]
async fn a_location_that_takes_codes_by_mail_alone_needs_mail() {
    let bed = Bed::new();
    let mail = Some(BTreeSet::from([FactorKind::Email]));
    let location = NewLocation { mfa: MfaMode::Internal, factors: mail, ..new("By mail") };
    let created = bed.service.administrator().create_location(&owner(), location.clone()).await;
    assert!(matches!(refused(created), Rejection::InvalidField { field: "factors", .. }));
    assert_eq!(bed.version(Guard::Locations.key()).await, None);
    bed.service_with_mail().administrator().create_location(&owner(), location).await.expect("created");
}

#[tokio::test]
async fn a_change_to_a_location_is_audited_by_field_and_one_that_changes_nothing_is_not_written() {
    let bed = Bed::new();
    let administrator = bed.service.administrator();
    let home = add(&bed, new("Home")).await;
    let patch = LocationPatch {
        name: Some("Home".parse().expect("a name")),
        keepalive: Some(0),
        mtu: Some(None),
        ..LocationPatch::default()
    };
    let changed = administrator.change_location(&owner(), home.id, patch.clone()).await.expect("changed");
    assert_eq!((changed.keepalive, changed.mtu), (0, None));
    assert_eq!(administrator.change_location(&owner(), home.id, patch).await.expect("unchanged"), changed);
    assert_eq!(administrator.location(&owner(), home.id).await.expect("the location"), changed);
    let fields = vec!["keepalive".to_owned(), "mtu".to_owned()];
    assert_eq!(bed.events().await, [Event::LocationCreated, Event::LocationChanged { fields }]);
    assert_eq!(bed.version(Guard::Locations.key()).await, Some(Version(2)));
}

/// REQ-3: otherwise nobody could complete.
#[tokio::test]
async fn a_location_whose_second_factor_nobody_could_have_is_refused() {
    let only = |kind| Some(BTreeSet::from([kind]));
    let internal = |name: &str, factors| NewLocation { mfa: MfaMode::Internal, factors, ..new(name) };

    let strong = Bed::with(Policy::nist());
    assert_eq!(refused_field(&strong, internal("Weak", only(FactorKind::Email))).await, "factors");
    assert_eq!(refused_field(&strong, internal("None", Some(BTreeSet::new()))).await, "factors");
    add(&strong, internal("Strong", None)).await;

    let bed = Bed::new();
    add(&bed, internal("By app", only(FactorKind::Totp))).await;
    assert_eq!(refused_field(&bed, internal("By mail", only(FactorKind::Email))).await, "factors");
    let quiet = NewLocation { mfa: MfaMode::External, ..internal("By mail", only(FactorKind::Email)) };
    let quiet = add(&bed, quiet).await;
    let loud = LocationPatch { mfa: Some(MfaMode::Internal), ..LocationPatch::default() };
    let rejection = refused(bed.service.administrator().change_location(&owner(), quiet.id, loud).await);
    assert!(matches!(rejection, Rejection::InvalidField { field: "factors", .. }), "{rejection:?}");
}

/// ADM-7, ADM-8
#[tokio::test]
async fn whoever_may_not_change_locations_is_refused_and_that_is_audited() {
    let bed = Bed::new();
    let administrator = bed.service.administrator();
    let home = add(&bed, new("Home")).await.id;
    let nobody = LocationId::from_uuid(Uuid::from_u128(99));
    let manager = somebody(Role::UserManager);
    let created = administrator.create_location(&manager, new("Office")).await;
    assert_eq!(refused(created), Rejection::Forbidden);
    let changed = administrator.change_location(&manager, home, LocationPatch::default()).await;
    assert_eq!(refused(changed), Rejection::Forbidden);
    assert_eq!(refused(administrator.gateway_private_key(&manager, home).await), Rejection::Forbidden);
    assert_eq!(refused(administrator.location(&somebody(Role::HelpDesk), home).await), Rejection::Forbidden);
    assert_eq!(refused(administrator.location(&manager, nobody).await).code(), "not_found");
    assert_eq!(
        bed.events().await[1..],
        [
            refusal("create_location", "forbidden"),
            refusal("change_location", "forbidden"),
            refusal("gateway_private_key", "forbidden"),
            refusal("location", "forbidden"),
            refusal("location", "not_found"),
        ]
    );
}
