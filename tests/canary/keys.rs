//! Keys of the ring, changed beside a running server (SYS-10).

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::{Client, ENROLL};
use crate::enrollee::{Enrollee, codes};
use crate::secrets::Secrets;
use crate::server::{Server, command, refused};

/// SYS-10, I12: a rotation beside a running server stops nothing, and a revocation kills the links of the stolen key there.
/// No key is ever printed.
#[test]
fn a_key_is_rotated_and_revoked_beside_a_running_server() {
    let folder = TempDir::new().expect("a folder");
    let data = folder.path().join("data");
    let server = Server::start(&data, "trace");
    let public = Client::new(server.public);
    let mut secrets = Secrets::default();
    let mut said = Vec::new();
    let mut run = |arguments: &[&str]| {
        let (answer, logged) = command(&data, arguments);
        said.extend([answer.as_bytes(), &logged].concat());
        answer
    };
    let ring = data.join("enrollment.key");
    let old = key(&ring, "active");
    run(&["user", "add", "alex"]);
    run(&["user", "add", "sam"]);
    let alex = token(&run(&["invite", "alex"]));
    let sam = token(&run(&["invite", "sam"]));
    let mut session = Enrollee::begin(&public, &alex, &mut secrets);
    session.confirm_profile();
    session.choose_password("Kan\u{e4}rie \"7\" im Schacht");
    let secret = session.offer_totp();

    let answer = run(&["key", "rotate"]);
    let new = key(&ring, "active");
    assert!(answer.starts_with(&format!("Key {new} is in use.")), "{answer}");
    assert_eq!(key(&ring, "retired"), old);
    assert_eq!(fs::metadata(&ring).expect("the ring").permissions().mode() & 0o777, 0o600);
    server.has_said(&format!("another key ring is in force active={new} revoked=0"));
    let (right, _) = codes(&secret);
    session.post("/mfa/totp/confirm", &json!({ "code": right })).ok();
    assert_eq!(session.complete().ok()["completed"], true);
    assert_eq!(look(&public, &sam)["valid"], true);
    let listed = run(&["key", "list"]);
    assert!(listed.contains(&format!("{old}  retired")) && listed.contains("2 links of invitations"), "{listed}");

    let answer = run(&["key", "revoke", &old]);
    assert!(answer.contains("by hand: invite sam --purpose onboarding"), "{answer}");
    assert_eq!(key(&ring, "revoked"), old);
    server.has_said(&format!("another key ring is in force active={new} revoked=1"));
    assert_eq!(look(&public, &sam)["code"], "token_revoked");
    let renewed = token(&run(&["invite", "sam"]));
    assert_eq!(look(&public, &renewed)["valid"], true);
    assert_eq!(look(&public, &sam)["code"], "token_superseded");
    assert!(!run(&["key", "revoke", &old]).contains("invite sam"), "listed as long as it is dead");
    let verified = run(&["audit", "verify"]);
    assert!(verified.contains("entries are as they were sealed"), "{verified}");

    said.extend(server.stop());
    let text = fs::read_to_string(&ring).expect("the ring");
    let said = String::from_utf8_lossy(&said);
    let keys: Vec<&str> = text.split_whitespace().filter(|word| word.len() == 64).collect();
    assert_eq!(keys.len(), 2);
    for key in keys {
        assert!(key.as_bytes().chunks(16).all(|part| !said.contains(&*String::from_utf8_lossy(part))));
    }
}

/// SYS-10: a server does not start without a key that records need, and says what would be lost and what to do; nor does it
/// take such a ring up while it runs. With the key everything is there again.
#[test]
fn a_server_without_a_needed_key_does_not_start_and_says_what_would_be_lost() {
    let folder = TempDir::new().expect("a folder");
    let data = folder.path().join("data");
    command(&data, &["user", "add", "alex"]);
    let (link, _) = command(&data, &["invite", "alex"]);
    let alex = token(&link);
    command(&data, &["key", "rotate"]);
    let ring = data.join("enrollment.key");
    let whole = fs::read_to_string(&ring).expect("the ring");
    let old = key(&ring, "retired");
    let lacking: Vec<&str> = whole.lines().filter(|line| !line.starts_with(&old)).collect();
    fs::write(&ring, lacking.join("\n")).expect("our own file");
    for arguments in [["serve"].as_slice(), &["key", "list"]] {
        let answer = refused(&data, arguments);
        let lost = format!("the key ring lacks key {old}; lost without it: 1 link of an invitation");
        assert!(answer.contains(&lost) && answer.contains("Put the right key ring back"), "{answer}");
    }

    fs::rename(&ring, data.join("aside")).expect("our own file");
    let answer = refused(&data, &["serve"]);
    assert!(answer.contains(&format!("Lost without key {old}: 1 link of an invitation")), "{answer}");
    assert!(answer.contains("name it with --key-file") && !ring.exists(), "{answer}");

    fs::write(&ring, &whole).expect("our own file");
    let answer = refused(&data, &["serve"]);
    assert!(answer.contains("run chmod 600"), "{answer}");
    fs::set_permissions(&ring, fs::Permissions::from_mode(0o600)).expect("our own file");
    let server = Server::start(&data, "trace");
    let public = Client::new(server.public);
    assert_eq!(look(&public, &alex)["valid"], true);

    fs::rename(data.join("aside"), &ring).expect("our own file");
    server.has_said("the key ring is not taken up; the one in memory stays in force");
    assert_eq!(look(&public, &alex)["valid"], true);
    server.stop();
}

/// SYS-10: two commands that change the ring at once change it one after the other.
#[test]
fn rotations_at_once_lose_no_key() {
    let folder = TempDir::new().expect("a folder");
    let data = folder.path().join("data");
    command(&data, &["key", "list"]);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| command(&data, &["key", "rotate"]));
        }
    });
    let text = fs::read_to_string(data.join("enrollment.key")).expect("the ring");
    assert_eq!(text.matches(" retired ").count(), 4, "every rotation retired its predecessor");
    let files = fs::read_dir(&data).expect("the folder").map(|file| file.expect("an entry").file_name());
    let drafts: Vec<_> = files.filter(|name| name.to_string_lossy().ends_with(".new")).collect();
    assert!(drafts.is_empty(), "{drafts:?}");
}

/// The name of the one key of this status.
fn key(ring: &Path, status: &str) -> String {
    let text = fs::read_to_string(ring).expect("the ring");
    let line = text.lines().find(|line| line.split(' ').nth(1) == Some(status)).expect("a key of this status");
    line.split(' ').next().unwrap_or_default().to_owned()
}

fn token(link: &str) -> String {
    link.trim_end().strip_prefix("http://localhost:8080/enroll/").expect("a link").to_owned()
}

fn look(public: &Client, token: &str) -> Value {
    let answer = public.post(&format!("{ENROLL}/inspect"), "", &json!({ "token": token }));
    serde_json::from_slice(&answer.body).expect("JSON")
}
