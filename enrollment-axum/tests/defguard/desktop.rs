//! The desktop client, the older wizard in the browser, and what becomes of their devices.

use enrollment_core::domain::enrollment::Purpose;
use enrollment_core::service::administrator::{PeerStatus, Stage};
use serde_json::json;

use crate::client::{request, send, with, with_json};
use crate::world::{World, plain_http, worlds};

const PASSWORD: &str = "seven green umbrellas dance";

/// REQ-7, DEV-3: the desktop client asks for its configuration first and activates last; the gateway hears of the device
/// only then.
#[tokio::test]
async fn a_new_user_enrolls_with_the_desktop_client() {
    for world in worlds().await {
        let office = world.location("office", "internal").await;
        let home = world.location("home", "disabled").await;
        let gina = world.invite("gina").await;
        let started = world.replay("start-mfa-required", None, &[("token", &gina.token)]).await;
        let cookie = started.header("set-cookie").expect("a cookie").to_owned();
        let start = started.json();
        assert_eq!(start["settings"]["mfa_required"], true);
        assert_eq!((&start["user"]["login"], &start["user"]["enrolled"]), (&json!("gina"), &json!(false)));
        assert_eq!(start["deadline_timestamp"], 1_767_226_200);
        assert!(start["final_page_content"].as_str().is_some_and(|text| text.contains("Alice")), "{start}");

        let key = world.key();
        let made = world.replay("create-device-ok", Some(&cookie), &[("pubkey", &key)]).await.json();
        assert_eq!((&made["device"]["name"], &made["device"]["pubkey"]), (&json!("laptop"), &json!(key)));
        let configs = made["configs"].as_array().expect("configurations");
        let of = |member: &str| configs.iter().map(|config| config[member].clone()).collect::<Vec<_>>();
        assert_eq!(of("network_name"), ["home", "office"], "one for every location");
        assert_eq!(of("location_mfa_mode"), [1, 2]);
        assert_eq!(of("mfa_enabled"), [false, true]);
        for config in configs {
            assert_eq!(config["allowed_ips"], "10.50.0.0/16,192.168.50.0/24");
            assert_eq!(config["dns"], "10.50.0.53,corp.test");
            let file = config["config"].as_str().expect("a file");
            assert!(file.contains("\nPrivateKey = YOUR_PRIVATE_KEY\n"), "{file}");
            let address = config["assigned_ip"].as_str().expect("an address");
            assert!(file.contains(&format!("\nAddress = {address}/32\n")), "{file}");
        }
        assert_eq!(world.devices(gina.user).await, [("laptop".to_owned(), PeerStatus::Staged)]);
        let token = made["token"].as_str().expect("a polling token").to_owned();
        let early = world.call("/poll", None, &json!({ "token": token })).await;
        assert_eq!(early.status, 403, "inert until completion");
        // The answer was lost: the same again, token and all.
        assert_eq!(world.replay("create-device-ok", Some(&cookie), &[("pubkey", &key)]).await.json(), made);

        let offer = world.replay("mfa-start-totp-ok", Some(&cookie), &[]).await.json();
        let code = world.code(offer["totp_secret"].as_str().expect("a secret"));
        let codes = world.replay("mfa-finish-ok", Some(&cookie), &[("code", &code)]).await.json();
        assert_eq!(codes["recovery_codes"].as_array().map(Vec::len), Some(8));
        let again = world.replay("mfa-finish-ok", Some(&cookie), &[("code", &code)]).await.json();
        assert_ne!(again["recovery_codes"], codes["recovery_codes"], "lost codes are replaced");
        assert_eq!((world.peers(&office).await, world.peers(&home).await), (0, 0));

        world.replay("activate-ok", Some(&cookie), &[]).await;
        assert!(matches!(world.enrollment(gina.enrollment).await.progress.stage, Stage::Completed { .. }));
        assert_eq!((world.peers(&office).await, world.peers(&home).await), (1, 1));
        assert_eq!(world.devices(gina.user).await, [("laptop".to_owned(), PeerStatus::Applied)]);
        let polled = world.call("/poll", None, &json!({ "token": token })).await.ok();
        assert_eq!(polled["device_config"]["configs"], made["configs"], "what was shown before is what holds");
        let user = world.read(&format!("/users/{}", gina.user)).await;
        assert!(user.to_string().contains("+48123456789"), "{user}");
    }
}

