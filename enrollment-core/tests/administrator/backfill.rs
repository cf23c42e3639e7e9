//! Devices that exist get their addresses at locations that their owners come to reach (DEV-7).

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use enrollment_core::domain::address::{Assignment, QUARANTINE};
use enrollment_core::domain::attachment::{Attachment, PeerState};
use enrollment_core::domain::device::Device;
use enrollment_core::domain::enrollment::Purpose;
use enrollment_core::domain::event::Event;
use enrollment_core::domain::group::Access;
use enrollment_core::domain::location::Location;
use enrollment_core::domain::upkeep::BackfillState;
use enrollment_core::domain::user::{User, UserStatus};
use enrollment_core::id::{DeviceId, LocationId, UserId};
use enrollment_core::port::Op;
use enrollment_core::record::IndexName;
use enrollment_core::service::Service;
use enrollment_core::service::administrator::{LocationPatch, NewLocation, UserPatch};
use enrollment_core::time::Span;
use enrollment_core::worker::Backfiller;
use enrollment_testkit::fake::{FakeProvisioner, FaultyStore, Moment};
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::bench::{Bench, CLI, groups};
use crate::enrollee::network;
use crate::gateways::{attachments, fill, intended, report, with_device, work};

fn named(name: &str, pools: &[&str], access: Access) -> NewLocation {
    let pools: Vec<_> = pools.iter().map(|pool| pool.parse().unwrap()).collect();
    NewLocation { name: name.parse().unwrap(), pools, access, ..network("10.9.0.0/24") }
}

async fn add(bench: &Bench, new: NewLocation) -> LocationId {
    bench.admin().create_location(&CLI, new).await.unwrap().location.id
}

fn only(names: &[&str]) -> Access {
    Access::Groups(groups(names))
}

async fn open_to(service: &Service, location: LocationId, access: Access) {
    let patch = LocationPatch { access: Some(access), ..LocationPatch::default() };
    service.administrator().change_location(&CLI, location, patch).await.unwrap();
}

async fn join(service: &Service, user: UserId, names: &[&str]) {
    let patch = UserPatch { groups: Some(groups(names)), ..UserPatch::default() };
    service.administrator().change_user(&CLI, user, patch).await.unwrap();
}

async fn there(bench: &Bench, device: DeviceId, location: LocationId) -> Option<Attachment> {
    attachments(bench, device).await.into_iter().find(|attachment| attachment.location == location)
}

/// The oracle: every completed device of an active user has one attachment with one address per pool where the user is
/// admitted, intended there and nowhere else, and no address belongs to two.
async fn everybody_has_what_is_theirs(bench: &Bench, what: &str) {
    let locations: Vec<Location> = bench.all(IndexName::LocationsByName, "").await;
    let mut held: BTreeSet<(LocationId, IpAddr)> = BTreeSet::new();
    for user in bench.all::<User>(IndexName::UsersByUsername, "").await {
        for device in bench.all::<Device>(IndexName::DevicesByOwner, &user.id.to_string()).await {
            let mut by_location: BTreeMap<LocationId, Attachment> = BTreeMap::new();
            for attachment in attachments(bench, device.id).await {
                let twice = by_location.insert(attachment.location, attachment);
                assert!(twice.is_none(), "{what}: twice at one location");
            }
            for location in &locations {
                let attachment = by_location.get(&location.id);
                let reaches = user.is_active() && location.admits(&user) && !device.staged;
                let intended = attachment.is_some_and(|attachment| attachment.state.intended() == Some(true));
                assert_eq!(intended, reaches, "{what}: {} at {}", user.username, location.name);
                let Some(attachment) = attachment else { continue };
                assert_eq!(attachment.addresses.len(), location.pools.len(), "{what}");
                for (pool, address) in location.pools.iter().zip(&attachment.addresses) {
                    assert!(pool.gives(*address), "{what}: {address} is none of {pool}");
                    assert!(held.insert((location.id, *address)), "{what}: {address} belongs to two");
                }
            }
        }
    }
}

