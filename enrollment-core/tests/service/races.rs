//! A completion against what an administrator does at the same time, in every order in which their store calls can meet
//! (REQ-3, REQ-5, REQ-6).

use enrollment_core::domain::enrollment::{Enrollment, Phase};
use enrollment_core::domain::location::MfaMode;
use enrollment_core::domain::settings::DeviceStep;
use enrollment_core::domain::user::{User, UserStatus};
use enrollment_core::port::Op;
use enrollment_core::record::{Kind, Stored};
use enrollment_core::service::Failure;
use enrollment_core::service::administrator::{LocationPatch, SettingsPatch, UserPatch};

use super::stage::{ADMIN, HERE, LONG, Stage, password, word};

/// More than either of the two makes store calls.
const ORDERS: usize = 24;

#[derive(Debug, Clone, Copy)]
enum Rival {
    SwitchMfa,
    AddMfaLocation,
    DemandDevice,
    Disable,
    Revoke,
}

/// Completes without factor and device while the rival acts; what the enrollee heard and what came of it.
async fn race(rival: Rival, ahead: usize, completion_first: bool) -> (Stage, Result<(), &'static str>) {
    let stage = Stage::new();
    let location = stage.location("Berlin", MfaMode::Disabled).await;
    let (user, issued) = stage.invite("alex").await;
    let administrator = stage.service.administrator();
    let step = |device_step| SettingsPatch { device_step: Some(device_step), ..SettingsPatch::default() };
    administrator.change_settings(&ADMIN, step(DeviceStep::Optional)).await.expect("optional");
    let session = stage.begin(&issued.token, None, None).await.expect("begun");
    let enrollee = stage.service.enrollee();
    enrollee.confirm_profile(&session, None, HERE).await.expect("the profile");
    enrollee.choose_password(&session, password(LONG), HERE).await.expect("the password");
    let wait = async |first: bool| {
        if !first {
            for _ in 0..ahead {
                tokio::task::yield_now().await;
            }
        }
    };
    let completes = async {
        wait(completion_first).await;
        enrollee.complete(&session, HERE).await.map(|_| ())
    };
    let acts = async {
        wait(!completion_first).await;
        let done: Result<(), Failure> = match rival {
            Rival::SwitchMfa => {
                let patch = LocationPatch { mfa: Some(MfaMode::Internal), ..LocationPatch::default() };
                administrator.change_location(&ADMIN, location, patch).await.map(|_| ())
            }
            Rival::AddMfaLocation => {
                let new = super::stage::location("Oslo", MfaMode::Internal);
                administrator.create_location(&ADMIN, new).await.map(|_| ())
            }
            Rival::DemandDevice => administrator.change_settings(&ADMIN, step(DeviceStep::Mandatory)).await.map(|_| ()),
            Rival::Disable => {
                let patch = UserPatch { status: Some(UserStatus::Disabled), ..UserPatch::default() };
                administrator.change_user(&ADMIN, user, patch).await.map(|_| ())
            }
            Rival::Revoke => administrator.revoke(&ADMIN, issued.id).await,
        };
        done
    };
    let (heard, done) = tokio::join!(completes, acts);
    assert!(done.is_ok() || matches!(rival, Rival::Revoke), "{done:?}");
    let heard = heard.map_err(|failure| word(&failure));
    (stage, heard)
}

/// The rival's change and the completion, by their places in the log.
fn places(stage: &Stage, kind: Kind) -> (Option<usize>, Option<usize>) {
    let log = stage.tape.log();
    let last = |finds: &dyn Fn(&Op) -> bool| log.changes.iter().rposition(|change| change.ops.iter().any(finds));
    let completion = last(&|op| match op {
        Op::Put { next, .. } if next.key.kind == Kind::Enrollment => {
            let enrollment = Stored::<Enrollment>::read(next).expect("an enrollment").record;
            matches!(enrollment.phase, Phase::Completed(_))
        }
        _ => false,
    });
    let rival = last(&|op| matches!(op, Op::Put { next, .. } if next.key.kind == kind));
    (completion, rival)
}

async fn every_order(rival: Rival, kind: Kind, refused: &str) {
    let mut outcomes = [0, 0];
    for order in 0..2 * ORDERS {
        let (stage, heard) = Box::pin(race(rival, order / 2, order % 2 == 0)).await;
        let (completion, change) = places(&stage, kind);
        match heard {
            Ok(()) => {
                let completion = completion.expect("completed, and said so");
                assert!(change.is_none_or(|change| completion <= change), "order {order}: completed against {rival:?}");
                outcomes[0] += 1;
            }
            Err(code) => {
                assert_eq!((code, completion), (refused, None), "order {order}");
                outcomes[1] += 1;
            }
        }
    }
    assert!(outcomes.iter().all(|times| *times > 0), "both can win: {outcomes:?}");
}

/// REQ-3
#[tokio::test]
async fn a_location_switched_to_mfa_at_the_same_time_is_covered() {
    every_order(Rival::SwitchMfa, Kind::Location, "requirements_missing").await;
}

/// REQ-3
#[tokio::test]
async fn a_location_added_at_the_same_time_is_covered() {
    every_order(Rival::AddMfaLocation, Kind::Location, "requirements_missing").await;
}

/// REQ-4
#[tokio::test]
async fn a_device_demanded_at_the_same_time_is_covered() {
    every_order(Rival::DemandDevice, Kind::Settings, "requirements_missing").await;
}

/// REQ-6: whoever is disabled stays so.
#[tokio::test]
async fn a_completion_racing_with_a_disable_never_enables() {
    for order in 0..2 * ORDERS {
        let (stage, _) = Box::pin(race(Rival::Disable, order / 2, order % 2 == 0)).await;
        let users = stage.tape.log().all::<User>();
        assert!(users.iter().all(|user| !user.record.is_active()), "order {order}");
    }
}

/// TOK-8: exactly one of the two ends it.
#[tokio::test]
async fn a_completion_and_a_revocation_exclude_each_other() {
    for order in 0..2 * ORDERS {
        let (stage, heard) = Box::pin(race(Rival::Revoke, order / 2, order % 2 == 0)).await;
        let enrolled = stage.tape.log().all::<User>().iter().any(|user| user.record.is_enrolled());
        let completed = matches!(stage.tape.log().all::<Enrollment>()[0].record.phase, Phase::Completed(_));
        assert_eq!((enrolled, completed), (heard.is_ok(), heard.is_ok()), "order {order}");
    }
}
