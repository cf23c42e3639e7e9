//! The ghost: what must be true of every single change, whoever made it. It shares no rule with the code under test.

use std::collections::{BTreeMap, BTreeSet};

use enrollment_core::domain::attachment::{Attachment, PeerState};
use enrollment_core::domain::audit::AuditEntry;
use enrollment_core::domain::device::{Device, PublicKey};
use enrollment_core::domain::enrollment::{Closure, Enrollment, Phase, Purpose, Session, Work};
use enrollment_core::domain::event::Event;
use enrollment_core::domain::location::{Location, MfaMode};
use enrollment_core::domain::settings::{DeviceStep, Settings};
use enrollment_core::domain::user::User;
use enrollment_core::id::{EnrollmentId, UserId};
use enrollment_core::port::{Change, Op};
use enrollment_core::record::{Kind, Record, Row, RowKey, Stored};
use enrollment_core::secret::Digest;
use enrollment_core::time::{Span, Timestamp};

use super::op::HOLDERS;
use crate::tape::Log;

/// Who acts while changes are watched.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Acting {
    /// A holder of a token begins.
    Begin,
    /// A holder does something in this session.
    Step(usize, Digest),
    /// Nobody who holds anything.
    Others,
}

/// A device that a completion made a peer.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    pub(crate) key: PublicKey,
    pub(crate) owner: UserId,
}

/// What happened so far, as a bystander remembers it.
#[derive(Debug, Default)]
pub(crate) struct Ghost {
    seen: usize,
    rows: BTreeMap<RowKey, Row>,
    completed: BTreeSet<EnrollmentId>,
    /// TOTP secrets that were accepted, as they are sealed.
    accepted: BTreeSet<String>,
    /// Which holder chose a password, a secret or a device.
    authors: BTreeMap<String, usize>,
    /// Holders who proved to be the same, by bits.
    proved: [u8; HOLDERS],
    /// What became a peer, by the row of its device.
    pub(crate) peers: BTreeMap<RowKey, Peer>,
    /// How often each event was seen.
    pub(crate) tally: BTreeMap<String, usize>,
}

impl Ghost {
    /// Watches what took effect since the last time. Whether rows other than audit entries were written.
    pub(crate) fn watch(&mut self, log: &Log, acting: Acting) -> bool {
        let mut wrote = false;
        for change in &log.changes[self.seen..] {
            wrote |= change.ops.iter().any(|op| !matches!(op, Op::Check { .. }) && op.key().kind != Kind::Audit);
            self.told_of(change);
            self.hinted(change);
            for op in &change.ops {
                if let Op::Put { next, .. } = op
                    && next.key.kind == Kind::Enrollment
                {
                    let before = self.rows.get(&next.key).map(read::<Enrollment>);
                    self.enrollment(before.as_ref(), &read(next), change, acting);
                }
            }
            self.remember(change);
        }
        self.seen = log.changes.len();
        wrote
    }

    fn remember(&mut self, change: &Change) {
        for op in &change.ops {
            match op {
                Op::Put { next, .. } => {
                    self.rows.insert(next.key, next.clone());
                }
                Op::Delete { key, .. } => {
                    self.rows.remove(key);
                    self.peers.remove(key);
                }
                Op::Check { .. } => {}
            }
        }
        for entry in puts::<AuditEntry>(change).filter(|entry| entry.sealed.is_none()) {
            let event = serde_json::to_value(&entry.event).expect("an event");
            *self.tally.entry(event["action"].as_str().expect("a name").to_owned()).or_default() += 1;
        }
    }

    /// I7: every version of what is counted has its entry in the change that made it.
    fn told_of(&self, change: &Change) {
        for op in &change.ops {
            let (key, version) = match op {
                Op::Put { next, .. } => (next.key, next.version),
                _ => continue,
            };
            if matches!(key.kind, Kind::User | Kind::Enrollment | Kind::Location | Kind::Settings) {
                let tells = puts::<AuditEntry>(change)
                    .any(|entry| entry.subject == key.into() && entry.subject_version == version);
                assert!(tells, "I7: nobody tells of {key} at {version:?}");
            }
        }
    }

