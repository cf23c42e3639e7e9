//! Lost answers and double submits, for every step of an enrollee and every change of an administrator.
//!
//! Each request gets the same five tests:
//!
//! * `a_lost_answer_is_told_again`: the change is committed, its answer lost, so that the caller hears `unknown`. The
//!   same request again says what became of it, and nothing is made or counted twice.
//! * `a_caller_who_went_away`: as above, but the caller's future is dropped right after the commit, or right before.
//! * `a_commit_that_never_happened`: the caller hears `unknown`, nothing has happened, and the same request does it.
//! * `a_failed_commit_says_so`: nothing has happened, the error says so, and the same request does it.
//! * `sent_twice_at_once`: both meet in the store; what stands afterwards is what one of them alone would have made.
//!
//! "Twice" is not looked for thing by thing: after a request of which [`Again::Same`] is promised, *every* row and
//! every outbox entry must be, byte for byte, what it was before.

mod administrator;
mod enrollee;

use std::collections::BTreeMap;

use enrollment_core::domain::audit::AuditEntry;
use enrollment_core::domain::device::Device;
use enrollment_core::domain::enrollment::Enrollment;
use enrollment_core::domain::event::Event;
use enrollment_core::domain::user::User;
use enrollment_core::port::StoreErrorKind;
use enrollment_core::record::Kind;
use enrollment_core::service::Failure;
use enrollment_testkit::fake::Trouble;

use crate::stage::{Stage, word};
use crate::tape::{Hang, Log};

/// What the same request again does, once it has been done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Again {
    /// Nothing; it gets the same answer.
    Same,
    /// Nothing; it is told so with this code.
    Says(&'static str),
    /// It is done again in place of the first time: secrets that are shown only once were lost with their answer.
    InItsPlace,
    /// Another one is made, beside the first: only this answer has its secret.
    Another,
}

/// A request, as its sender can repeat it.
pub(crate) trait Request {
    /// What it needs to stand before; the sender's side of it.
    type Ready;
    const AGAIN: Again;
    async fn prepare(stage: &Stage) -> Self::Ready;
    /// Sends it. The answer as text, without what is rightly told only once.
    async fn send(stage: &Stage, ready: &Self::Ready) -> Result<String, Failure>;
}

/// How much of everything there is.
fn census(log: &Log) -> BTreeMap<String, u64> {
    let mut census = BTreeMap::new();
    let mut count = |what: String, by: u64| *census.entry(what).or_insert(0) += by;
    for row in log.rows.values() {
        if row.key.kind != Kind::Audit {
            count(format!("rows of {}", row.key.kind), 1);
            count(format!("versions of {}", row.key.kind), row.version.0);
        }
    }
    for entry in log.all::<AuditEntry>() {
        if entry.record.event.is_change() {
            count(format!("{:?}", entry.record.event), 1);
        }
    }
    for stored in log.all::<Enrollment>() {
        let enrollment = stored.record;
        count("sessions".to_owned(), u64::from(enrollment.sessions));
        count("takeovers".to_owned(), u64::from(enrollment.takeovers));
        count("wrong codes".to_owned(), u64::from(enrollment.wrong_codes));
        if let Some(session) = enrollment.session() {
            count("passwords".to_owned(), u64::from(session.passwords));
            count("recovery codes".to_owned(), session.work.recovery.len() as u64);
        }
    }
    count("outbox entries".to_owned(), log.entries.len() as u64);
    census
}

/// What must not become more by a request that is done again in place of the first.
fn standing(log: &Log) -> [usize; 5] {
    let enrollments = log.all::<Enrollment>();
    let recovery = enrollments.iter().filter_map(|one| one.record.session()).map(|session| session.work.recovery.len());
    [
        log.all::<User>().len(),
        log.all::<Device>().len(),
        enrollments.iter().filter(|one| one.record.is_open()).count(),
        recovery.sum(),
        log.entries.len(),
    ]
}

fn log(stage: &Stage) -> Log {
    stage.tape.log().clone()
}

/// Whether the rows of two logs are the same, but for written down refusals.
fn same_but_refusals(one: &Log, other: &Log) -> bool {
    let changes = |log: &Log| {
        let refusal = |entry: &AuditEntry| matches!(entry.event, Event::Refused { .. });
        log.all::<AuditEntry>().into_iter().filter(|entry| !refusal(&entry.record)).count()
    };
    one.without(&[Kind::Audit]) == other.without(&[Kind::Audit])
        && changes(one) == changes(other)
        && one.entries == other.entries
}

async fn ready<R: Request>() -> (Stage, R::Ready) {
    let stage = Stage::new();
    let ready = R::prepare(&stage).await;
    (stage, ready)
}

/// What is said, and what there is afterwards, when nothing is in the way.
async fn undisturbed<R: Request>() -> (String, BTreeMap<String, u64>) {
    let (stage, ready) = ready::<R>().await;
    let answer = R::send(&stage, &ready).await.expect("nothing is in the way");
    let census = census(&log(&stage));
    (answer, census)
}

/// Sends again what has happened, and judges what comes of it.
async fn again<R: Request>(stage: &Stage, ready: &R::Ready) {
    let (answer, expected) = undisturbed::<R>().await;
    let before = log(stage);
    assert_eq!(census(&before), expected, "it has happened, once");
    let heard = R::send(stage, ready).await;
    let after = log(stage);
    match R::AGAIN {
        Again::Same => {
            assert_eq!(heard.expect("the true outcome"), answer);
            assert!(before.rows == after.rows && before.entries == after.entries, "something was written");
        }
        Again::Says(code) => {
            assert_eq!(heard.as_ref().map_err(word), Err(code));
            assert!(same_but_refusals(&before, &after), "something was written");
        }
        Again::InItsPlace => {
            heard.expect("done again");
            assert_eq!(standing(&before), standing(&after), "made twice");
        }
        Again::Another => {
            heard.expect("another one");
            assert_eq!(standing(&before), standing(&after), "made twice");
        }
    }
}

