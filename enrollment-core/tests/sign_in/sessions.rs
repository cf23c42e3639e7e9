//! How sessions end.

use std::time::Duration;

use enrollment_core::domain::enrollment::Purpose;
use enrollment_core::domain::event::Event;
use enrollment_core::domain::role::Role;
use enrollment_core::domain::sign_in::{AdminSession, Place};
use enrollment_core::domain::user::UserStatus;
use enrollment_core::record::IndexName;
use enrollment_core::service::administrator::UserPatch;

use super::bench::{Bench, CLI, code};
use super::person::{answered, app_code, half_way, opens, sign_in, with_app, with_password};

fn minutes(count: u64) -> Duration {
    Duration::from_secs(60 * count)
}

/// AUTH-4: half-open.
#[tokio::test]
async fn a_session_is_over_after_15_idle_minutes() {
    let bench = Bench::new();
    let olga = with_password(&bench, "olga", Role::Owner).await;
    let idle = sign_in(&bench, &olga).await.session;
    let used = sign_in(&bench, &olga).await.session;
    for _ in 0..4 {
        bench.clock.advance(minutes(14));
        assert!(opens(&bench.service, &used).await);
    }
    assert!(!opens(&bench.service, &idle).await);
    bench.clock.advance(minutes(15) - Duration::from_micros(1));
    assert!(opens(&bench.service, &used).await);
    bench.clock.advance(minutes(15));
    assert!(!opens(&bench.service, &used).await);
}

/// AUTH-4
#[tokio::test]
async fn a_session_is_over_after_8_hours_of_use() {
    let bench = Bench::new();
    let olga = with_password(&bench, "olga", Role::Owner).await;
    let session = sign_in(&bench, &olga).await.session;
    // Half a minute went by since.
    for _ in 0..47 {
        bench.clock.advance(minutes(10));
        assert!(opens(&bench.service, &session).await);
    }
    bench.clock.advance(minutes(10) - Duration::from_secs(30) - Duration::from_micros(1));
    assert!(opens(&bench.service, &session).await);
    bench.clock.advance(Duration::from_micros(1));
    assert!(!opens(&bench.service, &session).await);
}

/// AUTH-4: a page with many parts is no storm of writes.
#[tokio::test]
async fn use_is_written_down_at_most_once_a_minute() {
    let bench = Bench::new();
    let olga = with_password(&bench, "olga", Role::Owner).await;
    let session = sign_in(&bench, &olga).await.session;
    let version = async || {
        let rows = bench.store.scan(&enrollment_core::port::Scan::all(IndexName::AdminSessionsByEnd, "", 9)).await;
        rows.unwrap().rows[0].version.0
    };
    for _ in 0..20 {
        bench.clock.advance(Duration::from_secs(1));
        assert!(opens(&bench.service, &session).await);
    }
    assert_eq!(version().await, 1);
    bench.clock.advance(Duration::from_secs(10));
    for _ in 0..5 {
        assert!(opens(&bench.service, &session).await);
    }
    assert_eq!(version().await, 2);
}

/// AUTH-4: and it does not come back with what was taken.
#[tokio::test]
async fn disabling_a_change_of_role_and_erasing_end_every_session() {
    let bench = Bench::new();
    let olga = with_app(&bench, "olga", Role::Owner).await;
    let anton = with_app(&bench, "anton", Role::Administrator).await;
    let hers = sign_in(&bench, &olga).await.session;
    let change = async |patch: UserPatch| bench.admin().change_user(&CLI, anton.id, patch).await.unwrap();
    let disabled = |status| UserPatch { status: Some(status), ..UserPatch::default() };
    let role = |role| UserPatch { role: Some(role), ..UserPatch::default() };

    let session = sign_in(&bench, &anton).await.session;
    change(disabled(UserStatus::Disabled)).await;
    assert!(!opens(&bench.service, &session).await);
    change(disabled(UserStatus::Active)).await;
    assert!(!opens(&bench.service, &session).await, "enabling brings no session back");

    for next in [Some(Role::HelpDesk), Some(Role::Administrator)] {
        let session = sign_in(&bench, &anton).await.session;
        change(role(next)).await;
        assert!(!opens(&bench.service, &session).await, "{next:?}");
    }
    let session = sign_in(&bench, &anton).await.session;
    change(UserPatch { first_name: Some("Toni".parse().unwrap()), ..UserPatch::default() }).await;
    assert!(opens(&bench.service, &session).await, "another name is nothing to sign in anew for");
    bench.admin().erase_user(&CLI, anton.id).await.unwrap();
    assert!(!opens(&bench.service, &session).await);
    assert!(opens(&bench.service, &hers).await, "nobody else's");
}

