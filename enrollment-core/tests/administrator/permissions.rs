//! The permission table and the outranking rule, against the operations themselves (ADM-7).

use std::sync::Arc;

use enrollment_core::domain::audit::Actor;
use enrollment_core::domain::enrollment::Purpose;
use enrollment_core::domain::mail::{Addressee, Letter, Mail, MailStanding, MailState};
use enrollment_core::domain::role::{Permission, Role};
use enrollment_core::domain::user::{User, UserStatus};
use enrollment_core::id::{ApiKeyId, DeviceId, EnrollmentId, LocationId, MachineId, OutboxId, UserId};
use enrollment_core::port::Clock as _;
use enrollment_core::record::new_row;
use enrollment_core::service::administrator::{
    CreatedMachine, Delivery, EnrollmentFilter, FirstOwner, NewApiKey, NewMachine, NewUser, PageRequest,
    StartEnrollment, UserPatch,
};
use enrollment_core::service::{Failure, Origin, Principal};
use enrollment_core::worker::PeerWorker;
use enrollment_testkit::fake::FakeProvisioner;
use uuid::Uuid;

use crate::bench::{Bench, CLI, code, manual, new_user};

/// What there is to act upon.
struct Scene {
    bench: Bench,
    user: UserId,
    enrolled: UserId,
    enrollment: EnrollmentId,
    location: LocationId,
    machine: MachineId,
    machines_enrollment: EnrollmentId,
    device: DeviceId,
    key: ApiKeyId,
    mail: OutboxId,
    machines_mail: OutboxId,
}

impl Scene {
    async fn new() -> Self {
        let bench = Bench::new();
        bench.administrator("boss", Role::Owner).await;
        let user = bench.user("alice").await.id;
        let enrollment = bench.start(user, Purpose::Onboarding).await.unwrap().id;
        let enrolled = bench.user("bob").await.id;
        bench.mark_enrolled(enrolled).await;
        let location = bench.location("office", None).await;
        let device = bench.device_of(enrolled, 1).await.id;
        let CreatedMachine { machine, issued } =
            bench.admin().create_machine(&CLI, location, new_machine("printer")).await.unwrap();
        let (machine, machines_enrollment) = (machine.id, issued.id);
        let new = NewApiKey { name: "script".parse().unwrap(), role: Role::HelpDesk, user: None };
        let key = bench.admin().create_api_key(&CLI, new).await.unwrap().0.id;
        let mail = dead_mail(&bench, Some(user), enrollment).await;
        let machines_mail = dead_mail(&bench, None, machines_enrollment).await;
        Self {
            bench,
            user,
            enrolled,
            enrollment,
            location,
            machine,
            machines_enrollment,
            device,
            key,
            mail,
            machines_mail,
        }
    }

