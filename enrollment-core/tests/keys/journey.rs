//! A rotation in between, wherever that is.

use enrollment_core::domain::user::User;
use enrollment_core::secret::{Binding, KeyId};
use enrollment_core::service::administrator::Delivery;
use enrollment_core::service::enrollee::{DeviceKey, DeviceRequest};

use crate::bench::{Bench, CLI, HERE, password};

/// Places at which the journey below lets a rotation happen.
const PLACES: usize = 10;

/// Rotates at one place of a journey; nowhere, where there is no such place.
struct Rotation<'a> {
    bench: &'a Bench,
    place: usize,
    passed: usize,
    key: Option<KeyId>,
}

impl Rotation<'_> {
    async fn may_happen(&mut self) {
        if self.passed == self.place {
            self.key = Some(self.bench.rotate().await);
        }
        self.passed += 1;
    }
}

/// SYS-10: the whole way from an invitation that is queued to a sealed log, with a rotation after each of its steps:
/// everything of the retired key goes on working.
#[tokio::test]
async fn a_rotation_at_any_place_of_a_journey_stops_nothing() {
    for place in 0..PLACES {
        let bench = Bench::new().await;
        let first = bench.ring().active();
        let mut rotation = Rotation { bench: &bench, place, passed: 0, key: None };
        travel(&bench, &mut rotation).await;
        assert_eq!(rotation.passed, PLACES, "every place was passed");
        assert_eq!((bench.ring().active(), bench.ring().keys().count()), (rotation.key.unwrap(), 2), "{place}");
        assert_ne!(first, bench.ring().active());
        assert!(bench.process.unknown.lock().unwrap().is_empty(), "{place}");
    }
}

async fn travel(bench: &Bench, rotation: &mut Rotation<'_>) {
    let location = bench.location().await;
    let issued = bench.invited("alice", Delivery::Both).await;
    // The token was issued, and its mail waits.
    rotation.may_happen().await;
    bench.process.send().await;
    let mail = bench.relay.arrived().pop().unwrap();
    assert!(mail.text.contains(issued.url.expose()), "the same link");
    rotation.may_happen().await;
    let session = bench.begin(&issued.token).await;
    // The session began.
    rotation.may_happen().await;
    let again = bench.begin(&issued.token).await;
    assert_eq!(again.expose(), session.expose(), "the answer was lost: the same session");
    bench.enrollee().confirm_profile(&session, None, HERE).await.unwrap();
    let secret = bench.offer_totp(&session).await;
    // An authenticator app was offered.
    rotation.may_happen().await;
    assert_eq!(bench.offer_totp(&session).await, secret, "the same secret");
    let verified = bench.enrollee().confirm_totp(&session, &bench.code(&secret), HERE).await.unwrap();
    // It was set up, and recovery codes handed out.
    rotation.may_happen().await;
    bench.enrollee().choose_password(&session, password(), HERE).await.unwrap();
    let request = DeviceRequest { name: "laptop".parse().unwrap(), key: DeviceKey::MakeHere };
    let made = bench.enrollee().set_device(&session, &request, HERE).await.unwrap();
    // A key pair was made here.
    rotation.may_happen().await;
    let again = bench.enrollee().set_device(&session, &request, HERE).await.unwrap();
    let private = |made: &enrollment_core::service::enrollee::NewDeviceKey| {
        made.private_key.as_ref().map(|key| *key.expose_bytes()).unwrap()
    };
    assert_eq!((again.device.id, private(&again)), (made.device.id, private(&made)), "the same pair");
    assert!(bench.process.seal().await.unwrap() > 0);
    // A batch of the log was sealed.
    rotation.may_happen().await;
    bench.enrollee().complete(&session, HERE).await.unwrap();
    rotation.may_happen().await;
    bench.process.reseal().await.unwrap();
    rotation.may_happen().await;
    while bench.process.seal().await.unwrap() > 0 {}
    rotation.may_happen().await;

    let user: User = bench.stored_user("alice").await;
    let place = |column| Binding { table: "users", row: user.id.uuid(), column };
    let ring = bench.ring();
    let sealed = user.credentials.totp.unwrap().secret;
    assert_eq!(*ring.open(&place("totp"), &sealed).unwrap(), secret);
    for (code, digest) in verified.codes.unwrap().iter().zip(&user.credentials.recovery) {
        assert_eq!(ring.verify_recovery_code(&place("recovery"), digest, code), Ok(true));
        assert_eq!(ring.verify_code(&place("recovery"), digest, code.expose()), Ok(true));
    }
    bench.admin().gateway_private_key(&CLI, location).await.unwrap();
    while bench.process.seal().await.unwrap() > 0 {}
    let report = bench.admin().verify_audit(&CLI).await.unwrap();
    assert_eq!((report.problem, report.unsealed), (None, 0));
}
