//! One enrollment and what happens to it, told step by step.

use enrollment_core::domain::command::{Begin, Changed, Command, Decision, Effect, Outcome, Rotation, Step};
use enrollment_core::domain::decide;
use enrollment_core::domain::enrollment::{Closure, Enrollment, Purpose, Session, Work};
use enrollment_core::domain::event::Event;
use enrollment_core::domain::policy::EmailCodeRules;
use enrollment_core::domain::rejection::Rejection;
use enrollment_core::domain::user::User;
use enrollment_core::time::{Span, Timestamp};

use super::common::{
    ISSUED, VALIDITY, World, codes, device, invitation, password, profile, sealed, secret, seed, token,
};

/// An enrollment, the time, and the last change.
pub(crate) struct Story {
    pub(crate) enrollment: Enrollment,
    pub(crate) now: Timestamp,
    pub(crate) last: Option<Changed>,
}

pub(crate) type Answer = Result<Outcome, Rejection>;

impl Story {
    /// A fresh invitation: three sessions, ten wrong codes, twenty passwords.
    pub(crate) fn of(purpose: Purpose) -> Self {
        Self { enrollment: invitation(purpose, 3, 10, 20), now: ISSUED, last: None }
    }

    /// Does it; a change is kept, also one that writes down a refusal.
    pub(crate) fn hears(&mut self, command: Command<'_>) -> Answer {
        match decide(&self.enrollment, command, self.now)? {
            Decision::Unchanged(outcome) => {
                self.last = None;
                Ok(outcome)
            }
            Decision::Changed(changed) => {
                self.enrollment = changed.next.clone();
                let answer = changed.outcome.clone();
                self.last = Some(*changed);
                answer
            }
        }
    }

    /// Somebody with the token begins and shows the secrets of these sessions; the next one gets the next serial.
    pub(crate) fn begin(&mut self, shown: &[u32]) -> Answer {
        let presented = shown.iter().map(|serial| secret(*serial)).collect();
        self.hears(Command::Begin(Begin { presented, next: secret(self.enrollment.serial + 1) }))
    }

    pub(crate) fn step(&mut self, by: u32, step: Step<'_>) -> Answer {
        self.hears(Command::Step { session: secret(by), step })
    }

    pub(crate) fn close(&mut self, why: Closure) -> Answer {
        self.hears(Command::Close(why))
    }

    pub(crate) fn rotate(&mut self) -> Answer {
        let next = self.enrollment.generation + 1;
        let expires = self.now.plus(VALIDITY.duration());
        self.hears(Command::Rotate(Rotation { token: token(next), seed: seed(next), expires }))
    }

    pub(crate) fn profile(&mut self, by: u32) -> Answer {
        self.step(by, Step::ConfirmProfile(profile(1)))
    }

    /// A new password.
    pub(crate) fn password(&mut self, by: u32, tag: u16, long_enough_alone: bool) -> Answer {
        let chosen = Some(password(tag, long_enough_alone));
        self.step(by, Step::ChoosePassword { repeats: false, proves: None, chosen })
    }

    /// The password that the holder of session `earlier` chose.
    pub(crate) fn prove(&mut self, by: u32, earlier: u32) -> Answer {
        self.step(by, Step::ChoosePassword { repeats: false, proves: Some(secret(earlier)), chosen: None })
    }

    /// An authenticator app, verified.
    pub(crate) fn factor(&mut self, by: u32, tag: u16) -> Answer {
        self.step(by, Step::OfferTotp(sealed(tag)))?;
        self.code(by, Some(7))
    }

    /// A code; `None`: a wrong one.
    pub(crate) fn code(&mut self, by: u32, matched: Option<u64>) -> Answer {
        self.step(by, Step::ConfirmTotp { matched, recovery: codes(1) })
    }

    /// A wrong code of an app, which is offered first where none is.
    pub(crate) fn wrong_app(&mut self, by: u32) -> Answer {
        self.step(by, Step::OfferTotp(sealed(1)))?;
        self.code(by, None)
    }

    /// A code by e-mail, under the usual rules.
    pub(crate) fn send_code(&mut self, by: u32) -> Answer {
        self.send_code_if(by, true)
    }

    pub(crate) fn send_code_if(&mut self, by: u32, offered: bool) -> Answer {
        let [digest] = codes(1).try_into().expect("one");
        self.step(by, Step::RequestEmailCode { offered, rules: EmailCodeRules::default(), seed: seed(1), digest })
    }

    /// The code that was sent last, or a wrong one.
    pub(crate) fn enter(&mut self, by: u32, right: bool) -> Answer {
        self.step(by, Step::ConfirmEmailCode { right, recovery: codes(1) })
    }

    /// Other recovery codes.
    pub(crate) fn recovery(&mut self, by: u32, tag: u16) -> Answer {
        self.step(by, Step::ReplaceRecoveryCodes(codes(tag)))
    }

    pub(crate) fn stage(&mut self, by: u32, tag: u16, world: &World) -> Answer {
        self.step(by, Step::StageDevice { device: device(tag), displaces: false, circumstances: world.circumstances() })
    }

    /// A device with the name or the key of the one that waits.
    pub(crate) fn displace(&mut self, by: u32, tag: u16, world: &World) -> Answer {
        self.step(by, Step::StageDevice { device: device(tag), displaces: true, circumstances: world.circumstances() })
    }

    pub(crate) fn complete(&mut self, by: u32, world: &World) -> Answer {
        self.step(by, Step::Complete(world.circumstances()))
    }

    /// Everything but completing: profile, long password, factor, device `tag`.
    pub(crate) fn everything(&mut self, by: u32, tag: u16, world: &World) {
        self.profile(by).expect("the profile");
        self.password(by, tag, true).expect("the password");
        self.factor(by, tag).expect("the factor");
        self.stage(by, tag, world).expect("the device");
    }

    pub(crate) fn wait(&mut self, span: Span) {
        self.now = self.now.plus(span.duration());
    }

    pub(crate) fn session(&self) -> &Session {
        self.enrollment.session().expect("in session")
    }

    pub(crate) fn work(&self) -> &Work {
        &self.session().work
    }

    pub(crate) fn event(&self) -> &Event {
        &self.last.as_ref().expect("a change").event
    }

    pub(crate) fn effects(&self) -> &[Effect] {
        &self.last.as_ref().expect("a change").effects
    }

    /// Devices given back by the last change.
    pub(crate) fn released(&self) -> Vec<enrollment_core::id::DeviceId> {
        self.effects()
            .iter()
            .filter_map(|effect| if let Effect::ReleaseDevice(id) = effect { Some(*id) } else { None })
            .collect()
    }

    /// The user as the last change writes them.
    pub(crate) fn written(&self) -> Option<&User> {
        self.effects().iter().find_map(|effect| if let Effect::WriteUser(user) = effect { Some(&**user) } else { None })
    }
}
