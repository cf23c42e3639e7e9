//! A server with an Owner, a network and people to be invited.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use data_encoding::BASE32_NOPAD;
use enrollment::core::port::{Clock as _, SystemClock};
use tempfile::TempDir;

use crate::driver::{Browser, Look};
use crate::server::{Server, command};

/// A server on an empty folder.
pub(crate) struct Stage {
    folder: TempDir,
    pub(crate) server: Server,
}

impl Stage {
    pub(crate) fn new(configuration: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().join("data");
        std::fs::create_dir(&data).expect("a new folder");
        std::fs::write(data.join("server.toml"), configuration).expect("the configuration");
        let server = Server::start(&data, "info");
        Self { folder, server }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Runs a command of the server and tells what it prints.
    pub(crate) fn command(&self, arguments: &[&str]) -> String {
        command(&self.data(), arguments).0
    }

    /// Browsers keep `__Host-` cookies over plain http for this name alone.
    fn site(&self) -> String {
        format!("http://localhost:{}", self.server.public.port())
    }

    /// Where administrators are.
    pub(crate) fn internal_site(&self) -> String {
        format!("http://localhost:{}", self.server.internal.port())
    }

    pub(crate) fn browser(&self, look: Look) -> Browser {
        Browser::start(&self.site(), look)
    }

    /// The path of the link that a server without a terminal leaves for the first Owner.
    pub(crate) fn owner_link(&self) -> String {
        let link = std::fs::read_to_string(self.data().join("owner-link")).expect("the link lies there");
        Self::path_of(link.trim_end())
    }

    /// The path of a link that the server printed.
    pub(crate) fn path_of(link: &str) -> String {
        link.strip_prefix("http://localhost:8080").expect("a link of the public URL").to_owned()
    }

    pub(crate) fn add_network(&self, name: &str, mfa: &str) {
        let (v4, v6) = ("10.1.0.0/16", "fd00:1::/64");
        let options = ["--endpoint", "vpn.example.com:51820", "--pool", v4, "--pool", v6, "--mfa", mfa];
        self.command(&[&["location", "add", name], options.as_slice()].concat());
    }

    /// Adds somebody and invites them. Returns the path of their link.
    pub(crate) fn invite(&self, username: &str, more: &[&str]) -> String {
        let invited = self.command(&[&["user", "add", username, "--invite"], more].concat());
        let link = invited.split_whitespace().find(|word| word.starts_with("http://")).expect("a link");
        Self::path_of(link)
    }

    /// Waits until a gateway's file says all of this: a peer's key, an address.
    pub(crate) fn gateway_with(&self, all: &[&str]) {
        let folder = self.data().join("wireguard");
        let says_so = || {
            let mut files = std::fs::read_dir(&folder).into_iter().flatten().flatten();
            files.any(|file| {
                std::fs::read_to_string(file.path()).is_ok_and(|text| all.iter().all(|it| text.contains(it)))
            })
        };
        let soon = (0..200).any(|_| {
            let said = says_so();
            if !said {
                // A command takes as long as a moment's sleep, and needs none.
                self.command(&["pending"]);
            }
            said
        });
        assert!(soon, "no gateway's file says {all:?}");
    }
}

/// An authenticator app whose owner gives no code away twice, since a code counts once (RFC 6238, section 5.2): two of them
/// are to be had in one step, the second by the clock of a phone that is fast, and nobody waits.
pub(crate) struct App {
    totp: totp_rs::Totp,
    next: u64,
}

/// RFC 6238, section 5.2.
const STEP: u64 = 30;

impl App {
    /// One that has scanned this.
    pub(crate) fn new(uri: &str) -> Self {
        let (_, secret) = uri.split_once("secret=").expect("a secret");
        let secret = secret.split('&').next().unwrap_or_default();
        let secret = BASE32_NOPAD.decode(secret.as_bytes()).expect("Base32");
        let totp = totp_rs::Builder::new().with_secret(secret).with_skew(0).build();
        Self { totp: totp.expect("a secret of 160 bits"), next: 0 }
    }

    /// A code that was not shown before.
    pub(crate) fn code(&mut self) -> String {
        let now = u64::try_from(SystemClock.now().seconds()).expect("after 1970") / STEP;
        let step = self.next.max(now);
        assert!(step <= now + 1, "a third code in one step");
        self.next = step + 1;
        self.totp.generate(step * STEP).to_string()
    }
}

/// What `wg-quick` makes of a configuration, which it must take.
pub(crate) fn strip(configuration: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("office.conf");
    std::fs::write(&path, configuration).expect("the folder is writable");
    output(Command::new("wg-quick").arg("strip").arg(&path), Path::new("/dev/null"))
}

/// The public half of a private key, as WireGuard's own tool sees it.
pub(crate) fn public_of(private_key: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("key");
    std::fs::write(&path, private_key).expect("the folder is writable");
    output(Command::new("wg").arg("pubkey"), &path).trim().to_owned()
}

fn output(command: &mut Command, input: &Path) -> String {
    let input = std::fs::File::open(input).expect("it is there");
    let output = command.stdin(Stdio::from(input)).output().expect("wireguard-tools");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// One setting of a configuration.
pub(crate) fn setting<'a>(configuration: &'a str, name: &str) -> &'a str {
    let line = configuration.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" = "));
    line.expect("the setting is there")
}
