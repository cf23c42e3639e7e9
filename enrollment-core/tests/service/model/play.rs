//! Doing what can happen to a real service, and watching every step.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use enrollment_core::domain::device::{Device, PublicKey};
use enrollment_core::domain::enrollment::Enrollment;
use enrollment_core::domain::location::{Location, MfaMode};
use enrollment_core::domain::policy::Policy;
use enrollment_core::domain::user::UserStatus;
use enrollment_core::id::UserId;
use enrollment_core::port::Store;
use enrollment_core::port::{Clock, StoreErrorKind};
use enrollment_core::secret::{SessionSecret, Token};
use enrollment_core::service::Failure;
use enrollment_core::service::administrator::{Issued, LocationPatch, SettingsPatch, UserPatch};
use enrollment_core::time::Timestamp;
use enrollment_core::worker::{Backfiller, PeerWorker, Reconciler};
use enrollment_testkit::fake::Trouble;
use tokio::task::JoinHandle;

use super::ghost::{Acting, Ghost};
use super::op::{Code, Fault, HOLDERS, Jump, Op, PERSON_OF, Step};
use super::slow::Slow;
use super::state;
use crate::stage::{ADMIN, HERE, LONG, Stage, location, password, same, start, word};

/// One stands alone, two are too short for that.
const PASSWORDS: [&str; 3] = [LONG, "harbor-42x", "lantern-77y"];
const NAMES: [&str; 2] = ["Laptop", "Phone"];

/// Somebody with a token.
#[derive(Debug, Default)]
struct Holder {
    session: Option<SessionSecret>,
    /// The secret their app has.
    app: Option<String>,
    /// The code that was right.
    used: Option<String>,
}

/// Somebody who is invited.
#[derive(Debug)]
struct Person {
    user: UserId,
    enrollment: enrollment_core::id::EnrollmentId,
    token: Token,
    /// The token before.
    old: Option<Token>,
}

/// A run of the model.
#[derive(Debug)]
pub(crate) struct Play {
    stage: Stage,
    slow: Arc<Slow>,
    holders: [Holder; HOLDERS],
    people: [Person; 2],
    pub(crate) ghost: Ghost,
    stalled: Option<JoinHandle<Result<usize, Failure>>>,
    /// Keys of devices that ever became peers.
    ever: BTreeSet<PublicKey>,
    /// Everything that opens something and was ever shown or typed.
    secrets: BTreeSet<String>,
    locations: usize,
}

/// What came of an operation: nothing to say, or how it was refused.
type Heard = Result<(), &'static str>;

impl Play {
    pub(crate) async fn on(store: Arc<dyn Store>) -> Self {
        let stage = Stage::on(store, Policy { wrong_codes: 3, passwords_per_session: 4, ..Policy::standard() });
        stage.location("Place 0", MfaMode::Disabled).await;
        let people = [person(stage.invite("alex").await), person(stage.invite("sam").await)];
        let slow = Arc::new(Slow::new(stage.gateways.clone()));
        let mut play = Self {
            stage,
            slow,
            holders: Default::default(),
            people,
            ghost: Ghost::default(),
            stalled: None,
            ever: BTreeSet::new(),
            secrets: PASSWORDS.map(str::to_owned).into(),
            locations: 1,
        };
        play.watch(Acting::Others);
        play
    }

    /// One step, what befalls it, and what must be true afterwards.
    pub(crate) async fn step(&mut self, step: &Step) {
        if let Op::Everything { who, key, factor, complete } = step.op {
            let mut ops = vec![
                Op::Begin { who, nonce: true, resume: false, old: false },
                Op::Profile(who),
                Op::Device { who, name: 0, key },
            ];
            if let Some(code) = factor {
                ops.extend([Op::Offer(who), Op::Confirm(who, code)]);
            }
            ops.push(Op::Password(who, 0));
            if complete {
                ops.push(Op::Complete(who));
            }
            for op in ops {
                self.one(&op, None).await;
            }
        } else {
            self.one(&step.op, step.fault).await;
        }
    }

