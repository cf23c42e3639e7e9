//! What is said when it does not work, and the exit status that says so to scripts.

use insta::assert_snapshot;
use serde_json::Value;

use crate::terminal::Terminal;

#[test]
fn every_refusal_says_what_to_do_and_exits_by_its_kind() {
    let terminal = Terminal::furnished();
    let none = "00000000-0000-7000-8000-000000000000";
    let bad = terminal.path().join("bad.md");
    std::fs::write(&bad, "Hello\n{{ frist_name }}").expect("the folder is writable");
    let bad = bad.to_str().expect("text");
    let commands = [
        // a name that is probably another
        &["user", "show", "ana"][..],
        &["location", "show", "ofice"],
        &["template", "show", "onbording"],
        &["user", "show", "zacharias"],
        // what is not there
        &["enrollment", "show", none],
        &["device", "remove", none],
        &["mail", "retry", none],
        &["api-key", "revoke", none],
        // what a rule forbids
        &["user", "add", "Anna"],
        &["user", "add", "carl", "--email", "nowhere"],
        &["invite", "anna", "--validity", "1000d"],
        &["invite", "anna", "--mail"],
        &["invite", "anna", "--purpose", "device"],
        &["settings", "set", "--max-sessions", "0"],
        &["template", "set", "onboarding", bad],
        &["location", "add", "office", "--endpoint", "vpn.example.com:1", "--pool", "10.9.0.0/24"],
        &["mail", "test", "you@example.com"],
        // what the command wants to know
        &["user", "change", "anna"],
        &["settings", "set"],
        &["location", "change", "office"],
        &["user", "erase", "anna"],
        &["template", "set", "onboarding", "nowhere.md"],
    ];
    let said = |command: &&[&str]| {
        let (status, said) = terminal.refused(command);
        format!("$ {}\n{said}exit {status}\n\n", command.join(" ").replace(bad, "FILE"))
    };
    assert_snapshot!("refusals", commands.iter().map(said).collect::<String>());
}

#[test]
fn a_command_line_that_is_not_understood_says_what_was_probably_meant() {
    let terminal = Terminal::new();
    let commands = [
        &["usr", "list"][..],
        &["user", "lst"],
        &["user", "add"],
        &["api-key", "create", "--role", "amdin"],
        &["enrollment", "show", "7"],
        &["enrollment", "resend"],
        &["user", "change", "anna", "--email", "a@example.com", "--no-email"],
        &["completions", "fsh"],
    ];
    let said = |command: &&[&str]| {
        let (status, said) = terminal.refused(command);
        format!("$ {}\n{said}exit {status}\n\n", command.join(" "))
    };
    assert_snapshot!("misunderstandings", commands.iter().map(said).collect::<String>());
}

#[test]
fn with_json_a_refusal_is_the_problem_document_of_the_api() {
    let terminal = Terminal::furnished();
    for (arguments, status, code) in [
        (&["user", "show", "ana", "--json"][..], 4, "not_found"),
        (&["user", "add", "anna", "--json"], 3, "username_taken"),
        (&["user", "change", "anna", "--json"], 2, "usage"),
        (&["template", "set", "onboarding", "nowhere.md", "--json"], 1, "failed"),
    ] {
        let (exit, said) = terminal.refused(arguments);
        let problem: Value = serde_json::from_str(&said).expect("one JSON document");
        assert_eq!((exit, problem["code"].as_str()), (status, Some(code)), "{said}");
    }
}

/// What broke is said with its cause; the API hides it from strangers.
#[test]
fn what_is_broken_is_named_at_the_terminal() {
    let terminal = Terminal::furnished();
    std::fs::remove_file(terminal.path().join("enrollment.key")).expect("the ring lies there");
    let (status, said) = terminal.refused(&["user", "list"]);
    assert_eq!(status, 1);
    assert!(said.contains("is missing, but the database is in use"), "{said}");
}
