//! What enrollees do, and what is kept of it.

use std::net::IpAddr;
use std::sync::Arc;

use data_encoding::BASE32_NOPAD;
use enrollment_core::domain::address::{Assignment, Pool, Standing};
use enrollment_core::domain::enrollment::Purpose;
use enrollment_core::domain::group::Access;
use enrollment_core::domain::location::{MfaMode, Ownership};
use enrollment_core::domain::role::Role;
use enrollment_core::domain::user::User;
use enrollment_core::id::{AttachmentId, UserId};
use enrollment_core::port::Clock;
use enrollment_core::record::new_row;
use enrollment_core::secret::{Binding, Password, RecoveryCode};
use enrollment_core::service::administrator::{NewLocation, UserPatch};
use enrollment_core::service::enrollee::{DeviceKey, DeviceRequest};
use enrollment_core::time::Span;
use enrollment_core::worker::PeerWorker;
use enrollment_testkit::fake::FakeProvisioner;
use uuid::Uuid;

use crate::bench::{Bench, CLI, code, manual, public_key};
use crate::secrecy::everything_stored;

/// MSG-1, MSG-2, INV-7: the page of the last step, with and without the initiator.
#[tokio::test]
async fn the_onboarding_message_is_the_administrators_own_and_names_whom_it_concerns() {
    let bench = Bench::new();
    let tags = "{{ first_name }}, {{last_name}}, {{ username }}; {{ admin_first_name }}, {{ admin_last_name }}, \
                {{ admin_phone }}, {{ admin_email }}; {{ defguard_url }}, {{ defguard_version }}";
    bench.admin().save_template(&CLI, "onboarding", tags).await.unwrap();
    let (manager, by) = bench.administrator("manager", Role::UserManager).await;
    let patch = UserPatch {
        first_name: Some("Max".parse().unwrap()),
        last_name: Some("Manager".parse().unwrap()),
        email: Some(Some("max@example.com".parse().unwrap())),
        phone: Some(Some("+49 30 123456".parse().unwrap())),
        ..UserPatch::default()
    };
    bench.admin().change_user(&CLI, manager.id, patch).await.unwrap();
    let message = async |username: &str, initiator_leaves: bool| {
        let user = bench.user(username).await;
        let issued = bench.admin().start(&by, user.id, manual(Purpose::Onboarding)).await.unwrap();
        let session = bench.begin(&issued.token).await.unwrap();
        bench.fill_in(&session).await;
        if initiator_leaves {
            let stored = bench.record::<User>(manager.id.uuid()).await.unwrap();
            bench.commit(vec![stored.delete()]).await;
        }
        let done = bench.service.enrollee().complete(&session, CLI.origin).await.unwrap();
        assert!(done.onboarding.html.contains(username) && done.onboarding.markdown.contains(username));
        done.onboarding.text.trim().to_owned()
    };
    assert_eq!(
        message("alice", false).await,
        "Alex, Example, alice; Max, Manager, +49 30 123456, max@example.com; https://vpn.example.com, 1.0.0"
    );
    assert_eq!(message("bob", true).await, "Alex, Example, bob; , , , ; https://vpn.example.com, 1.0.0");
}

/// PWD-2: judged with the names of this user and of this instance.
#[tokio::test]
async fn a_password_that_is_common_or_a_name_is_refused_with_its_reason_and_not_chosen() {
    let bench = Bench::new();
    bench
        .settings(|settings| {
            settings.organization = "Example Tunnels".parse().unwrap();
            settings.product = "Great Network".parse().unwrap();
        })
        .await;
    let user = bench.user("alexandra").await;
    let issued = bench.start(user.id, Purpose::Onboarding).await.unwrap();
    let session = bench.begin(&issued.token).await.unwrap();
    for (text, reason) in [
        ("Alexandra", "password_is_username"),
        ("ALEX@example.com", "password_is_email"),
        ("example tunnels", "password_is_organization_name"),
        ("great network", "password_is_product_name"),
        ("Password123", "password_common"),
    ] {
        let password = Password::parse(text.to_owned()).unwrap();
        let refused = bench.service.enrollee().choose_password(&session, password, CLI.origin).await;
        assert_eq!(refused.map(drop).map_err(code), Err(reason), "{text}");
    }
    let stored = bench.stored_enrollment(issued.id).await;
    assert!(stored.session().unwrap().work.password.is_none());
}