    async fn one(&mut self, op: &Op, fault: Option<Fault>) {
        match fault {
            None => {}
            Some(Fault::Death(call, moment)) => self.stage.store.die_at(call, moment),
            Some(Fault::Commits(count, trouble)) => self.stage.store.trouble_commits(count, trouble),
        }
        let acting = self.acting(op);
        let heard = self.perform(op).await;
        if matches!(fault, Some(Fault::Death(..))) {
            self.stage.restart();
        }
        self.stage.store.revive();
        let wrote = self.watch(acting);
        if let Err(word) = heard {
            *self.ghost.tally.entry(word.to_owned()).or_default() += 1;
            let written_down = ["wrong_code", "token_locked", "requirements_missing", "unknown"].contains(&word);
            assert!(!wrote || written_down, "the answer {word} lies: something changed");
            let honest = word != "broken" && (word != "unknown" || fault.is_some());
            assert!(honest, "{op:?} heard {word}");
        } else if matches!(fault, Some(Fault::Commits(1, Trouble::Error(StoreErrorKind::Unavailable)))) {
            let worker = is_worker(op) || matches!(op, Op::Stall { .. } | Op::Wake);
            assert!(!wrote || worker, "done, and said so, although the one commit failed");
        }
    }

    /// Who acts, as it is before they do.
    fn acting(&self, op: &Op) -> Acting {
        match op {
            Op::Begin { .. } => Acting::Begin,
            Op::Profile(who)
            | Op::Password(who, _)
            | Op::Offer(who)
            | Op::Confirm(who, _)
            | Op::Codes(who)
            | Op::Device { who, .. }
            | Op::Complete(who) => {
                let session = self.holders[*who].session.as_ref();
                session.map_or(Acting::Others, |session| Acting::Step(*who, session.digest()))
            }
            _ => Acting::Others,
        }
    }

    fn watch(&mut self, acting: Acting) -> bool {
        let log = self.stage.tape.log();
        let wrote = self.ghost.watch(&log, acting);
        self.ever.extend(self.ghost.peers.values().map(|peer| peer.key));
        state::holds(&log, &self.stage.gateways, &self.ever);
        wrote
    }

    async fn perform(&mut self, op: &Op) -> Heard {
        let done = match op {
            Op::Begin { who, nonce, resume, old } => self.begin(*who, *nonce, *resume, *old).await,
            Op::Profile(who)
            | Op::Password(who, _)
            | Op::Offer(who)
            | Op::Confirm(who, _)
            | Op::Codes(who)
            | Op::Device { who, .. }
            | Op::Complete(who) => {
                let Some(session) = self.holders[*who].session.as_ref().map(same) else { return Ok(()) };
                self.enrollee(*who, &session, op).await
            }
            Op::Clock(jump) => {
                self.jump(*jump);
                Ok(())
            }
            Op::Outage(outage) => {
                for location in self.stage.tape.log().all::<Location>() {
                    self.stage.gateways.set_outage(location.record.id, *outage);
                }
                Ok(())
            }
            Op::Restart => {
                self.stage.restart();
                Ok(())
            }
            Op::Peers => self.peers().run_once().await.map(|_| ()),
            Op::Sweep => self.stage.workers().1.run_once().await.map(|_| ()),
            Op::Seal => self.stage.workers().2.run_once().await.map(|_| ()),
            Op::Lose(nth) => {
                if let Some(location) = self.nth_location(*nth) {
                    self.stage.gateways.lose_interface(location);
                }
                Ok(())
            }
            Op::Reconcile => self.reconciler().run_once().await.map(|_| ()),
            Op::Fill => self.backfiller().run_once().await.map(|_| ()),
            Op::Stall { before } => {
                self.stall(*before).await;
                Ok(())
            }
            Op::Wake => {
                self.wake().await;
                Ok(())
            }
            _ => self.administrator(op).await,
        };
        // A worker does many changes; that one of them failed says nothing of the others.
        done.or_else(|failure| if is_worker(op) { Ok(()) } else { Err(word(&failure)) })
    }