/// REQ-5: whoever did not hear that they are done asks again, and hears it: the same session with the same password.
/// Nothing changes by it, and it is no place to guess the password at (AUTH-2).
#[tokio::test]
async fn an_activation_whose_answer_was_lost_may_be_repeated() {
    for world in worlds().await {
        let office = world.location("office", "disabled").await;
        let gina = world.invite("gina").await;
        let cookie = world.start(&gina.token).await;
        world.replay("create-device-ok", Some(&cookie), &[("pubkey", &world.key())]).await;
        let activate =
            async |body: &serde_json::Value| world.call("/enrollment/activate_user", Some(&cookie), body).await;
        let chosen = json!({ "password": PASSWORD, "phone_number": "+48123456789" });
        let done = activate(&chosen).await;
        let before = world.read(&format!("/users/{}", gina.user)).await;
        for same in [&chosen, &json!({ "password": PASSWORD })] {
            let again = activate(same).await;
            assert_eq!((again.status.as_u16(), again.text().as_str()), (200, ""));
            assert_eq!(again.header("set-cookie"), done.header("set-cookie"), "the cookie goes");
        }
        let other_phone = activate(&json!({ "password": PASSWORD, "phone_number": "+48987654321" })).await;
        assert_eq!(other_phone.status, 400);
        for _ in 0..3 {
            let guess = activate(&json!({ "password": "eight brown umbrellas dance" })).await;
            assert_eq!(guess.status, 400);
            assert!(error(&guess).starts_with("user already activated"), "{}", guess.text());
        }
        let slowed = activate(&chosen).await;
        assert_eq!((slowed.status.as_u16(), slowed.header("retry-after")), (429, Some("30")), "{}", slowed.text());
        world.wait(30).await;
        assert_eq!(activate(&chosen).await.status, 200);
        assert_eq!(world.read(&format!("/users/{}", gina.user)).await, before);
        assert_eq!(world.peers(&office).await, 1);
        world.wait(601).await;
        assert_eq!(activate(&chosen).await.status, 401, "as long as the session may read");
    }
}

/// REQ-10: also of what is no request at all: the client shows "finished" all the same.
#[tokio::test]
async fn an_activation_that_is_no_request_is_told_of_and_the_session_lives_on() {
    for world in worlds().await {
        world.location("office", "disabled").await;
        let alice = world.invite("alice").await;
        let cookie = world.start(&alice.token).await;
        world.replay("create-device-ok", Some(&cookie), &[("pubkey", &world.key())]).await;
        let mut broken = with_json(axum::http::Method::POST, "/api/v1/enrollment/activate_user", &json!({}));
        *broken.body_mut() = axum::body::Body::from("{\"password\": \"seven gr");
        let refused = send(&world.public, with(broken, "cookie", &cookie)).await;
        assert_eq!(refused.status, 400);
        assert!(error(&refused).contains("not JSON"), "{}", refused.text());
        let pending = world.enrollment(alice.enrollment).await;
        let missing = pending.last_refusal.map(|refusal| refusal.missing);
        assert_eq!(missing, Some(vec!["profile".to_owned(), "password".to_owned()]));
        let activate = json!({ "password": PASSWORD });
        assert_eq!(world.call("/enrollment/activate_user", Some(&cookie), &activate).await.status, 200);
    }
}

/// REQ-10: the desktop client shows "finished" whatever `activate_user` says. So the session lives on, the pending list
/// shows why, and the user gets a mail.
#[tokio::test]
async fn an_activation_without_the_mandatory_factor_is_refused_and_told_of() {
    for world in worlds().await {
        let office = world.location("office", "internal").await;
        let alice = world.invite("alice").await;
        let cookie = world.start(&alice.token).await;
        world.replay("create-device-ok", Some(&cookie), &[("pubkey", &world.key())]).await;
        let activate = json!({ "password": PASSWORD });
        let refused = world.call("/enrollment/activate_user", Some(&cookie), &activate).await;
        assert_eq!(refused.status, 400);
        assert!(error(&refused).contains("Set up a second factor."), "{}", refused.text());
        assert_eq!(refused.header("set-cookie"), None, "the session lives on");
        let pending = world.enrollment(alice.enrollment).await;
        assert_eq!(pending.last_refusal.map(|refusal| refusal.missing), Some(vec!["mfa".to_owned()]));
        assert_eq!(world.peers(&office).await, 0);
        world.wait(601).await;
        let told = world.relay.arrived();
        let told = told.iter().find(|mail| mail.subject.contains("not finished"));
        assert!(told.is_some_and(|mail| mail.text.contains("Set up a second factor.")), "a mail that says so");

        let cookie = world.start(&alice.token).await;
        let started = world.call("/enrollment/start", Some(&cookie), &json!({ "token": alice.token })).await.ok();
        assert_eq!(started["settings"]["mfa_required"], true);
        factor(&world, &cookie).await;
        world.replay("create-device-ok", Some(&cookie), &[("pubkey", &world.key())]).await;
        let done = world.call("/enrollment/activate_user", Some(&cookie), &activate).await;
        assert_eq!((done.status.as_u16(), done.text().as_str()), (200, ""));
        assert_eq!(world.peers(&office).await, 1);
    }
}

