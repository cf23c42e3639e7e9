use enrollment_core::domain::enrollment::{Enrollment, Purpose};
use enrollment_core::domain::role::Role;
use enrollment_core::domain::settings::FrontEnd;
use enrollment_core::domain::user::{TotpFactor, User, UserStatus};
use enrollment_core::port::Clock;
use enrollment_core::secret::{Binding, SessionNonce, SessionSecret, Token};
use enrollment_core::service::administrator::{Delivery, Standing, StartEnrollment, UserPatch};
use enrollment_core::service::enrollee::BeginRequest;
use enrollment_core::service::{Failure, Origin};
use enrollment_core::time::Span;

use crate::bench::{Bench, CLI, code, manual};

/// INV-2, INV-11.
#[tokio::test]
async fn an_invitation_shows_its_links_by_the_front_end_that_was_chosen() {
    let bench = Bench::new();
    let alice = bench.user("alice").await;
    for (front_end, has_deep_link) in [(FrontEnd::Browser, false), (FrontEnd::Desktop, true), (FrontEnd::Both, true)] {
        bench.settings(|settings| settings.front_end = front_end).await;
        let issued = bench.start(alice.id, Purpose::Onboarding).await.unwrap();
        let token = issued.token.expose();
        assert_eq!(issued.url.expose(), format!("https://vpn.example.com/enroll/{token}"));
        let link = format!("defguard://addinstance?token={token}&url=https%3A%2F%2Fvpn.example.com");
        assert_eq!(issued.client_code.is_some(), has_deep_link);
        assert_eq!(issued.deep_link.as_ref().map(|link| link.expose()), has_deep_link.then_some(link.as_str()));
    }
}

/// INV-5, TOK-7.
#[tokio::test]
async fn a_restart_kills_the_old_token_and_its_session() {
    let bench = Bench::new();
    let alice = bench.user("alice").await;
    let old = bench.start(alice.id, Purpose::Onboarding).await.unwrap();
    let session = bench.begin(&old.token).await.unwrap();
    let new = bench.start(alice.id, Purpose::Onboarding).await.unwrap();
    assert_eq!(bench.look(&old.token).await, Err("token_superseded"));
    let state = bench.service.enrollee().session(&session, Origin::default()).await;
    assert_eq!(state.map(|_| ()).map_err(code), Err("token_superseded"));
    assert_eq!(bench.look(&new.token).await, Ok(()));
    let open = bench.open_enrollments().await;
    assert_eq!(open.iter().map(|enrollment| enrollment.id).collect::<Vec<_>>(), [new.id]);
}

/// INV-6, INV-9.
#[tokio::test]
async fn nothing_is_started_for_whom_it_makes_no_sense() {
    let bench = Bench::new();
    let alice = bench.user("alice").await;
    let start = async |purpose| bench.start(alice.id, purpose).await.map(|_| ()).map_err(code);
    assert_eq!(start(Purpose::Device).await, Err("not_enrolled"));
    assert_eq!(start(Purpose::Factor).await, Err("factor_not_applicable"), "no password");
    bench.enroll(alice.id).await;
    assert_eq!(start(Purpose::Onboarding).await, Err("already_enrolled"));
    assert_eq!(start(Purpose::Device).await, Err("no_location"));
    bench.location("staff only", Some("staff")).await;
    assert_eq!(start(Purpose::Device).await, Err("no_location"), "none that she reaches");
    bench.location("office", None).await;
    assert_eq!(start(Purpose::Device).await, Ok(()));
    assert_eq!(start(Purpose::Factor).await, Ok(()));

    let stored = bench.record::<User>(alice.id.uuid()).await.unwrap();
    let mut with_factor = stored.record.clone();
    let binding = Binding { table: "users", row: alice.id.uuid(), column: "totp" };
    let secret = bench.ring.seal(&binding, &[7; 20], bench.entropy()).unwrap();
    with_factor.credentials.totp = Some(TotpFactor { secret, last_step: 0 });
    bench.commit(vec![stored.put(&with_factor)]).await;
    assert_eq!(start(Purpose::Factor).await, Err("factor_not_applicable"), "a factor already");

    // Somebody with codes by e-mail alone, who then got a role: they would run out of recovery codes.
    let mut by_mail = stored.record.clone();
    by_mail.credentials.email = true;
    let stored = bench.record::<User>(alice.id.uuid()).await.unwrap();
    bench.commit(vec![stored.put(&by_mail)]).await;
    let role = UserPatch { role: Some(Some(Role::Administrator)), ..UserPatch::default() };
    bench.admin().change_user(&CLI, alice.id, role).await.unwrap();
    assert_eq!(start(Purpose::Factor).await, Ok(()));

    let disable = UserPatch { status: Some(UserStatus::Disabled), ..UserPatch::default() };
    bench.admin().change_user(&CLI, alice.id, disable).await.unwrap();
    for purpose in [Purpose::Onboarding, Purpose::Device, Purpose::Factor] {
        assert_eq!(start(purpose).await, Err("user_disabled"));
    }
    assert!(bench.open_enrollments().await.is_empty());
}

