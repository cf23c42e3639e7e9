//! Machines that nobody sits at (INV-10).

use std::sync::Arc;
use std::time::Duration;

use enrollment_core::domain::address::Assignment;
use enrollment_core::domain::device::Device;
use enrollment_core::domain::enrollment::Purpose;
use enrollment_core::domain::event::Event;
use enrollment_core::domain::group::Access;
use enrollment_core::domain::location::{Location, MfaMode};
use enrollment_core::domain::requirement::Requirement;
use enrollment_core::domain::role::Role;
use enrollment_core::id::{LocationId, MachineId};
use enrollment_core::record::{IndexName, Kind, RowKey};
use enrollment_core::secret::{Password, PollingToken, SessionSecret, Token};
use enrollment_core::service::administrator::{
    CreatedMachine, EnrollmentFilter, Link, LocationPatch, MachineStage, MachineView, NewMachine, PageRequest,
    PeerStatus,
};
use enrollment_core::service::enrollee::{BeginRequest, ClientDevice, DeviceKey, DeviceRequest, Whose};
use enrollment_core::service::{Instance, Origin, Service};
use enrollment_core::time::Span;
use enrollment_core::worker::{Pruner, Sweeper};
use enrollment_testkit::fake::{FakeProvisioner, TracingStore};

use crate::bench::{Bench, CLI, code, groups, public_key};
use crate::gateways::{fill, report, start_up, work};

const FROM: Origin = Origin { source: None };

fn named(name: &str) -> NewMachine {
    NewMachine { name: name.parse().unwrap(), validity: None }
}

impl Bench {
    async fn machine(&self, at: LocationId, name: &str) -> CreatedMachine {
        self.admin().create_machine(&CLI, at, named(name)).await.unwrap()
    }

    async fn view(&self, id: MachineId) -> MachineView {
        self.admin().machine(&CLI, id).await.unwrap()
    }

    /// The addresses of a location that are held or rest.
    async fn taken(&self, at: LocationId) -> Vec<Assignment> {
        let location: Location = self.record(at.uuid()).await.unwrap().record;
        self.all(IndexName::AddressesByPool, &Assignment::pool_part(at, location.pools[0])).await
    }

    /// Supplies a machine's key, the way its client does.
    async fn supply(&self, session: &SessionSecret, number: u8) -> Result<ClientDevice, &'static str> {
        supply(&self.service, session, number).await
    }
}

async fn supply(service: &Service, session: &SessionSecret, number: u8) -> Result<ClientDevice, &'static str> {
    service.enrollee().set_machine_key(session, &public_key(number), FROM).await.map_err(code)
}

fn again(token: &PollingToken) -> PollingToken {
    PollingToken::parse(token.expose()).unwrap()
}

/// INV-10, DEV-3: everything but the key is there beforehand, and the key is all that completes it.
#[tokio::test]
async fn a_machine_lacks_nothing_but_its_key() {
    let bench = Bench::new();
    let gateway = Arc::new(FakeProvisioner::new());
    let office = bench.location("office", None).await;
    bench.location("other", None).await;
    let CreatedMachine { machine, issued } = bench.machine(office, "Build-01").await;
    assert_eq!((machine.name.as_str(), machine.location, machine.stage), ("build-01", office, MachineStage::Invited));
    let command = format!("dg enroll -u https://vpn.example.com -t {}", issued.token.expose());
    assert_eq!(issued.command.as_ref().map(Link::expose), Some(command.as_str()));
    let numeric = Instance { url: "https://[2001:db8::1]:8443".to_owned(), version: String::new() };
    let command = format!("dg enroll -u \"https://[2001:db8::1]:8443\" -t {}", issued.token.expose());
    assert_eq!(numeric.machine_command(&issued.token).expose(), command, "brackets are a pattern to some shells");
    assert!(issued.deep_link.is_none() && issued.client_code.is_none(), "no person's client opens it");
    assert_eq!(bench.taken(office).await.len(), 1, "its address is its own already");

    let session = bench.begin(&issued.token).await.unwrap();
    let state = bench.service.enrollee().session(&session, FROM).await.unwrap();
    assert!(matches!(&state.whose, Whose::Machine(name) if name.as_str() == "build-01"), "{:?}", state.whose);
    assert_eq!((state.missing, state.optional.len()), (vec![Requirement::Device], 0));
    work(&bench.service, &gateway).await;
    assert_eq!(gateway.peers(office), [], "no peer without a completed enrollment");

    let made = bench.supply(&session, 1).await.unwrap();
    assert_eq!(made.device.name.as_str(), "build-01");
    let [config] = &made.configs[..] else { panic!("exactly one configuration: {:?}", made.configs) };
    assert_eq!((config.location, &config.addresses), (office, &machine.addresses));
    work(&bench.service, &gateway).await;
    let peers = gateway.peers(office);
    assert_eq!(peers.len(), 1);
    assert_eq!((peers[0].public_key, &peers[0].addresses), (public_key(1), &machine.addresses));
    assert_eq!(start_up(&bench, &gateway).await, 0, "the gateway is as intended");
    assert_eq!(report(&bench, office).await.unknown(), 0);

    let view = bench.view(machine.id).await;
    assert_eq!((view.stage, view.expires_at), (MachineStage::Enrolled, None));
    assert_eq!(view.device.unwrap().status, PeerStatus::Applied);
    assert_eq!(bench.look(&issued.token).await, Err("token_completed"));
    let state = bench.service.enrollee().session(&session, FROM).await.unwrap();
    assert!(state.completed && state.missing.is_empty());
}

