//! The reference model: what the specification says, in terms of people and what they chose.
//!
//! It shares no code with the machine under test. Values are tags, sessions are serials, verdicts are codes.

use enrollment_core::domain::command::Outcome;
use enrollment_core::domain::enrollment::{Closure, Purpose};
use enrollment_core::time::Timestamp;

use super::action::{Act, Action, Tag};
use super::common::{ISSUED, SESSION, VALIDITY};
use super::world::{RULES, Variant};

/// The limits of a search: small, so that each is reached.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) sessions: u32,
    pub(crate) wrong_codes: u32,
    pub(crate) passwords: u32,
}

/// What the caller is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Refused, nothing written.
    Refused(&'static str),
    /// Refused, and written down.
    Noted(&'static str),
    /// Nothing to write.
    Same(Outcome),
    /// Done.
    Done(Outcome),
}

/// An enrollment as the specification sees it.
#[derive(Debug, Clone)]
pub(crate) struct Model {
    pub(crate) purpose: Purpose,
    pub(crate) limits: Limits,
    pub(crate) now: Timestamp,
    pub(crate) expires: Timestamp,
    pub(crate) generation: u32,
    pub(crate) sessions: u32,
    pub(crate) serial: u32,
    pub(crate) wrong_codes: u32,
    /// Codes by e-mail so far.
    pub(crate) email_codes: u32,
    pub(crate) takeovers: u32,
    /// Sessions that are over because of another, oldest first.
    pub(crate) fenced: Vec<u32>,
    /// What the last refused completion lacked, and when that was.
    pub(crate) noted: Option<(Timestamp, Vec<&'static str>)>,
    pub(crate) stage: Stage,
    /// The next value nobody has used.
    pub(crate) fresh: Tag,
}

#[derive(Debug, Clone)]
pub(crate) enum Stage {
    Invited,
    Session(Session),
    Completed { serial: u32, deadline: Timestamp, device: Option<Tag> },
    Closed(Closure),
}

#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) serial: u32,
    pub(crate) started: Timestamp,
    pub(crate) deadline: Timestamp,
    pub(crate) passwords: u32,
    /// Codes by e-mail in this session, and the last one while it can be entered.
    pub(crate) email_codes: u32,
    pub(crate) code: Option<Code>,
    pub(crate) profile: Option<Tag>,
    /// What its holder chose.
    pub(crate) mine: Choices,
    /// What an earlier holder chose, and in which session.
    pub(crate) waiting: Option<(u32, Choices)>,
}

/// A code that was sent.
#[derive(Debug, Clone)]
pub(crate) struct Code {
    pub(crate) tag: Tag,
    pub(crate) number: u32,
    pub(crate) made: Timestamp,
    pub(crate) expires: Timestamp,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Choices {
    pub(crate) password: Option<(Tag, bool)>,
    pub(crate) offered: Option<Tag>,
    pub(crate) totp: Option<(Tag, u64)>,
    pub(crate) email: bool,
    pub(crate) codes: Option<Tag>,
    pub(crate) device: Option<Tag>,
}

impl Model {
    pub(crate) fn new(purpose: Purpose, limits: Limits) -> Self {
        Self {
            purpose,
            limits,
            now: ISSUED,
            expires: ISSUED.plus(VALIDITY.duration()),
            generation: 0,
            sessions: 0,
            serial: 0,
            wrong_codes: 0,
            email_codes: 0,
            takeovers: 0,
            fenced: Vec::new(),
            noted: None,
            stage: Stage::Invited,
            fresh: 10,
        }
    }

    pub(crate) fn session(&self) -> Option<&Session> {
        if let Stage::Session(session) = &self.stage { Some(session) } else { None }
    }

    /// What the specification says of `action`; changes the model only where it says that something changes.
    pub(crate) fn apply(&mut self, action: &Action, worlds: &[Variant]) -> Verdict {
        match action {
            Action::Clock(to) => {
                self.now = *to;
                Verdict::Same(Outcome::Done)
            }
            Action::Begin { shown } => self.begin(shown),
            Action::Step { by, act } => self.step(*by, act, worlds),
            Action::Close(why) => match self.stage {
                Stage::Completed { .. } => Verdict::Refused("already_completed"),
                Stage::Closed(_) => Verdict::Same(Outcome::AlreadyDone),
                Stage::Invited | Stage::Session(_) => self.end(*why, Verdict::Done(Outcome::Done)),
            },
            Action::Rotate => match self.stage {
                Stage::Completed { .. } => Verdict::Refused("already_completed"),
                Stage::Closed(why) => Verdict::Refused(told(why)),
                Stage::Invited | Stage::Session(_) => {
                    self.fence();
                    self.stage = Stage::Invited;
                    self.generation += 1;
                    self.sessions = 0;
                    self.expires = self.now.plus(VALIDITY.duration());
                    Verdict::Done(Outcome::Done)
                }
            },
            Action::Sweep => self.sweep(),
        }
    }

    fn begin(&mut self, shown: &[u32]) -> Verdict {
        match self.stage {
            Stage::Completed { .. } => return Verdict::Refused("token_completed"),
            Stage::Closed(why) => return Verdict::Refused(told(why)),
            Stage::Invited | Stage::Session(_) => {}
        }
        let before = self.session().cloned();
        let living = before.as_ref().filter(|session| self.now < session.deadline);
        if living.is_some_and(|session| shown.contains(&session.serial)) {
            return Verdict::Same(Outcome::Continued);
        }
        if self.now >= self.expires {
            return Verdict::Refused("token_expired");
        }
        let (started, deadline, passwords, email_codes) = match living {
            Some(session) => (session.started, session.deadline, session.passwords, session.email_codes),
            None if self.sessions == self.limits.sessions => return Verdict::Refused("sessions_exhausted"),
            None => (self.now, self.now.plus(SESSION.duration()), 0, 0),
        };
        if living.is_some() {
            self.takeovers += 1;
        } else {
            self.sessions += 1;
        }
        self.fence();
        self.serial += 1;
        let profile = before.as_ref().and_then(|session| session.profile);
        // Whoever asked for a code may enter it; nobody else ever can.
        let asked = before.as_ref().filter(|session| shown.contains(&session.serial));
        let code = asked.and_then(|session| session.code.clone());
        let (mine, waiting) = match before {
            None => (Choices::default(), None),
            Some(before) if shown.contains(&before.serial) => (before.mine, before.waiting),
            Some(before) => {
                let (mine, others) = match before.waiting {
                    Some((by, choices)) if shown.contains(&by) => (choices, None),
                    others => (Choices::default(), others),
                };
                // One earlier holder can wait: the latest who chose something.
                let waiting =
                    if before.mine == Choices::default() { others } else { Some((before.serial, before.mine)) };
                (mine, waiting)
            }
        };
        let serial = self.serial;
        self.stage =
            Stage::Session(Session { serial, started, deadline, passwords, email_codes, code, profile, mine, waiting });
        Verdict::Done(Outcome::Begun)
    }

    fn step(&mut self, by: u32, act: &Act, worlds: &[Variant]) -> Verdict {
        let now = self.now;
        let purpose = self.purpose;
        let limits = self.limits;
        let last_session = self.sessions == limits.sessions;
        let session = match &mut self.stage {
            Stage::Closed(why) => return Verdict::Refused(told(*why)),
            Stage::Completed { serial, .. } if *serial != by => return Verdict::Refused("session_superseded"),
            Stage::Completed { deadline, .. } if now >= *deadline => return Verdict::Refused("session_expired"),
            Stage::Completed { .. } if matches!(act, Act::Complete { .. }) => {
                return Verdict::Same(Outcome::AlreadyDone);
            }
            Stage::Completed { .. } => return Verdict::Refused("already_completed"),
            Stage::Session(session) if session.serial == by => session,
            Stage::Session(_) | Stage::Invited => return Verdict::Refused("session_superseded"),
        };
        if now >= session.deadline {
            return Verdict::Refused("session_expired");
        }
        let mine = &mut session.mine;
        let done = Verdict::Done(Outcome::Done);
        let again = Verdict::Same(Outcome::AlreadyDone);
        match *act {
            Act::Profile(_) | Act::Password { .. } if purpose != Purpose::Onboarding => {
                return Verdict::Refused("step_not_offered");
            }
            Act::Offer(_) | Act::Confirm { .. } | Act::Codes(_) | Act::SendCode { .. } | Act::EnterCode { .. }
                if purpose == Purpose::Device =>
            {
                return Verdict::Refused("step_not_offered");
            }
            Act::Profile(tag) => {
                if session.profile == Some(tag) {
                    return again;
                }
                session.profile = Some(tag);
            }
            Act::Password { repeats: true, .. } if mine.password.is_some() => return again,
            Act::Password { .. } if session.passwords == limits.passwords => {
                return Verdict::Refused("passwords_exhausted");
            }
            Act::Password { proves, chosen, .. } => {
                match session.waiting.clone().filter(|(by, old)| proves == Some(*by) && old.password.is_some()) {
                    Some((_, old)) => *mine = mine.clone().joined(old),
                    None if chosen.is_none() => return Verdict::Refused("invalid_session"),
                    None => mine.password = chosen,
                }
                session.passwords += 1;
                session.waiting = None;
                session.code = session.code.take().filter(|_| !mine.email);
            }
            Act::Offer(tag) => {
                if mine.offered.is_some() {
                    return again;
                }
                mine.offered = Some(tag);
            }
            Act::Confirm { matched, codes } => match (mine.offered, matched) {
                (None, _) if mine.totp.is_some() => return again,
                (None, _) => return Verdict::Refused("mfa_not_started"),
                (Some(secret), Some(step)) => {
                    mine.totp = Some((secret, step));
                    if !mine.email {
                        mine.codes = Some(codes);
                    }
                    mine.offered = None;
                }
                (Some(_), None) => return self.wrong_code(),
            },
            Act::SendCode { .. } if mine.email => return again,
            Act::SendCode { offered: false, .. } => return Verdict::Refused("email_codes_not_offered"),
            Act::SendCode { code: tag, .. } => {
                let moments = RULES.again_after.duration();
                if session.code.as_ref().is_some_and(|code| now < code.made.plus(moments) && now < code.expires) {
                    return again;
                }
                if session.email_codes == RULES.per_session {
                    return Verdict::Refused("codes_exhausted");
                }
                session.email_codes += 1;
                self.email_codes += 1;
                // A code lives no longer than the last session in which it could be entered.
                let end = if last_session { session.deadline } else { session.deadline.max(self.expires) };
                let expires = now.plus(RULES.validity.duration()).min(end);
                session.code = Some(Code { tag, number: self.email_codes, made: now, expires });
            }
            Act::EnterCode { right, codes } => match &session.code {
                None if mine.email => return again,
                None => return Verdict::Refused("mfa_not_started"),
                Some(code) if now >= code.expires => return Verdict::Refused("code_expired"),
                Some(_) if right => {
                    session.code = None;
                    mine.email = true;
                    if mine.totp.is_none() {
                        mine.codes = Some(codes);
                    }
                }
                Some(_) => return self.wrong_code(),
            },
            Act::Codes(tag) => {
                if mine.totp.is_none() && !mine.email {
                    return Verdict::Refused("mfa_not_verified");
                }
                mine.codes = Some(tag);
            }
            Act::Stage { device, displaces, world } => {
                if let Some(reason) = worlds[world].refuses_device(purpose) {
                    return Verdict::Refused(reason);
                }
                if mine.device == Some(device) {
                    return again;
                }
                mine.device = Some(device);
                if let Some((_, others)) = session.waiting.as_mut().filter(|_| displaces) {
                    others.device = None;
                }
                // Whoever has nothing left to get back does not wait.
                session.waiting = session.waiting.take().filter(|(_, others)| *others != Choices::default());
            }
            Act::Complete { world } => {
                let world = &worlds[world];
                if !world.active {
                    return Verdict::Refused("token_revoked");
                }
                let password = mine.password.map(|(_, long)| long);
                let missing = world.missing(
                    purpose,
                    session.profile.is_some(),
                    password,
                    (mine.totp.is_some(), mine.email),
                    mine.device.is_some(),
                );
                if !missing.is_empty() {
                    let started = session.started;
                    if self.noted.as_ref().is_some_and(|(at, noted)| *at >= started && *noted == missing) {
                        return Verdict::Refused("requirements_missing");
                    }
                    self.noted = Some((self.now, missing));
                    return Verdict::Noted("requirements_missing");
                }
                self.stage = Stage::Completed {
                    serial: session.serial,
                    deadline: session.deadline,
                    device: mine.device.filter(|_| world.keeps_device(purpose)),
                };
                self.noted = None;
            }
        }
        done
    }

    fn sweep(&mut self) -> Verdict {
        let now = self.now;
        let token_over = now >= self.expires || self.sessions == self.limits.sessions;
        let Stage::Session(session) = &mut self.stage else { return Verdict::Same(Outcome::AlreadyDone) };
        let waits = session.waiting.as_ref().is_some_and(|(_, choices)| choices.device.is_some());
        if !token_over || now < session.deadline || (session.mine.device.is_none() && !waits) {
            return Verdict::Same(Outcome::AlreadyDone);
        }
        session.mine = Choices::default();
        session.waiting = None;
        session.code = None;
        Verdict::Done(Outcome::Done)
    }

    fn wrong_code(&mut self) -> Verdict {
        self.wrong_codes += 1;
        if self.wrong_codes == self.limits.wrong_codes {
            return self.end(Closure::Locked, Verdict::Noted("token_locked"));
        }
        Verdict::Noted("wrong_code")
    }

    fn end(&mut self, why: Closure, verdict: Verdict) -> Verdict {
        self.fence();
        self.stage = Stage::Closed(why);
        verdict
    }

    fn fence(&mut self) {
        self.fenced.extend(self.session().map(|session| session.serial));
    }
}

impl Choices {
    /// What one person has who chose `self` now and `old` before: the newer of each, but the older password, which
    /// they have just typed.
    fn joined(self, old: Self) -> Self {
        let codes = if self.totp.is_some() || self.email { self.codes } else { old.codes };
        Self {
            password: old.password,
            offered: self.offered.or(old.offered),
            totp: self.totp.or(old.totp),
            email: self.email || old.email,
            codes,
            device: self.device.or(old.device),
        }
    }
}

/// What the holder of the token is told of an enrollment that ended so (TOK-7).
fn told(why: Closure) -> &'static str {
    match why {
        Closure::Revoked | Closure::UserDisabled | Closure::Reported => "token_revoked",
        Closure::Restarted => "token_superseded",
        Closure::Locked => "token_locked",
    }
}
