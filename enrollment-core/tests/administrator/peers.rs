use std::sync::Arc;

use enrollment_core::domain::address::{Assignment, QUARANTINE, Standing};
use enrollment_core::domain::attachment::{Attachment, PeerState};
use enrollment_core::domain::enrollment::Purpose;
use enrollment_core::domain::user::UserStatus;
use enrollment_core::id::{DeviceId, UserId};
use enrollment_core::port::{Clock, Op};
use enrollment_core::record::{IndexName, Stored};
use enrollment_core::service::administrator::{DeviceReport, PeerStatus, UserPatch};
use enrollment_core::worker::PeerWorker;
use enrollment_testkit::fake::{FakeProvisioner, Outage};

use crate::bench::{Bench, CLI, code, groups};

async fn run(bench: &Bench, gateway: &Arc<FakeProvisioner>) {
    let worker = PeerWorker::new(bench.service.clone(), gateway.clone());
    while worker.run_once().await.unwrap() > 0 {}
}

async fn reports(bench: &Bench, user: UserId) -> Vec<DeviceReport> {
    bench.admin().devices_of(&CLI, user).await.unwrap()
}

async fn status(bench: &Bench, user: UserId) -> PeerStatus {
    reports(bench, user).await.remove(0).status
}

async fn attachments(bench: &Bench, device: DeviceId) -> Vec<Attachment> {
    bench.all(IndexName::AttachmentsByDevice, &device.to_string()).await
}

fn be(status: UserStatus) -> UserPatch {
    UserPatch { status: Some(status), ..UserPatch::default() }
}

/// DEV-3, DEV-5.
#[tokio::test]
async fn each_peer_is_shown_as_staged_pending_applied_or_failed() {
    let bench = Bench::new();
    let gateway = Arc::new(FakeProvisioner::new());
    let office = bench.location("office", None).await;
    let alice = bench.user("alice").await;
    let issued = bench.start(alice.id, Purpose::Onboarding).await.unwrap();
    let session = bench.begin(&issued.token).await.unwrap();
    bench.fill_in(&session).await;
    bench.add_device(&session, 1).await;
    run(&bench, &gateway).await;
    assert_eq!(status(&bench, alice.id).await, PeerStatus::Staged, "the gateway hears nothing before completion");
    bench.service.enrollee().complete(&session, CLI.origin).await.unwrap();
    assert_eq!(status(&bench, alice.id).await, PeerStatus::Pending);
    gateway.set_outage(office, Some(Outage::Unreachable));
    run(&bench, &gateway).await;
    let report = reports(&bench, alice.id).await.remove(0);
    assert_eq!((report.status, report.attachments.len()), (PeerStatus::Failed, 1));
    assert_eq!(report.attachments[0].failure.as_deref(), Some("the gateway does not answer"));
    gateway.set_outage(office, None);
    bench.clock.advance(enrollment_core::time::Span::hours(1).duration());
    run(&bench, &gateway).await;
    assert_eq!(status(&bench, alice.id).await, PeerStatus::Applied);
}

/// An enrolled user with a device in force at one location for everyone.
async fn connected(bench: &Bench, gateway: &Arc<FakeProvisioner>) -> (UserId, DeviceId) {
    let alice = bench.user("alice").await;
    bench.enroll(alice.id).await;
    bench.location("office", None).await;
    let device = bench.device_of(alice.id, 1).await;
    run(bench, gateway).await;
    assert_eq!(status(bench, alice.id).await, PeerStatus::Applied);
    (alice.id, device.id)
}