/// INV-8.
#[tokio::test]
async fn a_validity_outside_the_policy_is_refused_with_the_range() {
    let bench = Bench::new();
    let alice = bench.user("alice").await;
    let start = async |validity| {
        let start = StartEnrollment { validity: Some(validity), ..manual(Purpose::Onboarding) };
        bench.admin().start(&CLI, alice.id, start).await
    };
    for outside in [Span::seconds(599), Span::days(31)] {
        let Err(Failure::Rejected(rejection)) = start(outside).await else { panic!("{outside} was accepted") };
        assert_eq!(rejection.code(), "out_of_range");
        assert_eq!(rejection.to_string(), format!("validity: {outside} is outside the allowed range from 10m to 720h"));
    }
    assert!(bench.open_enrollments().await.is_empty());
    let issued = start(Span::minutes(10)).await.unwrap();
    assert_eq!(issued.expires_at.since(bench.clock.now()), Span::minutes(10).duration());
}

/// TOK-1.
#[tokio::test]
async fn terms_are_those_of_the_settings_in_force_and_stay() {
    let bench = Bench::new();
    let alice = bench.user("alice").await;
    bench
        .settings(|settings| {
            settings.token_validity = Span::hours(2);
            settings.session_validity = Span::minutes(5);
            settings.max_sessions = 2;
        })
        .await;
    let issued = bench.start(alice.id, Purpose::Onboarding).await.unwrap();
    bench.settings(|settings| settings.token_validity = Span::hours(1)).await;
    let stored = bench.stored_enrollment(issued.id).await;
    assert_eq!(stored.expires.since(bench.clock.now()), Span::hours(2).duration());
    assert_eq!((stored.terms.session, stored.terms.max_sessions, stored.terms.wrong_codes), (Span::minutes(5), 2, 10));
}

/// INV-2, INV-4.
#[tokio::test]
async fn without_mail_nothing_is_created_for_mail() {
    let bench = Bench::new();
    let alice = bench.user("alice").await;
    for delivery in [Delivery::Email, Delivery::Both] {
        let start = StartEnrollment { delivery, ..manual(Purpose::Onboarding) };
        let refused = bench.admin().start(&CLI, alice.id, start).await;
        assert_eq!(refused.map(|_| ()).map_err(code), Err("mail_not_configured"));
    }
    assert!(bench.open_enrollments().await.is_empty());
}

