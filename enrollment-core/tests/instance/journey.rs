//! From the first location to an enrolled user, and what the audit log says of it.

use std::collections::BTreeSet;
use std::net::IpAddr;

use enrollment_core::domain::enrollment::Purpose;
use enrollment_core::domain::policy::Policy;
use enrollment_core::port::Scan;
use enrollment_core::record::IndexName;
use enrollment_core::secret::{Password, PrivateKey};
use enrollment_core::service::Origin;
use enrollment_core::service::administrator::{
    Delivery, LocationPatch, NewLocation, NewUser, StartEnrollment, UserPatch,
};
use enrollment_core::service::enrollee::{BeginRequest, DeviceKey, DeviceRequest};
use enrollment_testkit::fake::SeededEntropy;

use super::audit::change_settings;
use super::bed::{Bed, owner, refused};
use super::locations::{add, new};

fn anna(enrollment: StartEnrollment) -> NewUser {
    NewUser {
        username: "anna".parse().expect("a username"),
        first_name: "Anna".parse().expect("a name"),
        last_name: "Kowalska".parse().expect("a name"),
        email: None,
        phone: None,
        groups: BTreeSet::new(),
        role: None,
        enrollment: Some(enrollment),
    }
}

/// ADM-8: every version of every user, enrollment, location and of the settings has its entry, whoever made it.
#[tokio::test]
async fn every_change_of_a_whole_journey_is_audited() {
    let bed = Bed::new();
    let (administrator, enrollee) = (bed.service.administrator(), bed.service.enrollee());
    let origin = Origin::default();
    let home = add(&bed, new("Home")).await.id;
    change_settings(&bed, 1).await;
    let start =
        |purpose| StartEnrollment { purpose, delivery: Delivery::Manual, email: None, validity: None, wording: None };
    let (user, _) = administrator.create_user(&owner(), anna(start(Purpose::Onboarding))).await.expect("a user");
    let restarted = administrator.start(&owner(), user.id, start(Purpose::Onboarding)).await.expect("restarted");
    let issued = administrator.rotate(&owner(), restarted.id).await.expect("rotated");

    let begin = BeginRequest { token: issued.token, nonce: None, resume: None };
    enrollee.begin(&begin, origin).await.expect("begun");
    let session = enrollee.begin(&begin, origin).await.expect("taken over").session;
    enrollee.confirm_profile(&session, None, origin).await.expect("confirmed");
    refused(enrollee.complete(&session, origin).await);
    let password = Password::parse("a lake under seven stars".to_owned()).expect("a password");
    enrollee.choose_password(&session, password, origin).await.expect("chosen");
    enrollee.offer_totp(&session, origin).await.expect("offered");
    refused(enrollee.confirm_totp(&session, "000000", origin).await);
    let key = DeviceKey::Given("jNQKmw+IF9llxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxw=".parse().expect("a key"));
    let device = DeviceRequest { name: "laptop".parse().expect("a name"), key };
    enrollee.set_device(&session, &device, origin).await.expect("staged");
    enrollee.complete(&session, origin).await.expect("completed");

    let device = administrator.start(&owner(), user.id, start(Purpose::Device)).await.expect("started");
    administrator.revoke(&owner(), device.id).await.expect("revoked");
    let patch = UserPatch { first_name: Some("Ania".parse().expect("a name")), ..UserPatch::default() };
    administrator.change_user(&owner(), user.id, patch).await.expect("changed");
    let patch = LocationPatch { keepalive: Some(0), ..LocationPatch::default() };
    administrator.change_location(&owner(), home, patch).await.expect("changed");

    while bed.seal().await > 0 {}
    let report = administrator.verify_audit(&owner()).await.expect("a report");
    assert_eq!((report.unsealed, report.problem), (0, None));
    assert_eq!(report.entries, bed.entries().await.len() as u64);
}