/// AUTH-4
#[tokio::test]
async fn whoever_signs_out_is_out_and_may_end_their_other_sessions() {
    let bench = Bench::new();
    let olga = with_app(&bench, "olga", Role::Owner).await;
    let anton = with_app(&bench, "anton", Role::Owner).await;
    let [one, two] = [sign_in(&bench, &olga).await.session, sign_in(&bench, &olga).await.session];
    let theirs = sign_in(&bench, &anton).await.session;
    let desk = bench.service.sign_in();
    let mine = desk.sessions(&two).await.unwrap();
    assert_eq!(mine.len(), 2);
    let foreign = desk.sessions(&theirs).await.unwrap()[0].id;
    assert_eq!(code(desk.end_session(&two, foreign, CLI.origin).await.unwrap_err()), "not_found");
    desk.end_session(&two, mine[0].id, CLI.origin).await.unwrap();
    assert!(!opens(&bench.service, &one).await);
    desk.sign_out(&two, CLI.origin).await.unwrap();
    desk.sign_out(&two, CLI.origin).await.unwrap();
    assert!(!opens(&bench.service, &two).await);
    assert!(opens(&bench.service, &theirs).await);
    let ended = bench.audit().await.into_iter().filter(|entry| entry.event == Event::SignedOut).count();
    assert_eq!(ended, 2);
}

/// I12: neither secret stands in a record or in the log.
#[tokio::test]
async fn no_record_holds_what_opens_a_session_or_tells_a_browser() {
    let bench = Bench::new();
    let olga = with_app(&bench, "olga", Role::Owner).await;
    let half = half_way(&bench.service, &olga).await;
    let opened = sign_in(&bench, &olga).await;
    let user = olga.id.to_string();
    let sessions: Vec<AdminSession> = bench.all(IndexName::AdminSessionsByUser, &user).await;
    let places: Vec<Place> = bench.all(IndexName::SignInPlacesByUser, &user).await;
    assert_eq!((sessions.len(), places.len()), (2, 2));
    let kept =
        serde_json::to_string(&(sessions, places, bench.audit().await, bench.stored_user(olga.id).await)).unwrap();
    let browser = opened.browser.unwrap();
    for secret in [half.expose(), opened.session.expose(), browser.expose(), &olga.codes[0]] {
        for part in secret.as_bytes()[4..].windows(8) {
            assert!(!kept.contains(std::str::from_utf8(part).unwrap()));
        }
    }
}

/// AUTH-4
#[tokio::test]
async fn a_session_that_is_half_way_can_be_ended_too() {
    let bench = Bench::new();
    let olga = with_app(&bench, "olga", Role::Owner).await;
    let half = half_way(&bench.service, &olga).await;
    bench.service.sign_in().sign_out(&half, CLI.origin).await.unwrap();
    assert_eq!(answered(&bench.service, &half, &olga.code(&bench)).await, "not_signed_in");
    assert!(bench.audit().await.iter().all(|entry| entry.event != Event::SignedOut), "nobody was signed in");
}

/// AUTH-4: a factor that comes by an invitation ends sessions like one that its user sets up.
#[tokio::test]
async fn a_factor_that_comes_by_invitation_ends_every_session() {
    let bench = Bench::new();
    let pia = with_password(&bench, "pia", Role::Owner).await;
    let session = sign_in(&bench, &pia).await.session;
    let issued = bench.start(pia.id, Purpose::Factor).await.unwrap();
    let steps = bench.begin(&issued.token).await.unwrap();
    let enrollee = bench.service.enrollee();
    let offer = enrollee.offer_totp(&steps, CLI.origin).await.unwrap();
    let app = data_encoding::BASE32_NOPAD.decode(offer.secret.as_bytes()).unwrap();
    enrollee.confirm_totp(&steps, &app_code(&app, &bench), CLI.origin).await.unwrap();
    assert!(opens(&bench.service, &session).await);
    enrollee.complete(&steps, CLI.origin).await.unwrap();
    assert!(!opens(&bench.service, &session).await);
}