async fn lost_answer<R: Request>() {
    let (stage, ready) = ready::<R>().await;
    // Asked about three times under its id, and the answer is lost each time.
    stage.store.trouble_commits(4, Trouble::AnswerLost);
    let heard = R::send(&stage, &ready).await;
    assert_eq!(heard.as_ref().map_err(word), Err("unknown"));
    again::<R>(&stage, &ready).await;
}

async fn answer_lost_once<R: Request>() {
    let (stage, ready) = ready::<R>().await;
    stage.store.trouble_commits(1, Trouble::AnswerLost);
    let (answer, expected) = undisturbed::<R>().await;
    assert_eq!(R::send(&stage, &ready).await.expect("asked again under its id"), answer);
    assert_eq!(census(&log(&stage)), expected);
}

async fn caller_went_away<R: Request>() {
    for at in [Hang::Before, Hang::After] {
        let (stage, ready) = ready::<R>().await;
        let before = log(&stage);
        stage.tape.hang_next_commit(at);
        tokio::select! {
            biased;
            () = stage.tape.hanging() => {}
            heard = R::send(&stage, &ready) => panic!("it should hang: {heard:?}"),
        }
        match at {
            Hang::Before => {
                assert!(before.rows == stage.tape.log().rows, "half done");
                R::send(&stage, &ready).await.expect("nothing is in the way");
            }
            Hang::After => again::<R>(&stage, &ready).await,
        }
    }
}

async fn commit_that_never_happened<R: Request>() {
    let (stage, ready) = ready::<R>().await;
    let before = log(&stage);
    stage.store.trouble_commits(4, Trouble::Error(StoreErrorKind::Unknown));
    let heard = R::send(&stage, &ready).await;
    assert_eq!(heard.as_ref().map_err(word), Err("unknown"));
    assert!(before.rows == stage.tape.log().rows, "something happened");
    R::send(&stage, &ready).await.expect("nothing is in the way");
    assert_eq!(census(&log(&stage)), undisturbed::<R>().await.1);
}

async fn failed_commit<R: Request>() {
    for kind in [StoreErrorKind::Unavailable, StoreErrorKind::Busy] {
        let (stage, ready) = ready::<R>().await;
        let before = log(&stage);
        stage.store.trouble_commits(1, Trouble::Error(kind));
        let heard = R::send(&stage, &ready).await;
        assert_eq!(heard.as_ref().map_err(word), Err("unavailable"));
        assert!(before.rows == stage.tape.log().rows && before.entries == stage.tape.log().entries, "it happened");
        R::send(&stage, &ready).await.expect("nothing is in the way");
        assert_eq!(census(&log(&stage)), undisturbed::<R>().await.1);
    }
}

async fn twice_at_once<R: Request>() {
    let (stage, ready) = ready::<R>().await;
    let (one, other) = tokio::join!(R::send(&stage, &ready), R::send(&stage, &ready));
    let (answer, expected) = undisturbed::<R>().await;
    let after = log(&stage);
    let told = [&one, &other].map(|heard| heard.as_ref().map_err(word));
    match R::AGAIN {
        Again::Same => {
            // The slower one may be asked to try again: that says truly that its own part did nothing.
            assert!(told.iter().all(|told| *told == Ok(&answer) || *told == Err("busy")), "{told:?}");
            assert!(told.contains(&Ok(&answer)), "{told:?}");
            assert_eq!(census(&after), expected, "made twice");
        }
        Again::Says(code) => {
            assert!(told.iter().any(Result::is_ok) && told.contains(&Err(code)), "{told:?}");
            assert_eq!(census(&after), expected, "made twice");
        }
        Again::InItsPlace | Again::Another => {
            assert!(told.iter().all(Result::is_ok), "{told:?}");
            let alone = {
                let (stage, ready) = self::ready::<R>().await;
                R::send(&stage, &ready).await.expect("nothing is in the way");
                standing(&stage.tape.log())
            };
            assert_eq!(standing(&after), alone, "made twice");
        }
    }
}

/// The same tests for each request.
macro_rules! answers {
    ($($(#[$doc:meta])* $name:ident => $request:ty;)*) => {$(
        $(#[$doc])*
        mod $name {
            use super::*;

            #[tokio::test]
            async fn a_lost_answer_is_told_again() {
                crate::answers::lost_answer::<$request>().await;
            }

            #[tokio::test]
            async fn an_answer_lost_once_is_never_missed() {
                crate::answers::answer_lost_once::<$request>().await;
            }

            #[tokio::test]
            async fn a_caller_who_went_away() {
                crate::answers::caller_went_away::<$request>().await;
            }

            #[tokio::test]
            async fn a_commit_that_never_happened() {
                crate::answers::commit_that_never_happened::<$request>().await;
            }

            #[tokio::test]
            async fn a_failed_commit_says_so() {
                crate::answers::failed_commit::<$request>().await;
            }

            #[tokio::test]
            async fn sent_twice_at_once() {
                crate::answers::twice_at_once::<$request>().await;
            }
        }
    )*};
}
pub(crate) use answers;
