//! The administration's pages, as a browser without JavaScript sees them.

use axum::http::{Method, StatusCode};
use enrollment_core::domain::role::Role;
use enrollment_core::service::administrator::UserPatch;

use crate::administrator::{Administrator, Browser, PASSWORD, location, page};
use crate::world::{operator, world};

const OK: StatusCode = StatusCode::OK;

/// AUTH-1, AUTH-4
#[tokio::test]
async fn an_owner_signs_in_works_and_signs_out() {
    let world = world();
    let olga = Administrator::enroll(&world, "olga", Role::Owner).await;
    let mut browser = Browser::new(&world);
    assert_eq!(location(&browser.get("/admin").await), "/admin/sign-in");
    page(&browser.get("/admin/sign-in").await, OK);
    assert_eq!(location(&browser.password("olga", PASSWORD).await), "/admin/sign-in/code");
    assert_eq!(location(&browser.get("/admin/users").await), "/admin/sign-in", "a password opens nothing");
    page(&browser.get("/admin/sign-in/code").await, OK);
    browser.sign_in(&olga).await;
    assert_eq!(location(&browser.get("/admin").await), "/admin/users");

    let network = [
        ("name", "Berlin"),
        ("endpoint", "vpn.example.com:51820"),
        ("pools", "10.1.0.0/16, fd00:1::/64"),
        ("allowed_ips", "10.0.0.0/8"),
        ("mfa", "internal"),
        ("keepalive", "25"),
    ];
    let key = page(&browser.post("/admin/locations", &network).await, StatusCode::CREATED);
    assert!(key.contains("PrivateKey = ") && key.contains("ListenPort = 51820"), "made here, so shown once");
    assert!(page(&browser.get("/admin/locations").await, OK).contains("Berlin"));
    let again = page(&browser.post("/admin/locations", &network).await, StatusCode::CONFLICT);
    assert!(again.contains("There is already a location of this name"));

    let colleague = [("username", "Anna"), ("first_name", "Anna"), ("delivery", "manual"), ("role", "")];
    let issued = page(&browser.post("/admin/users", &colleague).await, StatusCode::CREATED);
    let link = issued.split("https://vpn.example.com/enroll/").nth(1).expect("a link");
    let token = &link[..41];
    assert!(token.starts_with("enr_"), "{token}");
    for path in
        ["/admin/users", "/admin/pending", "/admin/users?q=an", "/admin/mail", "/admin/settings", "/admin/account"]
    {
        assert!(!page(&browser.get(path).await, OK).contains(token), "{path} shows the link again");
    }
    assert!(page(&browser.get("/admin/pending").await, OK).contains("Not begun"));

    assert_eq!(location(&browser.post("/admin/sign-out", &[]).await), "/admin/sign-in?done=signed_out");
    assert_eq!(location(&browser.get("/admin/users").await), "/admin/sign-in");
}

/// AUTH-1, AUTH-2: the same page for whatever is wrong, and a wait that this browser is spared once it is known.
#[tokio::test]
async fn a_wrong_answer_tells_nothing_and_slows_down() {
    let world = world();
    let olga = Administrator::enroll(&world, "olga", Role::Owner).await;
    let mut known = Browser::new(&world);
    known.sign_in(&olga).await;
    known.post("/admin/sign-out", &[]).await;

    let mut stranger = Browser::new(&world);
    let wrong = page(&stranger.password("olga", "not this one").await, StatusCode::UNAUTHORIZED);
    let nobody = page(&stranger.password("oleg", PASSWORD).await, StatusCode::UNAUTHORIZED);
    assert_eq!(wrong.replace("olga", "oleg"), nobody);
    assert!(!wrong.contains("not this one"), "a password is never shown again");
    for _ in 0..2 {
        stranger.password("olga", "not this one").await;
    }
    let answer = stranger.password("olga", PASSWORD).await;
    assert_eq!(answer.header("retry-after"), Some("30"));
    let waits = page(&answer, StatusCode::TOO_MANY_REQUESTS);
    assert!(waits.contains("Try again in 30 seconds") && waits.contains("Recovery code"), "{waits}");
    let fields = [("username", "olga"), ("password", PASSWORD), ("recovery", "what I noted")];
    let typo = page(&stranger.post("/admin/sign-in", &fields).await, StatusCode::BAD_REQUEST);
    assert!(typo.contains("name=\"recovery\"") && !typo.contains("what I noted"), "nor is a recovery code: {typo}");
    known.sign_in(&olga).await;
}