/// REQ-10: the same when what was typed is refused before anything is completed.
#[tokio::test]
async fn an_activation_with_something_refused_is_told_of_too() {
    for world in worlds().await {
        for (username, body, opening) in [
            ("alice.tester", json!({ "password": "alice.tester" }), "password not strong enough"),
            ("bob", json!({ "password": "password1" }), "password not strong enough"),
            ("carl", json!({ "password": "a tab\tis no character to type" }), "password not strong enough"),
            ("dora", json!({ "password": PASSWORD, "phone_number": "no number" }), "invalid phone number"),
        ] {
            let invited = world.invite(username).await;
            let cookie = world.start(&invited.token).await;
            let refused = world.call("/enrollment/activate_user", Some(&cookie), &body).await;
            assert_eq!(refused.status, 400);
            assert!(error(&refused).starts_with(opening), "the first refusal: {}", refused.text());
            let pending = world.enrollment(invited.enrollment).await;
            let missing = pending.last_refusal.expect("the pending list shows it").missing;
            assert!(missing.contains(&"password".to_owned()), "{missing:?}");
            let before = world.relay.arrived().len();
            world.wait(601).await;
            let mails = world.relay.arrived();
            let told = mails[before..].iter().find(|mail| mail.subject.contains("not finished"));
            assert!(told.is_some_and(|mail| mail.text.contains("Choose a password.")), "a mail that says so");
        }
    }
}

/// Refused is refused: what was chosen before is not put in force by the way.
#[tokio::test]
async fn a_refused_password_completes_nothing_with_the_one_before() {
    for world in worlds().await {
        world.location("office", "internal").await;
        let alice = world.invite("alice").await;
        let cookie = world.start(&alice.token).await;
        world.replay("create-device-ok", Some(&cookie), &[("pubkey", &world.key())]).await;
        let activate = async |password: &str| {
            let answer = world.call("/enrollment/activate_user", Some(&cookie), &json!({ "password": password })).await;
            answer.status.as_u16()
        };
        assert_eq!(activate(PASSWORD).await, 400, "the factor is missing");
        factor(&world, &cookie).await;
        assert_eq!(activate("password1").await, 400);
        assert_eq!(world.enrollment(alice.enrollment).await.progress.stage, Stage::InSession);
        assert_eq!(activate(PASSWORD).await, 200);
    }
}

/// TOK-6: the session after the first finds the device, and gets a token that works.
#[tokio::test]
async fn a_client_that_continues_in_another_session_gets_a_polling_token() {
    for world in worlds().await {
        world.location("office", "disabled").await;
        let alice = world.invite("alice").await;
        let first = world.start(&alice.token).await;
        let key = world.key();
        let before = world.replay("create-device-ok", Some(&first), &[("pubkey", &key)]).await.json();
        world.clock.advance(std::time::Duration::from_secs(601));
        let again = world.call("/enrollment/start", Some(&first), &json!({ "token": alice.token })).await;
        let cookie = again.header("set-cookie").expect("a cookie").to_owned();
        assert_ne!(cookie, first);
        let made = world.replay("create-device-ok", Some(&cookie), &[("pubkey", &key)]).await.json();
        assert_eq!(made["device"], before["device"], "it is the one that was there");
        let token = made["token"].as_str().expect("a token");
        assert_eq!(world.replay("create-device-ok", Some(&cookie), &[("pubkey", &key)]).await.json(), made);
        let activate = json!({ "password": PASSWORD });
        assert_eq!(world.call("/enrollment/activate_user", Some(&cookie), &activate).await.status, 200);
        world.call("/poll", None, &json!({ "token": token })).await.ok();
    }
}

/// REQ-9, INV-9: an enrolled user only names the device, and it is a peer at once.
#[tokio::test]
async fn an_enrolled_user_adds_a_device_at_once() {
    for world in worlds().await {
        let alice = world.enrolled("alice").await;
        let office = world.location("office", "internal").await;
        let invited = world.invite_again(alice, Purpose::Device).await;
        let started = world.replay("start-ok", None, &[("token", &invited.token)]).await;
        let cookie = started.header("set-cookie").expect("a cookie").to_owned();
        let start = started.json();
        assert_eq!((&start["user"]["enrolled"], &start["settings"]["mfa_required"]), (&json!(true), &json!(false)));
        let key = world.key();
        let made = world.replay("create-device-ok", Some(&cookie), &[("pubkey", &key)]).await.json();
        assert_eq!(world.peers(&office).await, 1);
        // The answer was lost. The same again completes nothing twice and says the same.
        assert_eq!(world.replay("create-device-ok", Some(&cookie), &[("pubkey", &key)]).await.json(), made);
        assert_eq!(world.devices(alice).await, [("laptop".to_owned(), PeerStatus::Applied)]);
        world.call("/poll", None, &json!({ "token": made["token"] })).await.ok();

        let next = world.invite_again(alice, Purpose::Device).await;
        let started = world.call("/enrollment/start", None, &json!({ "token": next.token })).await.ok();
        assert_eq!(started["user"]["device_names"], json!(["laptop"]));
    }
}

