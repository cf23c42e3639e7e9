//! What was tried against the original, and must fail here.

use enrollment_core::domain::enrollment::Purpose;
use enrollment_core::service::administrator::PeerStatus;
use serde_json::{Value, json};

use crate::client::Answer;
use crate::desktop::{error, factor};
use crate::world::{World, worlds};

const PASSWORD: &str = "seven green umbrellas dance";
/// RFC 8032, section 7.1, tests 1 and 2.
const PHONE: &str = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
const OTHER_PHONE: &str = "PUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw=";

async fn totp(world: &World, cookie: Option<&str>) -> Answer {
    world.call("/enrollment/register-mfa/code/start", cookie, &json!({ "method": "Totp" })).await
}

async fn device(world: &World, cookie: &str, name: &str, key: &str) -> Answer {
    world.call("/enrollment/create_device", Some(cookie), &json!({ "name": name, "pubkey": key })).await
}

async fn mobile(world: &World, cookie: &str, phone: &str, device: &str) -> Answer {
    let body = json!({ "auth_pub_key": phone, "device_pub_key": device });
    world.call("/enrollment/register_mobile", Some(cookie), &body).await
}

/// An expired, unused or foreign token gets no secret for an authenticator app.
#[tokio::test]
async fn only_the_session_in_force_gets_a_secret() {
    for world in worlds().await {
        let alice = world.invite("alice").await;
        // A token is no session.
        assert_eq!(totp(&world, Some(&format!("defguard_proxy={}", alice.token))).await.status, 401);
        assert_eq!(totp(&world, None).await.status, 401);
        let first = world.start(&alice.token).await;
        let secret = totp(&world, Some(&first)).await.ok();
        let second = world.start(&alice.token).await;
        assert_eq!(totp(&world, Some(&first)).await.status, 401, "another holder's session");
        assert_ne!(totp(&world, Some(&second)).await.ok(), secret);
        world.wait(600).await;
        let late = totp(&world, Some(&second)).await;
        assert_eq!(late.status, 401);
        assert!(error(&late).contains("time"), "{}", late.text());
        // An enrolled user's device enrollment sets up no factor.
        let bob = world.enrolled("bob").await;
        world.location("office", "disabled").await;
        let invited = world.invite_again(bob, Purpose::Device).await;
        assert_eq!(totp(&world, Some(&world.start(&invited.token).await)).await.status, 400);
    }
}

/// A link that two hold: neither completes with what the other chose.
#[tokio::test]
async fn a_second_holder_of_the_token_finds_nothing_of_the_first() {
    for world in worlds().await {
        world.location("office", "internal").await;
        let alice = world.invite("alice").await;
        let first = world.start(&alice.token).await;
        let key = world.key();
        device(&world, &first, "laptop", &key).await.ok();
        factor(&world, &first).await;
        let second = world.start(&alice.token).await;
        let activate = json!({ "password": PASSWORD });
        let stolen = world.call("/enrollment/activate_user", Some(&second), &activate).await;
        assert_eq!(stolen.status, 400);
        assert!(error(&stolen).contains("Set up a second factor. Add your device."), "{}", stolen.text());
        let fenced = world.call("/enrollment/activate_user", Some(&first), &activate).await;
        assert_eq!(fenced.status, 401);
        assert_eq!(world.enrollment(alice.enrollment).await.takeovers, 1, "and the pending list shows it");
    }
}

/// A cookie that has done its work opens nothing more.
#[tokio::test]
async fn a_stale_cookie_after_completion_changes_nothing() {
    for world in worlds().await {
        let office = world.location("office", "disabled").await;
        let alice = world.invite("alice").await;
        let cookie = world.start(&alice.token).await;
        let key = world.key();
        device(&world, &cookie, "laptop", &key).await.ok();
        world.call("/enrollment/activate_user", Some(&cookie), &json!({ "password": PASSWORD })).await;
        assert_eq!(world.peers(&office).await, 1);
        assert_eq!(device(&world, &cookie, "second", &world.key()).await.status, 403);
        assert_eq!(totp(&world, Some(&cookie)).await.status, 403);
        let other = json!({ "password": "another eight violet kites" });
        assert_eq!(world.call("/enrollment/activate_user", Some(&cookie), &other).await.status, 400);
        assert_eq!(world.call("/enrollment/start", None, &json!({ "token": alice.token })).await.status, 401);
        assert_eq!(world.devices(alice.user).await, [("laptop".to_owned(), PeerStatus::Applied)]);
        assert_eq!(world.peers(&office).await, 1);
        world.wait(600).await;
        assert_eq!(device(&world, &cookie, "laptop", &key).await.status, 401, "not even looking");
    }
}

