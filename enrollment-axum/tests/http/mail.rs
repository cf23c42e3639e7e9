//! Mail, over HTTP.

use axum::http::Method;
use enrollment_core::domain::role::Role;
use enrollment_core::port::DeliveryErrorKind;
use enrollment_testkit::fake::Mishap;
use serde_json::{Value, json};

use crate::client::{request, send};
use crate::world::{World, world, world_with_mail};

fn new_user(username: &str, enrollment: &Value) -> Value {
    json!({ "username": username, "first_name": "Alex", "last_name": "Doe",
            "email": format!("{username}@example.com"), "enrollment": enrollment })
}

/// The token in the link of the mail that arrived last.
fn mailed_token(world: &World) -> String {
    let text = world.relay.arrived().pop().expect("a mail").text;
    let from = text.find("/enroll/").expect("a link") + "/enroll/".len();
    text[from..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// INV-2, ADM-3, ADM-4: an invitation by mail shows no secret to whoever sent it, and can be sent again.
#[tokio::test]
async fn an_invitation_by_mail_shows_its_secret_to_its_recipient_alone() {
    let world = world_with_mail();
    let key = world.key(Role::UserManager).await;
    let new = new_user("alex", &json!({ "delivery": "email" }));
    let created = world.admin(Method::POST, "/users", &key, &new).await;
    assert_eq!(created.status, 201);
    let created = created.ok();
    let issued = &created["enrollment"];
    for secret in ["token", "url", "deep_link", "client_code", "client_qr_svg"] {
        assert!(issued.get(secret).is_none(), "{secret}: {issued}");
    }
    assert!(!created.to_string().contains("enr_"), "{created}");
    let id = issued["id"].as_str().expect("an id");
    let pending = world.read("/enrollments", &key).await["items"][0].clone();
    assert_eq!((&pending["delivery"], &pending["mail"]["state"]), (&json!("email"), &json!("queued")));
    world.send_mail().await;
    assert_eq!(world.read(&format!("/enrollments/{id}"), &key).await["mail"]["state"], "sent");
    let token = mailed_token(&world);

    let resent = world.admin(Method::POST, &format!("/enrollments/{id}/resend"), &key, &json!({})).await.ok();
    assert_eq!(resent["expires_at"], issued["expires_at"]);
    assert!(resent.get("token").is_none() && resent["mail"].is_string(), "{resent}");
    world.send_mail().await;
    assert_eq!(mailed_token(&world), token, "the same link");
    let all = world.admin(Method::POST, "/enrollments/resend", &key, &json!({})).await.ok();
    assert_eq!(all, json!({ "sent": 1, "skipped": {} }));

    let rotate = json!({ "rotate": true });
    let rotated = world.admin(Method::POST, &format!("/enrollments/{id}/resend"), &key, &rotate).await.ok();
    assert_eq!(rotated["generation"], 2);
    assert!(rotated.get("token").is_none(), "{rotated}");
    world.send_mail().await;
    assert_ne!(mailed_token(&world), token);
    assert_eq!(world.post("/inspect", &json!({ "token": token })).await.code(), "token_superseded");
    world.begin(&mailed_token(&world)).await;
}

/// INV-2, INV-3: both shows it and mails it, to the address that was given.
#[tokio::test]
async fn delivery_both_ways_shows_the_link_and_mails_the_same_one() {
    let world = world_with_mail();
    let key = world.key(Role::UserManager).await;
    let new = new_user("alex", &json!({ "delivery": "both", "email": "alex@private.example" }));
    let created = world.admin(Method::POST, "/users", &key, &new).await.ok();
    world.send_mail().await;
    assert_eq!(created["enrollment"]["token"], json!(mailed_token(&world)));
    assert_eq!(created["user"]["email"], "alex@example.com");
    let sent = world.read("/mail?status=sent", &key).await["items"][0].clone();
    assert_eq!((&sent["address"], &sent["letter"]), (&json!("alex@private.example"), &json!("invitation")));
    assert_eq!(sent["receipt"], "taken");
}

/// INV-4
#[tokio::test]
async fn mail_without_an_address_or_without_a_relay_is_refused_by_a_stable_code() {
    let world = world_with_mail();
    let key = world.key(Role::Owner).await;
    let nowhere =
        json!({ "username": "alex", "first_name": "A", "last_name": "D", "enrollment": { "delivery": "email" } });
    let refused = world.admin(Method::POST, "/users", &key, &nowhere).await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (409, "no_email_address"));
    let wrong = new_user("alex", &json!({ "delivery": "email", "email": "no address" }));
    let refused = world.admin(Method::POST, "/users", &key, &wrong).await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (400, "invalid_field"));
    assert_eq!(world.read("/users", &key).await["items"], json!([]));

    let without = self::world();
    let key = without.key(Role::Owner).await;
    let mailed = new_user("alex", &json!({ "delivery": "email" }));
    let refused = without.admin(Method::POST, "/users", &key, &mailed).await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (409, "mail_not_configured"));
    assert_eq!(without.read("/mail/status", &key).await, json!({ "configured": false, "pause": null }));
}

