//! People, as their browsers and clients act; and what all of them together believe.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use data_encoding::BASE64;
use enrollment::core::port::{Entropy as _, SystemEntropy};
use hyper::Method;
use serde_json::{Value, json};
use x25519_dalek::{PublicKey, StaticSecret};

use super::Error;
use super::client::Client;

const ENROLL: &str = "/api/enroll/v1";
const ADMIN: &str = "/api/admin/v1";

/// Somebody with an invitation.
pub(crate) struct Person {
    pub(crate) username: String,
    id: String,
    token: String,
    session: String,
    devices: usize,
}

impl Person {
    /// Adds a person and starts their enrollment.
    pub(crate) async fn invited(client: &mut Client, key: &str, username: String) -> Result<Self, Error> {
        let new = json!({
            "username": username, "first_name": "Anna", "last_name": "Kowalska",
            "email": format!("{username}@example.com"), "enrollment": {"delivery": "manual"},
        });
        let answer = client.ask(Method::POST, &format!("{ADMIN}/users"), key, &new).await?;
        let (id, token) = (text(&answer["user"]["id"])?, text(&answer["enrollment"]["token"])?);
        Ok(Self { username, id, token, session: String::new(), devices: 0 })
    }

    pub(crate) async fn begin(&mut self, client: &mut Client) -> Result<(), Error> {
        let token = json!({"token": self.token});
        let begun = client.ask(Method::POST, &format!("{ENROLL}/sessions"), "", &token).await?;
        self.session = text(&begun["session_token"])?;
        Ok(())
    }

    /// Profile, password, device, completion.
    pub(crate) async fn do_every_step(&mut self, client: &mut Client) -> Result<(), Error> {
        let session = self.session.clone();
        client.ask(Method::PUT, &format!("{ENROLL}/session/profile"), &session, &json!({})).await?;
        let password = json!({"password": "seven green umbrellas dance"});
        client.ask(Method::PUT, &format!("{ENROLL}/session/password"), &session, &password).await?;
        self.stage_a_device(client).await?;
        self.complete(client).await
    }

    /// One more device, by an enrollment of its own.
    pub(crate) async fn add_a_device(&mut self, client: &mut Client, face: SocketAddr, key: &str) -> Result<(), Error> {
        let start = json!({"purpose": "device", "delivery": "manual"});
        let path = format!("{ADMIN}/users/{}/enrollments", self.id);
        let issued = client.at(face).ask(Method::POST, &path, key, &start).await?;
        self.token = text(&issued["token"])?;
        self.begin(client).await?;
        self.stage_a_device(client).await?;
        self.complete(client).await
    }

    async fn stage_a_device(&mut self, client: &mut Client) -> Result<(), Error> {
        let mut secret = [0; 32];
        SystemEntropy.fill(&mut secret);
        let key = BASE64.encode(PublicKey::from(&StaticSecret::from(secret)).as_bytes());
        let device = json!({"name": format!("device {}", self.devices), "public_key": key});
        client.ask(Method::POST, &format!("{ENROLL}/session/device"), &self.session, &device).await?;
        self.devices += 1;
        Ok(())
    }

    async fn complete(&mut self, client: &mut Client) -> Result<(), Error> {
        let complete = format!("{ENROLL}/session/complete");
        let completed = client.ask(Method::POST, &complete, &self.session, &json!({})).await?;
        if completed["completed"] == true { Ok(()) } else { Err(format!("not completed: {completed}").into()) }
    }
}

/// Somebody mistypes their token, and must hear so.
pub(crate) async fn mistyped(client: &mut Client) -> Result<(), Error> {
    let token = json!({"token": "enr_0123456789abcdefghjkmnpqrstvwxyz0123"});
    match client.send(Method::POST, &format!("{ENROLL}/inspect"), "", &token).await? {
        (_, answer) if answer["code"] == "invalid_token" => Ok(()),
        (status, answer) => Err(format!("a mistyped token: {status} {answer}").into()),
    }
}

fn text(value: &Value) -> Result<String, Error> {
    value.as_str().map(str::to_owned).ok_or_else(|| format!("no text: {value}").into())
}

/// What clients were told.
#[derive(Debug, Default)]
pub(crate) struct Belief {
    invited: AtomicUsize,
    devices: AtomicUsize,
    begun: Mutex<BTreeSet<String>>,
    completed: Mutex<BTreeSet<String>>,
}

impl Belief {
    pub(crate) fn invited(&self, count: usize) {
        self.invited.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn begun(&self, username: &str) {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner).insert(username.to_owned());
    }

    /// Somebody is enrolled, with their first device.
    pub(crate) fn completed(&self, username: &str) {
        self.completed.lock().unwrap_or_else(PoisonError::into_inner).insert(username.to_owned());
        self.device_added();
    }

    pub(crate) fn device_added(&self) {
        self.devices.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn devices(&self) -> usize {
        self.devices.load(Ordering::Relaxed)
    }

    pub(crate) fn people(&self) -> usize {
        self.invited.load(Ordering::Relaxed)
    }

    /// Who began, and who completed.
    pub(crate) fn sets(&self) -> (BTreeSet<String>, BTreeSet<String>) {
        let copy = |set: &Mutex<BTreeSet<String>>| set.lock().unwrap_or_else(PoisonError::into_inner).clone();
        (copy(&self.begun), copy(&self.completed))
    }
}
