//! The metrics of the reference server are what their documentation says (SYS-6).

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::json;

#[allow(dead_code, reason = "shared with another test")]
#[path = "common/client.rs"]
mod client;
#[allow(dead_code, reason = "shared with another test")]
#[path = "common/server.rs"]
mod server;

use client::{ADMIN, Client, ENROLL, text};
use server::{Server, command};

/// A page of metrics: the kind of each, and each sample with its labels.
struct Page {
    kinds: BTreeMap<String, String>,
    samples: BTreeMap<String, f64>,
}

fn scrape(internal: &Client) -> Page {
    let answer = internal.get("/metrics", "nobody");
    assert_eq!(answer.status, 200);
    assert!(answer.head.contains("application/openmetrics-text"), "{}", answer.head);
    let text = answer.text();
    assert!(text.ends_with("# EOF\n") && text.matches("# EOF").count() == 1, "{text}");
    let mut page = Page { kinds: BTreeMap::new(), samples: BTreeMap::new() };
    for line in text.lines() {
        if let Some(named) = line.strip_prefix("# TYPE ") {
            let (name, kind) = named.split_once(' ').expect("a name and its kind");
            assert!(page.kinds.insert(name.to_owned(), kind.to_owned()).is_none(), "{name} twice");
        } else if !line.starts_with('#') {
            let (sample, value) = line.rsplit_once(' ').expect("a sample and its value");
            page.samples.insert(sample.to_owned(), value.parse().expect("a number"));
        }
    }
    page
}

impl Page {
    fn value(&self, sample: &str) -> f64 {
        let known: Vec<_> = self.samples.keys().filter(|key| !key.contains("_bucket")).collect();
        let found = self.samples.get(sample);
        assert!(found.is_some(), "no {sample} among {known:#?}");
        found.copied().unwrap_or_default()
    }
}

/// A server with a location, and somebody who begins with their token while another one guesses.
fn after_some_work(data: &std::path::Path) -> (Server, Client) {
    let server = Server::start(data, "info");
    let (public, internal) = (Client::new(server.public), Client::new(server.internal));
    command(data, &["user", "add", "anna"]);
    let (link, _) = command(data, &["invite", "anna"]);
    let token = link.rsplit('/').next().expect("a token");
    let begun = public.post(&format!("{ENROLL}/sessions"), "", &json!({"token": token})).ok();
    let session = text(&begun, "session_token");
    public.put(&format!("{ENROLL}/session/profile"), session, &json!({})).ok();
    for _ in 0..2 {
        public.post(&format!("{ENROLL}/inspect"), "", &json!({"token": "enr_nothing"})).refused(404, "invalid_token");
    }
    public.get("/somewhere/else", "").refused(404, "not_found");
    let (key, _) = command(data, &["api-key", "create", "--role", "owner"]);
    let location = json!({
        "name": "office", "endpoint": "vpn.example.com:51820", "pools": ["10.1.0.0/16"], "allowed_ips": ["10.1.0.0/16"],
    });
    internal.post(&format!("{ADMIN}/locations"), &key, &location).ok();
    (server, internal)
}

/// SYS-6
#[test]
fn metrics_count_what_happened() {
    let folder = tempfile::tempdir().expect("a folder");
    let (server, internal) = after_some_work(folder.path());
    let page = scrape(&internal);
    for (sample, value) in [
        ("enrollment_events_total{event=\"session_begun\",why=\"\"}", 1.0),
        ("enrollment_events_total{event=\"profile_confirmed\",why=\"\"}", 1.0),
        ("enrollment_refusals_total{face=\"public\",code=\"invalid_token\"}", 2.0),
        ("enrollment_refusals_total{face=\"public\",code=\"not_found\"}", 1.0),
        (
            "enrollment_http_requests_total{face=\"public\",method=\"POST\",route=\"/api/enroll/v1/sessions\",status=\"200\"}",
            1.0,
        ),
        ("enrollment_http_requests_total{face=\"public\",method=\"GET\",route=\"-\",status=\"404\"}", 1.0),
        ("enrollment_http_request_duration_seconds_count{face=\"public\",route=\"/api/enroll/v1/inspect\"}", 2.0),
        ("enrollment_store_errors_total{call=\"commit\",kind=\"unavailable\"}", 0.0),
        ("enrollment_mails_queued", 0.0),
        ("enrollment_mail_paused", 0.0),
        ("enrollment_store_reached", 1.0),
        ("enrollment_password_hashes_waiting", 0.0),
        ("enrollment_database_clock_offset_seconds", 0.0),
    ] {
        assert_eq!(page.value(sample), value, "{sample}");
    }
    assert!(page.value("enrollment_store_commits_total{outcome=\"applied\"}") >= 2.0);
    assert!(page.value("enrollment_resident_memory_bytes") > 1_000_000.0);
    assert!(page.value("enrollment_password_hashes_running_limit") >= 1.0);
    server.stop();
}

