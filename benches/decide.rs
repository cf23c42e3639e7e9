//! Decisions, against a copy of the aggregate: a decision returns what the enrollment becomes, so it copies it once.

#[path = "support/people.rs"]
mod people;
mod support;

use criterion::{BatchSize, Bencher, Criterion};
use enrollment::core::domain::command::{Begin, Command, Step};
use enrollment::core::domain::decide;
use enrollment::core::domain::enrollment::{Enrollment, Phase, Profile, Session, Work};
use enrollment::core::domain::policy::Policy;
use enrollment::core::domain::requirement::Circumstances;
use enrollment::core::domain::settings::Settings;
use enrollment::core::domain::user::{ChosenPassword, TotpFactor};
use enrollment::core::id::DeviceId;
use enrollment::core::port::SystemEntropy;
use enrollment::core::secret::{Binding, Digest, KeyRing, PasswordHash, RecoveryCode};
use enrollment::core::time::Timestamp;

/// The cost of the copy that every decision returns, on the heap as decisions are.
fn copy(b: &mut Bencher, state: &Enrollment) {
    b.iter_batched(|| (), |()| Box::new(state.clone()), BatchSize::SmallInput);
}

/// `command` is made before the clock runs, as its secrets are in use.
fn against_copy<'a>(
    criterion: &mut Criterion,
    name: &str,
    state: &Enrollment,
    now: Timestamp,
    command: impl Fn() -> Command<'a>,
) {
    let decided = |command| decide(state, command, now).expect("allowed");
    let ours = |b: &mut Bencher| b.iter_batched(&command, decided, BatchSize::SmallInput);
    support::pair(criterion.benchmark_group(name), ours, |b| copy(b, state));
}

/// Everything that a thorough person does before they complete.
fn whole_work(invited: &Enrollment, ring: &KeyRing, now: Timestamp) -> Work {
    let binding = |column| Binding { table: "users", row: invited.subject.uuid(), column };
    let hash = "$argon2id$v=19$m=19456,t=2,p=1$BwcHBwcHBwcHBwcHBwcHBw$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
    let code = |_| ring.keyed_digest(&binding("recovery"), RecoveryCode::random(&SystemEntropy).expose());
    Work {
        profile: Some(Profile { phone: Some("+48 600 100 201".parse().expect("a number")) }),
        password: Some(ChosenPassword { hash: PasswordHash::parse(hash).expect("a hash"), long_enough_alone: true }),
        offered_totp: None,
        totp: Some(TotpFactor {
            secret: ring.seal(&binding("totp"), &[7; 20], &SystemEntropy).expect("the active key"),
            last_step: 58_800_000,
        }),
        email_code: None,
        email: false,
        recovery: (0..8).map(code).collect(),
        device: Some(DeviceId::new(now, &SystemEntropy)),
    }
}

fn main() {
    let mut criterion = support::criterion();
    let now = Timestamp::from_seconds(1_764_000_000);
    let ring = KeyRing::generate(now, &SystemEntropy);
    let (user, locations) = (people::user(1, now), [people::location(now)]);
    let (policy, settings) = (Policy::standard(), Settings::defaults(&Policy::standard()));
    let (invited, token) = people::onboarding(&user, user.id, &ring, now);
    let digest = Digest::of(token.expose().as_bytes());
    let in_session = |work| {
        let deadline = now.plus(invited.terms.session.duration());
        let session =
            Session { digest, serial: 1, started: now, deadline, passwords: 0, email_codes: 0, work, held: None };
        Enrollment { phase: Phase::InSession(Box::new(session)), ..invited.clone() }
    };
    let (begun, ready) = (in_session(Work::default()), in_session(whole_work(&invited, &ring, now)));

    let begin = || Command::Begin(Begin { presented: Vec::new(), next: digest });
    let profile = || {
        let phone = Some("+48 600 100 201".parse().expect("a number"));
        Command::Step { session: digest, step: Step::ConfirmProfile(Profile { phone }) }
    };
    let complete = || {
        let (user, locations, settings, policy) = (&user, &locations, &settings, &policy);
        let circumstances = Circumstances { user, locations, settings, policy, mail: true };
        Command::Step { session: digest, step: Step::Complete(circumstances) }
    };
    against_copy(&mut criterion, "decide_begin", &invited, now, begin);
    against_copy(&mut criterion, "decide_step", &begun, now, profile);
    against_copy(&mut criterion, "decide_complete", &ready, now, complete);
    criterion.final_summary();
}