    /// Does one thing; says what the refusal was.
    async fn attempt(&self, by: &Principal, operation: &str) -> Result<(), &'static str> {
        let service = self.bench.with_mail();
        let admin = service.administrator();
        let page = PageRequest::default();
        let patch = UserPatch { first_name: Some("Al".parse().unwrap()), ..UserPatch::default() };
        let role = UserPatch { role: Some(Some(Role::HelpDesk)), ..UserPatch::default() };
        let key = NewApiKey { name: "other".parse().unwrap(), role: Role::HelpDesk, user: None };
        let with_role = NewUser { role: Some(Role::HelpDesk), ..new_user("dora") };
        let with_enrollment = NewUser { enrollment: Some(manual(Purpose::Onboarding)), ..new_user("erin") };
        let outcome: Result<(), Failure> = match operation {
            "user" => admin.user(by, self.user).await.map(drop),
            "users" => admin.users(by, None, &page).await.map(drop),
            "devices_of" => admin.devices_of(by, self.enrolled).await.map(drop),
            "location_peers" => admin.location_peers(by, self.location).await.map(drop),
            "machines" => admin.machines(by, self.location, &page).await.map(drop),
            "machine" => admin.machine(by, self.machine).await.map(drop),
            "create_machine" => admin.create_machine(by, self.location, new_machine("scanner")).await.map(drop),
            "reissue_machine" => admin.reissue_machine(by, self.machine, None).await.map(drop),
            "remove_machine" => admin.remove_machine(by, self.machine).await,
            "revoke a machine's" => admin.revoke(by, self.machines_enrollment).await,
            "enrollment" => admin.enrollment(by, self.enrollment).await.map(drop),
            "enrollments" => admin.enrollments(by, &EnrollmentFilter::default(), &page).await.map(drop),
            "create_user" => admin.create_user(by, new_user("carol")).await.map(drop),
            "create_user with a role" => admin.create_user(by, with_role).await.map(drop),
            "create_user with an enrollment" => admin.create_user(by, with_enrollment).await.map(drop),
            "change_user" => admin.change_user(by, self.user, patch).await.map(drop),
            "change_user's role" => admin.change_user(by, self.user, role).await.map(drop),
            "erase_user" => admin.erase_user(by, self.enrolled).await,
            "remove_device" => admin.remove_device(by, self.device).await,
            "start" => admin.start(by, self.user, manual(Purpose::Onboarding)).await.map(drop),
            "rotate" => admin.rotate(by, self.enrollment).await.map(drop),
            "revoke" => admin.revoke(by, self.enrollment).await,
            "create_api_key" => admin.create_api_key(by, key).await.map(drop),
            "api_keys" => admin.api_keys(by).await.map(drop),
            "revoke_api_key" => admin.revoke_api_key(by, self.key).await,
            "mails" => admin.mails(by, MailStanding::Dead, &page).await.map(drop),
            "mail_status" => admin.mail_status(by).await.map(drop),
            "revive_mail" => admin.revive_mail(by, self.mail).await.map(drop),
            "revive a machine's" => admin.revive_mail(by, self.machines_mail).await.map(drop),
            "drop_mail" => admin.drop_mail(by, self.mail).await.map(drop),
            "drop a machine's" => admin.drop_mail(by, self.machines_mail).await.map(drop),
            "send_test_mail" => admin.send_test_mail(by, new_user("ops").email).await.map(drop),
            "resend" => admin.resend(by, self.enrollment, None).await.map(drop),
            "rotate_and_send" => admin.rotate_and_send(by, self.enrollment, None).await.map(drop),
            "owner_link" => admin.owner_link(by, FirstOwner::default()).await.map(drop),
            other => panic!("no such operation: {other}"),
        };
        outcome.map_err(code)
    }
}

/// A mail to whoever started an enrollment, which could not be delivered.
async fn dead_mail(bench: &Bench, user: Option<UserId>, enrollment: EnrollmentId) -> OutboxId {
    let (initiator, _) = bench.administrator(&format!("initiator-{}", user.is_some()), Role::HelpDesk).await;
    let id = OutboxId::new(bench.clock.now(), bench.entropy());
    let mail = Mail {
        id,
        entry: id,
        letter: Letter::InitiatorReported,
        user,
        enrollment: Some(enrollment),
        to: Addressee::CurrentAddressOf(initiator.id),
        queued: bench.clock.now(),
        state: MailState::Dead { why: "refused".to_owned(), at: bench.clock.now() },
    };
    bench.commit(vec![new_row(&mail)]).await;
    id
}

fn new_machine(name: &str) -> NewMachine {
    NewMachine { name: name.parse().unwrap(), validity: None }
}