    /// I8: every new intention for a peer has exactly one entry, and every entry an intention.
    fn hinted(&self, change: &Change) {
        let mut told = puts::<AuditEntry>(change).filter(|entry| entry.sealed.is_none());
        let recorded = told.any(|entry| matches!(entry.event, Event::PeerApplied | Event::PeerRemoved));
        assert_eq!(recorded, !change.settle.is_empty(), "I8: what a worker records ends its lease in the same change");
        let mut intended: Vec<(String, u64)> = puts::<Attachment>(change)
            .filter(|attachment| {
                let key = RowKey::new(Kind::Attachment, attachment.id.uuid());
                let before = self.rows.get(&key).map(read::<Attachment>);
                let shall = matches!(attachment.state, PeerState::Intended | PeerState::Removing);
                shall && before.is_none_or(|before| before.generation != attachment.generation)
            })
            .map(|attachment| (attachment.id.to_string(), attachment.generation))
            .collect();
        let streams = change.enqueue.iter().filter_map(|entry| entry.stream.as_ref());
        let mut queued: Vec<(String, u64)> = streams.map(|stream| (stream.key.clone(), stream.order)).collect();
        intended.sort();
        queued.sort();
        assert_eq!(queued, intended, "I8: what was queued is not what was intended");
    }

    fn enrollment(&mut self, before: Option<&Enrollment>, after: &Enrollment, change: &Change, acting: Acting) {
        let Some(before) = before else {
            assert!(matches!(after.phase, Phase::Invited), "issued as something else");
            return;
        };
        assert!(before.is_open(), "I1: something that has ended changed");
        assert!(after.wrong_codes >= before.wrong_codes, "I5: the count of wrong codes went down");
        let locked = matches!(&after.phase, Phase::Closed(closed) if closed.why == Closure::Locked);
        assert!(locked || after.wrong_codes < before.terms.wrong_codes, "I5: not locked at the limit");
        let at = change.at;
        match acting {
            Acting::Begin => begun(before, after, at),
            Acting::Step(who, digest) => {
                let session = before.session().expect("I2: a step without a session");
                assert_eq!(session.digest, digest, "I2: a session that is not in force changed something");
                assert!(at < session.deadline, "I3: a step at or after the deadline");
                assert!(after.session().is_none_or(|now| now.deadline == session.deadline), "I3: the deadline moved");
                self.chosen(who, before, after, change);
                if let Phase::Completed(completed) = &after.phase {
                    assert_eq!(completed.session, digest, "I2: another session completed");
                    self.completes(who, session, before, change);
                }
            }
            Acting::Others => {
                assert!(!matches!(after.phase, Phase::Completed(_)), "I1: nobody completed it");
                assert!(after.session().is_none_or(|now| now.work.password.is_none() || before.session().is_some()));
            }
        }
        assert!(after.is_open() == after.seed.is_some(), "the seed outlives the end");
    }

    /// Writes down who chose what, and that who proved a password is who chose it.
    fn chosen(&mut self, who: usize, before: &Enrollment, after: &Enrollment, change: &Change) {
        let earlier = before.session().map_or_else(Work::default, |session| session.work.clone());
        let reclaimed = puts::<AuditEntry>(change).any(|entry| entry.event == Event::ChoicesReclaimed);
        let Some(session) = after.session() else { return };
        let known = things(&earlier);
        for thing in things(&session.work).into_iter().filter(|thing| !known.contains(thing)) {
            match self.authors.get(&thing) {
                None => {
                    self.authors.insert(thing, who);
                }
                Some(author) => {
                    assert!(reclaimed || self.is(who, *author), "I13: {who} came by what {author} chose");
                    self.proved[who] |= 1 << author;
                }
            }
        }
        if let (Some(totp), None) = (&session.work.totp, &earlier.totp)
            && !reclaimed
        {
            let secret = serde_json::to_string(&totp.secret).expect("sealed");
            assert!(self.accepted.insert(secret), "I6: a secret was accepted twice");
        }
    }

    fn is(&self, who: usize, author: usize) -> bool {
        who == author || self.proved[who] & (1 << author) != 0
    }