    async fn begin(&mut self, who: usize, nonce: bool, resume: bool, old: bool) -> Result<(), Failure> {
        let person = &self.people[PERSON_OF[who]];
        let token = person.old.as_ref().filter(|_| old).unwrap_or(&person.token);
        let nonce = nonce.then(|| format!("a-nonce-that-is-of-holder-{who}"));
        let resume = self.holders[who].session.as_ref().filter(|_| resume);
        let session = self.stage.begin(token, nonce.as_deref(), resume).await?;
        self.secrets.insert(session.expose().to_owned());
        self.holders[who].session = Some(session);
        Ok(())
    }

    async fn enrollee(&mut self, who: usize, session: &SessionSecret, op: &Op) -> Result<(), Failure> {
        let enrollee = self.stage.service.enrollee();
        match op {
            Op::Profile(_) => enrollee.confirm_profile(session, None, HERE).await.map(|_| ()),
            Op::Password(_, which) => {
                enrollee.choose_password(session, password(PASSWORDS[*which]), HERE).await.map(|_| ())
            }
            Op::Offer(_) => {
                let offer = enrollee.offer_totp(session, HERE).await?;
                self.secrets.insert(offer.secret.to_string());
                self.holders[who].app = Some(offer.secret.to_string());
                Ok(())
            }
            Op::Confirm(_, code) => {
                let holder = &self.holders[who];
                let right = holder.app.as_ref().map(|app| self.stage.code(app));
                let typed = match code {
                    Code::Right => right,
                    // Not the right one of any step near.
                    Code::Wrong => right.map(|_| "000000".to_owned()),
                    Code::Replayed => holder.used.clone(),
                };
                let Some(typed) = typed else { return Ok(()) };
                let codes = enrollee.confirm_totp(session, &typed, HERE).await?.codes;
                self.secrets.extend(codes.into_iter().flatten().map(|code| code.expose().to_owned()));
                self.holders[who].used = Some(typed);
                Ok(())
            }
            Op::Codes(_) => {
                let codes = enrollee.replace_recovery_codes(session, HERE).await?.codes;
                self.secrets.extend(codes.into_iter().flatten().map(|code| code.expose().to_owned()));
                Ok(())
            }
            Op::Device { name, key, .. } => self.stage.device(session, NAMES[*name], *key).await.map(|_| ()),
            _ => enrollee.complete(session, HERE).await.map(|_| ()),
        }
    }

    async fn administrator(&mut self, op: &Op) -> Result<(), Failure> {
        let administrator = self.stage.service.administrator();
        match op {
            Op::Revoke(person) => administrator.revoke(&ADMIN, self.people[*person].enrollment).await,
            Op::Start(person, purpose) => {
                let issued = administrator.start(&ADMIN, self.people[*person].user, start(*purpose)).await?;
                self.issued(*person, issued);
                Ok(())
            }
            Op::Rotate(person) => {
                let issued = administrator.rotate(&ADMIN, self.people[*person].enrollment).await?;
                self.issued(*person, issued);
                Ok(())
            }
            Op::Enable(person, on) => {
                let status = if *on { UserStatus::Active } else { UserStatus::Disabled };
                let patch = UserPatch { status: Some(status), ..UserPatch::default() };
                administrator.change_user(&ADMIN, self.people[*person].user, patch).await.map(|_| ())
            }
            Op::AddLocation(mfa) => {
                let name = format!("Place {}", self.locations);
                self.locations += 1;
                administrator.create_location(&ADMIN, location(&name, *mfa)).await.map(|_| ())
            }
            Op::SwitchMfa(nth, mfa) => {
                let Some(id) = self.nth_location(*nth) else { return Ok(()) };
                let patch = LocationPatch { mfa: Some(*mfa), ..LocationPatch::default() };
                administrator.change_location(&ADMIN, id, patch).await.map(|_| ())
            }
            Op::DeviceStep(step) => {
                let patch = SettingsPatch { device_step: Some(*step), ..SettingsPatch::default() };
                administrator.change_settings(&ADMIN, patch).await.map(|_| ())
            }
            _ => {
                let devices = self.stage.tape.log().all::<Device>();
                match devices.iter().find(|device| !device.record.staged) {
                    Some(device) => administrator.remove_device(&ADMIN, device.record.id).await,
                    None => Ok(()),
                }
            }
        }
    }

