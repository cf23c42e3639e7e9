//! A person who enrolls, whatever becomes of the server.

use data_encoding::BASE64;
use enrollment::core::port::{Clock as _, Entropy as _, SystemClock, SystemEntropy};
use serde_json::{Value, json};
use ureq::http::Method;
use x25519_dalek::{PublicKey, StaticSecret};

use crate::client::{ADMIN, ENROLL, text};
use crate::grid::{Face, Grid};

/// What a person was told.
pub(crate) struct Person {
    pub(crate) username: String,
    pub(crate) public_key: String,
    /// The device's addresses, as the configuration names them.
    pub(crate) addresses: Vec<String>,
}

impl Person {
    /// Invited, and through all steps to the end.
    pub(crate) fn enroll(grid: &Grid, username: &str) -> Self {
        let token = invite(grid, username);
        let begin = json!({ "token": token, "nonce": format!("nonce-of-{username}-{}", hex()) });
        let begun = public(grid, Method::POST, "/sessions", "", &begin);
        let session = text(&begun, "session_token");
        let step = |method, path: &str, body: &Value| public(grid, method, &format!("/session{path}"), session, body);

        step(Method::PUT, "/profile", &json!({}));
        step(Method::PUT, "/password", &json!({ "password": format!("a long passphrase of {username}") }));
        // Every other one has an authenticator app.
        if username.ends_with(['1', '3', '5', '7', '9']) {
            let offer = step(Method::POST, "/mfa/totp", &json!({}));
            step(Method::POST, "/mfa/totp/confirm", &json!({ "code": code(text(&offer, "secret")) }));
        }
        let mut secret = [0; 32];
        SystemEntropy.fill(&mut secret);
        let public_key = BASE64.encode(PublicKey::from(&StaticSecret::from(secret)).as_bytes());
        let added = step(Method::POST, "/device", &json!({ "name": "Laptop", "public_key": public_key }));
        let done = step(Method::POST, "/complete", &json!({}));
        assert_eq!(done["completed"], true);
        assert_eq!(done["configs"], added["configs"], "what was shown is what holds");
        let addresses = serde_json::from_value(done["configs"][0]["addresses"].clone()).expect("addresses");
        Self { username: username.to_owned(), public_key, addresses }
    }
}

/// Adds the user with an invitation by mail and by hand. When the answer was lost, the user is there, and their
/// enrollment is started again.
fn invite(grid: &Grid, username: &str) -> String {
    let delivery = json!({ "delivery": "both" });
    let body = json!({ "username": username, "email": format!("{username}@example.test"), "enrollment": delivery });
    let created =
        grid.ask(Face::Internal, |face| face.try_json(Method::POST, &format!("{ADMIN}/users"), &grid.api_key, &body));
    if created.status == 201 {
        return text(&created.ok()["enrollment"], "token").to_owned();
    }
    created.refused(409, "username_taken");
    let found = grid.ask(Face::Internal, |face| {
        face.try_json(Method::GET, &format!("{ADMIN}/users?q={username}"), &grid.api_key, &json!(null))
    });
    let users = found.ok();
    let user = users["items"].as_array().expect("users").iter().find(|user| user["username"] == username);
    let path = format!("{ADMIN}/users/{}/enrollments", text(user.expect("the user"), "id"));
    let issued = grid.ask(Face::Internal, |face| face.try_json(Method::POST, &path, &grid.api_key, &delivery));
    text(&issued.ok(), "token").to_owned()
}

fn public(grid: &Grid, method: Method, path: &str, session: &str, body: &Value) -> Value {
    let path = format!("{ENROLL}{path}");
    grid.ask(Face::Public, |face| face.try_json(method.clone(), &path, session, body)).ok()
}

fn code(secret: &str) -> String {
    let secret = data_encoding::BASE32_NOPAD.decode(secret.as_bytes()).expect("Base32");
    let totp = totp_rs::Builder::new().with_secret(secret).with_skew(0).build().expect("a secret of 160 bits");
    totp.generate(u64::try_from(SystemClock.now().seconds()).expect("after 1970")).to_string()
}

fn hex() -> String {
    let mut bytes = [0; 16];
    SystemEntropy.fill(&mut bytes);
    data_encoding::HEXLOWER.encode(&bytes)
}
