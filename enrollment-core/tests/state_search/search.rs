//! The search: breadth first, every action in every state, each state once.

use std::collections::{BTreeSet, HashSet};
use std::rc::Rc;

use enrollment_core::domain::command::Decision;
use enrollment_core::domain::decide;
use enrollment_core::domain::enrollment::{Closure, Enrollment, Purpose};
use enrollment_core::time::Timestamp;

use super::action::{Act, Action, FOREIGN, Tag};
use super::common::invitation;
use super::compare::{same, verdict};
use super::ledger::{Ledger, ensure};
use super::model::{Choices, Code, Limits, Model, Stage, Verdict};
use super::world::{RULES, Values, Variant, worlds};

/// How much of the world is searched.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scope {
    pub(crate) purpose: Purpose,
    pub(crate) limits: Limits,
    /// How many actions one after the other; `None`: until nothing new is reached, so sequences of every length.
    pub(crate) depth: Option<usize>,
    /// Whether profiles and passwords, authenticator apps, devices, closing and the clock are tried.
    pub(crate) words: bool,
    pub(crate) factors: bool,
    /// Codes by e-mail.
    pub(crate) mails: bool,
    pub(crate) devices: bool,
    pub(crate) endings: bool,
    pub(crate) clock: bool,
}

/// What was visited.
#[derive(Debug)]
pub(crate) struct Visited {
    pub(crate) states: usize,
    pub(crate) transitions: usize,
    pub(crate) depth: usize,
    /// How many of the states are completed ones.
    pub(crate) completed: usize,
    /// The codes of all refusals heard.
    pub(crate) refusals: BTreeSet<&'static str>,
}

#[derive(Clone)]
struct Node {
    model: Model,
    enrollment: Enrollment,
    ledger: Ledger,
    trail: Option<Rc<Trail>>,
}

struct Trail {
    action: Action,
    before: Option<Rc<Trail>>,
}

/// Tries every sequence of actions in `scope` and panics with the shortest one that breaks something.
pub(crate) fn search(scope: &Scope) -> Visited {
    let (values, worlds) = (Values::new(), worlds());
    let Limits { sessions, wrong_codes, passwords } = scope.limits;
    let start = Node {
        model: Model::new(scope.purpose, scope.limits),
        enrollment: invitation(scope.purpose, sessions, wrong_codes, passwords),
        ledger: Ledger::default(),
        trail: None,
    };
    let mut seen = HashSet::from([Key::of(&start.model)]);
    let mut frontier = vec![start];
    let mut visited = Visited { states: 1, transitions: 0, depth: 0, completed: 0, refusals: BTreeSet::new() };
    while !frontier.is_empty() && scope.depth.is_none_or(|depth| visited.depth < depth) {
        visited.depth += 1;
        let mut reached = Vec::new();
        for node in &frontier {
            for action in actions(&node.model, scope, worlds.len()) {
                visited.transitions += 1;
                let (verdict, next) = attempt(node, &action, &values, &worlds)
                    .and_then(|(verdict, next)| {
                        // Everything twice: what a double click or a lost answer makes of it.
                        if let Some(next) = &next {
                            attempt(next, &action, &values, &worlds)?;
                        }
                        Ok((verdict, next))
                    })
                    .unwrap_or_else(|why| panic!("{why}\nafter {:#?}\nthen {action:?}", trail(node)));
                if let Verdict::Refused(code) | Verdict::Noted(code) = verdict {
                    visited.refusals.insert(code);
                }
                if let Some(next) = next
                    && seen.insert(Key::of(&next.model))
                {
                    visited.states += 1;
                    visited.completed += usize::from(matches!(next.model.stage, Stage::Completed { .. }));
                    reached.push(next);
                }
            }
        }
        frontier = reached;
    }
    visited
}