/// The older wizard has the whole enrollment in three calls.
#[tokio::test]
async fn the_older_browser_wizard_enrolls() {
    for world in worlds().await {
        let home = world.location("home", "external").await;
        let alice = world.invite("alice").await;
        let started = world.replay("start-ok", None, &[("token", &alice.token)]).await;
        let cookie = started.header("set-cookie").expect("a cookie").split(';').next().expect("a pair").to_owned();
        let made = world.replay("create-device-ok", Some(&cookie), &[("pubkey", &world.key())]).await.json();
        assert_eq!(made["configs"][0]["location_mfa_mode"], 3);
        let done = json!({ "password": PASSWORD, "phone_number": null });
        let done = world.call("/enrollment/activate_user", Some(&cookie), &done).await;
        assert_eq!((done.status.as_u16(), done.text().as_str()), (200, ""));
        assert_eq!(world.peers(&home).await, 1);
        let user = world.read(&format!("/users/{}", alice.user)).await;
        assert!(user.to_string().contains("+48 600 000 000"), "an absent number erases none: {user}");
    }
}

/// Codes by e-mail, as clients offer them where a mail can be sent.
#[tokio::test]
async fn codes_by_email_are_a_factor_for_clients_too() {
    for world in worlds().await {
        let alice = world.invite("alice").await;
        let started = world.call("/enrollment/start", None, &json!({ "token": alice.token })).await;
        assert_eq!(started.json()["settings"]["smtp_configured"], true);
        let cookie = started.header("set-cookie").expect("a cookie").to_owned();
        let sent =
            world.call("/enrollment/register-mfa/code/start", Some(&cookie), &json!({ "method": "Email" })).await;
        assert_eq!(sent.ok(), json!({ "totp_secret": null }));
        world.wait(1).await;
        let mails = world.relay.arrived();
        let text = &mails.last().expect("a mail").text;
        let code = text.split(|c: char| !c.is_ascii_digit()).find(|word| word.len() == 6).expect("a code");
        let finish = json!({ "code": code, "method": "Email" });
        let codes = world.call("/enrollment/register-mfa/code/finish", Some(&cookie), &finish).await.ok();
        assert_eq!(codes["recovery_codes"].as_array().map(Vec::len), Some(8));
    }
}

/// SYS-5: the cookie is `Secure` behind TLS. Without, `dg` and browsers would not send it back.
#[tokio::test]
async fn over_plain_http_the_cookie_is_kept_all_the_same() {
    let world = plain_http().await;
    let alice = world.invite("alice").await;
    let started = world.call("/enrollment/start", None, &json!({ "token": alice.token })).await;
    let cookie = started.header("set-cookie").expect("a cookie");
    assert!(cookie.ends_with("; Path=/api/v1; Max-Age=600; HttpOnly; SameSite=Strict"), "{cookie}");
    assert_eq!(started.json()["instance"]["proxy_url"], "http://vpn.lan:8080/");
    factor(&world, cookie).await;
}

/// What a client asks before anything else.
#[tokio::test]
async fn a_client_learns_the_version_and_that_somebody_is_there() {
    for world in worlds().await {
        let health = send(&world.public, request(axum::http::Method::GET, "/api/v1/health")).await;
        assert_eq!((health.status.as_u16(), health.text().as_str()), (200, "alive"));
        let info = send(&world.public, request(axum::http::Method::GET, "/api/v1/info")).await;
        assert_eq!(info.ok(), json!({ "version": "1.6.2" }));
        for name in ["defguard-core-version", "defguard-component-version"] {
            assert_eq!(info.header(name), Some("1.6.2"), "{name}");
        }
        assert_eq!(info.header("defguard-core-connected"), Some("true"));
    }
}

/// Sets up an authenticator app.
pub(crate) async fn factor(world: &World, cookie: &str) {
    let start = json!({ "method": "Totp" });
    let offer = world.call("/enrollment/register-mfa/code/start", Some(cookie), &start).await.ok();
    let code = world.code(offer["totp_secret"].as_str().expect("a secret"));
    let finish = json!({ "code": code, "method": "Totp" });
    world.call("/enrollment/register-mfa/code/finish", Some(cookie), &finish).await.ok();
}

/// What a person reads.
pub(crate) fn error(answer: &crate::client::Answer) -> String {
    let json = answer.json();
    assert_eq!(json.as_object().map(serde_json::Map::len), Some(1), "{json}");
    json["error"].as_str().expect("a text").to_owned()
}