/// INV-10, TOK-8: repeated, the answer is the same; any other key comes too late.
#[tokio::test]
async fn the_same_key_again_is_answered_alike_and_another_is_refused() {
    let bench = Bench::new();
    let office = bench.location("office", None).await;
    let issued = bench.machine(office, "printer").await.issued;
    let session = bench.begin(&issued.token).await.unwrap();
    let [first, second] = [bench.supply(&session, 1).await.unwrap(), bench.supply(&session, 1).await.unwrap()];
    let [one, two] = [&first, &second].map(|made| made.polling.as_ref().unwrap().expose());
    assert_eq!((one, first.device.id, first.configs.len()), (two, second.device.id, second.configs.len()));
    assert_eq!(bench.supply(&session, 2).await.unwrap_err(), "already_completed");
    bench.clock.advance(Duration::from_secs(600));
    assert!(bench.supply(&session, 1).await.is_err(), "not even looking");
    let known = bench.service.enrollee().poll(&again(first.polling.as_ref().unwrap())).await.unwrap();
    assert_eq!((known.device.id, known.configs.len()), (first.device.id, 1), "polling goes on");
}

/// INV-10: a step of people is refused by a stable code, and written down; so is a name.
#[tokio::test]
async fn a_machines_session_takes_its_key_and_nothing_else() {
    let bench = Bench::new();
    let office = bench.location("office", None).await;
    let CreatedMachine { machine, issued } = bench.machine(office, "printer").await;
    let session = bench.begin(&issued.token).await.unwrap();
    let enrollee = bench.service.enrollee();
    let password = || Password::parse("correct horse battery staple".to_owned()).unwrap();
    let key = public_key(1);
    let named = DeviceRequest { name: "mine".parse().unwrap(), key: DeviceKey::Given(key) };
    let made_here = DeviceRequest { name: "mine".parse().unwrap(), key: DeviceKey::MakeHere };
    let refusals = [
        enrollee.confirm_profile(&session, None, FROM).await.map(drop).unwrap_err(),
        enrollee.choose_password(&session, password(), FROM).await.map(drop).unwrap_err(),
        enrollee.activate(&session, password(), None, FROM).await.map(drop).unwrap_err(),
        enrollee.offer_totp(&session, FROM).await.map(drop).unwrap_err(),
        enrollee.confirm_totp(&session, "123456", FROM).await.map(drop).unwrap_err(),
        enrollee.replace_recovery_codes(&session, FROM).await.map(drop).unwrap_err(),
        enrollee.complete(&session, FROM).await.map(drop).unwrap_err(),
        enrollee.refresh_device(&session, &key, FROM).await.map(drop).unwrap_err(),
    ];
    for refusal in refusals {
        assert_eq!(code(refusal), "step_not_offered");
    }
    for request in [named, made_here] {
        let refused = enrollee.set_device(&session, &request, FROM).await.map(drop).unwrap_err();
        assert_eq!(code(refused), "invalid_field", "it has its name already");
        let refused = enrollee.set_client_device(&session, &request, FROM).await.map(drop).unwrap_err();
        assert_eq!(code(refused), "invalid_field");
    }
    let view = bench.view(machine.id).await;
    assert_eq!((view.stage, view.name, view.addresses), (MachineStage::Invited, machine.name, machine.addresses));
    let refused = bench.audit().await.into_iter().filter(|entry| matches!(entry.event, Event::Refused { .. })).count();
    assert!(refused >= 10, "{refused} refusals are written down");
    bench.supply(&session, 1).await.unwrap();
}