const OPERATIONS: [(&str, &[Permission]); 35] = [
    ("user", &[Permission::ReadUsers]),
    ("users", &[Permission::ReadUsers]),
    ("devices_of", &[Permission::ReadUsers]),
    ("location_peers", &[Permission::ReadLocations]),
    ("machines", &[Permission::ReadLocations]),
    ("machine", &[Permission::ReadLocations]),
    ("create_machine", &[Permission::ManageMachines]),
    ("reissue_machine", &[Permission::ManageMachines]),
    ("remove_machine", &[Permission::ManageMachines]),
    ("revoke a machine's", &[Permission::RevokeEnrollment, Permission::ManageMachines]),
    ("enrollment", &[Permission::ReadUsers]),
    ("enrollments", &[Permission::ReadUsers]),
    ("create_user", &[Permission::ManageUsers]),
    ("create_user with a role", &[Permission::ManageUsers, Permission::ManageAdministrators]),
    ("create_user with an enrollment", &[Permission::ManageUsers, Permission::StartEnrollment]),
    ("change_user", &[Permission::ManageUsers]),
    ("change_user's role", &[Permission::ManageUsers, Permission::ManageAdministrators]),
    ("erase_user", &[Permission::ManageUsers]),
    ("remove_device", &[Permission::ManageUsers]),
    ("start", &[Permission::StartEnrollment]),
    ("rotate", &[Permission::StartEnrollment]),
    ("revoke", &[Permission::RevokeEnrollment]),
    ("create_api_key", &[Permission::ManageAdministrators]),
    ("api_keys", &[Permission::ManageAdministrators]),
    ("revoke_api_key", &[Permission::ManageAdministrators]),
    ("mails", &[Permission::ReadUsers]),
    ("mail_status", &[Permission::ReadUsers]),
    ("revive_mail", &[Permission::ManageUsers]),
    ("revive a machine's", &[Permission::ManageUsers, Permission::ManageMachines]),
    ("drop_mail", &[Permission::ManageUsers]),
    ("drop a machine's", &[Permission::ManageUsers, Permission::ManageMachines]),
    ("send_test_mail", &[Permission::ManageSettings]),
    ("resend", &[Permission::StartEnrollment]),
    ("rotate_and_send", &[Permission::StartEnrollment]),
    ("owner_link", &[Permission::ManageAdministrators]),
];

/// ADM-7, ADM-8.
#[tokio::test]
async fn every_operation_is_open_to_exactly_the_roles_of_the_table_and_refusals_are_written_down() {
    for role in Role::ALL {
        for (operation, needed) in OPERATIONS {
            let scene = Scene::new().await;
            let key = NewApiKey { name: "caller".parse().unwrap(), role, user: None };
            let (_, secret) = scene.bench.admin().create_api_key(&CLI, key).await.unwrap();
            let by = scene.bench.admin().authenticate(&secret, Origin::default()).await.unwrap();
            let actor = by.actor;
            let allowed = needed.iter().all(|permission| role.may(*permission));
            let before = scene.bench.audit().await.len();
            let outcome = scene.attempt(&by, operation).await;
            assert_eq!(outcome, if allowed { Ok(()) } else { Err("forbidden") }, "{role}: {operation}");
            if !allowed {
                let refusals = scene.bench.refusals(actor).await;
                assert_eq!(refusals.len(), 1, "{role}: {operation}");
                assert_eq!(refusals[0].1, "forbidden");
                assert_eq!(scene.bench.audit().await.len(), before + 1, "{role}: {operation} left something behind");
            }
        }
    }
}

/// ADM-7.
#[tokio::test]
async fn the_help_desk_sends_to_the_address_on_file_where_the_settings_allow_it_and_sees_no_token() {
    let bench = Bench::new();
    let alice = bench.user("alice").await;
    let (_, desk) = bench.administrator("desk", Role::HelpDesk).await;
    let by_mail = StartEnrollment { delivery: Delivery::Email, ..manual(Purpose::Onboarding) };
    let elsewhere = StartEnrollment { email: Some("other@example.com".parse().unwrap()), ..by_mail.clone() };
    let both = StartEnrollment { delivery: Delivery::Both, ..by_mail.clone() };
    let start = async |start| bench.admin().start(&desk, alice.id, start).await.map(drop).map_err(code);
    assert_eq!(start(by_mail.clone()).await, Err("forbidden"));
    bench.settings(|settings| settings.help_desk_may_send = true).await;
    assert_eq!(start(by_mail).await, Err("mail_not_configured"), "allowed, and there is no mail");
    for shown_or_elsewhere in [elsewhere, both, manual(Purpose::Onboarding)] {
        assert_eq!(start(shown_or_elsewhere).await, Err("forbidden"));
    }
    assert!(bench.open_enrollments().await.is_empty());
}

