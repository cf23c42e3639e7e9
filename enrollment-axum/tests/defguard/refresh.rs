//! Configurations that are kept up to date: `network_info`, and `poll` long after the session.

use axum::http::Method;
use enrollment_core::domain::enrollment::Purpose;
use enrollment_core::domain::user::UserStatus;
use enrollment_core::service::administrator::{PeerStatus, Stage, UserPatch};
use serde_json::{Value, json};

use crate::world::{World, operator, worlds};

/// A user with a laptop: its key and its polling token.
async fn with_a_laptop(world: &World) -> (enrollment_core::id::UserId, String, String) {
    let alice = world.enrolled("alice").await;
    world.location("office", "disabled").await;
    let invited = world.invite_again(alice, Purpose::Device).await;
    let cookie = world.start(&invited.token).await;
    let key = world.key();
    let made = world.replay("create-device-ok", Some(&cookie), &[("pubkey", &key)]).await.json();
    (alice, key, made["token"].as_str().expect("a token").to_owned())
}

async fn poll(world: &World, token: &str) -> (u16, Value) {
    let answer = world.call("/poll", None, &json!({ "token": token })).await;
    (answer.status.as_u16(), answer.json())
}

/// A client that knows the instance already only asks what holds now; its link stays as good as it was.
#[tokio::test]
async fn a_known_instance_is_refreshed_and_nothing_is_consumed() {
    for world in worlds().await {
        let (alice, key, first) = with_a_laptop(&world).await;
        world.location("home", "disabled").await;
        let invited = world.invite_again(alice, Purpose::Device).await;
        let cookie = world.start(&invited.token).await;
        let info = world.replay("network-info-ok", Some(&cookie), &[("pubkey", &key)]).await.json();
        let fresh = info["token"].as_str().expect("a token").to_owned();
        assert_ne!(fresh, first);
        assert_eq!(poll(&world, &first).await.0, 403, "the one before is dead");
        assert_eq!(poll(&world, &fresh).await.0, 200);
        // Again in this session: the same, token and all.
        assert_eq!(world.replay("network-info-ok", Some(&cookie), &[("pubkey", &key)]).await.json(), info);
        assert_eq!(world.enrollment(invited.enrollment).await.progress.stage, Stage::InSession);
        assert_eq!(world.devices(alice).await.len(), 1);

        let second = [("pubkey", world.key()), ("name", "second".to_owned())];
        let second = second.each_ref().map(|(member, value)| (*member, value.as_str()));
        world.replay("create-device-ok", Some(&cookie), &second).await;
        assert_eq!(world.devices(alice).await.len(), 2, "the session still adds a device");
    }
}

/// REQ-9: neither a session about a factor nor one that is done takes the token of a device that it did not make.
#[tokio::test]
async fn the_token_of_a_device_is_replaced_only_where_devices_are_the_matter() {
    for world in worlds().await {
        let (alice, key, token) = with_a_laptop(&world).await;
        let info = async |cookie: &str, key: &str| {
            world.call("/enrollment/network_info", Some(cookie), &json!({ "pubkey": key })).await
        };
        let factor = world.start(&world.invite_again(alice, Purpose::Factor).await.token).await;
        assert_eq!(info(&factor, &key).await.status, 400);
        assert_eq!(poll(&world, &token).await.0, 200);

        let cookie = world.start(&world.invite_again(alice, Purpose::Device).await.token).await;
        let second = json!({ "name": "second", "pubkey": world.key() });
        let made = world.call("/enrollment/create_device", Some(&cookie), &second).await.ok();
        let known = info(&cookie, &key).await.ok();
        assert_eq!((&known["device"]["name"], &known["token"]), (&json!("laptop"), &Value::Null));
        assert_eq!(poll(&world, &token).await.0, 200, "its own client still reads");
        let own = info(&cookie, second["pubkey"].as_str().expect("a key")).await.ok();
        assert_eq!(own["token"], made["token"]);
    }
}

/// A polling token follows its device for as long as that is a peer, and opens nothing else.
#[tokio::test]
async fn a_polling_token_follows_its_device_and_dies_with_it() {
    for world in worlds().await {
        let (alice, _, token) = with_a_laptop(&world).await;
        let (_, before) = poll(&world, &token).await;
        assert_eq!(before["device_config"]["token"], Value::Null);
        assert_eq!(before["device_config"]["instance"]["username"], "alice");
        let office = world.read("/locations").await["items"][0]["id"].as_str().expect("an id").to_owned();
        let moved = json!({ "endpoint": "elsewhere.example.test:1", "keepalive": 0 });
        world.admin(Method::PATCH, &format!("/locations/{office}"), &moved).await;
        let (_, after) = poll(&world, &token).await;
        let config = &after["device_config"]["configs"][0];
        assert_eq!(
            (&config["endpoint"], &config["keepalive_interval"]),
            (&json!("elsewhere.example.test:1"), &json!(0))
        );

        let status = |status| UserPatch { status: Some(status), ..UserPatch::default() };
        world.change(alice, status(UserStatus::Disabled)).await;
        assert_eq!(poll(&world, &token).await.0, 403);
        world.change(alice, status(UserStatus::Active)).await;
        assert_eq!(poll(&world, &token).await.0, 200);
        let device = world.service.administrator().devices_of(&operator(), alice).await.expect("devices").remove(0);
        assert_ne!(device.status, PeerStatus::Staged);
        world.service.administrator().remove_device(&operator(), device.device.id).await.expect("removed");
        let (status, refused) = poll(&world, &token).await;
        assert_eq!(status, 403);
        assert_eq!(poll(&world, "enp_00000").await, (403, refused), "what was never one is answered alike");
    }
}

/// SYS-9: an erased user leaves no token that opens anything.
#[tokio::test]
async fn a_polling_token_goes_with_its_user() {
    for world in worlds().await {
        let (alice, _, token) = with_a_laptop(&world).await;
        world.service.administrator().erase_user(&operator(), alice).await.expect("erased");
        assert_eq!(poll(&world, &token).await.0, 403);
    }
}