/// DEV-7
#[tokio::test]
async fn a_new_location_gives_existing_devices_their_addresses_with_progress() {
    let bench = Bench::new();
    let gateway = Arc::new(FakeProvisioner::new());
    bench.location("first", None).await;
    let (alice, laptop) = with_device(&bench, "alice", 1).await;
    let phone = bench.device_of(alice, 2).await.id;
    let (bob, bobs) = with_device(&bench, "bob", 3).await;
    let gone = UserPatch { status: Some(UserStatus::Disabled), ..UserPatch::default() };
    bench.admin().change_user(&CLI, bob, gone).await.unwrap();
    let carol = bench.user("carol").await;
    let issued = bench.start(carol.id, Purpose::Onboarding).await.unwrap();
    let session = bench.begin(&issued.token).await.unwrap();
    let staged = bench.add_device(&session, 4).await.id;

    let office = add(&bench, named("office", &["10.9.0.0/24", "fd09::/64"], Access::Everyone)).await;
    let queued = report(&bench, office).await.backfill.unwrap();
    assert_eq!((queued.state(), queued.devices), (BackfillState::Running, 0));
    fill(&bench.service).await;
    let done = report(&bench, office).await.backfill.unwrap();
    assert_eq!((done.state(), done.devices, done.unreadable), (BackfillState::Done, 2, 0));
    for device in [laptop, phone] {
        let attachment = there(&bench, device, office).await.unwrap();
        assert_eq!((attachment.state, attachment.addresses.len()), (PeerState::Intended, 2));
    }
    assert!(there(&bench, bobs, office).await.is_none(), "disabled");
    assert!(there(&bench, staged, office).await.is_none(), "waits for its enrollment");
    let told = bench.audit().await.into_iter().filter(|entry| entry.event == Event::DeviceAttached).count();
    assert_eq!(told, 2);
    work(&bench.service, &gateway).await;
    assert_eq!(gateway.peers(office), intended(&bench, office).await);

    let back = UserPatch { status: Some(UserStatus::Active), ..UserPatch::default() };
    bench.admin().change_user(&CLI, bob, back).await.unwrap();
    fill(&bench.service).await;
    assert!(there(&bench, bobs, office).await.is_some(), "enabled, and it gets what it missed");
    bench.fill_in(&session).await;
    bench.service.enrollee().complete(&session, CLI.origin).await.unwrap();
    fill(&bench.service).await;
    everybody_has_what_is_theirs(&bench, "at the end").await;
}

/// DEV-7
#[tokio::test]
async fn a_group_that_is_admitted_and_a_member_who_joins_get_addresses_and_lose_them_when_they_go() {
    let bench = Bench::new();
    let gateway = Arc::new(FakeProvisioner::new());
    bench.location("first", None).await;
    let (alice, alices) = with_device(&bench, "alice", 1).await;
    let (bob, bobs) = with_device(&bench, "bob", 2).await;
    join(&bench.service, alice, &["sales"]).await;
    let office = add(&bench, named("office", &["10.9.0.0/24"], only(&["staff"]))).await;
    fill(&bench.service).await;
    everybody_has_what_is_theirs(&bench, "for a group of nobody").await;

    open_to(&bench.service, office, only(&["staff", "sales"])).await;
    fill(&bench.service).await;
    assert!(there(&bench, alices, office).await.is_some(), "her group is admitted");
    join(&bench.service, bob, &["staff"]).await;
    let queued = report(&bench, office).await.backfill.unwrap();
    assert_eq!((queued.state(), queued.left.users, queued.left.everyone), (BackfillState::Running, [bob].into(), None));
    fill(&bench.service).await;
    assert!(there(&bench, bobs, office).await.is_some(), "he joined");
    everybody_has_what_is_theirs(&bench, "both").await;
    work(&bench.service, &gateway).await;
    assert_eq!(gateway.peers(office).len(), 2);

    join(&bench.service, alice, &[]).await;
    open_to(&bench.service, office, only(&["sales"])).await;
    fill(&bench.service).await;
    work(&bench.service, &gateway).await;
    assert!(gateway.peers(office).is_empty(), "she left, and his group is no longer admitted");
    everybody_has_what_is_theirs(&bench, "nobody").await;
    let before = report(&bench, office).await.backfill;
    join(&bench.service, bob, &["sales"]).await;
    fill(&bench.service).await;
    assert_eq!(report(&bench, office).await.backfill, before, "he has an address: nothing to fill");
    everybody_has_what_is_theirs(&bench, "back").await;
}

/// Three people with two devices each, and a location they do not have yet.
async fn six_devices() -> (Bench, LocationId) {
    let bench = Bench::new();
    bench.location("first", None).await;
    for (username, key) in [("alice", 1), ("bob", 3), ("carol", 5)] {
        let (user, _) = with_device(&bench, username, key).await;
        bench.device_of(user, key + 1).await;
    }
    let office = add(&bench, named("office", &["10.9.0.0/24", "fd09::/64"], Access::Everyone)).await;
    (bench, office)
}

/// DEV-7: every store call of a backfill that dies, on either side of its effect.
#[tokio::test]
async fn a_backfill_that_is_killed_at_any_instant_goes_on_where_it_stopped() {
    let mut call = 1;
    loop {
        let mut died = false;
        for moment in [Moment::Before, Moment::After] {
            let (bench, office) = six_devices().await;
            let faulty = Arc::new(FaultyStore::new(Arc::clone(&bench.store)));
            faulty.die_at(call, moment);
            let service = bench.through(faulty.clone());
            let backfiller = Backfiller::new(service);
            while backfiller.run_once().await.is_ok_and(|changes| changes > 0) {}
            died |= faulty.calls() >= call;
            fill(&bench.service).await;
            let what = format!("{call} {moment:?}");
            everybody_has_what_is_theirs(&bench, &what).await;
            let done = report(&bench, office).await.backfill.unwrap();
            assert_eq!((done.state(), done.devices), (BackfillState::Done, 6), "{what}");
        }
        if !died {
            break;
        }
        call += 1;
    }
    assert!(call > 30, "the search saw {call} calls");
}