/// ADM-7, ADM-8.
#[tokio::test]
async fn nobody_acts_upon_whoever_outranks_them() {
    let bench = Bench::new();
    bench.location("office", None).await;
    let (_, manager) = bench.administrator("manager", Role::UserManager).await;
    let (other, _) = bench.administrator("other", Role::ApplicationManager).await;
    let (admin, _) = bench.administrator("admin", Role::Administrator).await;
    let issued = bench.start(admin.id, Purpose::Onboarding).await.unwrap();
    let session = bench.begin(&issued.token).await.unwrap();
    bench.fill_in(&session).await;
    let device = bench.add_device(&session, 1).await;
    bench.service.enrollee().complete(&session, CLI.origin).await.unwrap();
    let pending = bench.start(admin.id, Purpose::Device).await.unwrap();
    let by = &manager;
    let outranked = Err("outranked");
    let disable = UserPatch { status: Some(UserStatus::Disabled), ..UserPatch::default() };
    assert_eq!(bench.admin().change_user(by, admin.id, disable.clone()).await.map(drop).map_err(code), outranked);
    assert_eq!(bench.admin().start(by, admin.id, manual(Purpose::Device)).await.map(drop).map_err(code), outranked);
    assert_eq!(bench.admin().rotate(by, pending.id).await.map(drop).map_err(code), outranked);
    assert_eq!(bench.admin().revoke(by, pending.id).await.map_err(code), outranked);
    assert_eq!(bench.admin().remove_device(by, device.id).await.map_err(code), outranked);
    assert_eq!(bench.look(&pending.token).await, Ok(()), "nothing happened");
    assert!(bench.stored_user(admin.id).await.is_active());
    let refused = bench.refusals(by.actor).await;
    assert_eq!(refused.len(), 5);
    assert!(refused.iter().all(|(_, code, _)| code == "outranked"));
    // Equals may.
    bench.admin().change_user(by, other.id, disable).await.unwrap();
}

/// ADM-7.
#[tokio::test]
async fn nobody_but_an_owner_gives_or_takes_a_role_and_nobody_raises_their_own() {
    let bench = Bench::new();
    let alice = bench.user("alice").await;
    let (me, admin) = bench.administrator("admin", Role::Administrator).await;
    let (desk, _) = bench.administrator("desk", Role::HelpDesk).await;
    let role = |role| UserPatch { role: Some(role), ..UserPatch::default() };
    let change = async |by: &Principal, user, patch| {
        bench.admin().change_user(by, user, patch).await.map(|user| user.role).map_err(code)
    };
    assert_eq!(change(&admin, alice.id, role(Some(Role::HelpDesk))).await, Err("forbidden"));
    assert_eq!(change(&admin, desk.id, role(None)).await, Err("forbidden"));
    assert_eq!(change(&admin, me.id, role(Some(Role::Owner))).await, Err("forbidden"));
    // A host whose principal claims more than the user is: still not for themself.
    let claims = Principal { role: Some(Role::Owner), ..admin };
    assert_eq!(change(&claims, me.id, role(Some(Role::Owner))).await, Err("forbidden"));
    assert_eq!(change(&claims, me.id, role(Some(Role::HelpDesk))).await, Ok(Some(Role::HelpDesk)));
    let (_, owner) = bench.administrator("boss", Role::Owner).await;
    assert_eq!(change(&owner, alice.id, role(Some(Role::Administrator))).await, Ok(Some(Role::Administrator)));
}

