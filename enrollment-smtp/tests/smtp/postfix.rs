//! The relay that `scripts/postfix` started: which ports it has, and what arrived.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use enrollment_core::id::OutboxId;
use enrollment_smtp::{Credentials, SmtpOptions, Tls};
use mailparse::{MailHeaderMap as _, ParsedMail};
use tokio::process::Command;

pub(crate) struct Postfix {
    folder: PathBuf,
    ports: HashMap<String, u16>,
}

/// A mail in the mailbox of its recipient, decoded.
#[derive(Debug)]
pub(crate) struct Arrived {
    pub(crate) id: OutboxId,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) text: String,
    pub(crate) html: Option<String>,
    /// Content id, type and bytes.
    pub(crate) images: Vec<(String, String, Vec<u8>)>,
}

impl Postfix {
    pub(crate) fn running() -> Self {
        let folder = std::env::var("ENROLLMENT_TEST_SMTP").expect(
            "these tests need a relay, and ENROLLMENT_TEST_SMTP to name its folder. Start one with: \
             eval \"$(scripts/postfix start)\"",
        );
        let folder = PathBuf::from(folder);
        let ports = std::fs::read_to_string(folder.join("ports")).expect("the ports of the relay");
        let port = |line: &str| {
            let (name, port) = line.split_once(' ').expect("a name and a port");
            (name.to_owned(), port.parse().expect("a port"))
        };
        Self { folder, ports: ports.lines().map(port).collect() }
    }

    /// For the port with this name, as its administrator would write them.
    pub(crate) fn options(&self, name: &str) -> SmtpOptions {
        let tls = match name {
            "starttls" => Tls::StartTls,
            "implicit" => Tls::Implicit,
            _ => Tls::DangerPlaintext,
        };
        let from = "Żółw VPN <vpn@sender.test>".parse().expect("a mailbox");
        let mut options = SmtpOptions::new("127.0.0.1", tls, from);
        options.port = self.ports[name];
        if tls != Tls::DangerPlaintext {
            options.credentials = Some(Credentials::new("alice", "secret123"));
            options.roots = Some(std::fs::read_to_string(self.folder.join("cert.pem")).expect("a certificate"));
        }
        options
    }

    /// What is in a mailbox, once the relay has nothing more for it.
    pub(crate) async fn arrived(&self, at: &str) -> Vec<Arrived> {
        let settled = async {
            // A mail that moves from one queue to the next can be overlooked once, and moves once.
            let mut looks = 0;
            while looks < 2 {
                looks = if self.queue().await.contains(at) { 0 } else { looks + 1 };
            }
        };
        tokio::time::timeout(Duration::from_secs(50), settled).await.expect("the relay keeps mail in its queue");
        let new = self.folder.join("mail/all/new");
        let Ok(files) = std::fs::read_dir(new) else { return vec![] };
        let mails = files.map(|file| std::fs::read(file.expect("a file").path()).expect("a readable mail"));
        mails.filter_map(|mail| read(&mail, at)).collect()
    }

    async fn queue(&self) -> String {
        let listed = Command::new("postqueue").arg("-c").arg(self.folder.join("etc")).arg("-j").output().await;
        let listed = listed.expect("postqueue runs");
        assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
        String::from_utf8(listed.stdout).expect("JSON")
    }
}

fn read(raw: &[u8], at: &str) -> Option<Arrived> {
    let mail = mailparse::parse_mail(raw).expect("a mail");
    if mail.headers.get_first_value("Delivered-To")? != at {
        return None;
    }
    let id = mail.headers.get_first_value("Message-ID").expect("an id");
    let (id, _) = id.trim_start_matches('<').split_once('@').expect("an id at a domain");
    let body = |part: &ParsedMail<'_>| part.get_body().expect("a decodable part").replace("\r\n", "\n");
    let (text, html, images) = match mail.subparts.as_slice() {
        [text, html] => match html.subparts.as_slice() {
            [] => (body(text), Some(body(html)), vec![]),
            [html, images @ ..] => (body(text), Some(body(html)), images.iter().map(image).collect()),
        },
        parts => {
            assert!(parts.is_empty(), "{} parts", parts.len());
            (body(&mail), None, vec![])
        }
    };
    let headers = mail.headers.iter().map(|header| (header.get_key(), header.get_value())).collect();
    Some(Arrived { id: id.parse().expect("the id of a message"), headers, text, html, images })
}

/// Content id, type and bytes of an image that is shown where the HTML says.
fn image(part: &ParsedMail<'_>) -> (String, String, Vec<u8>) {
    assert_eq!(part.get_headers().get_first_value("Content-Disposition").as_deref(), Some("inline"));
    let id = part.get_headers().get_first_value("Content-ID").expect("a content id");
    (id, part.ctype.mimetype.clone(), part.get_body_raw().expect("a decodable image"))
}
