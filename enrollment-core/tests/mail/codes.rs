//! Codes by e-mail, from asking for one to the factor it sets up (MFA-2, MSG-7, MSG-8).

use std::collections::BTreeSet;
use std::sync::Arc;

use enrollment_core::domain::enrollment::Purpose;
use enrollment_core::domain::event::Event;
use enrollment_core::domain::location::{FactorKind, MfaMode};
use enrollment_core::domain::role::Role;
use enrollment_core::domain::user::User;
use enrollment_core::port::{Clock, DeliveryErrorKind};
use enrollment_core::secret::{KeyRing, SessionSecret};
use enrollment_core::service::administrator::{UserPatch, UserView};
use enrollment_core::time::Span;
use enrollment_testkit::fake::{Mishap, RacedStore};

use crate::bench::{Bench, CLI, HERE, code, mailed, mailed_to, manual, to};

const INBOX: &str = "alice@example.com";

/// Somebody in an onboarding session.
async fn begun(bench: &Bench) -> (UserView, SessionSecret) {
    let alice = bench.user("alice").await;
    let issued = bench.start(&CLI, alice.id, manual(Purpose::Onboarding)).await.unwrap();
    let session = bench.begin(&issued.token).await.unwrap();
    (alice, session)
}

async fn ask(bench: &Bench, session: &SessionSecret) {
    bench.service.enrollee().send_email_code(session, HERE).await.unwrap();
}

async fn enter(bench: &Bench, session: &SessionSecret, typed: &str) -> Result<Option<usize>, &'static str> {
    let answer = bench.service.enrollee().confirm_email_code(session, typed, HERE).await;
    answer.map(|answer| answer.codes.map(|codes| codes.len())).map_err(code)
}

/// The code in the mail that came last.
pub(crate) fn latest_code(bench: &Bench) -> String {
    let texts = bench.inbox(INBOX).into_iter().rev().map(|mail| mail.text);
    let code =
        |text: String| Some(text.split_once("Your code: ")?.1.chars().take_while(char::is_ascii_digit).collect());
    texts.filter_map(code).next().unwrap()
}

/// Another code of as many digits.
fn wrong(right: &str) -> String {
    right.chars().map(|digit| if digit == '0' { '1' } else { '0' }).collect()
}

/// MFA-2, MFA-3, MSG-5, MSG-7: to the address on file, wherever the invitation went; in words and to the minute until
/// when; and the factor is there once completed.
#[tokio::test]
async fn a_code_comes_to_the_address_on_file_and_sets_up_the_factor() {
    let bench = Bench::new();
    let alice = bench.user("alice").await;
    let start = mailed_to(Purpose::Onboarding, "private@example.org");
    let issued = bench.start(&CLI, alice.id, start).await.unwrap();
    let session = bench.begin(&issued.token).await.unwrap();
    bench.fill_in(&session).await;
    let enrollee = bench.service.enrollee();
    let sent = enrollee.send_email_code(&session, HERE).await.unwrap();
    let now = bench.clock.now();
    assert_eq!(sent.expires, Some(now.plus(Span::minutes(10).duration())));
    assert_eq!(sent.again, Some(now.plus(Span::seconds(30).duration())));
    assert_eq!(sent.state.factors, [FactorKind::Totp, FactorKind::Email]);
    let again = enrollee.send_email_code(&session, HERE).await.unwrap();
    assert_eq!((again.expires, again.again), (sent.expires, sent.again), "a double click");
    bench.send().await;
    assert_eq!(bench.inbox(INBOX).len(), 1);
    let mail = bench.inbox(INBOX).remove(0);
    let code = latest_code(&bench);
    for part in [code.as_str(), "valid for 10 minutes", "1 January 2026, 00:10 UTC", "automated message"] {
        assert!(mail.text.contains(part) && mail.html.as_ref().unwrap().contains(part), "{part}: {}", mail.text);
    }
    assert!(code.len() == 6 && !mail.subject.contains(&code), "{}", mail.subject);

    assert_eq!(enter(&bench, &session, &wrong(&code)).await, Err("wrong_code"));
    assert_eq!(enter(&bench, &session, "12345").await, Err("invalid_field"));
    assert_eq!(enter(&bench, &session, "1234567").await, Err("invalid_field"));
    assert_eq!(bench.stored(issued.id).await.wrong_codes, 1, "what is no such code is not counted");
    let verified = enrollee.confirm_email_code(&session, &code, HERE).await.unwrap();
    assert_eq!((verified.codes.map(|codes| codes.len()), verified.already_verified), (Some(8), false));
    assert!(verified.state.mfa_verified);
    let repeated = enrollee.confirm_email_code(&session, &code, HERE).await.unwrap();
    assert_eq!((repeated.codes.is_some(), repeated.already_verified), (false, true));
    let nothing = enrollee.send_email_code(&session, HERE).await.unwrap();
    assert_eq!((nothing.expires, nothing.again), (None, None));
    bench.complete(&session).await;
    bench.send().await;
    assert!(bench.subjects(INBOX).contains("A second factor was set up for your VPN account"));
    assert_eq!(bench.admin().user(&CLI, alice.id).await.unwrap().factors, BTreeSet::from([FactorKind::Email]));
    assert_eq!(bench.audited(&Event::EmailCodeRequested).await, 1);
    assert_eq!(bench.audited(&Event::EmailCodeConfirmed).await, 1);
}