/// DEV-7: two workers on one location give each device its addresses once.
#[tokio::test]
async fn of_two_workers_on_one_backfill_each_device_gets_its_addresses_once() {
    let (bench, office) = six_devices().await;
    let service = bench.raced(|rival| async move {
        Backfiller::new(rival).run_once().await.unwrap();
    });
    fill(&service).await;
    everybody_has_what_is_theirs(&bench, "two workers").await;
    assert_eq!(report(&bench, office).await.backfill.unwrap().devices, 6);
}

/// DEV-7: what is decided against somebody's groups, or against the location, holds when it takes effect.
#[tokio::test]
async fn whoever_loses_access_while_the_backfill_runs_gets_no_address() {
    for closes in [false, true] {
        let bench = Bench::new();
        bench.location("first", None).await;
        let (alice, device) = with_device(&bench, "alice", 1).await;
        join(&bench.service, alice, &["staff"]).await;
        let office = add(&bench, named("office", &["10.9.0.0/24"], only(&["staff"]))).await;
        let service = bench.raced(|rival| async move {
            if closes {
                open_to(&rival, office, only(&["sales"])).await;
            } else {
                join(&rival, alice, &[]).await;
            }
        });
        fill(&service).await;
        assert!(there(&bench, device, office).await.is_none(), "closes: {closes}");
        everybody_has_what_is_theirs(&bench, "access lost").await;
    }
}

/// DEV-2, DEV-7
#[tokio::test]
async fn an_exhausted_pool_waits_with_its_reason_while_others_go_on_and_goes_on_when_there_is_room() {
    let bench = Bench::new();
    let gateway = Arc::new(FakeProvisioner::new());
    bench.location("first", None).await;
    let (_, alices) = with_device(&bench, "alice", 1).await;
    let (_, bobs) = with_device(&bench, "bob", 2).await;
    // The second pool has an address for one of them.
    let narrow = add(&bench, named("narrow", &["10.9.0.0/24", "10.8.0.0/30"], Access::Everyone)).await;
    let wide = add(&bench, named("wide", &["10.7.0.0/24"], Access::Everyone)).await;
    fill(&bench.service).await;
    let waiting = report(&bench, narrow).await.backfill.unwrap();
    assert_eq!((waiting.state(), waiting.devices), (BackfillState::Waiting, 1));
    let why = waiting.waits.unwrap().why;
    assert!(why.contains("narrow") && why.contains("no free address"), "{why}");
    assert_eq!(report(&bench, wide).await.backfill.unwrap().state(), BackfillState::Done);
    assert!(there(&bench, bobs, narrow).await.is_none());
    let roomy = Assignment::pool_part(narrow, "10.9.0.0/24".parse().unwrap());
    let taken: Vec<Assignment> = bench.all(IndexName::AddressesByPool, &roomy).await;
    assert_eq!(taken.len(), 1, "of the pool that had room nothing was taken for whom the other had none");

    work(&bench.service, &gateway).await;
    bench.admin().remove_device(&CLI, alices).await.unwrap();
    work(&bench.service, &gateway).await;
    bench.clock.advance(Span::minutes(6).duration());
    fill(&bench.service).await;
    assert_eq!(report(&bench, narrow).await.backfill.unwrap().state(), BackfillState::Waiting, "the address rests");
    bench.clock.advance(QUARANTINE);
    fill(&bench.service).await;
    assert_eq!(report(&bench, narrow).await.backfill.unwrap().state(), BackfillState::Done);
    everybody_has_what_is_theirs(&bench, "at the end").await;
}

#[tokio::test]
async fn a_user_whose_record_is_damaged_is_left_out_and_counted() {
    let bench = Bench::new();
    bench.location("first", None).await;
    let (alice, _) = with_device(&bench, "alice", 1).await;
    let (_, bobs) = with_device(&bench, "bob", 2).await;
    let office = add(&bench, named("office", &["10.9.0.0/24"], Access::Everyone)).await;
    let whole = bench.record::<User>(alice.uuid()).await.unwrap();
    let mut damaged = whole.put(&whole.record);
    let Op::Put { next, .. } = &mut damaged else { panic!("not written") };
    next.body.json = "{}".to_owned();
    bench.commit(vec![damaged]).await;
    fill(&bench.service).await;
    let done = report(&bench, office).await.backfill.unwrap();
    assert_eq!((done.state(), done.devices, done.unreadable), (BackfillState::Done, 1, 1));
    assert!(there(&bench, bobs, office).await.is_some());
}