/// MFA-3, MFA-5, TOK-3: the secret is sealed to its user and opens in no other place; of the codes there are digests.
#[tokio::test]
async fn a_factor_is_kept_sealed_to_its_user_with_keyed_digests_of_the_last_codes() {
    let bench = Bench::new();
    let alice = bench.user("alice").await;
    let issued = bench.start(alice.id, Purpose::Onboarding).await.unwrap();
    let session = bench.begin(&issued.token).await.unwrap();
    bench.fill_in(&session).await;
    let enrollee = bench.service.enrollee();
    let offer = enrollee.offer_totp(&session, CLI.origin).await.unwrap();
    let secret = BASE32_NOPAD.decode(offer.secret.as_bytes()).unwrap();
    let totp = totp_rs::Builder::new().with_secret(secret.clone()).with_skew(0).build().unwrap();
    let now = totp.generate(u64::try_from(bench.clock.now().seconds()).unwrap()).to_string();
    let first = enrollee.confirm_totp(&session, &now, CLI.origin).await.unwrap().codes.unwrap();
    let last = enrollee.replace_recovery_codes(&session, CLI.origin).await.unwrap().codes.unwrap();
    let mut stored = everything_stored(&bench).await;
    enrollee.complete(&session, CLI.origin).await.unwrap();
    stored.extend(everything_stored(&bench).await);
    for text in &stored {
        assert!(!text.contains(offer.secret.as_str()), "the secret in {text:.200}");
        assert!(!first.iter().chain(&last).any(|code| text.contains(code.expose())), "a code in {text:.200}");
    }

    let credentials = bench.stored_user(alice.id).await.credentials;
    let place = |row, column| Binding { table: "users", row, column };
    let sealed = credentials.totp.unwrap().secret;
    assert_eq!(*bench.ring.open(&place(alice.id.uuid(), "totp"), &sealed).unwrap(), secret);
    assert!(bench.ring.open(&place(issued.id.uuid(), "totp"), &sealed).is_err(), "copied to another row");
    let recovery = place(alice.id.uuid(), "recovery");
    let matching = |code: &RecoveryCode| {
        credentials
            .recovery
            .iter()
            .filter(|digest| bench.ring.verify_recovery_code(&recovery, digest, code) == Ok(true))
            .count()
    };
    assert_eq!(first.iter().map(matching).collect::<Vec<_>>(), [0; 8], "replaced");
    assert_eq!(last.iter().map(matching).collect::<Vec<_>>(), [1; 8]);
}

/// Has an enrolled user try to add a device with key `number`; says with which addresses.
async fn try_to_add(bench: &Bench, user: UserId, number: u8) -> Result<Vec<IpAddr>, &'static str> {
    let issued = bench.start(user, Purpose::Device).await.unwrap();
    let session = bench.begin(&issued.token).await.unwrap();
    let request = DeviceRequest { name: "laptop".parse().unwrap(), key: DeviceKey::Given(public_key(number)) };
    let added = bench.service.enrollee().set_device(&session, &request, CLI.origin).await;
    added.map(|added| added.configs[0].addresses.clone()).map_err(code)
}

/// DEV-1
#[tokio::test]
async fn a_key_belongs_to_one_device_whoever_shows_it() {
    let bench = Bench::new();
    bench.location("office", None).await;
    let (alice, bob) = (bench.user("alice").await, bench.user("bob").await);
    for user in [alice.id, bob.id] {
        bench.mark_enrolled(user).await;
    }
    try_to_add(&bench, alice.id, 1).await.unwrap();
    assert_eq!(try_to_add(&bench, bob.id, 1).await, Err("public_key_taken"));
    assert!(bench.admin().devices_of(&CLI, bob.id).await.unwrap().is_empty());
    try_to_add(&bench, bob.id, 2).await.unwrap();
}

