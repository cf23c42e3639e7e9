//! What docs/operations tells a last Owner who is locked out to do.

use serde_json::{Value, json};

use crate::client::{Client, ENROLL};
use crate::server::Server;
use crate::terminal::Terminal;

const PASSWORD: &str = "seven green umbrellas dance";

/// Enrolls whoever has this link, with nothing but a password.
fn enroll(server: &Server, link: &str) {
    let public = Client::new(server.public);
    let token = link.trim_end().rsplit('/').next().expect("a token");
    let begun = public.post(&format!("{ENROLL}/sessions"), "", &json!({ "token": token })).ok();
    let session = begun["session_token"].as_str().expect("a session");
    public.put(&format!("{ENROLL}/session/profile"), session, &json!({})).ok();
    public.put(&format!("{ENROLL}/session/password"), session, &json!({ "password": PASSWORD })).ok();
    let done = public.post(&format!("{ENROLL}/session/complete"), session, &json!({})).ok();
    assert_eq!(done["completed"], true, "{done}");
}

/// ADM-11, AUTH-1: the command line lets another Owner in, and the one who is locked out goes when that one is there.
#[test]
fn a_last_owner_who_is_locked_out_is_replaced() {
    let terminal = Terminal::new();
    let server = Server::start(terminal.path(), "info");
    enroll(&server, &terminal.ok(&["owner-link"]));

    let link = terminal.ok(&["user", "add", "olga2", "--first-name", "Olga", "--role", "owner", "--invite"]);
    let (status, said) = terminal.refused(&["user", "disable", "owner"]);
    assert!(status == 3 && said.contains("last_owner"), "{status}: {said}");
    enroll(&server, &link);
    terminal.ok(&["user", "disable", "owner"]);
    let olga: Value = terminal.json(&["user", "show", "olga2"]);
    assert!(olga["role"] == "owner" && olga["enrolled"] == true, "{olga}");
    let old: Value = terminal.json(&["user", "show", "owner"]);
    assert_eq!(old["status"], "disabled", "{old}");
    let link = terminal.ok(&["owner-link"]);
    assert!(link.starts_with("An Owner is enrolled"), "{link}");

    let form = [("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", "same-origin")];
    let sign_in = |username: &str| {
        let typed = format!("username={username}&password={}", PASSWORD.replace(' ', "+"));
        let internal = Client::new(server.internal);
        internal.send("POST".parse().expect("a method"), "/admin/sign-in", &form, Some(&typed)).status
    };
    assert_eq!((sign_in("owner"), sign_in("olga2")), (401, 303));
}