/// Something that happens while backfills run.
#[derive(Debug, Clone)]
enum Happening {
    Join(usize, Vec<&'static str>),
    Open(usize, Option<Vec<&'static str>>),
    Enable(usize, bool),
    Device(usize),
    Remove(usize),
    Location(Option<Vec<&'static str>>),
    /// One batch, which dies at this store call.
    Fill(u64, Moment),
    Work,
}

fn happening() -> impl Strategy<Value = Happening> {
    let some = || proptest::sample::subsequence(vec!["it", "sales", "staff"], 0..=3);
    let access = || prop_oneof![1 => Just(None), 3 => some().prop_map(Some)];
    let moment = prop_oneof![Just(Moment::Before), Just(Moment::After)];
    prop_oneof![
        4 => (0..4_usize, some()).prop_map(|(who, names)| Happening::Join(who, names)),
        3 => (0..4_usize, access()).prop_map(|(which, names)| Happening::Open(which, names)),
        2 => (0..4_usize, any::<bool>()).prop_map(|(who, on)| Happening::Enable(who, on)),
        3 => (0..4_usize).prop_map(Happening::Device),
        1 => (0..4_usize).prop_map(Happening::Remove),
        2 => access().prop_map(Happening::Location),
        4 => (1..40_u64, moment).prop_map(|(call, moment)| Happening::Fill(call, moment)),
        2 => Just(Happening::Work),
    ]
}

/// What happens is told to the service; what must hold at the end, the oracle knows from the records of users and
/// locations alone.
async fn tell(happenings: Vec<Happening>) {
    let bench = Bench::new();
    let gateway = Arc::new(FakeProvisioner::new());
    let mut locations = vec![bench.location("first", None).await];
    let mut users = Vec::new();
    for username in ["alice", "bob", "carol", "dora"] {
        let user = bench.user(username).await.id;
        bench.mark_enrolled(user).await;
        users.push(user);
    }
    let access = |names: Option<Vec<&'static str>>| names.map_or(Access::Everyone, |names| only(&names));
    let mut keys = 0;
    for happening in happenings {
        match happening {
            Happening::Join(who, names) => join(&bench.service, users[who], &names).await,
            Happening::Open(which, names) => {
                open_to(&bench.service, locations[which % locations.len()], access(names)).await;
            }
            Happening::Enable(who, on) => {
                let status = if on { UserStatus::Active } else { UserStatus::Disabled };
                let patch = UserPatch { status: Some(status), ..UserPatch::default() };
                bench.admin().change_user(&CLI, users[who], patch).await.unwrap();
            }
            Happening::Device(who) => {
                keys += 1;
                // A disabled user, or one whom no location admits, gets no invitation.
                if bench.start(users[who], Purpose::Device).await.is_ok() {
                    bench.device_of(users[who], keys).await;
                }
            }
            Happening::Remove(who) => {
                if let Some(report) = bench.admin().devices_of(&CLI, users[who]).await.unwrap().first() {
                    bench.admin().remove_device(&CLI, report.device.id).await.unwrap();
                }
            }
            Happening::Location(names) => {
                let (name, nth) = (format!("number {}", locations.len()), locations.len());
                let pools = [format!("10.{}.0.0/24", nth + 20), format!("fd{:02}::/64", nth + 20)];
                let pools: Vec<&str> = pools.iter().map(String::as_str).collect();
                locations.push(add(&bench, named(&name, &pools, access(names))).await);
            }
            Happening::Fill(call, moment) => {
                let faulty = Arc::new(FaultyStore::new(Arc::clone(&bench.store)));
                faulty.die_at(call, moment);
                let _died = Backfiller::new(bench.through(faulty)).run_once().await;
            }
            Happening::Work => work(&bench.service, &gateway).await,
        }
    }
    fill(&bench.service).await;
    everybody_has_what_is_theirs(&bench, "at the end").await;
    bench.clock.advance(Span::hours(1).duration());
    work(&bench.service, &gateway).await;
    for location in locations {
        assert_eq!(gateway.peers(location), intended(&bench, location).await);
        let backfill = report(&bench, location).await.backfill;
        assert!(backfill.is_none_or(|backfill| backfill.state() == BackfillState::Done));
    }
}

/// DEV-7
#[test]
fn whatever_happens_every_device_ends_with_exactly_what_its_owner_reaches() {
    let config = Config { cases: 60, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]));
    let told = runner.run(&proptest::collection::vec(happening(), 1..30), |happenings| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(tell(happenings));
        Ok(())
    });
    told.unwrap();
}
