//! What people read.

use insta::assert_snapshot;

use crate::terminal::Terminal;

#[test]
fn lists_are_tables() {
    let terminal = Terminal::furnished();
    let lists = [
        &["user", "list"][..],
        &["user", "list", "--search", "be"],
        &["users", "list", "--search", "zoe"],
        &["pending"],
        &["enrollment", "list", "--status", "closed"],
        &["device", "list", "anna"],
        &["location", "list"],
        &["template", "list"],
        &["mail", "queue"],
        &["mail", "dead"],
        &["audit", "list", "--limit", "1"],
    ];
    let shown: String = lists.iter().map(|list| format!("$ {}\n{}\n", list.join(" "), terminal.shown(list))).collect();
    assert_snapshot!("lists", shown);
}

#[test]
fn one_thing_is_shown_with_all_it_has() {
    let terminal = Terminal::furnished();
    let things = [
        &["user", "show", "anna"][..],
        &["location", "show", "Office"],
        &["location", "peers", "office"],
        &["settings", "show"],
        &["mail", "status"],
        &["template", "preview", "onboarding"],
    ];
    let shown: String =
        things.iter().map(|thing| format!("$ {}\n{}\n", thing.join(" "), terminal.shown(thing))).collect();
    assert_snapshot!("things", shown);
}

/// Everything an administrator does, one after the other, and what is said of it.
#[test]
fn every_change_is_answered() {
    let terminal = Terminal::new();
    let text = terminal.path().join("onboarding.md");
    std::fs::write(&text, "Welcome, {{ first_name }}.").expect("the folder is writable");
    let text = text.to_str().expect("text");
    let steps = [
        &["user", "add", "anna", "--email", "anna@example.com"][..],
        &["invite", "anna", "--validity", "2h"],
        &["user", "change", "anna", "--no-email", "--group", "staff", "--last-name", "Kowalska"],
        &["user", "disable", "anna"],
        &["user", "enable", "anna"],
        &["enrollment", "start", "anna"],
        &["location", "add", "branch", "--endpoint", "vpn.example.com:51820", "--pool", "10.2.0.0/24"],
        &["machine", "add", "branch", "Printer", "--validity", "2h"],
        &["pending"],
        &["machine", "reissue", "branch", "printer"],
        &["machine", "remove", "branch", "printer"],
        &["location", "change", "branch", "--mfa", "internal", "--group", "staff", "--no-dns"],
        &["settings", "set", "--organization", "Example Ltd", "--token-validity", "48h"],
        &["template", "set", "onboarding", text],
        &["template", "show", "onboarding"],
        &["template", "remove", "onboarding"],
        &["api-key", "create", "--role", "user_manager", "--name", "import"],
        &["api-key", "list"],
        &["owner-link"],
        &["user", "erase", "anna", "--yes"],
    ];
    let shown: String = steps
        .iter()
        .map(|step| format!("$ {}\n{}\n", step.join(" ").replace(text, "FILE"), terminal.shown(step)))
        .collect();
    assert_snapshot!("changes", shown);
    assert!(terminal.ok(&["audit", "verify"]).contains("entries are as they were sealed"));
}

#[test]
fn an_enrollment_is_followed_sent_again_and_withdrawn_by_its_id() {
    let terminal = Terminal::furnished();
    let pending = terminal.json(&["pending"]);
    let id = pending["items"][0]["id"].as_str().expect("an id");
    let first = terminal.json(&["enrollment", "show", id]);
    let rotated = terminal.json(&["enrollment", "resend", id, "--rotate"]);
    assert_eq!(rotated["generation"], 2);
    assert!(rotated["url"].as_str().expect("a link").contains(rotated["token"].as_str().expect("a token")));
    assert_eq!(first["user"]["username"], "berta");
    assert_eq!(terminal.ok(&["enrollment", "delete", id]), "Withdrawn: its link is dead.\n");
    assert_eq!(terminal.json(&["pending"])["items"].as_array().map(Vec::len), Some(0));
    assert_eq!(terminal.json(&["enrollment", "show", id])["progress"]["why"], "revoked");
}

#[test]
fn a_machine_is_added_and_found_by_the_name_of_its_location() {
    let terminal = Terminal::furnished();
    let (status, said) = terminal.refused(&["machine", "add", "office", "build-01"]);
    assert!(status != 0 && said.contains("(location_asks_for_factor)"), "{said}");
    terminal.ok(&["location", "add", "plant", "--endpoint", "vpn.example.com:51821", "--pool", "10.3.0.0/24"]);
    let added = terminal.json(&["machine", "add", "Plant", "Build-01"]);
    let token = added["enrollment"]["token"].as_str().expect("a token");
    let command = added["enrollment"]["command"].as_str().expect("a command");
    assert!(command.starts_with("dg enroll -u http") && command.ends_with(&format!(" -t {token}")), "{command}");
    let shown = terminal.json(&["machine", "show", "plant", "build-01"]);
    assert_eq!((&shown["id"], &shown["stage"]), (&added["machine"]["id"], &"invited".into()));
    assert_eq!(terminal.json(&["machine", "list", "plant"])["items"][0]["name"], "build-01");
    assert!(terminal.ok(&["machine", "list", "plant"]).starts_with("NAME"));
    let (status, said) = terminal.refused(&["machine", "show", "plant", "biuld-01"]);
    assert!(status != 0 && said.contains("did you mean build-01?"), "{said}");
}

#[test]
fn whoever_is_named_is_whom_the_enrollee_may_ask() {
    let terminal = Terminal::furnished();
    let berta = terminal.json(&["user", "show", "berta"])["id"].clone();
    terminal.ok(&["invite", "anna", "--as", "berta"]);
    assert_eq!(terminal.json(&["pending", "--search", "anna"])["items"][0]["initiator"], berta);
    let (status, said) = terminal.refused(&["invite", "anna", "--as", "anna"]);
    assert_eq!((status, said.as_str()), (3, "error: anna is no active administrator (forbidden)\n"));
}

#[test]
fn keys_are_listed_by_name_and_the_export_has_a_document_per_line() {
    let terminal = Terminal::furnished();
    let keys = terminal.json(&["key", "list"]);
    assert_eq!(keys["keys"][0]["status"], "active");
    let rotated = terminal.json(&["key", "rotate"]);
    assert_eq!(rotated["in_use"], true);
    let export = terminal.ok(&["audit", "export"]);
    assert!(export.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()), "{export}");
}

/// SYS-10: what is told to do about a machine whose link is dead is what does it.
#[test]
fn a_machine_whose_link_is_dead_is_reissued_by_the_command_that_is_named() {
    let terminal = Terminal::furnished();
    terminal.ok(&["location", "add", "Plant 1", "--endpoint", "vpn.example.com:51821", "--pool", "10.3.0.0/24"]);
    terminal.ok(&["machine", "add", "Plant 1", "build-01"]);
    let stolen = terminal.json(&["key", "list"])["keys"][0]["id"].as_str().expect("a key").to_owned();
    terminal.ok(&["key", "rotate"]);
    let said = terminal.ok(&["key", "revoke", &stolen]);
    assert!(said.contains("by hand: machine reissue 'Plant 1' build-01"), "{said}");
    assert!(said.contains("by hand: invite berta --purpose onboarding"), "{said}");
    terminal.ok(&["machine", "reissue", "Plant 1", "build-01"]);
}

#[test]
fn a_reader_that_has_gone_is_no_error() {
    use std::process::Stdio;
    let terminal = Terminal::furnished();
    let mut child = crate::server::program(terminal.path())
        .args(["template", "list"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command runs");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}