/// INV-10: tokens of machines are nothing to people, and the other way round.
#[tokio::test]
async fn people_and_machines_are_not_mistaken_for_each_other() {
    let bench = Bench::new();
    let office = bench.location("office", None).await;
    let CreatedMachine { machine, issued } = bench.machine(office, "printer").await;
    let request = || {
        let token = Token::parse(issued.token.expose()).unwrap();
        BeginRequest { token, nonce: None, resume: None }
    };
    for _ in 0..4 {
        let refused = bench.service.enrollee().begin_person(&request(), FROM).await.map(drop);
        assert_eq!(refused.map_err(code), Err("for_machine"), "and no session of the three is used up");
    }
    let alice = bench.user("alice").await.id;
    bench.mark_enrolled(alice).await;
    let started = bench.start(alice, Purpose::NetworkDevice).await.map(drop);
    assert_eq!(started.map_err(code), Err("for_machine"));
    let hers = bench.start(alice, Purpose::Device).await.unwrap();
    let session = bench.begin(&hers.token).await.unwrap();
    assert_eq!(bench.supply(&session, 1).await.unwrap_err(), "invalid_field", "a person's device has a name");

    let pending = bench.open_enrollments().await;
    let of_machine = pending.iter().find(|view| view.id == issued.id).expect("it is listed with the others");
    assert!(of_machine.person().is_none() && of_machine.email.is_none());
    let filter = EnrollmentFilter { prefix: Some("PRI".to_owned()), ..EnrollmentFilter::default() };
    let found = bench.admin().enrollments(&CLI, &filter, &PageRequest::default()).await.unwrap().items;
    assert_eq!(found.iter().map(|view| view.id).collect::<Vec<_>>(), [issued.id], "and found by its name");
    let admin = bench.admin();
    for refused in [
        admin.rotate(&CLI, issued.id).await.map(drop).unwrap_err(),
        admin.resend(&CLI, issued.id, None).await.map(drop).unwrap_err(),
    ] {
        assert_eq!(code(refused), "for_machine");
    }
    bench.supply(&bench.begin(&issued.token).await.unwrap(), 2).await.unwrap();
    let device = bench.view(machine.id).await.device.unwrap().device.id;
    assert_eq!(admin.remove_device(&CLI, device).await.map_err(code), Err("machine_device"));
}

/// INV-5, INV-8, INV-10: another token ends the one before; name and addresses stay, whatever becomes of the token.
#[tokio::test]
async fn another_token_ends_the_one_before_and_its_session() {
    let bench = Bench::new();
    let office = bench.location("office", None).await;
    let CreatedMachine { machine, issued } = bench.machine(office, "printer").await;
    let session = bench.begin(&issued.token).await.unwrap();
    let second = bench.admin().reissue_machine(&CLI, machine.id, Some(Span::hours(48))).await.unwrap();
    assert_eq!(bench.look(&issued.token).await, Err("token_superseded"));
    assert_eq!(bench.supply(&session, 1).await.unwrap_err(), "token_superseded");
    assert_eq!(bench.view(machine.id).await.expires_at, Some(second.expires_at));

    bench.admin().revoke(&CLI, second.id).await.unwrap();
    assert_eq!(bench.look(&second.token).await, Err("token_revoked"));
    assert_eq!(bench.view(machine.id).await.stage, MachineStage::Uninvited);
    let third = bench.admin().reissue_machine(&CLI, machine.id, None).await.unwrap();
    let late = bench.begin(&third.token).await.unwrap();
    bench.clock.advance(Duration::from_secs(25 * 3600));
    assert_eq!(bench.supply(&late, 1).await.unwrap_err(), "session_expired");
    assert_eq!(bench.begin(&third.token).await.map(drop).map_err(code), Err("token_expired"));

    // Nothing that sees to abandoned enrollments takes the addresses away, however long it lasts.
    for days in [1, 400] {
        bench.clock.advance(Duration::from_secs(days * 86_400));
        while Sweeper::new(bench.service.clone()).run_once().await.unwrap() > 0 {}
        while Pruner::new(bench.service.clone()).run_once().await.unwrap() > 0 {}
        let view = bench.view(machine.id).await;
        assert_eq!((view.stage, view.addresses.clone()), (MachineStage::Uninvited, machine.addresses.clone()));
        assert_eq!(bench.taken(office).await.len(), 1);
    }
    let last = bench.admin().reissue_machine(&CLI, machine.id, None).await.unwrap();
    let made = bench.supply(&bench.begin(&last.token).await.unwrap(), 1).await.unwrap();
    assert_eq!(made.configs[0].addresses, machine.addresses);
    let enrolled = bench.admin().reissue_machine(&CLI, machine.id, None).await.map(drop);
    assert_eq!(enrolled.map_err(code), Err("machine_enrolled"));
    for validity in [Span::seconds(1), Span::days(10_000)] {
        let new = NewMachine { validity: Some(validity), ..named("other") };
        let refused = bench.admin().create_machine(&CLI, office, new).await.map(drop);
        assert_eq!(refused.map_err(code), Err("out_of_range"));
    }
    assert_eq!(bench.taken(office).await.len(), 1, "what was refused holds nothing");
}

