//! Which pages there are for a person, in which order, and where they stand.

use std::time::Duration;

use enrollment_core::domain::enrollment::Purpose;
use enrollment_core::domain::requirement::Requirement;
use enrollment_core::service::enrollee::{Contact, SessionState};
use enrollment_core::template::durations::{at, in_words};
use enrollment_core::time::Timestamp;
use serde::Serialize;

pub(super) const PROFILE: &str = "/enroll/profile";
pub(super) const FACTOR: &str = "/enroll/second-factor";
pub(super) const PASSWORD: &str = "/enroll/password";
pub(super) const DEVICE: &str = "/enroll/device";
pub(super) const FINISH: &str = "/enroll/finish";
pub(super) const DONE: &str = "/enroll/done";
/// Leads to where the person stands.
pub(super) const CONTINUE: &str = "/enroll/continue";

/// A page of the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Profile,
    Factor,
    Password,
    Device,
    Finish,
}

impl Step {
    const fn path(self) -> &'static str {
        match self {
            Self::Profile => PROFILE,
            Self::Factor => FACTOR,
            Self::Password => PASSWORD,
            Self::Device => DEVICE,
            Self::Finish => FINISH,
        }
    }

    const fn label(self) -> &'static str {
        match self {
            Self::Profile => "Your details",
            Self::Factor => "Second factor",
            Self::Password => "Password",
            Self::Device => "Your device",
            Self::Finish => "Finish",
        }
    }
}

/// A step of one person's way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Planned {
    pub(super) step: Step,
    pub(super) optional: bool,
    pub(super) done: bool,
}

/// The steps, in order: everything that is missing, done or offered. A second factor that is mandatory comes before the
/// password, because it decides how long that must be (PWD-1).
pub(super) fn plan(stands: &SessionState) -> Vec<Planned> {
    let missing = |requirement| stands.missing.contains(&requirement);
    let optional = |requirement| stands.optional.contains(&requirement);
    let step = |step, there: bool, optional: bool, done: bool| there.then_some(Planned { step, optional, done });

    let onboarding = stands.purpose == Purpose::Onboarding;
    let profile = step(Step::Profile, onboarding, false, !missing(Requirement::Profile));
    let chosen = !missing(Requirement::Password) && !missing(Requirement::PasswordLength);
    let password = step(Step::Password, onboarding, false, chosen);
    let may_skip = optional(Requirement::Mfa);
    let offered = missing(Requirement::Mfa) || stands.mfa_verified || (may_skip && !stands.factors.is_empty());
    let factor = step(Step::Factor, offered, may_skip, stands.mfa_verified);
    let added = stands.device.is_some();
    let may_add = optional(Requirement::Device);
    let device = step(Step::Device, missing(Requirement::Device) || may_add || added, may_add, added);
    // Where adding a device is all there is, it completes (REQ-9).
    let finish = step(Step::Finish, stands.purpose != Purpose::Device, false, false);

    let (first, second) = if may_skip { (password, factor) } else { (factor, password) };
    [profile, first, second, device, finish].into_iter().flatten().collect()
}

/// Whether the step is part of this person's way.
pub(super) fn has(stands: &SessionState, step: Step) -> bool {
    plan(stands).iter().any(|planned| planned.step == step)
}

/// Where to go: the first step after this one that is not done, else the first that must be done, else the end.
pub(super) fn next(stands: &SessionState, after: Option<Step>) -> &'static str {
    if stands.completed {
        return DONE;
    }
    let plan = plan(stands);
    let start = after.and_then(|step| plan.iter().position(|planned| planned.step == step)).map_or(0, |at| at + 1);
    let open = |planned: &&Planned| !planned.done && planned.step != Step::Finish;
    let ahead = plan.iter().skip(start).find(open);
    let behind = plan.iter().find(|planned| open(planned) && !planned.optional);
    ahead.or(behind).map_or_else(|| plan.last().map_or(FINISH, |last| last.step.path()), |planned| planned.step.path())
}

/// What stands above every step: progress, time left, whom to ask.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Journey {
    steps: Vec<StepView>,
    /// RFC 3339.
    deadline: String,
    /// The same for people.
    deadline_words: String,
    left_words: String,
    left_seconds: u64,
    initiator: Option<ContactView>,
    /// Where the way goes on from here.
    onward: &'static str,
    /// The step can be left out.
    optional: bool,
    /// The step is done.
    done: bool,
}

#[derive(Debug, Clone, Serialize)]
struct StepView {
    label: &'static str,
    path: &'static str,
    done: bool,
    current: bool,
    optional: bool,
}

#[derive(Debug, Clone, Serialize)]
struct ContactView {
    name: String,
    email: Option<String>,
    phone: Option<String>,
}

impl Journey {
    pub(super) fn new(stands: &SessionState, current: Step, now: Timestamp) -> Self {
        let plan = plan(stands);
        let here = plan.iter().find(|planned| planned.step == current);
        let left = stands.deadline.since(now);
        Self {
            optional: here.is_some_and(|planned| planned.optional),
            done: here.is_some_and(|planned| planned.done),
            deadline: stands.deadline.to_string(),
            deadline_words: at(stands.deadline),
            left_words: roughly(left),
            left_seconds: left.as_secs(),
            initiator: stands.initiator.clone().map(ContactView::from),
            onward: next(stands, Some(current)),
            steps: plan
                .into_iter()
                .map(|Planned { step, optional, done }| StepView {
                    label: step.label(),
                    path: step.path(),
                    done,
                    current: step == current,
                    optional,
                })
                .collect(),
        }
    }
}

impl From<Contact> for ContactView {
    fn from(contact: Contact) -> Self {
        let Contact { name, email, phone } = contact;
        Self { name, email: email.map(Into::into), phone: phone.map(Into::into) }
    }
}

/// Whole minutes, rounded down so that nobody is promised more than there is; seconds in the last one.
pub(super) fn roughly(left: Duration) -> String {
    let seconds = left.as_secs();
    in_words(Duration::from_secs(if seconds < 60 { seconds } else { seconds - seconds % 60 }))
}
