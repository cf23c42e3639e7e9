//! A stolen key.

use enrollment_core::domain::event::Event;
use enrollment_core::domain::role::Role;
use enrollment_core::secret::KeyStatus;
use enrollment_core::service::administrator::{
    CreatedMachine, DeadLink, Delivery, NewMachine, PageRequest, Renewed, UserPatch,
};
use enrollment_core::service::{Failure, Principal, UnfitRing};
use enrollment_core::time::Span;

use crate::bench::{Bench, CLI, HERE, code, copy};

async fn renew(bench: &Bench) -> Vec<(String, Renewed)> {
    let mut page = PageRequest { cursor: None, limit: Some(2) };
    let mut dead = Vec::new();
    loop {
        let listing = bench.admin().renew_dead_links(&CLI, &page).await.unwrap();
        dead.extend(
            listing.items.into_iter().map(|DeadLink { username, renewed, .. }| (username.to_string(), renewed)),
        );
        match listing.next {
            Some(next) => page.cursor = Some(next),
            None => {
                dead.sort_by(|one, other| one.0.cmp(&other.0));
                return dead;
            }
        }
    }
}

/// SYS-10, TOK-7: the tokens of a revoked key are dead at once, and so are the sessions they opened; their enrollments
/// are listed; whoever got their link by mail gets a new one, once.
#[tokio::test]
async fn the_links_of_a_revoked_key_are_dead_and_their_enrollments_are_listed_and_moved_on() {
    let bench = Bench::new().await;
    let stolen = bench.ring().active();
    let expired = bench.invited("zoe", Delivery::Email).await;
    bench.clock.advance(Span::hours(24).duration());
    let by_mail = bench.invited("alice", Delivery::Email).await;
    let by_hand = bench.invited("bob", Delivery::Manual).await;
    let nowhere = bench.invited("carol", Delivery::Email).await;
    let carol = bench.stored_user("carol").await.id;
    bench.admin().change_user(&CLI, carol, UserPatch { email: Some(None), ..UserPatch::default() }).await.unwrap();
    bench.process.send().await;
    let session = bench.begin(&by_hand.token).await;
    bench.rotate().await;
    let fresh = bench.invited("dave", Delivery::Manual).await;
    bench.revoke(stolen).await;

    for issued in [&by_mail, &by_hand, &nowhere] {
        assert_eq!(code(bench.enrollee().look(&issued.token).await), "token_revoked");
        assert_eq!(code(bench.process.begin(&issued.token).await), "token_revoked");
    }
    assert_eq!(code(bench.enrollee().session(&session, HERE).await), "token_revoked");
    assert_eq!(code(bench.enrollee().confirm_profile(&session, None, HERE).await), "token_revoked");
    assert_eq!(code(bench.enrollee().complete(&session, HERE).await), "token_revoked");
    assert_eq!(code(bench.enrollee().look(&expired.token).await), "token_revoked");
    assert_eq!(code(bench.enrollee().look(&fresh.token).await), "ok");

    let before = bench.relay.count();
    let dead = renew(&bench).await;
    let [(alice, Renewed::Sent(mail)), bob, carol] = &dead[..] else { panic!("{dead:?}") };
    assert_eq!(alice, "alice");
    assert_eq!(*bob, ("bob".to_owned(), Renewed::ByHand));
    assert_eq!(*carol, ("carol".to_owned(), Renewed::Refused("no_email_address")));
    bench.process.send().await;
    let arrived = bench.relay.arrived();
    assert_eq!(arrived.len() as u64, before + 1);
    let sent = arrived.last().unwrap();
    assert_eq!(sent.id, *mail);
    assert!(!sent.text.contains(by_mail.token.expose()));
    assert_eq!(code(bench.enrollee().look(&by_mail.token).await), "token_superseded");
    assert_eq!(bench.enrollment(by_mail.id).await.seed.unwrap().key, bench.ring().active());

    assert_eq!(renew(&bench).await, [bob.clone(), carol.clone()], "renewed once, and listed as long as it is dead");
    let again = bench.admin().rotate(&CLI, by_hand.id).await.unwrap();
    bench.begin(&again.token).await;
    assert_eq!(renew(&bench).await, std::slice::from_ref(carol));
    assert_eq!(bench.audited(|event| *event == Event::KeyRevoked { key: stolen }).await, 1);
}

/// SYS-10: nobody is locked out by it: authenticator apps, gateways' keys and the log go on working.
#[tokio::test]
async fn what_a_revoked_key_has_sealed_and_signed_is_not_lost() {
    let bench = Bench::new().await;
    let location = bench.location().await;
    let issued = bench.invited("alice", Delivery::Manual).await;
    let stolen = bench.rotate().await;
    let session = bench.begin(&issued.token).await;
    let secret = bench.offer_totp(&session).await;
    assert!(bench.process.seal().await.unwrap() > 0);
    bench.rotate().await;
    bench.revoke(stolen).await;
    bench.enrollee().confirm_totp(&session, &bench.code(&secret), HERE).await.unwrap();
    bench.admin().gateway_private_key(&CLI, location).await.unwrap();
    while bench.process.seal().await.unwrap() > 0 {}
    assert_eq!(bench.admin().verify_audit(&CLI).await.unwrap().problem, None);
}

