//! Commands about mail, at a relay.

use crate::relay::Relay;
use crate::terminal::Terminal;

#[test]
fn a_test_mail_and_an_invitation_are_sent_and_listed() {
    let (terminal, relay) = (Terminal::new(), Relay::start());
    let config = format!(
        "[smtp]\nhost = \"127.0.0.1\"\nport = {}\ntls = \"danger_plaintext\"\nfrom = \"VPN <vpn@example.com>\"\n",
        relay.address.port()
    );
    std::fs::write(terminal.path().join("server.toml"), config).expect("the folder is writable");
    let sent = terminal.shown(&["mail", "test", "you@example.com"]);
    assert_eq!(sent, "sent: ID\n");
    assert_eq!(relay.mails().len(), 1);
    terminal.ok(&["user", "add", "anna", "--email", "anna@example.com"]);
    assert!(terminal.shown(&["invite", "anna", "--mail"]).starts_with("The link is queued as mail ID"));
    let resent = terminal.json(&["enrollment", "resend", "--all"]);
    assert_eq!(resent["sent"], 1, "{resent}");
    let queue = terminal.json(&["mail", "queue"]);
    let id = queue["items"][0]["id"].as_str().expect("an id");
    assert_eq!(queue["items"][0]["letter"], "invitation");
    assert_eq!(terminal.ok(&["mail", "drop", id]), "obsolete\n");
    assert_eq!(terminal.json(&["mail", "obsolete"])["items"][0]["id"], id);
    assert_eq!(terminal.json(&["mail", "sent"])["items"][0]["state"], "sent");
}