/// REQ-8, SYS-3: the answer with a key of the server's making may be lost; asking again in the same session gives it once
/// more, and it is another one in any other session.
#[tokio::test]
async fn a_lost_answer_with_a_key_made_here_can_be_asked_for_again() {
    let bed = Bed::with(Policy { server_made_keys: true, ..Policy::standard() });
    add(&bed, new("Home")).await;
    let start = StartEnrollment {
        purpose: Purpose::Onboarding,
        delivery: Delivery::Manual,
        email: None,
        validity: None,
        wording: None,
    };
    let (_, issued) = bed.service.administrator().create_user(&owner(), anna(start)).await.expect("a user");
    let begin = BeginRequest { token: issued.expect("an invitation").token, nonce: None, resume: None };
    let named = |name: &str| DeviceRequest { name: name.parse().expect("a name"), key: DeviceKey::MakeHere };
    let made = async |session: &_, name| {
        let made = bed.service.enrollee().set_device(session, &named(name), Origin::default()).await.expect("staged");
        (made.device.id, made.private_key.expect("a private key").expose_base64().to_string())
    };
    let session = bed.service.enrollee().begin(&begin, Origin::default()).await.expect("begun").session;
    let laptop = made(&session, "laptop").await;
    assert_eq!(made(&session, "laptop").await, laptop);
    let phone = made(&session, "phone").await;
    assert_ne!(phone.1, laptop.1);
    let other = bed.service.enrollee().begin(&begin, Origin::default()).await.expect("begun").session;
    assert_ne!(made(&other, "phone").await.1, phone.1);
}

/// DEV-2: whoever replaces the device they just added needs no second address for it.
#[tokio::test]
async fn a_device_can_be_replaced_where_it_took_the_last_address() {
    let bed = Bed::new();
    let pools = vec!["10.9.0.0/30".parse().expect("a pool of one")];
    add(&bed, NewLocation { pools, ..new("Home") }).await;
    let start = StartEnrollment {
        purpose: Purpose::Onboarding,
        delivery: Delivery::Manual,
        email: None,
        validity: None,
        wording: None,
    };
    let (_, issued) = bed.service.administrator().create_user(&owner(), anna(start)).await.expect("a user");
    let begin = BeginRequest { token: issued.expect("an invitation").token, nonce: None, resume: None };
    let session = bed.service.enrollee().begin(&begin, Origin::default()).await.expect("begun").session;
    for n in 1..=3 {
        let (_, public) = PrivateKey::pair(&SeededEntropy::new(n)).expect("a pair");
        let request = DeviceRequest { name: "laptop".parse().expect("a name"), key: DeviceKey::Given(public) };
        let added = bed.service.enrollee().set_device(&session, &request, Origin::default()).await.expect("staged");
        assert_eq!(added.configs[0].addresses, ["10.9.0.2".parse::<IpAddr>().expect("an address")]);
    }
}

/// REQ-8: a key pair of the server's making is shown once and kept nowhere.
#[tokio::test]
async fn the_private_half_of_a_device_made_here_is_in_no_row() {
    let bed = Bed::with(Policy { server_made_keys: true, ..Policy::standard() });
    add(&bed, new("Home")).await;
    let start = StartEnrollment {
        purpose: Purpose::Onboarding,
        delivery: Delivery::Manual,
        email: None,
        validity: None,
        wording: None,
    };
    let (user, issued) = bed.service.administrator().create_user(&owner(), anna(start)).await.expect("a user");
    let begin = BeginRequest { token: issued.expect("an invitation").token, nonce: None, resume: None };
    let session = bed.service.enrollee().begin(&begin, Origin::default()).await.expect("begun").session;
    let request = DeviceRequest { name: "laptop".parse().expect("a name"), key: DeviceKey::MakeHere };
    let made = bed.service.enrollee().set_device(&session, &request, Origin::default()).await.expect("staged");
    let private = made.private_key.expect("a private key");
    let mut shown = 0;
    for index in IndexName::ALL {
        for within in ["", "open", "unsealed", &user.id.to_string(), &made.device.id.to_string()] {
            for row in bed.store.scan(&Scan::all(*index, within, 1000)).await.expect("a page").rows {
                shown += usize::from(row.body.json.contains(&made.device.public_key.to_string()));
                assert!(!format!("{row:?}").contains(private.expose_base64().as_str()), "{index:?}");
            }
        }
    }
    assert!(shown >= 2, "the scans reach the device and its attachment");
}
