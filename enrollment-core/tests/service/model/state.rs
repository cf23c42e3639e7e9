//! What must be true of everything that stands in the store and at the gateways, after every step and at the end.

use std::collections::BTreeSet;

use enrollment_core::domain::address::{Assignment, Standing};
use enrollment_core::domain::attachment::Attachment;
use enrollment_core::domain::device::{Device, PublicKey};
use enrollment_core::domain::enrollment::Enrollment;
use enrollment_core::domain::location::Location;
use enrollment_core::domain::user::User;
use enrollment_core::id::LocationId;
use enrollment_testkit::fake::FakeProvisioner;

use super::ghost::Ghost;
use crate::tape::{End, Log};

/// After every step.
pub(crate) fn holds(log: &Log, gateways: &FakeProvisioner, ever: &BTreeSet<PublicKey>) {
    let devices: Vec<Device> = records(log);
    let attachments: Vec<Attachment> = records(log);
    let enrollments: Vec<Enrollment> = records(log);
    let users: Vec<User> = records(log);
    unique("I11: a key", devices.iter().map(|device| device.public_key.to_string()));
    unique("I11: a username", users.iter().map(|user| user.username.to_string()));
    let open = enrollments.iter().filter(|enrollment| enrollment.is_open());
    unique("INV-5: an open enrollment", open.map(|one| format!("{} {:?}", one.subject, one.purpose)));
    let held = attachments.iter().flat_map(|one| one.addresses.iter().map(|at| format!("{} {at}", one.location)));
    unique("I11: an address", held);

    for device in devices.iter().filter(|device| device.staged) {
        let reserved = enrollments.iter().any(|enrollment| enrollment.reserved_devices().contains(&device.id));
        assert!(reserved, "DEV-3: a staged device belongs to no enrollment");
    }
    for id in enrollments.iter().flat_map(Enrollment::reserved_devices) {
        assert!(devices.iter().any(|device| device.id == id && device.staged), "a reserved device is not there");
    }
    for assignment in records::<Assignment>(log) {
        if let Standing::Held(by) = assignment.standing {
            let holder = attachments.iter().find(|attachment| attachment.id == by);
            let theirs = holder.is_some_and(|holder| holder.addresses.contains(&assignment.address));
            assert!(theirs, "DEV-2: an address is held by nobody");
        }
    }
    for location in records::<Location>(log) {
        for peer in gateways.peers(location.id) {
            assert!(ever.contains(&peer.public_key), "I9: a peer whose enrollment never completed");
        }
    }
}

/// I8 and I10, when the workers have nothing left to do.
pub(crate) fn is_settled(log: &Log, gateways: &FakeProvisioner, ghost: &Ghost) {
    for (entry, end) in log.entries.values() {
        assert!(matches!(end, Some(End::Done | End::Obsolete)), "I8: {entry:?} ended as {end:?}");
    }
    let users: Vec<User> = records(log);
    let active = |peer: &&super::ghost::Peer| users.iter().any(|user| user.id == peer.owner && user.is_active());
    // Every location of these stories is open to everyone, also to devices that came before it (DEV-7).
    let locations: Vec<LocationId> = records::<Location>(log).into_iter().map(|location| location.id).collect();
    let everywhere = |peer: &super::ghost::Peer| {
        let key = peer.key;
        locations.iter().map(move |location| (*location, key)).collect::<Vec<_>>()
    };
    let intended: BTreeSet<(LocationId, PublicKey)> =
        ghost.peers.values().filter(active).flat_map(everywhere).collect();
    let mut observed = BTreeSet::new();
    for location in records::<Location>(log) {
        for peer in gateways.peers(location.id) {
            let attachment = records::<Attachment>(log)
                .into_iter()
                .find(|one| one.location == location.id && one.public_key == peer.public_key);
            let addresses = attachment.map(|attachment| attachment.addresses);
            assert_eq!(addresses, Some(peer.addresses.clone()), "I10: a peer with other addresses");
            observed.insert((location.id, peer.public_key));
        }
    }
    assert_eq!(observed, intended, "I10: the gateways do not hold what is intended");
}

/// I12: nothing that opens anything stands in a row or in the outbox.
pub(crate) fn keeps(log: &Log, secrets: &BTreeSet<String>) {
    let rows = log.rows.values().map(|row| &row.body.json);
    for text in rows.chain(log.entries.values().map(|(entry, _)| &entry.body.json)) {
        for secret in secrets {
            assert!(!text.contains(secret.as_str()), "I12: a secret stands in {text}");
        }
    }
}

fn records<R: enrollment_core::record::Record>(log: &Log) -> Vec<R> {
    log.all::<R>().into_iter().map(|stored| stored.record).collect()
}

fn unique(what: &str, values: impl Iterator<Item = String>) {
    let mut seen = BTreeSet::new();
    for value in values {
        assert!(!seen.contains(&value), "{what} belongs to two: {value}");
        seen.insert(value);
    }
}
