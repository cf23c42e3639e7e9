//! The whole journey, from an empty folder to devices in force.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use data_encoding::BASE64;
use enrollment::core::port::{Entropy as _, SystemEntropy};
use serde_json::{Value, json};
use tempfile::TempDir;
use ureq::http::Method;
use x25519_dalek::{PublicKey, StaticSecret};

use crate::administrator::Browser;
use crate::client::{ADMIN, Client, ENROLL, text};
use crate::collector::Collector;
use crate::enrollee::{Enrollee, next_code};
use crate::relay::Relay;
use crate::secrets::Secrets;
use crate::server::{Server, command};

const OWNERS_PASSWORD: &str = "Eigent\u{fc}mer 4711 & Co";

/// A server after the journey, with every secret that was seen on the way.
pub(crate) struct Journey {
    folder: TempDir,
    pub(crate) server: Server,
    pub(crate) public: Client,
    pub(crate) internal: Client,
    pub(crate) api_key: String,
    pub(crate) secrets: Secrets,
    relay: Relay,
    pub(crate) collector: Collector,
    /// What commands logged.
    pub(crate) logged: Vec<u8>,
    /// The user who went all the way.
    pub(crate) alex: String,
    /// The token of an invitation nobody has taken up.
    pub(crate) unused_token: String,
}