/// ADM-7.
#[tokio::test]
async fn the_last_active_owner_stays() {
    let bench = Bench::new();
    let (one, _) = bench.administrator("one", Role::Owner).await;
    let change = async |user, patch| bench.admin().change_user(&CLI, user, patch).await.map(drop).map_err(code);
    let disable = UserPatch { status: Some(UserStatus::Disabled), ..UserPatch::default() };
    let demote = UserPatch { role: Some(Some(Role::Administrator)), ..UserPatch::default() };
    assert_eq!(change(one.id, disable.clone()).await, Err("last_owner"));
    assert_eq!(change(one.id, demote.clone()).await, Err("last_owner"));
    let (two, _) = bench.administrator("two", Role::Owner).await;
    bench.enroll(one.id).await;
    assert_eq!(change(one.id, demote.clone()).await, Err("last_owner"), "the other one cannot sign in");
    bench.enroll(two.id).await;
    assert_eq!(change(one.id, demote).await, Ok(()));
    assert_eq!(change(two.id, disable.clone()).await, Err("last_owner"), "one is no Owner any more");
    // An Owner who is disabled does not count, and counts again when enabled.
    let promote = UserPatch { role: Some(Some(Role::Owner)), ..UserPatch::default() };
    assert_eq!(change(one.id, promote).await, Ok(()));
    assert_eq!(change(one.id, disable.clone()).await, Ok(()));
    assert_eq!(change(two.id, disable.clone()).await, Err("last_owner"));
    let enable = UserPatch { status: Some(UserStatus::Active), ..UserPatch::default() };
    assert_eq!(change(one.id, enable).await, Ok(()));
    assert_eq!(change(two.id, disable).await, Ok(()));
}

/// ADM-7: an Owner who is left with nothing to sign in by does not stand in for one who can.
#[tokio::test]
async fn an_owner_without_means_is_no_other_owner() {
    let bench = Bench::new();
    let (one, _) = bench.administrator("one", Role::Owner).await;
    let (two, _) = bench.administrator("two", Role::Owner).await;
    for owner in [one.id, two.id] {
        bench.enroll(owner).await;
    }
    // Codes by e-mail were their factor, and the recovery codes are used up.
    let stored = bench.record::<User>(two.id.uuid()).await.unwrap();
    let mut stranded = stored.record.clone();
    stranded.credentials.email = true;
    bench.commit(vec![stored.put(&stranded)]).await;
    let change = async |user, patch| bench.admin().change_user(&CLI, user, patch).await.map(drop).map_err(code);
    let disable = UserPatch { status: Some(UserStatus::Disabled), ..UserPatch::default() };
    assert_eq!(change(one.id, disable.clone()).await, Err("last_owner"));
    assert_eq!(bench.admin().erase_user(&CLI, one.id).await.map_err(code), Err("last_owner"));
    assert_eq!(change(two.id, disable).await, Ok(()));
}

/// INV-9, REQ-9.
#[tokio::test]
async fn whoever_signed_in_adds_their_own_device_and_a_program_does_not_do_it_for_them() {
    let bench = Bench::new();
    let (me, by) = bench.administrator("apps", Role::ApplicationManager).await;
    bench.enroll(me.id).await;
    let alice = bench.user("alice").await;
    bench.enroll(alice.id).await;
    bench.location("office", None).await;
    let start =
        async |by: &Principal, user, purpose| bench.admin().start(by, user, manual(purpose)).await.map_err(code);
    let issued = start(&by, me.id, Purpose::Device).await.unwrap();
    let session = bench.begin(&issued.token).await.unwrap();
    bench.add_device(&session, 1).await;
    let worker = PeerWorker::new(bench.service.clone(), Arc::new(FakeProvisioner::new()));
    assert_eq!(worker.run_once().await.unwrap(), 1, "a peer at once");
    // Somebody who is no administrator at all.
    let nobody = Principal { actor: Actor::User(alice.id), role: None, user: Some(alice.id), ..by };
    assert!(start(&nobody, alice.id, Purpose::Device).await.is_ok());
    assert_eq!(start(&nobody, me.id, Purpose::Device).await.map(drop), Err("forbidden"));
    assert_eq!(bench.admin().user(&nobody, alice.id).await.map(drop).map_err(code), Err("forbidden"));
    let program = Principal { actor: Actor::ApiKey(ApiKeyId::from_uuid(Uuid::from_u128(7))), ..by };
    assert_eq!(start(&program, me.id, Purpose::Device).await.map(drop), Err("forbidden"));
    assert_eq!(start(&by, me.id, Purpose::Factor).await.map(drop), Err("forbidden"));
    assert_eq!(start(&by, alice.id, Purpose::Device).await.map(drop), Err("forbidden"));
}