    fn issued(&mut self, person: usize, issued: Issued) {
        self.secrets.insert(issued.token.expose().to_owned());
        let person = &mut self.people[person];
        person.enrollment = issued.id;
        person.old = Some(std::mem::replace(&mut person.token, issued.token));
    }

    fn nth_location(&self, nth: usize) -> Option<enrollment_core::id::LocationId> {
        self.stage.tape.log().all::<Location>().get(nth).map(|location| location.record.id)
    }

    fn peers(&self) -> PeerWorker {
        PeerWorker::new(self.stage.service.clone(), self.slow.clone())
    }

    fn reconciler(&self) -> Reconciler {
        Reconciler::new(self.stage.service.clone(), self.slow.clone())
    }

    fn backfiller(&self) -> Backfiller {
        Backfiller::new(self.stage.service.clone())
    }

    /// A worker asks a gateway, which hears it late or answers late: after the lease is over.
    async fn stall(&mut self, before: bool) {
        if self.stalled.is_some() {
            return;
        }
        self.slow.hold_next(Some(before));
        let worker = self.peers();
        let mut run = tokio::spawn(async move { worker.run_once().await });
        tokio::select! {
            () = self.slow.stalled.notified() => {
                self.stalled = Some(run);
                self.stage.clock.advance(Duration::from_secs(61));
                *self.ghost.tally.entry("stalled".to_owned()).or_default() += 1;
            }
            ended = &mut run => drop(ended.expect("no panic")),
        }
        self.slow.hold_next(None);
    }

    async fn wake(&mut self) {
        if let Some(run) = self.stalled.take() {
            self.slow.wake.notify_one();
            drop(run.await.expect("no panic"));
        }
    }

    fn jump(&self, jump: Jump) {
        let clock = &self.stage.clock;
        let now = clock.now();
        let before = |instant: Timestamp, before: bool| Timestamp::from_micros(instant.micros() - i64::from(before));
        let of = |person: usize| {
            let id = self.people[person].enrollment;
            let all = self.stage.tape.log().all::<Enrollment>();
            all.into_iter().map(|stored| stored.record).find(|enrollment| enrollment.id == id)
        };
        let to = match jump {
            Jump::Code => Some(now.plus(Duration::from_secs(30))),
            Jump::HalfAnHour => Some(now.plus(Duration::from_secs(31 * 60))),
            Jump::Deadline { person, before: just } => {
                of(person).and_then(|one| one.session().map(|session| before(session.deadline, just)))
            }
            Jump::Expiry { person, before: just } => of(person).map(|one| before(one.expires, just)),
        };
        if let Some(to) = to.filter(|to| *to > now) {
            clock.set(to);
        }
    }

    /// Everything comes to rest: gateways answer, time passes, workers run dry.
    pub(crate) async fn end(&mut self) {
        self.wake().await;
        self.perform(&Op::Outage(None)).await.expect("it answers");
        for span in [Duration::from_secs(31 * 60), Duration::from_secs(31 * 60), Duration::from_secs(3 * 24 * 3600)] {
            self.stage.clock.advance(span);
            while self.backfiller().run_once().await.expect("nothing is in the way") > 0 {}
            self.reconciler().run_once().await.expect("nothing is in the way");
            self.stage.work().await.expect("nothing is in the way");
        }
        self.watch(Acting::Others);
        let report = self.stage.service.administrator().verify_audit(&ADMIN).await.expect("a report");
        assert_eq!((report.problem, report.unsealed), (None, 0), "I7");
        let log = self.stage.tape.log();
        assert!(
            log.all::<Device>().iter().all(|device| !device.record.staged),
            "DEV-3: a reservation was not given back"
        );
        state::is_settled(&log, &self.stage.gateways, &self.ghost);
        state::keeps(&log, &self.secrets);
    }
}

/// Whether it is a run of a worker, which does many changes.
const fn is_worker(op: &Op) -> bool {
    matches!(op, Op::Peers | Op::Sweep | Op::Seal | Op::Reconcile | Op::Fill)
}

fn person((user, issued): (UserId, Issued)) -> Person {
    Person { user, enrollment: issued.id, token: issued.token, old: None }
}