/// AUTH-4: whoever signs in again leaves nothing open behind.
#[tokio::test]
async fn signing_in_again_ends_the_session_before() {
    let world = world();
    let olga = Administrator::enroll(&world, "olga", Role::Owner).await;
    let mut browser = Browser::new(&world);
    browser.sign_in(&olga).await;
    let mut copy = Browser::new(&world);
    copy.cookies = browser.cookies.clone();
    assert_eq!(location(&copy.get("/admin").await), "/admin/users");
    browser.sign_in(&olga).await;
    assert_eq!(location(&copy.get("/admin").await), "/admin/sign-in");
    assert_eq!(location(&browser.get("/admin").await), "/admin/users");
}

/// SYS-3: once a link is made, nothing else can fail before it is shown.
#[tokio::test]
async fn nothing_is_read_between_making_a_link_and_showing_it() {
    let world = world();
    let olga = Administrator::enroll(&world, "olga", Role::Owner).await;
    let mut browser = Browser::new(&world);
    browser.sign_in(&olga).await;
    let added = [("username", "anna"), ("delivery", "none")];
    let person = location(&browser.post("/admin/users", &added).await);
    let _ = world.store.take();
    page(&browser.post(&format!("{person}/invite"), &[("delivery", "manual")]).await, StatusCode::CREATED);
    assert_eq!(world.store.take().last().map(|call| call.method), Some("commit"));
    let pending = page(&browser.get("/admin/pending").await, OK);
    let id = pending.split("/admin/pending/").nth(1).and_then(|rest| rest.split('/').next()).expect("an invitation");
    let _ = world.store.take();
    page(&browser.post(&format!("/admin/pending/{id}/rotate"), &[]).await, StatusCode::CREATED);
    assert_eq!(world.store.take().last().map(|call| call.method), Some("commit"));
}

/// AUTH-2
#[tokio::test]
async fn a_wrong_code_stands_beside_its_field_and_slows_down() {
    let world = world();
    let olga = Administrator::enroll(&world, "olga", Role::Owner).await;
    let mut browser = Browser::new(&world);
    browser.password("olga", PASSWORD).await;
    let typo = page(&browser.post("/admin/sign-in/code", &[("code", "12")]).await, StatusCode::BAD_REQUEST);
    assert!(typo.contains("Six digits from your app"), "{typo}");
    let wrong = if olga.code(&world) == "000000" { "000001" } else { "000000" };
    for _ in 0..3 {
        let refused = browser.post("/admin/sign-in/code", &[("code", wrong)]).await;
        assert!(page(&refused, StatusCode::UNAUTHORIZED).contains("aria-invalid"));
    }
    let code = olga.code(&world);
    let waits = page(&browser.post("/admin/sign-in/code", &[("code", &code)]).await, StatusCode::TOO_MANY_REQUESTS);
    assert!(waits.contains("Try again in 30 seconds"), "{waits}");
}

/// SYS-5
#[tokio::test]
async fn a_page_of_another_site_changes_nothing() {
    let world = world();
    let olga = Administrator::enroll(&world, "olga", Role::Owner).await;
    let mut browser = Browser::new(&world);
    browser.sign_in(&olga).await;
    for path in ["/admin/users", "/admin/settings", "/admin/sign-in", "/admin/sign-out", "/admin/account/password"] {
        for site in ["cross-site", "same-site"] {
            let refused = browser.ask(Method::POST, path, Some(&[("username", "anna")]), site).await;
            assert!(page(&refused, StatusCode::FORBIDDEN).contains("another site"), "{path}");
        }
    }
    page(&browser.get("/admin/users").await, OK);
}

