//! The invariants, watched from outside: a ledger of who is who, who chose what, and where every device went.
//!
//! It reads the machine's own states and effects and never the reference model, so that a mistake shared by machine
//! and model still shows.

use enrollment_core::domain::command::{Changed, Effect, Outcome};
use enrollment_core::domain::enrollment::{Closure, Enrollment, Phase, Purpose, Work};
use enrollment_core::domain::session_opens;
use enrollment_core::domain::user::User;
use enrollment_core::id::DeviceId;
use enrollment_core::time::Timestamp;

use super::action::{Act, Action, FOREIGN, Tag};
use super::common::{SESSION, device, secret};
use super::world::{RULES, Values, Variant};

/// What has happened so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ledger {
    /// Who holds the session with this serial: one bit per person; two once they proved to be the same.
    people: Vec<u64>,
    /// Who chose the value with this tag.
    authors: Vec<u64>,
    /// Devices that are staged.
    staged: Vec<DeviceId>,
    /// Devices that were released or promoted.
    gone: Vec<DeviceId>,
    /// Accepted codes: secret and step.
    accepted: Vec<(Tag, u64)>,
    /// The code by e-mail that was sent last and not used: who asked for it, in which session, and when.
    code: Option<(u64, u32, Timestamp)>,
    /// Codes by e-mail sent since the session's time began.
    codes: u32,
    /// Who entered a right code that came by e-mail.
    mailed: u64,
    /// The session that may act, and until when.
    session: Option<(u32, Timestamp)>,
    completions: u32,
}

/// Holds or says why not.
macro_rules! ensure {
    ($holds:expr, $($why:tt)+) => {
        if !$holds {
            return Err(format!($($why)+));
        }
    };
}
pub(crate) use ensure;

impl Ledger {
    /// Whether what became of `action` keeps every invariant; records it.
    pub(crate) fn observe(
        &mut self,
        before: &Enrollment,
        action: &Action,
        now: Timestamp,
        changed: &Changed,
        values: &Values,
        worlds: &[Variant],
    ) -> Result<(), String> {
        let after = &changed.next;
        ensure!(before.is_open(), "I1: something that has ended changed");
        ensure!(after.wrong_codes >= before.wrong_codes, "I5: the count of wrong codes went down");
        let at_limit = after.wrong_codes >= before.terms.wrong_codes;
        let locked = matches!(&after.phase, Phase::Closed(closed) if closed.why == Closure::Locked);
        ensure!(!at_limit || locked, "I5: not locked at the limit");
        ensure!(after.is_open() == after.seed.is_some(), "a seed outlives the end, or went before it");
        match action {
            Action::Begin { shown } => self.begun(shown, before, after, now)?,
            Action::Step { by, act } => self.stepped(*by, act, before, changed, now, values)?,
            Action::Close(_) | Action::Rotate => self.session = None,
            Action::Sweep => ensure!(
                (now >= before.expires || before.sessions >= before.terms.max_sessions)
                    && self.session.is_none_or(|(_, deadline)| now >= deadline),
                "something that can still complete was swept"
            ),
            Action::Clock(_) => {}
        }
        if matches!(after.phase, Phase::Completed(_)) {
            self.completed(action, before, changed, worlds)?;
        }
        self.account(before, changed)?;
        self.owned(after, values)?;
        self.one_session(after, now)
    }

    fn begun(&mut self, shown: &[u32], before: &Enrollment, after: &Enrollment, now: Timestamp) -> Result<(), String> {
        ensure!(now < before.expires, "I3: a dead token opened a session");
        let living = self.session.filter(|(_, deadline)| now < *deadline);
        let expected = living.map_or(now.plus(SESSION.duration()), |(_, deadline)| deadline);
        let deadline = after.session().map(|session| session.deadline);
        ensure!(deadline == Some(expected), "I3: the deadline is {deadline:?} and not {expected}");
        let known = shown.iter().filter_map(|serial| self.people.get(*serial as usize)).fold(0, |all, one| all | one);
        if living.is_none() {
            self.codes = 0;
        }
        let serial = after.serial;
        self.people.resize(serial as usize, 0);
        self.people.push(if known == 0 { 1 << serial } else { known });
        self.session = Some((serial, expected));
        Ok(())
    }