/// SYS-6: whoever reads the log finds which enrollment it was, and why it was refused.
#[test]
fn the_log_names_the_enrollment_and_the_code_of_a_refusal() {
    let folder = tempfile::tempdir().expect("a folder");
    let (server, internal) = after_some_work(folder.path());
    let (key, _) = command(folder.path(), &["api-key", "create", "--role", "owner"]);
    let pending = internal.get(&format!("{ADMIN}/enrollments?q=anna"), &key).ok();
    let said = String::from_utf8(server.stop()).expect("text");
    let answered: Vec<&str> = said.lines().filter(|line| line.contains("answered")).collect();
    let tells = |route: &str, what: &str| answered.iter().any(|line| line.contains(route) && line.contains(what));
    let id = text(&pending["items"][0], "id");
    assert!(tells("/session/profile", id), "{answered:#?}");
    assert!(tells("/inspect", "code=\"invalid_token\""), "{answered:#?}");
}

/// SYS-1, SYS-6: nobody on the public face reads them.
#[test]
fn metrics_are_on_the_internal_face_only() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), "info");
    Client::new(server.public).get("/metrics", "").refused(404, "not_found");
    assert_eq!(Client::new(server.internal).get("/metrics", "").status, 200);
    server.stop();
}

/// The names in the first column of the tables of the page.
fn documented() -> BTreeSet<String> {
    let page = include_str!("../docs/operations/metrics.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `enrollment_"));
    rows.filter_map(|row| row.split('`').next()).map(|name| format!("enrollment_{name}")).collect()
}

/// SYS-6
#[test]
fn every_metric_is_documented_and_every_documented_one_is_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let (server, internal) = after_some_work(folder.path());
    // The gateway is looked at soon after the start, and again after it was added.
    server.has_said("serving");
    scrape(&internal);
    let page = scrape(&internal);
    let shown: BTreeSet<String> = page
        .kinds
        .iter()
        .map(|(name, kind)| match kind.as_str() {
            "counter" => format!("{name}_total"),
            "info" => format!("{name}_info"),
            _ => name.clone(),
        })
        .collect();
    let of_gateways = |name: &String| name.starts_with("enrollment_gateway_") && !name.ends_with("_total");
    let documented = documented();
    assert!(shown.is_subset(&documented), "not documented: {:?}", shown.difference(&documented));
    let missing: Vec<_> = documented.difference(&shown).filter(|name| !of_gateways(name)).collect();
    assert!(missing.is_empty(), "documented, and not there: {missing:?}");
    server.stop();
}

/// Labels are words of this program: however clients invent things, no more samples come of it.
#[test]
fn whatever_clients_invent_adds_no_labels() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), "info");
    let (public, internal) = (Client::new(server.public), Client::new(server.internal));
    let invent = |nth: u32| {
        public.get(&format!("/invented/{nth}"), "");
        let mut raw = TcpStream::connect(server.public).expect("a connection");
        let request = format!("M{nth} /enroll HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        raw.write_all(request.as_bytes()).expect("it is sent");
        raw.read_to_string(&mut String::new()).expect("an answer");
        public.post(&format!("{ENROLL}/sessions"), "", &json!({"token": format!("enr_{nth}"), "code": nth}));
        internal.get(&format!("{ADMIN}/users/{nth}"), "nobody");
    };
    invent(0);
    scrape(&internal);
    let before: BTreeSet<String> = scrape(&internal).samples.into_keys().collect();
    (1..20).for_each(invent);
    let after: BTreeSet<String> = scrape(&internal).samples.into_keys().collect();
    let new: Vec<_> = after.difference(&before).filter(|sample| !sample.contains("event=")).collect();
    assert!(
        new.iter().all(|sample| sample.contains("store_call_duration") || sample.contains("store_commits")),
        "{new:?}"
    );
    server.stop();
}
