//! The whole conversation of `dg`, the command line of unattended machines (INV-10).

use axum::http::Method;
use serde_json::{Value, json};

use crate::client::{Answer, send, with_json};
use crate::desktop::error;
use crate::world::{World, worlds};

/// A machine that was added; which one, and its token.
async fn added(world: &World, location: &str, name: &str) -> (String, String) {
    let path = format!("/locations/{location}/machines");
    let added = world.admin(Method::POST, &path, &json!({ "name": name })).await;
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    assert!(text(&added["enrollment"]["command"]).starts_with("dg enroll -u https://vpn.example.com -t enr_"));
    assert!(text(&added["enrollment"]["url"]).starts_with("https://vpn.example.com/enroll/enr_"));
    (text(&added["machine"]["id"]), text(&added["enrollment"]["token"]))
}

/// What `dg` sends: no name, and no token of its own.
async fn supply(world: &World, cookie: &str, key: &str) -> Answer {
    let body = json!({ "name": "", "pubkey": key, "token": null });
    world.call("/enrollment/create_device", Some(cookie), &body).await
}

async fn poll(world: &World, token: &str) -> Answer {
    world.call("/poll", None, &json!({ "token": token })).await
}

/// INV-10
#[tokio::test]
async fn a_machine_enrolls_by_command_line_and_follows_its_location() {
    for world in worlds().await {
        let office = world.location("office", "disabled").await;
        let (id, token) = added(&world, &office, "Build-01").await;
        let started = world.call("/enrollment/start", None, &json!({ "token": token })).await;
        let start = started.ok();
        assert!(start["user"].is_null(), "{start}");
        // What every client reads of the answer is there.
        assert!(start["deadline_timestamp"].is_i64() && start["final_page_content"].is_string(), "{start}");
        for member in ["id", "name", "url", "proxy_url", "username", "enterprise_enabled", "disable_all_traffic"] {
            assert!(!start["instance"][member].is_null(), "{member}: {start}");
        }
        for member in [
            "vpn_setup_optional",
            "only_client_activation",
            "admin_device_management",
            "smtp_configured",
            "mfa_required",
        ] {
            assert!(start["settings"][member].is_boolean(), "{member}: {start}");
        }
        assert_eq!(
            (&start["settings"]["mfa_required"], &start["settings"]["vpn_setup_optional"]),
            (&json!(false), &json!(false))
        );
        let cookie = started.header("set-cookie").expect("a cookie").to_owned();
        assert_eq!(world.peers(&office).await, 0);

        let key = world.key();
        let made = world.replay("create-device-ok", Some(&cookie), &[("name", ""), ("pubkey", &key)]).await.ok();
        assert_eq!((&made["device"]["name"], &made["device"]["pubkey"]), (&json!("build-01"), &json!(key)));
        assert_eq!(made["configs"].as_array().map(Vec::len), Some(1), "exactly one configuration");
        assert_eq!(world.peers(&office).await, 1, "a peer at once");
        let polling = made["token"].as_str().expect("a polling token").to_owned();
        assert_eq!(supply(&world, &cookie, &key).await.ok(), made, "an answer that was lost is given again");

        let known = poll(&world, &polling).await.ok();
        assert_eq!(known["device_config"]["configs"], made["configs"]);
        let change = json!({ "endpoint": "vpn2.example.test:50052", "allowed_ips": ["10.60.0.0/16"], "dns": [], "keepalive": 15 });
        world.admin(Method::PATCH, &format!("/locations/{office}"), &change).await;
        let followed = poll(&world, &polling).await.ok();
        let config = &followed["device_config"]["configs"][0];
        assert_eq!(config["endpoint"], "vpn2.example.test:50052");
        assert_eq!(config["allowed_ips"], "10.60.0.0/16");
        assert_eq!((&config["dns"], &config["keepalive_interval"]), (&Value::Null, &json!(15)));
        assert_eq!(config["assigned_ip"], made["configs"][0]["assigned_ip"], "its address is its own");

        let listed = world.read(&format!("/locations/{office}/machines")).await;
        assert_eq!(
            (&listed["items"][0]["stage"], &listed["items"][0]["device"]["status"]),
            (&json!("enrolled"), &json!("applied"))
        );
        world.removed(&format!("/machines/{id}")).await;
        assert_eq!(poll(&world, &polling).await.status, 403);
        assert_eq!(world.peers(&office).await, 0);
        assert_eq!(world.read(&format!("/locations/{office}/machines")).await["items"], json!([]));
    }
}