    /// I4 and I13, from the rows as they stood before the change.
    fn completes(&mut self, who: usize, session: &Session, before: &Enrollment, change: &Change) {
        assert!(self.completed.insert(before.id), "I1: completed twice");
        let user: User = read(&self.rows[&RowKey::new(Kind::User, before.subject.uuid())]);
        assert!(user.is_active(), "I4: completed for a disabled user");
        let locations: Vec<Location> = self.all();
        let mfa = locations.iter().any(|location| location.mfa == MfaMode::Internal);
        let step = self.rows.get(&Settings::KEY).map_or(DeviceStep::default(), |row| read::<Settings>(row).device_step);
        let made: Vec<Device> = puts::<Device>(change).collect();
        let work = &session.work;
        let factor = work.totp.is_some() || user.credentials.totp.is_some();
        match before.purpose {
            Purpose::Onboarding => {
                assert!(work.profile.is_some(), "I4: no profile");
                let password = work.password.as_ref().expect("I4: no password");
                assert!(factor || password.long_enough_alone, "I4: a short password without a factor");
                assert!(factor || !mfa, "I4: no factor, and a location asks for one");
                let device = step != DeviceStep::Mandatory || locations.is_empty();
                assert!(device || work.device.is_some(), "I4: no device");
                assert!(made.is_empty() || step != DeviceStep::AdministratorsOnly, "I4: a device nobody may add");
                let written: Vec<User> = puts(change).collect();
                assert_eq!(written.len(), 1, "I4: the user is not written once");
                let hash = |chosen: &enrollment_core::domain::user::ChosenPassword| chosen.hash.expose();
                let theirs = written[0].credentials.password.as_ref().map(hash);
                assert_eq!(theirs, Some(hash(password)), "I13: another password");
                assert!(written[0].is_enrolled() && !user.is_enrolled(), "I4: not enrolled by this");
                assert_eq!(
                    written[0].credentials.totp,
                    work.totp.clone().or(user.credentials.totp),
                    "I13: another factor"
                );
            }
            Purpose::Device | Purpose::NetworkDevice => assert_eq!(made.len(), 1, "I4: no device"),
            Purpose::Factor => assert!(factor, "I4: no factor"),
        }
        for thing in things(work) {
            let author = self.authors[&thing];
            assert!(self.is(who, author), "I13: {who} completed with what {author} chose");
        }
        assert!(made.len() <= 1, "more than one device");
        for device in made {
            assert!(!device.staged && device.owner == before.subject, "DEV-3: not a peer of the user");
            let peer = Peer { key: device.public_key, owner: device.owner.user().expect("people only") };
            self.peers.insert(RowKey::new(Kind::Device, device.id.uuid()), peer);
        }
    }

    fn all<R: Record>(&self) -> Vec<R> {
        self.rows.values().filter(|row| row.key.kind == R::KIND).map(read).collect()
    }
}

/// I3: nobody gains time or sessions by beginning.
fn begun(before: &Enrollment, after: &Enrollment, at: Timestamp) {
    assert!(at < before.expires, "I3: a dead token opened a session");
    let session = after.session().expect("begun");
    let living = before.session().filter(|session| at < session.deadline);
    let expected = living.map_or(at.plus(Span::minutes(10).duration()), |session| session.deadline);
    assert_eq!(session.deadline, expected, "I3: the deadline is wrong");
    assert!(after.sessions <= before.terms.max_sessions, "TOK-6: too many sessions");
    assert_eq!(after.sessions, before.sessions + u32::from(living.is_none()), "TOK-6: not counted");
    assert_eq!(after.serial, before.serial + 1, "a serial was used twice");
}

/// What a holder chose, each told apart from all others.
fn things(work: &Work) -> Vec<String> {
    let mut things: Vec<String> = work.password.iter().map(|password| password.hash.expose()).collect();
    let secrets = work.offered_totp.iter().chain(work.totp.iter().map(|totp| &totp.secret));
    things.extend(secrets.map(|secret| serde_json::to_string(secret).expect("sealed")));
    things.extend(work.device.iter().map(ToString::to_string));
    things
}

fn read<R: Record>(row: &Row) -> R {
    Stored::read(row).expect("a row that was written can be read").record
}

fn puts<R: Record>(change: &Change) -> impl Iterator<Item = R> {
    change.ops.iter().filter_map(|op| match op {
        Op::Put { next, .. } if next.key.kind == R::KIND => Some(read(next)),
        _ => None,
    })
}