/// DEV-1: keys that are none, and keys that are somebody's.
#[tokio::test]
async fn a_bad_or_foreign_key_and_a_name_twice_are_refused() {
    for world in worlds().await {
        let (alice, bob) = (world.enrolled("alice").await, world.enrolled("bob").await);
        world.location("office", "disabled").await;
        let key = world.key();
        let cookie = world.start(&world.invite_again(alice, Purpose::Device).await.token).await;
        for zero in ["AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="] {
            let refused = device(&world, &cookie, "laptop", zero).await;
            assert_eq!(refused.status, 400);
            assert!(error(&refused).starts_with("invalid pubkey"), "{}", refused.text());
        }
        device(&world, &cookie, "laptop", &key).await.ok();
        let cookie = world.start(&world.invite_again(alice, Purpose::Device).await.token).await;
        let twice = device(&world, &cookie, "Laptop", &world.key()).await;
        assert_eq!(twice.status, 400);
        assert!(error(&twice).contains("name"), "{}", twice.text());
        assert_eq!(device(&world, &cookie, "phone", &key).await.status, 400, "one's own key is taken, too");
        let other = world.start(&world.invite_again(bob, Purpose::Device).await.token).await;
        assert_eq!(device(&world, &other, "laptop", &key).await.status, 400);
        let info = world.call("/enrollment/network_info", Some(&other), &json!({ "pubkey": key })).await;
        assert_eq!(info.status, 404, "somebody else's device is not shown: {}", info.text());
        assert!(world.devices(bob).await.is_empty());
    }
}

/// DEV-1, DEV-2: two who register one key at once.
#[tokio::test]
async fn of_two_who_register_a_key_at_once_one_gets_it() {
    for world in worlds().await {
        let mut users = Vec::new();
        for name in ["anna", "bert", "carl", "dora"] {
            users.push(world.enrolled(name).await);
        }
        let office = world.location("office", "disabled").await;
        let mut cookies = Vec::new();
        for user in users {
            cookies.push(world.start(&world.invite_again(user, Purpose::Device).await.token).await);
        }
        let key = world.key();
        let [a, b, c, d] = [0, 1, 2, 3].map(|at| device(&world, &cookies[at], "laptop", &key));
        let (a, b, c, d) = tokio::join!(a, b, c, d);
        let answers = [a, b, c, d];
        let won = answers.iter().filter(|answer| answer.status == 200).count();
        let taken = answers.iter().filter(|answer| answer.status == 400 && error(answer).starts_with("invalid key"));
        assert_eq!((won, taken.count()), (1, 3));
        assert_eq!(world.peers(&office).await, 1);
    }
}

/// MFA-4: parallel guesses do not share an attempt, and the tenth locks.
#[tokio::test]
async fn wrong_codes_in_parallel_are_counted_one_by_one() {
    for world in worlds().await {
        let alice = world.invite("alice").await;
        let cookie = world.start(&alice.token).await;
        let secret = totp(&world, Some(&cookie)).await.ok();
        let right = world.code(secret["totp_secret"].as_str().expect("a secret"));
        let wrong = if right == "000000" { "111111" } else { "000000" };
        let finish = json!({ "code": wrong, "method": "Totp" });
        let path = "/enrollment/register-mfa/code/finish";
        let mut statuses = Vec::new();
        // A guess that lost all its turns to others is told to come again, and was not looked at.
        while statuses.len() < 10 {
            let guess = || world.call(path, Some(&cookie), &finish);
            let (a, b, c) = tokio::join!(guess(), guess(), guess());
            statuses.extend([a, b, c].into_iter().filter(|answer| answer.status != 503).map(|answer| error(&answer)));
        }
        let counted: Vec<_> = statuses.iter().filter(|text| text.starts_with("Code invalid")).collect();
        assert_eq!(counted.len(), 9, "{statuses:?}");
        let locked = world.call(path, Some(&cookie), &json!({ "code": right, "method": "Totp" })).await;
        assert_eq!(locked.status, 403);
        assert!(error(&locked).contains("locked"), "{}", locked.text());
    }
}

/// A phone's key goes with the device of its own session, and with no other.
#[tokio::test]
async fn a_mobile_key_is_registered_on_ones_own_device_alone() {
    for world in worlds().await {
        world.location("office", "disabled").await;
        let (alice, mallory) = (world.invite("alice").await, world.invite("mallory").await);
        let (hers, his) = (world.start(&alice.token).await, world.start(&mallory.token).await);
        let (her_key, his_key) = (world.key(), world.key());
        assert_eq!(mobile(&world, &hers, PHONE, &her_key).await.status, 404, "there is no device yet");
        device(&world, &hers, "phone", &her_key).await.ok();
        device(&world, &his, "phone", &his_key).await.ok();
        assert_eq!(mobile(&world, &his, PHONE, &her_key).await.status, 404, "somebody else's device");
        for bad in ["AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "x", ""] {
            assert_eq!(mobile(&world, &hers, bad, &her_key).await.status, 400, "{bad}");
            assert_eq!(mobile(&world, &hers, PHONE, bad).await.status, 400, "{bad}");
        }
        // Also after completion: the client activates first.
        world.call("/enrollment/activate_user", Some(&hers), &json!({ "password": PASSWORD })).await;
        for _ in 0..2 {
            let registered = mobile(&world, &hers, PHONE, &her_key).await;
            assert_eq!((registered.status.as_u16(), registered.text().as_str()), (200, ""));
        }
        assert_eq!(mobile(&world, &hers, OTHER_PHONE, &her_key).await.status, 400, "the first one stays");
        let events = world.read("/audit?limit=50").await;
        assert!(events.to_string().contains("mobile_key_registered"), "{events}");
        assert_ne!(events["items"], Value::Null);
        world.wait(600).await;
        assert_eq!(mobile(&world, &hers, PHONE, &her_key).await.status, 401);
    }
}