#[tokio::test]
async fn a_peer_whose_record_is_damaged_waits_and_holds_up_no_other() {
    let bench = Bench::new();
    let gateway = Arc::new(FakeProvisioner::new());
    let alice = bench.user("alice").await;
    bench.enroll(alice.id).await;
    bench.location("office", None).await;
    let devices = [bench.device_of(alice.id, 1).await.id, bench.device_of(alice.id, 2).await.id];
    let whole = bench.all::<Attachment>(IndexName::AttachmentsByDevice, &devices[0].to_string()).await.remove(0);
    let whole = bench.record::<Attachment>(whole.id.uuid()).await.unwrap();
    let mut damaged = whole.put(&whole.record);
    let Op::Put { next, .. } = &mut damaged else { panic!("not written") };
    let json = std::mem::replace(&mut next.body.json, r#"{"id":"a secret"}"#.to_owned());
    bench.commit(vec![damaged]).await;

    let worker = PeerWorker::new(bench.service.clone(), gateway.clone());
    assert_eq!(worker.run_once().await.unwrap(), 2);
    assert_eq!(attachments(&bench, devices[1]).await[0].state, PeerState::Applied);
    assert_eq!(worker.run_once().await.unwrap(), 0, "it waits");

    let damaged = Stored { record: whole.record.clone(), version: whole.version.next() };
    let mut repaired = damaged.put(&damaged.record);
    let Op::Put { next, .. } = &mut repaired else { panic!("not written") };
    next.body.json = json;
    bench.commit(vec![repaired]).await;
    bench.clock.advance(enrollment_core::time::Span::seconds(5).duration());
    assert_eq!(worker.run_once().await.unwrap(), 1);
    assert_eq!(attachments(&bench, devices[0]).await[0].state, PeerState::Applied);
}

/// DEV-5.
#[tokio::test]
async fn disabling_takes_peers_out_of_force_and_enabling_puts_them_back() {
    let bench = Bench::new();
    let gateway = Arc::new(FakeProvisioner::new());
    let (alice, device) = connected(&bench, &gateway).await;
    let addresses = attachments(&bench, device).await.remove(0).addresses;
    bench.admin().change_user(&CLI, alice, be(UserStatus::Disabled)).await.unwrap();
    assert_eq!(attachments(&bench, device).await[0].state, PeerState::Removing);
    assert_eq!(status(&bench, alice).await, PeerStatus::Pending);
    run(&bench, &gateway).await;
    assert_eq!(status(&bench, alice).await, PeerStatus::Removed);
    bench.admin().change_user(&CLI, alice, be(UserStatus::Active)).await.unwrap();
    run(&bench, &gateway).await;
    let back = attachments(&bench, device).await.remove(0);
    assert_eq!((back.state, back.addresses), (PeerState::Applied, addresses));
}

/// DEV-7.
#[tokio::test]
async fn enabling_puts_no_peer_where_the_user_is_not_admitted() {
    let bench = Bench::new();
    let gateway = Arc::new(FakeProvisioner::new());
    let alice = bench.user("alice").await;
    bench.enroll(alice.id).await;
    bench.location("staff only", Some("staff")).await;
    let member_of = |names: &[&str]| UserPatch { groups: Some(groups(names)), ..UserPatch::default() };
    bench.admin().change_user(&CLI, alice.id, member_of(&["staff"])).await.unwrap();
    bench.device_of(alice.id, 1).await;
    run(&bench, &gateway).await;
    bench.admin().change_user(&CLI, alice.id, member_of(&[])).await.unwrap();
    run(&bench, &gateway).await;
    assert_eq!(status(&bench, alice.id).await, PeerStatus::Removed, "left the group");
    for state in [UserStatus::Disabled, UserStatus::Active] {
        bench.admin().change_user(&CLI, alice.id, be(state)).await.unwrap();
        run(&bench, &gateway).await;
    }
    assert_eq!(status(&bench, alice.id).await, PeerStatus::Removed, "enabled, and still not in the group");
    bench.admin().change_user(&CLI, alice.id, member_of(&["staff"])).await.unwrap();
    run(&bench, &gateway).await;
    assert_eq!(status(&bench, alice.id).await, PeerStatus::Applied, "back in the group");
}

/// DEV-2, DEV-5.
#[tokio::test]
async fn a_removed_device_leaves_nothing_but_addresses_that_rest() {
    for disabled_before in [false, true] {
        let bench = Bench::new();
        let gateway = Arc::new(FakeProvisioner::new());
        let (alice, device) = connected(&bench, &gateway).await;
        let attachment = attachments(&bench, device).await.remove(0);
        if disabled_before {
            bench.admin().change_user(&CLI, alice, be(UserStatus::Disabled)).await.unwrap();
            run(&bench, &gateway).await;
        }
        bench.admin().remove_device(&CLI, device).await.unwrap();
        assert!(reports(&bench, alice).await.is_empty());
        run(&bench, &gateway).await;
        assert!(attachments(&bench, device).await.is_empty());
        let row = Assignment::row_id(attachment.location, attachment.addresses[0]);
        let address = bench.record::<Assignment>(row).await.unwrap().record;
        assert_eq!(address.standing, Standing::RestingUntil(bench.clock.now().plus(QUARANTINE)));
        let again = bench.admin().remove_device(&CLI, device).await;
        assert_eq!(again.map_err(code), Err("not_found"));
    }
}

/// DEV-3.
#[tokio::test]
async fn a_device_that_waits_for_its_enrollment_goes_with_that_enrollment() {
    let bench = Bench::new();
    bench.location("office", None).await;
    let alice = bench.user("alice").await;
    let issued = bench.start(alice.id, Purpose::Onboarding).await.unwrap();
    let session = bench.begin(&issued.token).await.unwrap();
    let device = bench.add_device(&session, 1).await;
    let attachment = attachments(&bench, device.id).await.remove(0);
    assert_eq!(bench.admin().remove_device(&CLI, device.id).await.map_err(code), Err("device_staged"));
    // Disabling ends the enrollment, and with it the reservation.
    bench.admin().change_user(&CLI, alice.id, be(UserStatus::Disabled)).await.unwrap();
    assert!(reports(&bench, alice.id).await.is_empty());
    let row = Assignment::row_id(attachment.location, attachment.addresses[0]);
    assert!(bench.record::<Assignment>(row).await.is_none(), "free at once: nobody ever used it");
}