pub(crate) fn network(pool: &str) -> NewLocation {
    NewLocation {
        name: "office".parse().unwrap(),
        endpoint: "vpn.example.com:51820".parse().unwrap(),
        public_key: Some(public_key(200)),
        pools: vec![pool.parse().unwrap()],
        allowed_ips: vec![pool.parse().unwrap()],
        dns: Vec::new(),
        keepalive: 25,
        mtu: None,
        mfa: MfaMode::Disabled,
        factors: None,
        access: Access::Everyone,
        ownership: Ownership::Shared,
    }
}

/// DEV-2: a pool of several pages, of which one address is free and then none.
#[tokio::test]
async fn a_large_pool_gives_its_last_address_and_is_exhausted_then() {
    for free in [0, 255, 256, 257, 400, 508] {
        let bench = Bench::new();
        let location = bench.admin().create_location(&CLI, network("10.9.0.0/23")).await.unwrap().location.id;
        let pool: Pool = "10.9.0.0/23".parse().unwrap();
        let (holder, mut all) =
            (AttachmentId::from_uuid(Uuid::from_u128(1)), pool.gaps(pool.lowest(), None, &[], 1_000));
        assert_eq!(all.len(), 509);
        let last = all.remove(free);
        let standing = Standing::Held(holder);
        let held = |address| new_row(&Assignment { location, pool, address, standing, last_key: None });
        let taken = all.into_iter().map(held);
        bench.commit(taken.collect()).await;
        let (alice, bob) = (bench.user("alice").await, bench.user("bob").await);
        for user in [alice.id, bob.id] {
            bench.mark_enrolled(user).await;
        }
        assert_eq!(try_to_add(&bench, alice.id, 1).await, Ok(vec![last]), "{free}");
        assert_eq!(try_to_add(&bench, bob.id, 2).await, Err("addresses_exhausted"), "{free}");
    }
}

/// MSG-1: a text that was withdrawn is not shown any more, though the one after it begins with the same version.
#[tokio::test]
async fn a_text_that_was_reset_and_written_anew_is_the_new_one() {
    let bench = Bench::new();
    let message = async |username: &str| {
        let user = bench.user(username).await;
        let issued = bench.start(user.id, Purpose::Onboarding).await.unwrap();
        let session = bench.begin(&issued.token).await.unwrap();
        bench.fill_in(&session).await;
        let done = bench.service.enrollee().complete(&session, CLI.origin).await.unwrap();
        done.onboarding.text.trim().to_owned()
    };
    bench.admin().save_template(&CLI, "onboarding", "Call 1").await.unwrap();
    assert_eq!(message("alice").await, "Call 1");
    bench.admin().reset_template(&CLI, "onboarding").await.unwrap();
    bench.admin().save_template(&CLI, "onboarding", "Call 2").await.unwrap();
    assert_eq!(message("bob").await, "Call 2");
}

/// DEV-2: a pool with one address for devices.
#[tokio::test]
async fn an_exhausted_pool_leaves_nothing_behind_until_an_address_has_rested() {
    let bench = Bench::new();
    bench.admin().create_location(&CLI, network("10.9.0.0/30")).await.unwrap();
    let (alice, bob) = (bench.user("alice").await, bench.user("bob").await);
    for user in [alice.id, bob.id] {
        bench.mark_enrolled(user).await;
    }
    let only = try_to_add(&bench, alice.id, 1).await.unwrap();
    assert_eq!(try_to_add(&bench, bob.id, 2).await, Err("addresses_exhausted"));
    assert!(bench.admin().devices_of(&CLI, bob.id).await.unwrap().is_empty());

    let worker = PeerWorker::new(bench.service.clone(), Arc::new(FakeProvisioner::new()));
    let device = bench.admin().devices_of(&CLI, alice.id).await.unwrap().remove(0).device.id;
    bench.admin().remove_device(&CLI, device).await.unwrap();
    while worker.run_once().await.unwrap() > 0 {}
    assert_eq!(try_to_add(&bench, bob.id, 2).await, Err("addresses_exhausted"), "it rests");
    bench.clock.advance(Span::hours(24).duration());
    assert_eq!(try_to_add(&bench, bob.id, 2).await, Ok(only));
}