    fn stepped(
        &mut self,
        by: u32,
        act: &Act,
        before: &Enrollment,
        changed: &Changed,
        now: Timestamp,
        values: &Values,
    ) -> Result<(), String> {
        let Some((current, deadline)) = self.session else { return Err("I2: a step without a session".to_owned()) };
        ensure!(by == current, "I2: session {by} changed something in place of {current}");
        ensure!(now < deadline, "I3: a step at or after its deadline");
        if let Some(session) = changed.next.session() {
            ensure!(session.deadline == deadline, "I3: a step moved the deadline");
        }
        if let Phase::Closed(_) = changed.next.phase {
            self.session = None;
        }
        if changed.outcome.is_err() {
            let wrong = u32::from(matches!(act, Act::Confirm { .. } | Act::EnterCode { .. }));
            ensure!(changed.next.wrong_codes == before.wrong_codes + wrong, "I5: a wrong code was not counted");
            return Ok(());
        }
        let me = self.people[by as usize];
        let chosen = match act {
            Act::Password { proves, chosen, .. } => {
                if let Some(earlier) = proves.filter(|earlier| *earlier != FOREIGN) {
                    self.people[by as usize] |= self.people[earlier as usize];
                }
                chosen.map(|(tag, _)| tag)
            }
            Act::Offer(tag) | Act::Codes(tag) | Act::Stage { device: tag, .. } => Some(*tag),
            Act::Confirm { matched, .. } => {
                let offered = before.session().and_then(|session| session.work.offered_totp.as_ref());
                let (Some(secret), Some(step)) = (offered, *matched) else {
                    return Err("MFA-1: a factor was verified without a right code".to_owned());
                };
                let secret = values.which_sealed(secret);
                let later = |(known, last): &(Tag, u64)| *known != secret || *last < step;
                ensure!(self.accepted.iter().all(later), "I6: a step was accepted twice");
                self.accepted.push((secret, step));
                None
            }
            Act::SendCode { .. } => {
                self.codes += 1;
                ensure!(self.codes <= RULES.per_session, "MFA-2: more codes than one session allows");
                let moments = RULES.again_after.duration();
                let just_sent = |(_, session, at): &(u64, u32, Timestamp)| *session == by && now < at.plus(moments);
                ensure!(!self.code.as_ref().is_some_and(just_sent), "MFA-2: a double click sent two codes");
                self.code = Some((me, by, now));
                None
            }
            Act::EnterCode { right, .. } => {
                ensure!(*right, "MFA-2: a factor was verified without a right code");
                let Some((who, _, at)) = self.code.take() else {
                    return Err("MFA-2: a code that was used or never sent".to_owned());
                };
                ensure!(who & me != 0, "TOK-5: a code that somebody else asked for");
                ensure!(now < at.plus(RULES.validity.duration()), "MFA-2: a code whose time is over");
                self.mailed |= me;
                None
            }
            Act::Profile(_) | Act::Complete { .. } => None,
        };
        if let Act::Stage { device: tag, .. } = act {
            self.staged.push(device(*tag));
        }
        if let Some(tag) = chosen {
            self.authors.resize(self.authors.len().max(usize::from(tag) + 1), 0);
            self.authors[usize::from(tag)] |= me;
        }
        Ok(())
    }

    fn completed(
        &mut self,
        action: &Action,
        before: &Enrollment,
        changed: &Changed,
        worlds: &[Variant],
    ) -> Result<(), String> {
        let Action::Step { by, act: Act::Complete { world } } = action else {
            return Err("something else than completing completed".to_owned());
        };
        let world = &worlds[*world];
        self.completions += 1;
        ensure!(self.completions == 1, "I1: a second completion");
        let Some(session) = before.session() else { return Err("completed without a session".to_owned()) };
        let work = &session.work;
        ensure!(world.active, "I4: completed for a disabled user");
        let password = work.password.as_ref().map(|password| password.long_enough_alone);
        let factors = (work.totp.is_some(), work.email);
        let missing = world.missing(before.purpose, work.profile.is_some(), password, factors, work.device.is_some());
        ensure!(missing.is_empty(), "I4: completed without {missing:?}");
        let promotes = changed.effects.iter().any(|effect| matches!(effect, Effect::PromoteDevice(_)));
        let keeps = work.device.is_some() && world.keeps_device(before.purpose);
        ensure!(promotes == keeps, "I4: the device rule does not hold");
        ensure!(self.session.is_some_and(|(serial, _)| serial == *by), "I2: another session completed");
        let written: Vec<&User> = changed
            .effects
            .iter()
            .filter_map(|effect| if let Effect::WriteUser(user) = effect { Some(&**user) } else { None })
            .collect();
        let held = changed.effects.iter().filter(|effect| matches!(effect, Effect::HoldUser)).count();
        match before.purpose {
            Purpose::Device | Purpose::NetworkDevice => {
                ensure!(written.is_empty() && held == 1, "the user is not held once");
            }
            Purpose::Onboarding | Purpose::Factor => {
                let [user] = written[..] else { return Err("the user is not written once".to_owned()) };
                ensure!(held == 0 && user.is_active(), "the user is not active");
                ensure!(user.enrolled.is_some() == (before.purpose == Purpose::Onboarding), "enrolled is wrong");
                let hash = |user: &User| user.credentials.password.as_ref().map(|password| password.hash.clone());
                let expected = work.password.as_ref().map(|password| password.hash.clone());
                ensure!(hash(user) == expected, "the user has another password");
                ensure!(user.credentials.totp == work.totp, "the user has another factor");
                ensure!(user.credentials.email == work.email, "the user has another factor by mail");
                ensure!(user.credentials.recovery == work.recovery, "the user has other recovery codes");
            }
        }
        Ok(())
    }