/// SYS-10: a revocation holds in every process, also in one whose copy of the ring lags behind; and an old copy of the
/// ring, put back, does not undo it.
#[tokio::test]
async fn a_revocation_holds_where_the_copy_of_the_ring_lags() {
    let bench = Bench::new().await;
    let stolen = bench.ring().active();
    let issued = bench.invited("alice", Delivery::Manual).await;
    let oldest = copy(&bench.ring());
    bench.rotate().await;
    let lagging = copy(&bench.ring());
    let lags = bench.another(copy(&lagging));
    lags.adopt(copy(&lagging)).await;
    bench.revoke(stolen).await;
    assert_eq!(code(lags.service.enrollee().look(&issued.token).await), "ok", "not yet");
    lags.adopt(lagging).await;
    assert_eq!(lags.service.ring().status(&stolen), Some(KeyStatus::Revoked));
    assert_eq!(code(lags.service.enrollee().look(&issued.token).await), "token_revoked");

    // This one has not even got the new key: what is revoked is dead there, too, and it makes nothing with it.
    let behind = bench.another(copy(&oldest));
    assert_eq!(code(behind.service.enrollee().look(&issued.token).await), "ok", "not yet");
    assert_eq!(behind.service.adopt(oldest).await.unwrap(), Err(UnfitRing::ActiveRevoked(stolen)));
    assert_eq!(code(behind.service.enrollee().look(&issued.token).await), "token_revoked");
    let tried = behind.service.administrator().rotate(&CLI, issued.id).await;
    assert_eq!(code(tried), "unknown key");
    assert_eq!(bench.enrollment(issued.id).await.generation, 1);
}

/// SYS-10, INV-10: a machine whose link is dead is named with its location, by which it is reissued.
#[tokio::test]
async fn a_machine_with_a_dead_link_is_listed_with_its_location() {
    let bench = Bench::new().await;
    let stolen = bench.ring().active();
    let location = bench.location_without_mfa().await;
    let new = NewMachine { name: "build-01".parse().unwrap(), validity: None };
    let CreatedMachine { machine, .. } = bench.admin().create_machine(&CLI, location, new).await.unwrap();
    bench.rotate().await;
    bench.revoke(stolen).await;
    let dead = bench.admin().renew_dead_links(&CLI, &PageRequest::default()).await.unwrap().items;
    let [DeadLink { username, location: Some(location), renewed: Renewed::ByHand, .. }] = &dead[..] else {
        panic!("{dead:?}")
    };
    assert_eq!((username.as_str(), location.as_str()), ("build-01", "Home"));
    bench.admin().reissue_machine(&CLI, machine.id, None).await.unwrap();
    assert_eq!(renew(&bench).await, []);
}

/// ADM-7: keys are the Owners' affair.
#[tokio::test]
async fn only_an_owner_sees_keys_and_moves_their_enrollments() {
    let bench = Bench::new().await;
    for role in Role::ALL {
        let by = Principal { role: Some(role), ..CLI };
        let expected = if role == Role::Owner { "ok" } else { "forbidden" };
        assert_eq!(code(bench.admin().keys(&by).await), expected, "{role}");
        assert_eq!(code(bench.admin().renew_dead_links(&by, &PageRequest::default()).await), expected, "{role}");
    }
}

/// SYS-10: a process that cannot read its ring hears of a revocation all the same, and makes nothing with that key.
#[tokio::test]
async fn a_process_without_a_ring_to_bring_hears_of_a_revocation() {
    let bench = Bench::new().await;
    let stolen = bench.ring().active();
    let issued = bench.invited("alice", Delivery::Manual).await;
    let lags = bench.another(copy(&bench.ring()));
    bench.rotate().await;
    let newer = bench.invited("bob", Delivery::Manual).await;
    let session = bench.begin(&newer.token).await;
    bench.revoke(stolen).await;
    lags.service.note_revocations().await.unwrap();
    assert_eq!(code(lags.begin(&issued.token).await), "token_revoked");
    let offered = lags.service.enrollee().offer_totp(&session, HERE).await;
    assert!(matches!(offered, Err(Failure::UnknownKey(_))), "nothing is sealed under a stolen key");
}

/// SYS-10, ADM-4: a dead link is not sent again as if it opened something.
#[tokio::test]
async fn a_link_of_a_revoked_key_is_not_resent() {
    let bench = Bench::new().await;
    let stolen = bench.ring().active();
    let issued = bench.invited("alice", Delivery::Manual).await;
    bench.rotate().await;
    bench.revoke(stolen).await;
    assert_eq!(code(bench.admin().resend(&CLI, issued.id, None).await), "token_revoked");
}