/// MSG-8: neither behind what was queued before nor behind a mail that a relay puts off.
#[tokio::test]
async fn a_code_is_sent_before_all_that_waits() {
    let bench = Bench::new();
    let (_, session) = begun(&bench).await;
    for nth in 0..40 {
        let user = bench.user(&format!("user-{nth}")).await;
        bench.start(&CLI, user.id, mailed(Purpose::Onboarding)).await.unwrap();
    }
    bench.relay.fail_for(&to("user-0@example.com"), Mishap::Fails(DeliveryErrorKind::Transient), u32::MAX);
    bench.clock.advance(Span::minutes(1).duration());
    ask(&bench, &session).await;
    bench.worker().run_once().await.unwrap();
    assert_eq!(bench.inbox(INBOX).len(), 1, "in the first batch");
    assert!(bench.relay.count() < 20);
}

/// MSG-8, MFA-2
#[tokio::test]
async fn a_code_that_is_worth_nothing_any_more_is_not_sent() {
    let ends = async |how: &str| {
        let bench = Bench::new();
        let (alice, session) = begun(&bench).await;
        ask(&bench, &session).await;
        let mut states = vec!["obsolete"];
        match how {
            "superseded" => {
                bench.clock.advance(Span::seconds(30).duration());
                ask(&bench, &session).await;
                states.push("sent");
            }
            "over" => {
                bench.clock.advance(Span::minutes(10).duration());
            }
            "restarted" | "revoked" => {
                let restarted = bench.start(&CLI, alice.id, manual(Purpose::Onboarding)).await.unwrap();
                if how == "revoked" {
                    bench.admin().revoke(&CLI, restarted.id).await.unwrap();
                }
            }
            _ => {
                // The relay took it and its answer was lost, so that it comes again.
                bench.relay.fail(Mishap::AnswerLost, 1);
                bench.send().await;
                enter(&bench, &session, &latest_code(&bench)).await.unwrap();
                bench.clock.advance(Span::minutes(1).duration());
            }
        }
        bench.send().await;
        let codes: Vec<_> = bench.mails().await.into_iter().filter(|(letter, _)| *letter == "mfa_code").collect();
        assert_eq!(codes, states.into_iter().map(|state| ("mfa_code", state)).collect::<Vec<_>>(), "{how}");
    };
    for how in ["superseded", "over", "restarted", "revoked", "used"] {
        ends(how).await;
    }
}