impl Journey {
    /// A server on an empty folder that can send mail, and an API key.
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().join("data");
        let relay = Relay::start();
        let smtp = format!(
            "[smtp]\nhost = \"127.0.0.1\"\nport = {}\ntls = \"danger_plaintext\"\nfrom = \"vpn@example.com\"\n",
            relay.address.port()
        );
        fs::create_dir(&data).expect("a new folder");
        let collector = Collector::start();
        fs::write(data.join("server.toml"), smtp + &collector.table()).expect("the configuration");
        let server = Server::start(&data, "trace");
        let mut secrets = Secrets::default();
        let (api_key, logged) = command(&data, &["api-key", "create", "--role", "owner"]);
        secrets.token("API key", &api_key);
        secrets.key_ring("key ring", &fs::read_to_string(data.join("enrollment.key")).expect("a key ring"));
        let (public, internal) = (Client::new(server.public), Client::new(server.internal));
        let (alex, unused_token) = (String::new(), String::new());
        Self { folder, server, public, internal, api_key, secrets, relay, collector, logged, alex, unused_token }
    }

    /// All of it: two locations, the first Owner, who signs in, a user who looks around before they complete, and a
    /// machine.
    pub(crate) fn whole() -> Self {
        let mut journey = Self::start();
        let (location, branch) = journey.add_locations();
        let token = journey.invite_alex();
        journey.look_without_effect(&token);
        let session = journey.begin_again_and_again(&token);
        let (alex_key, address) = journey.do_every_step(session.clone());

        // The Owner's completion makes the worker write the file, so what it leaves out it leaves out on purpose.
        let owner_key = journey.enroll_the_owner();
        let peers = journey.peers_at(&location);
        assert!(peers.contains(&owner_key), "the Owner's device is in force");
        assert!(!peers.contains(&alex_key), "no peer without a completed enrollment (DEV-3)");
        let alex = journey.alex.clone();
        assert_eq!(journey.devices_of(&alex)["items"][0]["status"], "staged");

        journey.complete(session, &address);
        journey.wait_until_applied(&alex);
        let peers = journey.peers_at(&location);
        assert!(peers.contains(&alex_key) && peers.contains(&address), "{peers}");
        journey.add_a_client();
        journey.add_a_machine(&branch);
        journey
    }

    /// The data folder.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Asks the administrator's API.
    pub(crate) fn ask(&self, path: &str) -> Value {
        self.internal.get(&format!("{ADMIN}{path}"), &self.api_key).ok()
    }

    fn tell(&self, path: &str, body: &Value) -> Value {
        self.internal.post(&format!("{ADMIN}{path}"), &self.api_key, body).ok()
    }

    /// One location by the API and one by command, with key pairs made there. Returns their ids.
    fn add_locations(&mut self) -> (String, String) {
        let location = self.tell(
            "/locations",
            &json!({
                "name": "Headquarters",
                "endpoint": "vpn.example.com:51820",
                "pools": ["10.77.0.0/24", "fd00:77::/64"],
                "allowed_ips": ["10.77.0.0/24", "fd00:77::/64"],
                "dns": ["10.77.0.1"],
                "mfa": "internal",
            }),
        );
        self.secrets.private_key("gateway key", text(&location, "private_key"));
        let branch = ["--endpoint", "branch.example.com:51821", "--pool", "10.78.0.0/24"];
        let (_, logged) = command(&self.data(), &[["location", "add", "Branch"].as_slice(), &branch].concat());
        self.logged.extend(logged);
        let (section, logged) = command(&self.data(), &["location", "gateway", "Branch"]);
        self.logged.extend(logged);
        let key = section.lines().find_map(|line| line.strip_prefix("PrivateKey = ")).expect("a key");
        self.secrets.private_key("gateway key of its own file", key);
        let all = self.ask("/locations");
        let all = all["items"].as_array().expect("locations");
        let branch = all.iter().find(|location| location["name"] == "Branch").expect("the one just added");
        (text(&location, "id").to_owned(), text(branch, "id").to_owned())
    }

    /// A user with an enrollment, and one whose invitation stays where it is.
    fn invite_alex(&mut self) -> String {
        let mut invited = ["alex", "sam"].map(|username| {
            self.tell(
                "/users",
                &json!({ "username": username, "email": format!("{username}@example.com"), "enrollment": {} }),
            )
        });
        for created in &mut invited {
            let token = text(&created["enrollment"], "token").to_owned();
            assert!(text(&created["enrollment"], "url").ends_with(&token));
            self.secrets.token("token", &token);
        }
        let [alex, sam] = invited;
        self.alex = text(&alex["user"], "id").to_owned();
        self.unused_token = text(&sam["enrollment"], "token").to_owned();
        text(&alex["enrollment"], "token").to_owned()
    }

    /// TOK-4: a mail scanner opens the link, and the enrollee looks, as often as they like.
    fn look_without_effect(&self, token: &str) {
        let before = self.ask("/enrollments?q=alex");
        assert_eq!(before["items"][0]["progress"]["stage"], "invited", "{before}");
        for method in [Method::GET, Method::HEAD, Method::GET, Method::HEAD] {
            let page = self.public.send(method, &format!("/enroll/{token}"), &[], None);
            assert_eq!(page.status, 200);
        }
        for _ in 0..3 {
            let look = self.public.post(&format!("{ENROLL}/inspect"), "", &json!({ "token": token })).ok();
            assert_eq!((&look["valid"], &look["purpose"]), (&json!(true), &json!("onboarding")));
        }
        assert_eq!(self.ask("/enrollments?q=alex"), before);
    }

    /// TOK-5: with the nonce, and with the session as `resume`, the same session.
    fn begin_again_and_again(&mut self, token: &str) -> String {
        let nonce = "nonce+9f2Kq0ZtX5vB7yLw3Hs9Rd";
        self.secrets.text("nonce", nonce);
        let begin = |request: Value| {
            let begun = self.public.post(&format!("{ENROLL}/sessions"), "", &request).ok();
            text(&begun, "session_token").to_owned()
        };
        let session = begin(json!({ "token": token, "nonce": nonce }));
        assert_eq!(begin(json!({ "token": token, "nonce": nonce })), session);
        assert_eq!(begin(json!({ "token": token, "resume": session })), session);
        session
    }

    /// Profile, password, second factor and device. Returns the device's public key and its first address.
    fn do_every_step(&mut self, session: String) -> (String, String) {
        let mut alex = Enrollee::hold(&self.public, session, &mut self.secrets);
        alex.confirm_profile();
        alex.choose_password("Kan\u{e4}rie \"7\" im Schacht");
        let state = alex.set_up_totp();
        assert_eq!(state["missing"], json!(["device"]));
        alex.set_up_email_codes(&self.relay);
        alex.complete().refused(409, "requirements_missing");
        let key = public_key();
        let added = alex.add_device("Laptop", &key);
        let configs = added["configs"].as_array().expect("configurations");
        let config = configs.iter().find(|config| config["location"] == "Headquarters").expect("of each location");
        let addresses: Vec<String> = serde_json::from_value(config["addresses"].clone()).expect("addresses");
        assert!(addresses[0].starts_with("10.77.0.") && addresses[1].starts_with("fd00:77::"), "{addresses:?}");
        (key, addresses[0].clone())
    }

    /// ADM-11: the first Owner is enrolled by the link in the file.
    fn enroll_the_owner(&mut self) -> String {
        let file = self.data().join("owner-link");
        let mode = fs::metadata(&file).expect("the link's file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "readable by its owner only");
        let link = fs::read_to_string(&file).expect("a link");
        let token = link.trim_end().strip_prefix("http://localhost:8080/enroll/").expect("a link").to_owned();
        self.secrets.token("token", &token);

        let mut owner = Enrollee::begin(&self.public, &token, &mut self.secrets);
        owner.confirm_profile();
        owner.choose_password(OWNERS_PASSWORD);
        let app = owner.offer_totp();
        owner.set_up_totp();
        let key = public_key();
        owner.add_device("Desktop", &key);
        assert_eq!(owner.complete().ok()["completed"], true);
        let owners = self.ask("/users?q=owner");
        assert_eq!((&owners["items"][0]["role"], &owners["items"][0]["enrolled"]), (&json!("owner"), &json!(true)));
        self.wait_until_applied(text(&owners["items"][0], "id"));
        self.sign_the_owner_in(&app);
        key
    }

    /// The Owner goes through the pages, and shows the code they signed in with once more.
    fn sign_the_owner_in(&mut self, app: &str) {
        let mut browser = Browser::new(&self.internal, &mut self.secrets);
        // Taken once: half a minute later it would be another one.
        let code = next_code(app);
        browser.sign_in("owner", OWNERS_PASSWORD, &code);
        for page in ["users", "pending", "locations", "mail", "settings", "account"] {
            let shown = browser.get(&format!("/admin/{page}"));
            assert_eq!(shown.status, 200, "{page}: {}", shown.text());
        }
        let again = browser.post("/admin/account/codes", &[("password", OWNERS_PASSWORD), ("code", &code)]);
        assert_eq!(again.status, 401, "a code works once: {}", again.text());
    }

    fn complete(&mut self, session: String, address: &str) {
        let alex = Enrollee::hold(&self.public, session, &mut self.secrets);
        let done = alex.complete().ok();
        assert_eq!((&done["completed"], &done["already_completed"]), (&json!(true), &json!(false)));
        let configs = done["configs"].as_array().expect("configurations");
        let shown = configs.iter().any(|config| text(config, "config").contains(&format!("Address = {address}/32")));
        assert!(shown, "the address is the one shown before: {configs:?}");
        let again = alex.complete().ok();
        assert_eq!((&again["completed"], &again["already_completed"]), (&json!(true), &json!(true)));
    }

    /// A second device by the protocol of Defguard's clients, which then asks for its configuration again.
    fn add_a_client(&mut self) {
        let start = json!({ "purpose": "device" });
        let token = text(&self.tell(&format!("/users/{}/enrollments", self.alex), &start), "token").to_owned();
        self.enroll_a_client(&token, "Client");
    }

    /// A machine at a location, which supplies its key.
    fn add_a_machine(&mut self, location: &str) {
        let added = self.tell(&format!("/locations/{location}/machines"), &json!({ "name": "build-01" }));
        self.enroll_a_client(text(&added["enrollment"], "token"), "");
    }

    /// Begins, supplies a key and polls, by the protocol of Defguard's clients.
    fn enroll_a_client(&mut self, token: &str, name: &str) {
        self.secrets.token("token", token);
        let call = |path: &str, cookie: &str, body: Value| {
            let headers = [("content-type", "application/json"), ("cookie", cookie)];
            self.public.send(Method::POST, &format!("/api/v1{path}"), &headers, Some(&body.to_string()))
        };
        let started = call("/enrollment/start", "", json!({ "token": token }));
        let line = started.head.lines().find_map(|line| line.split_once("defguard_proxy=")).expect("a cookie").1;
        let session = line.split(';').next().expect("a value").to_owned();
        let cookie = format!("defguard_proxy={session}; Path=/api/v1; HttpOnly");
        let made = call("/enrollment/create_device", &cookie, json!({ "name": name, "pubkey": public_key() })).ok();
        let polling = text(&made, "token").to_owned();
        assert_eq!(call("/poll", "", json!({ "token": polling })).ok()["device_config"]["configs"], made["configs"]);
        self.secrets.token("session", &session);
        self.secrets.token("polling token", &polling);
    }

    /// The devices of a user.
    pub(crate) fn devices_of(&self, user: &str) -> Value {
        self.ask(&format!("/users/{user}/devices"))
    }

    /// Asks until the worker has put the user's device in force.
    fn wait_until_applied(&self, user: &str) {
        let applied = (0..20_000).any(|_| self.devices_of(user)["items"][0]["status"] == "applied");
        assert!(applied, "{}", self.devices_of(user));
    }

    /// The wg-quick file of a location.
    pub(crate) fn peers_at(&self, location: &str) -> String {
        let id = location.replace('-', "");
        let file = self.data().join("wireguard").join(format!("wg-{}.conf", &id[id.len() - 12..]));
        fs::read_to_string(file).expect("the location's file")
    }
}

/// The public key of a device that keeps its private key to itself.
fn public_key() -> String {
    let mut secret = [0; 32];
    SystemEntropy.fill(&mut secret);
    BASE64.encode(PublicKey::from(&StaticSecret::from(secret)).as_bytes())
}