/// Does `action` to machine and model and compares: what was said, and the next state, if there is one.
fn attempt(
    node: &Node,
    action: &Action,
    values: &Values,
    worlds: &[Variant],
) -> Result<(Verdict, Option<Node>), String> {
    let Model { now, serial, generation, fresh, .. } = node.model;
    let mut model = node.model.clone();
    let expected = model.apply(action, worlds);
    let trail = || Some(Rc::new(Trail { action: action.clone(), before: node.trail.clone() }));
    let Some(command) = action.command(serial, generation, now, values, worlds) else {
        return Ok((expected, Some(Node { model, trail: trail(), ..node.clone() })));
    };
    let result = decide(&node.enrollment, command, now);
    let actual = verdict(&result);
    ensure!(actual == expected, "said {actual:?}, expected {expected:?}");
    match result {
        Ok(Decision::Changed(changed)) => {
            let mut ledger = node.ledger.clone();
            ledger.observe(&node.enrollment, action, now, &changed, values, worlds)?;
            model.fresh = fresh + 1;
            same(&model, &changed.next, values).map_err(|field| format!("not as expected: {field}"))?;
            Ok((actual, Some(Node { model, enrollment: changed.next, ledger, trail: trail() })))
        }
        Ok(Decision::Unchanged(outcome)) => node.ledger.quiet(action, outcome).map(|()| (actual, None)),
        Err(_) => Ok((actual, None)),
    }
}

fn trail(node: &Node) -> Vec<&Action> {
    let mut actions = Vec::new();
    let mut at = node.trail.as_deref();
    while let Some(trail) = at {
        actions.push(&trail.action);
        at = trail.before.as_deref();
    }
    actions.reverse();
    actions
}

/// What the future depends on. Two states with one key differ in names only (which serial, which tag, which
/// microsecond) and in `last_refusal`, which nothing reads but the next refusal; that one is tried on the spot.
#[derive(PartialEq, Eq, Hash)]
struct Key {
    expires_in: i64,
    sessions: u32,
    wrong_codes: u32,
    fenced: bool,
    stage: KeyStage,
}

#[derive(PartialEq, Eq, Hash)]
enum KeyStage {
    Invited,
    Session {
        ends_in: i64,
        passwords: u32,
        email_codes: u32,
        /// When another can be asked for, and when this one is over.
        code: Option<(i64, i64)>,
        profile: Option<Tag>,
        mine: Shape,
        waiting: Option<Shape>,
    },
    Completed {
        ends_in: i64,
    },
    Closed(Closure),
}

/// Password (and whether it stands alone), secret on offer, factors, device.
type Shape = (Option<bool>, bool, (bool, bool), bool);

impl Key {
    fn of(model: &Model) -> Self {
        // Before, just before, exactly at and after an instant differ; how long after does not.
        let until = |instant: Timestamp| (instant.micros() - model.now.micros()).max(-1);
        let shape = |choices: &Choices| {
            let password = choices.password.map(|(_, long)| long);
            (password, choices.offered.is_some(), (choices.totp.is_some(), choices.email), choices.device.is_some())
        };
        let stage = match &model.stage {
            Stage::Invited => KeyStage::Invited,
            Stage::Session(session) => KeyStage::Session {
                ends_in: until(session.deadline),
                passwords: session.passwords,
                email_codes: session.email_codes,
                code: session.code.as_ref().map(|code| (until(again(code)), until(code.expires))),
                profile: session.profile,
                mine: shape(&session.mine),
                waiting: session.waiting.as_ref().map(|(_, choices)| shape(choices)),
            },
            Stage::Completed { deadline, .. } => KeyStage::Completed { ends_in: until(*deadline) },
            Stage::Closed(why) => KeyStage::Closed(*why),
        };
        Self {
            expires_in: until(model.expires),
            sessions: model.sessions,
            wrong_codes: model.wrong_codes,
            fenced: fenced(model).is_some(),
            stage,
        }
    }
}

/// The first instant at which another code can be asked for.
fn again(code: &Code) -> Timestamp {
    code.made.plus(RULES.again_after.duration())
}

/// A fenced session whose choices do not wait.
fn fenced(model: &Model) -> Option<u32> {
    let waiting = model.session().and_then(|session| session.waiting.as_ref()).map(|(by, _)| *by);
    model.fenced.iter().copied().find(|serial| Some(*serial) != waiting)
}

