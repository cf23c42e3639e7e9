//! What can happen, and how often it is tried.

use enrollment_core::domain::enrollment::Purpose;
use enrollment_core::domain::location::MfaMode;
use enrollment_core::domain::settings::DeviceStep;
use enrollment_core::port::StoreErrorKind;
use enrollment_testkit::fake::{Moment, Outage, Trouble};
use proptest::prelude::{Just, Strategy, any, prop_oneof};

/// Three who hold tokens of the first person, and one who holds those of the second.
pub(crate) const HOLDERS: usize = 4;
/// Whose token a holder has.
pub(crate) const PERSON_OF: [usize; HOLDERS] = [0, 0, 0, 1];

/// Something that happens.
#[derive(Debug, Clone)]
pub(crate) enum Op {
    Begin {
        who: usize,
        nonce: bool,
        resume: bool,
        old: bool,
    },
    Profile(usize),
    Password(usize, usize),
    Offer(usize),
    Confirm(usize, Code),
    Codes(usize),
    Device {
        who: usize,
        name: usize,
        key: u8,
    },
    Complete(usize),
    /// Begins and does one thing after the other, up to completing or just before.
    Everything {
        who: usize,
        key: u8,
        factor: Option<Code>,
        complete: bool,
    },
    Revoke(usize),
    Start(usize, Purpose),
    Rotate(usize),
    Enable(usize, bool),
    AddLocation(MfaMode),
    SwitchMfa(usize, MfaMode),
    DeviceStep(DeviceStep),
    RemoveDevice,
    Clock(Jump),
    Peers,
    Sweep,
    Seal,
    /// A worker stalls while it changes a gateway, before or after the change takes effect; the lease of its entry runs
    /// out.
    Stall {
        before: bool,
    },
    /// The stalled worker goes on.
    Wake,
    Outage(Option<Outage>),
    /// A gateway loses all its peers.
    Lose(usize),
    /// Gateways are compared with what is intended.
    Reconcile,
    /// Devices get addresses at locations that came after them.
    Fill,
    /// A new process on the same data.
    Restart,
}

/// A code that somebody types.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Code {
    Right,
    Wrong,
    /// The one that was right before.
    Replayed,
}

/// How far time goes on.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Jump {
    /// To the next code of an authenticator app.
    Code,
    /// To a session's deadline, or to the microsecond before it.
    Deadline { person: usize, before: bool },
    /// To a token's end, or to the microsecond before it.
    Expiry { person: usize, before: bool },
    /// Past every lease and retry.
    HalfAnHour,
}

/// What befalls the process or the store meanwhile.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fault {
    /// The process dies at this store call; another one starts.
    Death(u64, Moment),
    /// This befalls so many commits.
    Commits(usize, Trouble),
}

/// An operation and what befalls it.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) op: Op,
    pub(crate) fault: Option<Fault>,
}

pub(crate) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (op(), fault()).prop_map(|(op, fault)| Step { op, fault });
    proptest::collection::vec(step, 1..40)
}

fn op() -> impl Strategy<Value = Op> {
    let who = || 0..HOLDERS;
    let person = || 0..2_usize;
    let mfa = || prop_oneof![Just(MfaMode::Disabled), Just(MfaMode::Internal)];
    let factor = prop_oneof![3 => Just(None), 3 => Just(Some(Code::Right)), 2 => Just(Some(Code::Wrong))];
    let holders = prop_oneof![
        4 => (who(), any::<bool>(), any::<bool>(), proptest::bool::weighted(0.1))
            .prop_map(|(who, nonce, resume, old)| Op::Begin { who, nonce, resume, old }),
        1 => who().prop_map(Op::Profile),
        4 => (who(), 0..3_usize).prop_map(|(who, which)| Op::Password(who, which)),
        2 => who().prop_map(Op::Offer),
        5 => (who(), prop_oneof![3 => Just(Code::Right), 2 => Just(Code::Wrong), 1 => Just(Code::Replayed)])
            .prop_map(|(who, code)| Op::Confirm(who, code)),
        1 => who().prop_map(Op::Codes),
        4 => (who(), 0..2_usize, 0..3_u8).prop_map(|(who, name, key)| Op::Device { who, name, key }),
        6 => who().prop_map(Op::Complete),
        6 => (who(), 0..3_u8, factor, any::<bool>())
            .prop_map(|(who, key, factor, complete)| Op::Everything { who, key, factor, complete }),
    ];
    let purpose = prop_oneof![2 => Just(Purpose::Onboarding), 3 => Just(Purpose::Device), 1 => Just(Purpose::Factor)];
    let step = prop_oneof![
        2 => Just(DeviceStep::Mandatory),
        1 => Just(DeviceStep::Optional),
        1 => Just(DeviceStep::AdministratorsOnly)
    ];
    let administrator = prop_oneof![
        1 => person().prop_map(Op::Revoke),
        4 => (person(), purpose).prop_map(|(person, purpose)| Op::Start(person, purpose)),
        1 => person().prop_map(Op::Rotate),
        2 => (person(), any::<bool>()).prop_map(|(person, on)| Op::Enable(person, on)),
        1 => mfa().prop_map(Op::AddLocation),
        2 => (0..2_usize, mfa()).prop_map(|(nth, mode)| Op::SwitchMfa(nth, mode)),
        1 => step.prop_map(Op::DeviceStep),
        2 => Just(Op::RemoveDevice),
    ];
    let jump = prop_oneof![
        2 => Just(Jump::Code),
        2 => (person(), any::<bool>()).prop_map(|(person, before)| Jump::Deadline { person, before }),
        1 => (person(), any::<bool>()).prop_map(|(person, before)| Jump::Expiry { person, before }),
        1 => Just(Jump::HalfAnHour),
    ];
    let outage = prop_oneof![
        2 => Just(None),
        1 => Just(Some(Outage::Unreachable)),
        1 => Just(Some(Outage::Refuses)),
        1 => Just(Some(Outage::AnswerLost)),
    ];
    let world = prop_oneof![
        3 => jump.prop_map(Op::Clock),
        4 => Just(Op::Peers),
        1 => Just(Op::Sweep),
        1 => Just(Op::Seal),
        2 => any::<bool>().prop_map(|before| Op::Stall { before }),
        2 => Just(Op::Wake),
        1 => outage.prop_map(Op::Outage),
        1 => (0..2_usize).prop_map(Op::Lose),
        2 => Just(Op::Reconcile),
        2 => Just(Op::Fill),
        1 => Just(Op::Restart),
    ];
    prop_oneof![5 => holders, 2 => administrator, 2 => world]
}

fn fault() -> impl Strategy<Value = Option<Fault>> {
    let moment = prop_oneof![Just(Moment::Before), Just(Moment::After)];
    let trouble = prop_oneof![
        Just(Fault::Commits(1, Trouble::AnswerLost)),
        Just(Fault::Commits(4, Trouble::AnswerLost)),
        Just(Fault::Commits(1, Trouble::Error(StoreErrorKind::Unknown))),
        Just(Fault::Commits(1, Trouble::Error(StoreErrorKind::Unavailable))),
        Just(Fault::Commits(1, Trouble::Stale)),
    ];
    prop_oneof![
        6 => Just(None),
        1 => (1..16_u64, moment).prop_map(|(call, moment)| Some(Fault::Death(call, moment))),
        1 => trouble.prop_map(Some),
    ]
}