/// TOK-5: a new holder neither gets the code nor has it sent.
#[tokio::test]
async fn a_code_that_another_holder_asked_for_is_neither_sent_nor_right() {
    let bench = Bench::new();
    let alice = bench.user("alice").await;
    let issued = bench.start(&CLI, alice.id, manual(Purpose::Onboarding)).await.unwrap();
    let first = bench.begin(&issued.token).await.unwrap();
    ask(&bench, &first).await;
    bench.send().await;
    let theirs = latest_code(&bench);
    bench.clock.advance(Span::minutes(1).duration());
    ask(&bench, &first).await;
    let second = bench.begin(&issued.token).await.unwrap();
    bench.send().await;
    assert_eq!(bench.states("mfa_code").await.iter().filter(|state| state.as_str() == "obsolete").count(), 1);
    assert_eq!(enter(&bench, &second, &theirs).await, Err("mfa_not_started"));
    ask(&bench, &second).await;
    assert_eq!(enter(&bench, &second, &theirs).await, Err("wrong_code"));
    bench.send().await;
    assert_eq!(enter(&bench, &second, &latest_code(&bench)).await, Ok(Some(8)));
}

/// MFA-2: no mail, no address, no code; and nothing is written.
#[tokio::test]
async fn without_mail_or_an_address_codes_by_mail_are_not_offered() {
    let bench = Bench::without_mail();
    let (_, session) = begun(&bench).await;
    let state = bench.service.enrollee().session(&session, HERE).await.unwrap();
    assert_eq!(state.factors, [FactorKind::Totp]);
    let refused = bench.service.enrollee().send_email_code(&session, HERE).await;
    assert_eq!(refused.map(drop).map_err(code), Err("email_codes_not_offered"));

    let bench = Bench::new();
    let (alice, session) = begun(&bench).await;
    bench.readdress(alice.id, None).await;
    let state = bench.service.enrollee().session(&session, HERE).await.unwrap();
    assert_eq!(state.factors, [FactorKind::Totp]);
    let refused = bench.service.enrollee().send_email_code(&session, HERE).await;
    assert_eq!(refused.map(drop).map_err(code), Err("email_codes_not_offered"));
    assert!(bench.mails().await.is_empty());
}

/// MFA-4: two guesses at one instant are two attempts; the tenth wrong one locks and the initiator hears of it.
#[tokio::test]
async fn wrong_codes_are_counted_one_by_one_and_the_initiator_hears_of_the_lock() {
    let bench = Bench::new();
    let (_, by) = bench.administrator("max", Role::UserManager).await;
    let alice = bench.user("alice").await;
    let issued = bench.start(&by, alice.id, manual(Purpose::Onboarding)).await.unwrap();
    let session = bench.begin(&issued.token).await.unwrap();
    ask(&bench, &session).await;
    bench.send().await;
    let right = latest_code(&bench);
    let guess = wrong(&right);
    let (rival, same) = (bench.service.clone(), SessionSecret::parse(session.expose()).unwrap());
    let theirs = guess.clone();
    let rival = async move {
        let refused = rival.enrollee().confirm_email_code(&same, &theirs, HERE).await;
        assert_eq!(refused.map(drop).map_err(code), Err("wrong_code"));
    };
    let late = bench.through(Arc::new(RacedStore::new(bench.store.clone(), rival)));
    assert!(late.enrollee().confirm_email_code(&session, &guess, HERE).await.is_err());
    assert_eq!(bench.stored(issued.id).await.wrong_codes, 2);
    for _ in 0..7 {
        assert_eq!(enter(&bench, &session, &guess).await, Err("wrong_code"));
    }
    assert_eq!(enter(&bench, &session, &guess).await, Err("token_locked"));
    assert_eq!(enter(&bench, &session, &right).await, Err("token_locked"));
    bench.send().await;
    assert_eq!(bench.inbox("max@example.com").len(), 1);
}