/// MSG-7, MSG-8: queue, dead letters, trying again and dropping, the pause, the test mail.
#[tokio::test]
async fn administrators_see_the_queue_and_what_died_and_why() {
    let world = world_with_mail();
    let key = world.key(Role::Owner).await;
    world.relay.fail(Mishap::Fails(DeliveryErrorKind::Rejected), 1);
    let test = json!({ "email": "ops@example.com" });
    let queued = world.admin(Method::POST, "/mail/test", &key, &test).await;
    assert_eq!(queued.status, 202);
    let id = queued.ok()["id"].as_str().expect("an id").to_owned();
    assert_eq!(world.read("/mail", &key).await["items"][0]["id"], json!(id));
    world.send_mail().await;
    let dead = world.read("/mail?status=dead", &key).await["items"][0].clone();
    assert_eq!((&dead["id"], &dead["why"]), (&json!(id), &json!("as the test wants it")));
    let retried = world.admin(Method::POST, &format!("/mail/{id}/retry"), &key, &json!({})).await.ok();
    assert_eq!(retried["state"], "queued");
    let again = world.admin(Method::POST, &format!("/mail/{id}/retry"), &key, &json!({})).await;
    assert_eq!((again.status.as_u16(), again.code().as_str()), (409, "mail_not_dead"));
    let dropped = world.admin(Method::DELETE, &format!("/mail/{id}"), &key, &json!({})).await.ok();
    assert_eq!(dropped["state"], "obsolete");

    world.relay.fail(Mishap::Fails(DeliveryErrorKind::Refused), 1);
    world.admin(Method::POST, "/mail/test", &key, &test).await.ok();
    world.send_mail().await;
    let status = world.read("/mail/status", &key).await;
    assert_eq!((&status["configured"], &status["pause"]["why"]), (&json!(true), &json!("as the test wants it")));
    let refused = world.admin(Method::GET, "/mail?status=nonsense", &key, &json!({})).await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (400, "invalid_field"));
}

/// TOK-10, TOK-4: looking at the page writes nothing, its button withdraws the invitation.
#[tokio::test]
async fn whoever_got_an_invitation_by_mistake_withdraws_it() {
    let world = world();
    let (_, token) = world.invite("alex").await;
    world.writes();
    let path = format!("/report/{token}");
    for method in [Method::GET, Method::HEAD] {
        assert_eq!(send(&world.public, request(method, &path)).await.status, 200);
    }
    assert!(world.writes().is_empty(), "a look");
    assert!(world.post("/inspect", &json!({ "token": token })).await.ok()["valid"] == true);
    let done = send(&world.public, request(Method::POST, &path)).await;
    assert_eq!(done.status, 200);
    assert!(done.text().contains("withdrawn"), "{}", done.text());
    assert_eq!(world.post("/inspect", &json!({ "token": token })).await.code(), "token_revoked");

    let (_, token) = world.invite("blair").await;
    assert_eq!(world.post("/report", &json!({ "token": token })).await.ok(), json!({ "reported": true }));
    assert_eq!(world.post("/report", &json!({ "token": "enr_nonsense" })).await.code(), "invalid_token");
    assert_eq!(send(&world.public, request(Method::POST, "/report/enr_nonsense")).await.status, 404);
}

/// MSG-6: own words for one invitation, when it is started and when it is sent again.
#[tokio::test]
async fn an_invitation_is_mailed_in_words_of_its_own() {
    let world = world_with_mail();
    let key = world.key(Role::UserManager).await;
    let own = json!({ "delivery": "email", "subject": "For {{ username }}", "body": "Bring your badge." });
    let created = world.admin(Method::POST, "/users", &key, &new_user("alex", &own)).await.ok();
    let last = || world.relay.arrived().pop().expect("a mail");
    world.send_mail().await;
    assert_eq!(last().subject, "For alex");
    assert!(last().text.contains("Bring your badge.") && last().text.contains("/enroll/enr_"), "{}", last().text);
    let resend = format!("/enrollments/{}/resend", created["enrollment"]["id"].as_str().expect("an id"));
    let other = json!({ "rotate": true, "body": "Bring your *hat*." });
    world.admin(Method::POST, &resend, &key, &other).await.ok();
    world.send_mail().await;
    assert_eq!(last().subject, "Your invitation to the VPN");
    assert!(last().text.contains("Bring your hat."), "{}", last().text);
    world.admin(Method::POST, &resend, &key, &json!({ "subject": "Again" })).await.ok();
    world.send_mail().await;
    assert_eq!(last().subject, "Again");

    let user = created["user"]["id"].as_str().expect("an id");
    let start = format!("/users/{user}/enrollments");
    let wrong = json!({ "delivery": "email", "body": "Dear\n{{ frist_name }}" });
    for (path, wrong) in [(&start, &wrong), (&resend, &wrong)] {
        let refused = world.admin(Method::POST, path, &key, wrong).await;
        assert_eq!((refused.status.as_u16(), refused.code().as_str()), (422, "invalid_template"));
        assert_eq!(refused.json()["line"], 2, "{}", refused.text());
        assert!(refused.text().contains("did you mean `first_name`"), "{}", refused.text());
    }
    let by_hand = json!({ "subject": "Hello" });
    let rotated_by_hand = json!({ "rotate": true, "delivery": "manual", "subject": "Hello" });
    for (path, wrong) in [(&start, &by_hand), (&resend, &rotated_by_hand)] {
        let refused = world.admin(Method::POST, path, &key, wrong).await;
        assert_eq!((refused.status.as_u16(), refused.code().as_str()), (400, "invalid_field"));
    }
}