    /// Every staged device is released or promoted exactly once, and only a completion promotes.
    fn account(&mut self, before: &Enrollment, changed: &Changed) -> Result<(), String> {
        let completed = matches!(changed.next.phase, Phase::Completed(_));
        for effect in &changed.effects {
            let id = match effect {
                Effect::ReleaseDevice(id) => id,
                Effect::PromoteDevice(id) => {
                    ensure!(completed, "DEV-3: {id:?} became a peer without completion");
                    let mine = before.session().and_then(|session| session.work.device);
                    ensure!(mine == Some(*id), "I13: {id:?} of somebody else became a peer");
                    id
                }
                Effect::WriteUser(_) | Effect::HoldUser => {
                    ensure!(completed, "the user was touched without completion");
                    continue;
                }
            };
            ensure!(!self.gone.contains(id), "{id:?} went twice");
            let Some(at) = self.staged.iter().position(|staged| staged == id) else {
                return Err(format!("{id:?} went and was never staged"));
            };
            self.staged.remove(at);
            self.gone.push(*id);
        }
        let works = changed.next.session().into_iter().flat_map(|session| {
            let held = session.held.as_ref().map(|held| &held.work);
            [Some(&session.work), held].into_iter().flatten()
        });
        let mut kept: Vec<DeviceId> = works.filter_map(|work| work.device).collect();
        kept.sort();
        self.staged.sort();
        ensure!(kept == self.staged, "devices kept {kept:?}, staged {:?}: one leaked", self.staged);
        let reserved = changed.next.reserved_devices();
        ensure!(reserved.len() == kept.len() && reserved.iter().all(|id| kept.contains(id)), "reserved: {reserved:?}");
        Ok(())
    }

    /// In every state, what a holder can complete with they chose themselves, and what waits is waiting for whoever did.
    fn owned(&self, after: &Enrollment, values: &Values) -> Result<(), String> {
        let Some(session) = after.session() else { return Ok(()) };
        let held = session.held.as_ref().map(|held| (held.serial, &held.work));
        for (serial, work) in [Some((session.serial, &session.work)), held].into_iter().flatten() {
            let holder = self.people[serial as usize];
            ensure!(!work.email || self.mailed & holder != 0, "I13: {serial} has a factor that somebody else verified");
            let asker = self.code.map_or(0, |(who, ..)| who);
            ensure!(work.email_code.is_none() || asker & holder != 0, "TOK-5: {serial} has a code of somebody else");
            for tag in chosen_in(work, values) {
                let author = self.authors[usize::from(tag)];
                ensure!(author & holder != 0, "I13: session {serial} has {tag}, which somebody else chose");
            }
        }
        Ok(())
    }

    fn one_session(&self, after: &Enrollment, now: Timestamp) -> Result<(), String> {
        let open: Vec<u32> = (0..=after.serial + 1)
            .chain([FOREIGN])
            .filter(|serial| session_opens(after, secret(*serial), now).is_ok())
            .collect();
        ensure!(open.len() <= 1, "I2: live sessions {open:?}");
        let expected = self.session.filter(|(_, deadline)| after.is_open() && now < *deadline);
        ensure!(open.first().copied() == expected.map(|(serial, _)| serial), "I2: {open:?} and not {expected:?} opens");
        Ok(())
    }

    /// Whether a decision without a change is one that may be without.
    pub(crate) fn quiet(&self, action: &Action, outcome: Outcome) -> Result<(), String> {
        match (action, outcome) {
            (Action::Begin { shown }, Outcome::Continued) => {
                ensure!(
                    self.session.is_some_and(|(serial, _)| shown.contains(&serial)),
                    "a session continues for somebody who does not hold it"
                );
            }
            (Action::Begin { .. }, _) => return Err("a begin that neither begins nor continues".to_owned()),
            _ => {}
        }
        Ok(())
    }
}

/// The tags of everything a holder chose.
fn chosen_in(work: &Work, values: &Values) -> Vec<Tag> {
    let password = work.password.as_ref().map(|password| values.which_password(password));
    let offered = work.offered_totp.as_ref().map(|secret| values.which_sealed(secret));
    let totp = work.totp.as_ref().map(|totp| values.which_sealed(&totp.secret));
    let device = work.device.map(|id| Tag::try_from(id.uuid().as_u128()).expect("a tag"));
    password.into_iter().chain(offered).chain(totp).chain(device).collect()
}