/// INV-10: what was tried against the original, with a machine's token.
#[tokio::test]
async fn a_machines_session_is_good_for_its_key_alone() {
    for world in worlds().await {
        let office = world.location("office", "disabled").await;
        let (_, token) = added(&world, &office, "printer").await;
        let first = world.start(&token).await;
        let cookie = world.start(&token).await;
        assert_eq!(supply(&world, &first, &world.key()).await.status, 401, "another holder's session");
        let zero = supply(&world, &cookie, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=").await;
        assert_eq!((zero.status.as_u16(), error(&zero).starts_with("invalid pubkey")), (400, true));
        let named = json!({ "name": "mine", "pubkey": world.key() });
        let named = world.call("/enrollment/create_device", Some(&cookie), &named).await;
        assert_eq!(named.status, 400);
        assert!(error(&named).contains("has its name already"), "{}", named.text());
        for (path, body) in [
            ("/enrollment/register-mfa/code/start", json!({ "method": "Totp" })),
            ("/enrollment/register-mfa/code/finish", json!({ "code": "123456", "method": "Totp" })),
            ("/enrollment/activate_user", json!({ "password": "seven green umbrellas dance" })),
            ("/enrollment/network_info", json!({ "pubkey": world.key() })),
        ] {
            let refused = world.call(path, Some(&cookie), &body).await;
            assert_eq!(refused.status, 400, "{path}");
            assert!(error(&refused).contains("not part of this enrollment"), "{path}: {}", refused.text());
        }
        assert_eq!(world.peers(&office).await, 0);

        // A key of somebody's device, and two who come with one at once.
        let (_, other) = added(&world, &office, "scanner").await;
        let (others, key) = (world.start(&other).await, world.key());
        let (one, two) = tokio::join!(supply(&world, &cookie, &key), supply(&world, &others, &key));
        let mut statuses = [one.status.as_u16(), two.status.as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 400], "{} {}", one.text(), two.text());
        let refused = if one.status == 400 { one } else { two };
        assert!(error(&refused).starts_with("invalid key"), "{}", refused.text());
        assert_eq!(world.peers(&office).await, 1);

        // The token is worth nothing once it has done its work, and a session nothing once its time is over.
        let late = world.start(&added(&world, &office, "camera").await.1).await;
        world.wait(600).await;
        assert_eq!(supply(&world, &late, &world.key()).await.status, 401);
    }
}

/// INV-10: a person who is handed a machine's token hears what it is.
#[tokio::test]
async fn the_wizard_says_what_a_machines_token_is() {
    for world in worlds().await {
        let office = world.location("office", "disabled").await;
        let (_, token) = added(&world, &office, "printer").await;
        let page = send(&world.public, crate::client::request(Method::GET, &format!("/enroll/{token}"))).await;
        assert_eq!(page.status, 200);
        let text = page.text();
        assert!(text.contains("not for a person") && text.contains("dg enroll -u "), "{text}");
        assert!(!text.contains("action=\"/enroll/begin\""), "there is nothing to begin");
        let person = world.invite("alice").await;
        let body = json!({ "token": person.token });
        let asked = send(&world.public, with_json(Method::POST, "/api/enroll/v1/sessions", &body)).await;
        assert!(asked.ok()["user"].is_object());
        let body = json!({ "token": token });
        let asked = send(&world.public, with_json(Method::POST, "/api/enroll/v1/sessions", &body)).await.ok();
        assert_eq!((&asked["user"], &asked["machine"]["name"]), (&Value::Null, &json!("printer")));
        assert_eq!((&asked["purpose"], &asked["missing"]), (&json!("network_device"), &json!(["device"])));
    }
}