/// INV-7, REQ-1.
#[tokio::test]
async fn the_initiator_is_recorded_and_may_be_gone_later() {
    use enrollment_core::domain::role::Role;
    let bench = Bench::new();
    let (manager, by) = bench.administrator("manager", Role::UserManager).await;
    let alice = bench.user("alice").await;
    let issued = bench.admin().start(&by, alice.id, manual(Purpose::Onboarding)).await.unwrap();
    assert_eq!(bench.admin().enrollment(&CLI, issued.id).await.unwrap().initiator, Some(manager.id));
    let session = bench.begin(&issued.token).await.unwrap();
    let initiator = async || bench.service.enrollee().session(&session, CLI.origin).await.unwrap().initiator;
    assert_eq!(initiator().await.unwrap().name, "Alex Example");
    let stored = bench.record::<User>(manager.id.uuid()).await.unwrap();
    bench.commit(vec![stored.delete()]).await;
    assert!(initiator().await.is_none());
    bench.fill_in(&session).await;
    bench.service.enrollee().complete(&session, CLI.origin).await.unwrap();
}

/// ADM-3, ADM-4, TOK-7.
#[tokio::test]
async fn a_rotation_replaces_the_link_and_renews_the_time() {
    let bench = Bench::new();
    let alice = bench.user("alice").await;
    let old = bench.start(alice.id, Purpose::Onboarding).await.unwrap();
    let session = bench.begin(&old.token).await.unwrap();
    bench.clock.advance(Span::hours(24).duration());
    assert_eq!(bench.look(&old.token).await, Err("token_expired"));
    let new = bench.admin().rotate(&CLI, old.id).await.unwrap();
    assert_eq!((new.id, new.generation, new.purpose), (old.id, 2, Purpose::Onboarding));
    assert_eq!(new.expires_at.since(bench.clock.now()), Span::hours(24).duration());
    assert_eq!(bench.look(&old.token).await, Err("token_superseded"));
    assert_eq!(bench.look(&new.token).await, Ok(()));
    let state = bench.service.enrollee().session(&session, Origin::default()).await;
    assert_eq!(state.map(|_| ()).map_err(code), Err("session_superseded"));
}

/// INV-8, ADM-4.
#[tokio::test]
async fn a_rotation_keeps_the_validity_that_was_chosen() {
    let bench = Bench::new();
    let alice = bench.user("alice").await;
    let start = StartEnrollment { validity: Some(Span::minutes(30)), ..manual(Purpose::Onboarding) };
    let issued = bench.admin().start(&CLI, alice.id, start).await.unwrap();
    for _ in 0..2 {
        bench.clock.advance(Span::hours(1).duration());
        let rotated = bench.admin().rotate(&CLI, issued.id).await.unwrap();
        assert_eq!(rotated.expires_at.since(bench.clock.now()), Span::minutes(30).duration());
    }
}

/// Changes something again and again, and says how often, and how it ended.
async fn change_until_refused(bench: &Bench, session: &SessionSecret) -> (usize, &'static str) {
    let phones = ["+48 600 100 200", "+48 600 100 201"].map(|phone| Some(phone.parse().unwrap()));
    for written in 0..2_000 {
        let phone = phones[written % 2].clone();
        if let Err(failure) = bench.service.enrollee().confirm_profile(session, phone, Origin::default()).await {
            return (written, code(failure));
        }
    }
    panic!("never refused");
}

/// ADM-8, TOK-7: whoever holds a token cannot make the log grow without end, and what stops them is seen by everybody.
#[tokio::test]
async fn after_a_thousand_changes_an_invitation_locks_and_a_new_one_works() {
    let bench = Bench::new();
    let alice = bench.user("alice").await;
    let issued = bench.start(alice.id, Purpose::Onboarding).await.unwrap();
    let session = bench.begin(&issued.token).await.unwrap();
    let (written, refused) = change_until_refused(&bench, &session).await;
    // Issued and begun are changes too.
    assert!((990..1_000).contains(&written), "{written}");
    assert_eq!(refused, "token_locked");
    assert_eq!(bench.look(&issued.token).await, Err("token_locked"));
    assert_eq!(bench.begin(&issued.token).await.map(drop).map_err(code), Err("token_locked"));
    assert_eq!(bench.admin().rotate(&CLI, issued.id).await.map(drop).map_err(code), Err("token_locked"));
    assert_eq!(bench.enrollments(Standing::Closed).await.len(), 1);
    let again = bench.start(alice.id, Purpose::Onboarding).await.unwrap();
    assert!(bench.begin(&again.token).await.is_ok());
}