/// Everything that is tried in the state of `model`.
fn actions(model: &Model, scope: &Scope, worlds: usize) -> Vec<Action> {
    let session = model.session();
    let completing = if let Stage::Completed { serial, .. } = model.stage { Some(serial) } else { None };
    let current = session.map(|session| session.serial).or(completing);
    let waiting = session.and_then(|session| session.waiting.as_ref()).map(|(by, _)| *by);
    let others: Vec<u32> = [waiting, fenced(model), Some(FOREIGN)].into_iter().flatten().collect();

    let mut all = vec![Action::Begin { shown: vec![] }];
    all.extend(current.iter().chain(&others).map(|serial| Action::Begin { shown: vec![*serial] }));
    if let (Some(current), Some(waiting)) = (current, waiting) {
        all.push(Action::Begin { shown: vec![waiting, current] });
    }
    // One of the others tries everything; of the rest it is enough that they cannot complete.
    let (other, rest) = others.split_first().expect("a foreign session is always there");
    for by in current.iter().chain([other]) {
        all.extend(acts(model, scope, worlds).into_iter().map(|act| Action::Step { by: *by, act }));
    }
    all.extend(rest.iter().map(|by| Action::Step { by: *by, act: Act::Complete { world: 1 } }));
    if scope.endings {
        let closures =
            [Closure::Revoked, Closure::Restarted, Closure::Locked, Closure::UserDisabled, Closure::Reported];
        all.extend(closures.map(Action::Close));
        all.extend([Action::Rotate, Action::Sweep]);
    }
    if scope.clock {
        let deadline = session.map(|session| session.deadline).or(match model.stage {
            Stage::Completed { deadline, .. } => Some(deadline),
            _ => None,
        });
        let around = |instant: Timestamp| [-1, 0, 1].map(|by| Timestamp::from_micros(instant.micros() + by));
        let code = session.and_then(|session| session.code.as_ref());
        let code = code.map(|code| [again(code), code.expires]).into_iter().flatten();
        let instants = deadline.into_iter().chain([model.expires]).chain(code).flat_map(around);
        all.extend(instants.filter(|instant| *instant > model.now).map(Action::Clock));
    }
    all
}

fn acts(model: &Model, scope: &Scope, worlds: usize) -> Vec<Act> {
    let fresh = model.fresh;
    let session = model.session();
    let mut all: Vec<Act> = (0..worlds).map(|world| Act::Complete { world }).collect();
    if scope.words {
        let new = |proves, long| Act::Password { repeats: false, proves, chosen: Some((fresh, long)) };
        let nothing = |repeats, proves| Act::Password { repeats, proves, chosen: None };
        all.extend([Act::Profile(1), Act::Profile(2), new(None, false), new(None, true), new(Some(FOREIGN), true)]);
        all.extend([nothing(true, None), nothing(false, None), nothing(false, Some(FOREIGN))]);
        if let Some((by, choices)) = session.and_then(|session| session.waiting.as_ref()) {
            // Whoever has no password to prove types one of their own.
            all.push(if choices.password.is_some() { nothing(false, Some(*by)) } else { new(Some(*by), false) });
        }
    }
    if scope.factors {
        all.extend([Act::Offer(fresh), Act::Codes(fresh)]);
        all.extend([Some(7), None].map(|matched| Act::Confirm { matched, codes: fresh }));
    }
    if scope.mails {
        all.extend([true, false].map(|offered| Act::SendCode { code: fresh, offered }));
        all.extend([true, false].map(|right| Act::EnterCode { right, codes: fresh }));
    }
    if scope.devices {
        let mine = session.and_then(|session| session.mine.device);
        let staged = mine.into_iter().chain([fresh]);
        let stage = move |device, displaces| (0..worlds).map(move |world| Act::Stage { device, displaces, world });
        all.extend(staged.flat_map(|device| stage(device, false)));
        // Also where no device waits: then it must do nothing more.
        all.extend(stage(fresh, true));
    }
    all
}