/// INV-10, DEV-2, DEV-5: what is removed is gone, and what was in force rests.
#[tokio::test]
async fn a_removed_machine_leaves_neither_peer_nor_token() {
    let bench = Bench::new();
    let gateway = Arc::new(FakeProvisioner::new());
    let office = bench.location("office", None).await;
    let CreatedMachine { machine, issued } = bench.machine(office, "printer").await;
    let made = bench.supply(&bench.begin(&issued.token).await.unwrap(), 1).await.unwrap();
    let polling = made.polling.unwrap();
    work(&bench.service, &gateway).await;
    bench.admin().remove_machine(&CLI, machine.id).await.unwrap();
    let gone = bench.service.enrollee().poll(&again(&polling)).await.map(drop);
    assert_eq!(gone.map_err(code), Err("invalid_polling_token"));
    work(&bench.service, &gateway).await;
    assert_eq!(gateway.peers(office), []);
    assert_eq!(bench.taken(office).await.len(), 1, "an address that was in force rests");
    assert_eq!(bench.admin().machine(&CLI, machine.id).await.map(drop).map_err(code), Err("not_found"));
    assert_eq!(bench.admin().remove_machine(&CLI, machine.id).await.map_err(code), Err("not_found"));

    let unused = bench.machine(office, "printer").await;
    let session = bench.begin(&unused.issued.token).await.unwrap();
    bench.admin().remove_machine(&CLI, unused.machine.id).await.unwrap();
    assert_eq!(bench.supply(&session, 2).await.unwrap_err(), "token_revoked");
    assert_eq!(bench.look(&unused.issued.token).await, Err("token_revoked"));
    assert_eq!(bench.taken(office).await.len(), 1, "one that nobody used is free at once");
}

/// INV-10, DEV-2
#[tokio::test]
async fn names_are_unique_in_a_location_and_what_is_refused_leaves_nothing() {
    let bench = Bench::new();
    let (office, branch) = (bench.location("office", None).await, bench.location("branch", None).await);
    bench.machine(office, "Printer").await;
    bench.machine(branch, "printer").await;
    let twice = bench.admin().create_machine(&CLI, office, named("PRINTER")).await.map(drop);
    assert_eq!(twice.map_err(code), Err("machine_name_taken"));
    let at_once = bench.raced(|service| async move {
        service.administrator().create_machine(&CLI, office, named("scanner")).await.unwrap();
    });
    let second = at_once.administrator().create_machine(&CLI, office, named("scanner")).await.map(drop);
    assert_eq!(second.map_err(code), Err("machine_name_taken"), "also in parallel");
    let listed = bench.admin().machines(&CLI, office, &PageRequest::default()).await.unwrap().items;
    assert_eq!(listed.iter().map(|machine| machine.name.as_str()).collect::<Vec<_>>(), ["printer", "scanner"]);
    assert_eq!(bench.taken(office).await.len(), 2);
    let nowhere = LocationId::from_uuid(uuid::Uuid::from_u128(1));
    let refused = bench.admin().create_machine(&CLI, nowhere, named("x")).await.map(drop);
    assert_eq!(refused.map_err(code), Err("not_found"));
}