/// A person who is nearly done still gets done.
#[tokio::test]
async fn completing_is_possible_at_the_limit_of_changes() {
    let bench = Bench::new();
    let alice = bench.user("alice").await;
    let issued = bench.start(alice.id, Purpose::Onboarding).await.unwrap();
    let session = bench.begin(&issued.token).await.unwrap();
    bench.fill_in(&session).await;
    let mut stored = bench.record::<Enrollment>(issued.id.uuid()).await.unwrap();
    let phones = ["+48 600 100 200", "+48 600 100 201"].map(|phone| Some(phone.parse().unwrap()));
    while stored.version.0 < 1_000 {
        let phone = phones[usize::from(stored.version.0 % 2 == 0)].clone();
        bench.service.enrollee().confirm_profile(&session, phone, Origin::default()).await.unwrap();
        stored = bench.record::<Enrollment>(issued.id.uuid()).await.unwrap();
    }
    assert!(bench.service.enrollee().complete(&session, Origin::default()).await.is_ok());
}

/// TOK-3: a token that a stolen key could have made opens nothing, however one begins with it.
#[tokio::test]
async fn a_token_of_a_revoked_key_opens_nothing() {
    let bench = Bench::new();
    let alice = bench.user("alice").await;
    let issued = bench.start(alice.id, Purpose::Onboarding).await.unwrap();
    let revoked = bench.with_its_key_revoked();
    let look = revoked.enrollee().look(&issued.token).await;
    assert_eq!(look.map(drop).map_err(code), Err("token_revoked"));
    for nonce in [None, Some("a nonce of more than twenty-two characters".replace(' ', "-"))] {
        let nonce = nonce.map(|nonce| SessionNonce::parse(&nonce).unwrap());
        let request = BeginRequest { token: Token::parse(issued.token.expose()).unwrap(), nonce, resume: None };
        let begun = revoked.enrollee().begin(&request, Origin::default()).await;
        assert_eq!(begun.map(drop).map_err(code), Err("token_revoked"));
    }
}

#[tokio::test]
async fn an_enrollment_has_at_most_a_hundred_links() {
    let bench = Bench::new();
    let alice = bench.user("alice").await;
    let issued = bench.start(alice.id, Purpose::Onboarding).await.unwrap();
    let mut last = issued.token;
    for generation in 2..=100 {
        let rotated = bench.admin().rotate(&CLI, issued.id).await.unwrap();
        assert_eq!(rotated.generation, generation);
        last = rotated.token;
    }
    let refused = bench.admin().rotate(&CLI, issued.id).await.map(|_| ());
    let Err(Failure::Rejected(rejection)) = refused else { panic!("the hundredth rotation was accepted") };
    assert_eq!(rejection.to_string(), "generation: at most 100 links; start a new enrollment instead");
    assert_eq!(bench.look(&last).await, Ok(()), "the last link still opens");
}

/// ADM-5.
#[tokio::test]
async fn a_revoked_link_is_dead_at_once_and_the_user_can_be_sent_a_new_one() {
    let bench = Bench::new();
    let alice = bench.user("alice").await;
    let issued = bench.start(alice.id, Purpose::Onboarding).await.unwrap();
    for _ in 0..2 {
        bench.admin().revoke(&CLI, issued.id).await.unwrap();
        assert_eq!(bench.look(&issued.token).await, Err("token_revoked"));
    }
    assert_eq!(bench.admin().rotate(&CLI, issued.id).await.map(|_| ()).map_err(code), Err("token_revoked"));
    bench.enroll(alice.id).await;
    let completed = bench.stored_user(alice.id).await.enrolled.unwrap().by;
    assert_eq!(bench.admin().revoke(&CLI, completed).await.map_err(code), Err("already_completed"));
    assert_eq!(bench.admin().rotate(&CLI, completed).await.map(|_| ()).map_err(code), Err("already_completed"));
}
