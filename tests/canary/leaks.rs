//! Nothing that opens anything stands where it does not belong (TOK-3, SYS-3, SYS-6).

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordVerifier as _};

use crate::enrollee::Enrollee;
use crate::journey::Journey;
use crate::provoke::send_secrets_astray;
use crate::secrets::Secrets;

/// TOK-3, SYS-3, SYS-6: a whole run at trace level, with every secret sent to every wrong place, leaves no secret in
/// any file, log line, trace or answer but those made to hold it.
#[test]
fn no_secret_stands_where_it_does_not_belong() {
    let mut journey = Journey::whole();
    let mut sam = Enrollee::begin(&journey.public, &journey.unused_token, &mut journey.secrets);
    sam.choose_password("Zwischen  \u{2602} Regen und Traufe");
    let session = sam.session.clone();
    sam.offer_totp();

    let mut refusals = 0;
    let answers = send_secrets_astray(&journey, &session);
    for (nth, answer) in answers.iter().enumerate() {
        if answer.status >= 400 {
            refusals += 1;
            let is_problem = answer.head.contains("application/problem+json");
            // Defguard's clients have a form of their own.
            let is_refusal = is_problem || answer.body.starts_with(b"{\"error\":\"");
            assert!(answer.status != 500 && is_refusal, "answer {nth}: {} {}", answer.status, answer.text());
        }
        let whole = [answer.head.as_bytes(), &answer.body].concat();
        assert_eq!(journey.secrets.found_in(&whole), NONE, "answer {nth}: {} {}", answer.status, answer.text());
    }
    assert!(refusals > 500, "{refusals}");
    for path in [
        "/users",
        "/enrollments",
        "/locations",
        "/settings",
        "/templates",
        "/audit",
        "/audit/export",
        "/api-keys",
        "/mail?status=sent",
    ] {
        let list = journey.internal.get(&format!("/api/admin/v1{path}"), &journey.api_key);
        assert_eq!((list.status, journey.secrets.found_in(&list.body)), (200, NONE), "{path}");
    }

    let metrics = journey.internal.get("/metrics", "nobody");
    assert_eq!((metrics.status, journey.secrets.found_in(&metrics.body)), (200, NONE), "{}", metrics.text());
    for personal in ["alex", "Headquarters", "vpn.example.com", "10.77.0.", "127.0.0.1"] {
        assert!(!metrics.text().contains(personal), "{personal} is in the metrics");
    }

    // While it runs there is more to find: the write-ahead log.
    let data = journey.data();
    let database = ["enrollment.db", "enrollment.db-wal"].map(|file| fs::read(data.join(file)).expect("readable"));
    search_files(&journey.secrets, &data);
    assert_passwords_are_hashed(&journey, &database.concat());

    let said = journey.server.stop();
    let secrets = &journey.secrets;
    search_files(secrets, &data);
    let answered = |said: &[u8]| String::from_utf8_lossy(said).matches("answered").count();
    assert!(answered(&said) > answers.len(), "the log tells of every request");
    for log in [&said, &journey.logged] {
        let text = String::from_utf8_lossy(log);
        assert_eq!(text.lines().find(|line| secrets.found_in(line.as_bytes()) != NONE), None);
        assert_eq!(secrets.found_in(log), NONE);
    }

    let traces = journey.collector.taken().concat();
    assert_eq!(secrets.found_in(&traces), NONE);
    let traces = String::from_utf8_lossy(&traces);
    let operations = traces.matches("enrollee.").count();
    assert!(operations > 100, "the traces tell of the operations, not only of {operations}");
    for personal in ["alex", "Headquarters", "vpn.example.com", "10.77.0.", "127.0.0.1", "@example"] {
        assert!(!traces.contains(personal), "{personal} is in the traces");
    }
}

const NONE: BTreeSet<&'static str> = BTreeSet::new();

/// Every byte of every file. Where secrets are meant to be the search must find them, or it searches badly.
fn search_files(secrets: &Secrets, folder: &Path) {
    let mut holders = BTreeSet::new();
    for file in files(folder) {
        let found = secrets.found_in(&fs::read(&file).expect("our own file"));
        let name = file.file_name().and_then(|name| name.to_str()).expect("text");
        let meant = match name {
            "enrollment.key" => "key ring",
            "owner-link" => "token",
            name if name.starts_with("wg-") && !found.is_empty() => "gateway key of its own file",
            _ => {
                assert_eq!(found, NONE, "{}", file.display());
                continue;
            }
        };
        assert_eq!(found, BTreeSet::from([meant]), "{}", file.display());
        assert!(holders.insert(meant), "a second file holds a {meant}: {}", file.display());
    }
    assert_eq!(holders.len(), 3, "{holders:?}");
}

/// All files below a folder.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

/// PWD-3: of every password there is an Argon2id hash, which only the password opens.
fn assert_passwords_are_hashed(journey: &Journey, database: &[u8]) {
    let text = String::from_utf8_lossy(database);
    let is_phc = |c: &char| c.is_ascii_alphanumeric() || "$=,+/".contains(*c);
    let hashes: BTreeSet<String> = text
        .match_indices("$argon2id$v=19$m=19456,t=2,p=1$")
        .map(|(at, _)| text[at..].chars().take_while(is_phc).collect())
        .collect();
    let hashes: Vec<PasswordHash> = hashes.iter().filter_map(|hash| PasswordHash::new(hash).ok()).collect();
    let passwords: Vec<&str> = journey.secrets.of_kind("password").collect();
    assert_eq!(passwords.len(), 3);
    for password in passwords {
        let opens = |hash: &&PasswordHash| Argon2::default().verify_password(password.as_bytes(), *hash).is_ok();
        assert!(hashes.iter().any(|hash| opens(&hash)), "a password without a hash");
    }
}