/// MFA-2: two clicks at one instant send one mail, and one code entered twice at one instant is used once.
#[tokio::test]
async fn of_two_at_once_one_asks_and_one_verifies() {
    let bench = Bench::new();
    let (_, session) = begun(&bench).await;
    let raced = |rival: std::pin::Pin<Box<dyn Future<Output = ()> + Send>>| {
        bench.through(Arc::new(RacedStore::new(bench.store.clone(), rival)))
    };
    let same = || (bench.service.clone(), SessionSecret::parse(session.expose()).unwrap());
    let (rival, theirs) = same();
    let late = raced(Box::pin(async move {
        rival.enrollee().send_email_code(&theirs, HERE).await.unwrap();
    }));
    late.enrollee().send_email_code(&session, HERE).await.unwrap();
    bench.send().await;
    assert_eq!(bench.inbox(INBOX).len(), 1);
    let right = latest_code(&bench);
    let ((rival, theirs), typed) = (same(), right.clone());
    let late = raced(Box::pin(async move {
        assert!(rival.enrollee().confirm_email_code(&theirs, &typed, HERE).await.unwrap().codes.is_some());
    }));
    let second = late.enrollee().confirm_email_code(&session, &right, HERE).await.unwrap();
    assert!(second.already_verified && second.codes.is_none());
    assert_eq!(bench.audited(&Event::EmailCodeConfirmed).await, 1);
}

/// SYS-10: a code under a key that was revoked meanwhile is neither sent nor right.
#[tokio::test]
async fn a_code_under_a_revoked_key_is_not_sent() {
    let bench = Bench::new();
    let (_, session) = begun(&bench).await;
    ask(&bench, &session).await;
    let mut ring = KeyRing::from_text(&bench.ring.to_text()).unwrap();
    let old = ring.active();
    ring.rotate(bench.clock.now(), bench.entropy());
    ring.revoke(&old).unwrap();
    let service = bench.with_ring(&Arc::new(ring));
    let worker = enrollment_core::worker::OutboxWorker::new(service, bench.relay.clone());
    while worker.run_once().await.unwrap() > 0 {}
    assert_eq!(bench.mails().await, [("mfa_code", "obsolete")]);
    assert_eq!(bench.relay.count(), 0);
}

/// INV-9, MFA-2: whoever's only factor counts nowhere any more is not locked out: they can be sent another.
#[tokio::test]
async fn whoever_has_only_a_factor_that_counts_nowhere_can_set_up_another() {
    let bench = Bench::new();
    let (alice, session) = begun(&bench).await;
    bench.fill_in(&session).await;
    ask(&bench, &session).await;
    bench.send().await;
    enter(&bench, &session, &latest_code(&bench)).await.unwrap();
    bench.complete(&session).await;
    let start = || bench.start(&CLI, alice.id, manual(Purpose::Factor));
    assert_eq!(code(start().await.unwrap_err()), "factor_not_applicable");
    bench.readdress(alice.id, None).await;
    start().await.unwrap();
}

/// AUTH-1, MFA-2: codes by e-mail let no administrator in for long; an app can be set up before the recovery codes are gone
/// and after, also where no location accepts one.
#[tokio::test]
async fn an_administrator_who_has_codes_by_mail_alone_can_be_sent_for_an_app() {
    let bench = Bench::new();
    let (alice, session) = begun(&bench).await;
    bench.fill_in(&session).await;
    ask(&bench, &session).await;
    bench.send().await;
    enter(&bench, &session, &latest_code(&bench)).await.unwrap();
    bench.complete(&session).await;
    let role = UserPatch { role: Some(Some(Role::UserManager)), ..UserPatch::default() };
    bench.admin().change_user(&CLI, alice.id, role).await.unwrap();
    bench.location(MfaMode::Internal, Some(FactorKind::Email)).await;
    let issued = bench.start(&CLI, alice.id, manual(Purpose::Factor)).await.unwrap();
    let session = bench.begin(&issued.token).await.unwrap();
    let early = bench.service.enrollee().complete(&session, HERE).await;
    assert_eq!(early.map(drop).map_err(code), Err("requirements_missing"));
    bench.set_up_totp(&session).await;
    bench.complete(&session).await;
    assert!(bench.record::<User>(alice.id.uuid()).await.unwrap().credentials.totp.is_some());
    let again = bench.start(&CLI, alice.id, manual(Purpose::Factor)).await;
    assert_eq!(again.map(drop).map_err(code), Err("factor_not_applicable"));
}