/// Whatever became of the machines of a page, they are read in three calls: their location, themselves, all the rest.
#[tokio::test]
async fn a_page_of_machines_is_read_together() {
    let bench = Bench::new();
    let office = bench.location("office", None).await;
    let mut made = Vec::new();
    for nth in 0..6_u8 {
        made.push(bench.machine(office, &format!("build-{nth}")).await);
        if nth < 2 {
            let session = bench.begin(&made[usize::from(nth)].issued.token).await.unwrap();
            bench.supply(&session, nth + 1).await.unwrap();
        }
    }
    bench.admin().revoke(&CLI, made[5].issued.id).await.unwrap();
    let store = Arc::new(TracingStore::new(Arc::clone(&bench.store)));
    let service = bench.through(store.clone());
    let listed = service.administrator().machines(&CLI, office, &PageRequest::default()).await.unwrap().items;
    let methods: Vec<_> = store.take().iter().map(|call| call.method).collect();
    assert_eq!(methods, ["get", "scan", "get"]);
    let known = |view: &MachineView| format!("{view:?}");
    let mut alone = Vec::new();
    for machine in &made {
        alone.push(known(&bench.view(machine.machine.id).await));
    }
    assert_eq!(listed.iter().map(known).collect::<Vec<_>>(), alone);
    let stages: Vec<_> = listed.iter().map(|machine| machine.stage.as_str()).collect();
    assert_eq!(stages, ["enrolled", "enrolled", "invited", "invited", "invited", "uninvited"]);
    assert!(listed[..2].iter().all(|machine| machine.device.as_ref().is_some_and(|it| it.attachments.len() == 1)));
}

/// INV-10, REQ-3: where a second factor is asked for there is no machine, also when both are decided at once.
#[tokio::test]
async fn no_machine_is_where_a_second_factor_is_asked_for() {
    let bench = Bench::new();
    let office = bench.location("office", None).await;
    let with_mfa = |mfa| LocationPatch { mfa: Some(mfa), ..LocationPatch::default() };
    bench.admin().change_location(&CLI, office, with_mfa(MfaMode::External)).await.unwrap();
    let refused = bench.admin().create_machine(&CLI, office, named("printer")).await.map(drop);
    assert_eq!(refused.map_err(code), Err("location_asks_for_factor"));
    bench.admin().change_location(&CLI, office, with_mfa(MfaMode::Disabled)).await.unwrap();

    // Decided at the same instant: whichever is second hears of the first.
    let overtaken = bench.raced(|service| async move {
        service.administrator().create_machine(&CLI, office, named("printer")).await.unwrap();
    });
    let patch = with_mfa(MfaMode::External);
    let refused = overtaken.administrator().change_location(&CLI, office, patch).await.map(drop);
    assert_eq!(refused.map_err(code), Err("machines_present"));
    let printer = bench.admin().machines(&CLI, office, &PageRequest::default()).await.unwrap().items.remove(0);
    bench.admin().remove_machine(&CLI, printer.id).await.unwrap();
    let overtaken = bench.raced(|service| async move {
        let patch = LocationPatch { mfa: Some(MfaMode::External), ..LocationPatch::default() };
        service.administrator().change_location(&CLI, office, patch).await.unwrap();
    });
    let refused = overtaken.administrator().create_machine(&CLI, office, named("printer")).await.map(drop);
    assert_eq!(refused.map_err(code), Err("location_asks_for_factor"));
    assert_eq!(bench.taken(office).await, []);
}

/// INV-10, TOK-5, DEV-1: of two who hold the token one completes, and a key belongs to one device.
#[tokio::test]
async fn of_two_who_supply_a_key_one_completes() {
    let bench = Bench::new();
    let office = bench.location("office", None).await;
    let CreatedMachine { machine, issued } = bench.machine(office, "printer").await;
    let first = bench.begin(&issued.token).await.unwrap();
    let second = bench.begin(&issued.token).await.unwrap();
    assert_eq!(bench.supply(&first, 1).await.unwrap_err(), "session_superseded");
    assert_eq!(bench.stored_enrollment(issued.id).await.takeovers, 1, "and the list shows it");
    // Both halves of one holder at once: one change.
    let racing = SessionSecret::parse(second.expose()).unwrap();
    let overtaken = bench.raced(|service| async move {
        supply(&service, &racing, 1).await.unwrap();
    });
    assert_eq!(supply(&overtaken, &second, 2).await.unwrap_err(), "already_completed");
    let devices: Vec<Device> = bench.all(IndexName::DevicesByOwner, &machine.id.to_string()).await;
    assert_eq!(devices.iter().map(|device| device.public_key).collect::<Vec<_>>(), [public_key(1)]);

    let other = bench.machine(office, "scanner").await;
    let session = bench.begin(&other.issued.token).await.unwrap();
    assert_eq!(bench.supply(&session, 1).await.unwrap_err(), "public_key_taken");
    let third = bench.machine(office, "camera").await;
    let rival = bench.begin(&third.issued.token).await.unwrap();
    let overtaken = bench.raced(|service| async move {
        supply(&service, &rival, 3).await.unwrap();
    });
    assert_eq!(supply(&overtaken, &session, 3).await.unwrap_err(), "public_key_taken", "also in parallel");
    bench.supply(&session, 4).await.unwrap();
}

