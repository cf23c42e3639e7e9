//! Who is the same holder, and whose device waits (TOK-5).

use enrollment_core::domain::device::Device;
use enrollment_core::domain::enrollment::Enrollment;
use enrollment_core::domain::location::MfaMode;

use super::stage::{HERE, LONG, Stage, password, word};

/// TOK-5: the answer to a resumed begin is lost, and the same request is sent again.
#[tokio::test]
async fn a_resumed_begin_without_a_nonce_can_be_repeated() {
    let stage = Stage::new();
    stage.location("Berlin", MfaMode::Disabled).await;
    let (_, issued) = stage.invite("alex").await;
    let first = stage.begin(&issued.token, None, None).await.expect("begun");
    stage.everything(&first, 1).await;
    stage.clock.advance(std::time::Duration::from_secs(601));
    let second = stage.begin(&issued.token, None, Some(&first)).await.expect("resumed");
    let again = stage.begin(&issued.token, None, Some(&first)).await.expect("resumed");
    assert_eq!(second.expose(), again.expose());
    assert_ne!(second.expose(), first.expose());
    let state = stage.service.enrollee().session(&again, HERE).await.expect("in session");
    assert!(state.missing.is_empty(), "everything is still there");
    let enrollment = &stage.tape.log().all::<Enrollment>()[0].record;
    assert_eq!((enrollment.sessions, enrollment.takeovers), (2, 0));
}

/// TOK-5: fenced meanwhile, the older holder still finds what they chose.
#[tokio::test]
async fn a_resumed_begin_finds_what_waits_for_it() {
    let stage = Stage::new();
    stage.location("Berlin", MfaMode::Disabled).await;
    let (_, issued) = stage.invite("alex").await;
    let first = stage.begin(&issued.token, None, None).await.expect("begun");
    stage.everything(&first, 1).await;
    stage.clock.advance(std::time::Duration::from_secs(601));
    let _lost = stage.begin(&issued.token, None, Some(&first)).await.expect("resumed");
    stage.begin(&issued.token, None, None).await.expect("somebody else");
    let back = stage.begin(&issued.token, None, Some(&first)).await.expect("the first holder");
    let state = stage.service.enrollee().session(&back, HERE).await.expect("in session");
    assert!(state.missing.is_empty() && state.device.is_some());
}

async fn second_browser(name: &str, key: u8) -> (Stage, Result<(), &'static str>) {
    let stage = Stage::new();
    stage.location("Berlin", MfaMode::Disabled).await;
    let (_, issued) = stage.invite("alex").await;
    let first = stage.begin(&issued.token, None, None).await.expect("begun");
    stage.everything(&first, 1).await;
    let second = stage.begin(&issued.token, None, None).await.expect("another browser");
    let heard = stage.device(&second, name, key).await.map(|_| ()).map_err(|failure| word(&failure));
    if heard.is_ok() {
        stage.service.enrollee().choose_password(&second, password(LONG), HERE).await.expect("proved");
        stage.service.enrollee().complete(&second, HERE).await.expect("completed");
    }
    (stage, heard)
}

/// TOK-5, DEV-1
#[tokio::test]
async fn a_second_browser_takes_the_name_or_the_key_of_the_device_that_waits() {
    for (name, key) in [("Laptop", 2), ("laptop", 2), ("Phone", 1), ("Laptop", 1)] {
        let (stage, heard) = second_browser(name, key).await;
        assert_eq!(heard, Ok(()), "{name} {key}");
        stage.work().await.expect("worked");
        let log = stage.tape.log();
        let devices = log.all::<Device>();
        assert_eq!(devices.len(), 1, "the waiting one went");
        assert_eq!(devices[0].record.name.as_str(), name);
    }
}

/// TOK-5: the waiting one stays where nothing clashes, and comes back to whoever proves their password.
#[tokio::test]
async fn a_device_without_a_clash_leaves_the_waiting_one_alone() {
    let stage = Stage::new();
    stage.location("Berlin", MfaMode::Disabled).await;
    let (_, issued) = stage.invite("alex").await;
    let first = stage.begin(&issued.token, None, None).await.expect("begun");
    stage.everything(&first, 1).await;
    let second = stage.begin(&issued.token, None, None).await.expect("another browser");
    stage.device(&second, "Phone", 2).await.expect("another device");
    assert_eq!(stage.tape.log().all::<Device>().len(), 2);
}

/// DEV-1: the device of another person's enrollment is nobody's to displace.
#[tokio::test]
async fn the_key_of_a_device_of_another_enrollment_stays_taken() {
    let stage = Stage::new();
    stage.location("Berlin", MfaMode::Disabled).await;
    let (_, theirs) = stage.invite("alex").await;
    let (_, mine) = stage.invite("sam").await;
    let other = stage.begin(&theirs.token, None, None).await.expect("begun");
    stage.device(&other, "Laptop", 1).await.expect("their device");
    let session = stage.begin(&mine.token, None, None).await.expect("begun");
    stage.device(&session, "Laptop", 3).await.expect("the name is one's own matter");
    let second = stage.begin(&mine.token, None, None).await.expect("another browser");
    let refused = stage.device(&second, "Laptop", 1).await.expect_err("taken");
    assert_eq!(word(&refused), "public_key_taken");
    assert_eq!(stage.tape.log().all::<Device>().len(), 2, "nothing went");
}