/// ADM-7: pages show what their reader may, and what they may not is refused in words whatever a page shows.
#[tokio::test]
async fn a_role_decides_what_is_shown_and_what_is_refused() {
    let world = world();
    let olga = Administrator::enroll(&world, "olga", Role::Owner).await;
    let hella = Administrator::enroll(&world, "hella", Role::HelpDesk).await;
    let (mut owner, mut desk) = (Browser::new(&world), Browser::new(&world));
    owner.sign_in(&olga).await;
    desk.sign_in(&hella).await;
    let all = page(&owner.get("/admin/users").await, OK);
    let some = page(&desk.get("/admin/users").await, OK);
    for shown in ["Add a person", "/admin/locations", "/admin/settings"] {
        assert!(all.contains(shown) && !some.contains(shown), "{shown}");
    }
    for path in ["/admin/locations", "/admin/settings"] {
        let refused = page(&desk.get(path).await, StatusCode::FORBIDDEN);
        assert!(refused.contains("Your role does not allow this"), "{path}");
    }
    let added = [("username", "anna"), ("delivery", "none")];
    assert!(page(&desk.post("/admin/users", &added).await, StatusCode::FORBIDDEN).contains("does not allow"));

    // Somebody who is no longer an administrator is out at once.
    let users = world.service.administrator().users(&operator(), Some("hella"), &Default::default()).await;
    let id = users.expect("a list").items[0].id;
    let patch = UserPatch { role: Some(None), ..UserPatch::default() };
    world.service.administrator().change_user(&operator(), id, patch).await.expect("changed");
    assert_eq!(location(&desk.get("/admin/users").await), "/admin/sign-in");
    assert_eq!(desk.post("/admin/users", &added).await.status, StatusCode::UNAUTHORIZED);
}

/// AUTH-4: each change asks for password and code again.
#[tokio::test]
async fn an_administrator_changes_their_own_credentials() {
    let world = world();
    let olga = Administrator::enroll(&world, "olga", Role::Owner).await;
    let mut browser = Browser::new(&world);
    browser.sign_in(&olga).await;
    page(&browser.get("/admin/account").await, OK);
    let next = "another horse, same battery";
    let fields = |password: &'static str, code: String, again: &'static str| {
        [
            ("password", password.to_owned()),
            ("code", code),
            ("new_password", next.to_owned()),
            ("again", again.to_owned()),
        ]
    };
    for (bad, why) in [
        (fields("wrong", olga.code(&world), next), "is not right"),
        (fields(PASSWORD, olga.code(&world), "other"), "This is not the same"),
        (fields(PASSWORD, String::new(), next), "A code from your app"),
    ] {
        let bad: Vec<_> = bad.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let answer = browser.post("/admin/account/password", &bad).await;
        assert!(answer.status.is_client_error(), "{why}");
        assert!(page(&answer, answer.status).contains(why), "{why}: {}", answer.text());
    }
    let good = fields(PASSWORD, olga.code(&world), next);
    let good: Vec<_> = good.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(location(&browser.post("/admin/account/password", &good).await), "/admin/account?done=password");
    page(&browser.get("/admin/users").await, OK);

    world.clock.advance(std::time::Duration::from_secs(30));
    let code = olga.code(&world);
    let offer = page(&browser.post("/admin/account/app", &[("password", next), ("code", &code)]).await, OK);
    assert!(offer.contains("Set up your app") && offer.contains("otpauth://"));
    let secret = offer.split("class=\"secret\">").nth(1).and_then(|rest| rest.split('<').next()).expect("a secret");
    let confirm = "/admin/account/app/confirm";
    for _ in 0..2 {
        let wrong = page(&browser.post(confirm, &[("code", &code)]).await, StatusCode::BAD_REQUEST);
        assert!(wrong.contains("not the code that the app shows"), "{wrong}");
        assert!(!wrong.contains(secret) && !wrong.contains("otpauth://"), "the secret is shown once, behind the proof");
    }
    let last = page(&browser.post(confirm, &[("code", &code)]).await, StatusCode::CONFLICT);
    assert!(last.contains("start again") && !last.contains(secret), "{last}");
    assert_eq!(location(&browser.post("/admin/account/app/cancel", &[]).await), "/admin/account");
    world.clock.advance(std::time::Duration::from_secs(30));
    let proof = [("password", next), ("code", &*olga.code(&world))];
    let codes = page(&browser.post("/admin/account/codes", &proof).await, OK);
    assert_eq!(codes.matches("<li>").count(), 8);
}