/// INV-10: a removal, and a token in place of another, that meet the key.
#[tokio::test]
async fn a_key_that_meets_a_removal_or_another_token_comes_too_late() {
    let bench = Bench::new();
    let gateway = Arc::new(FakeProvisioner::new());
    let office = bench.location("office", None).await;
    for remove in [true, false] {
        let CreatedMachine { machine, issued } = bench.machine(office, "printer").await;
        let session = bench.begin(&issued.token).await.unwrap();
        let overtaken = bench.raced(|service| async move {
            if remove {
                service.administrator().remove_machine(&CLI, machine.id).await.unwrap();
            } else {
                service.administrator().reissue_machine(&CLI, machine.id, None).await.unwrap();
            }
        });
        let expected = if remove { "token_revoked" } else { "token_superseded" };
        assert_eq!(supply(&overtaken, &session, 1).await.unwrap_err(), expected);
        work(&bench.service, &gateway).await;
        assert_eq!(gateway.peers(office), []);
    }
}

/// INV-7, INV-10, SYS-9: what becomes of people and groups is nothing to a machine.
#[tokio::test]
async fn a_machine_stays_in_force_whatever_becomes_of_people_and_groups() {
    let bench = Bench::new();
    let gateway = Arc::new(FakeProvisioner::new());
    bench.administrator("boss", Role::Owner).await;
    let (admin, by) = bench.administrator("max", Role::Administrator).await;
    let office = bench.location("office", None).await;
    let created = bench.admin().create_machine(&by, office, named("printer")).await.unwrap();
    assert_eq!(bench.open_enrollments().await[0].initiator, Some(admin.id));
    let session = bench.begin(&created.issued.token).await.unwrap();
    let shown = bench.service.enrollee().session(&session, FROM).await.unwrap();
    assert!(shown.initiator.is_some(), "whoever sets the machine up sees whom to ask");
    bench.admin().erase_user(&CLI, admin.id).await.unwrap();
    let shown = bench.service.enrollee().session(&session, FROM).await.unwrap();
    assert!(shown.initiator.is_none());
    bench.supply(&session, 1).await.unwrap();
    work(&bench.service, &gateway).await;
    let staff = LocationPatch { access: Some(Access::Groups(groups(&["staff"]))), ..LocationPatch::default() };
    bench.admin().change_location(&CLI, office, staff).await.unwrap();
    bench.location("second", None).await;
    fill(&bench.service).await;
    work(&bench.service, &gateway).await;
    assert_eq!(gateway.peers(office).len(), 1, "an administrator added it, and only an administrator removes it");
    let view = bench.view(created.machine.id).await;
    assert_eq!(view.device.unwrap().attachments.len(), 1, "in exactly one location");
}

/// ADM-8: the chain counts the versions of machines as those of people.
#[tokio::test]
async fn every_change_to_a_machine_is_in_the_log() {
    let bench = Bench::new();
    let office = bench.location("office", None).await;
    let CreatedMachine { machine, .. } = bench.machine(office, "printer").await;
    let issued = bench.admin().reissue_machine(&CLI, machine.id, None).await.unwrap();
    bench.supply(&bench.begin(&issued.token).await.unwrap(), 1).await.unwrap();
    bench.admin().remove_machine(&CLI, machine.id).await.unwrap();
    let key = RowKey::new(Kind::Machine, machine.id.uuid());
    let mut told: Vec<_> = bench.audit().await.into_iter().filter(|entry| entry.subject == key.into()).collect();
    told.sort_by_key(|entry| entry.subject_version);
    let events: Vec<Event> = told.into_iter().map(|entry| entry.event).collect();
    let expected = [Event::MachineCreated, Event::EnrollmentIssued, Event::EnrollmentCompleted, Event::MachineRemoved];
    assert_eq!(events, expected);
}
