//! The reference server as a child process on free ports of the loopback.

use std::io::Read;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// Nothing here takes this long on the slowest machine; whatever does hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running server. Killed when dropped; [`Server::finished`] is how it ends well.
pub(crate) struct Server {
    child: Child,
    log: Log,
    pub(crate) public: SocketAddr,
    pub(crate) internal: SocketAddr,
}

impl Server {
    /// Starts a server on this data folder with this level of logs, and waits until it serves.
    pub(crate) fn start(data: &Path, level: &str) -> Self {
        let mut server = Self::spawn(data, level);
        server.public = server.log.address(" public=");
        server.internal = server.log.address(" internal=");
        server
    }

    /// Starts a server, and does not wait for it.
    pub(crate) fn spawn(data: &Path, level: &str) -> Self {
        let mut child = program(data)
            .env("ENROLLMENT_LOG", level)
            // Milliseconds: no test waits for spans longer than it must.
            .env("OTEL_BSP_SCHEDULE_DELAY", "100")
            .args(["--public", "127.0.0.1:0", "--internal", "127.0.0.1:0", "serve"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let log = Log::default();
        log.follow(child.stdout.take().expect("a pipe"));
        log.follow(child.stderr.take().expect("a pipe"));
        Self { child, log, public: UNKNOWN, internal: UNKNOWN }
    }

    /// Asks it to stop.
    pub(crate) fn terminate(&self) {
        let sent = Command::new("kill").arg("-TERM").arg(self.child.id().to_string()).status();
        assert!(sent.expect("kill exists").success(), "the server runs no more");
    }

    /// Waits until the server has said `text`.
    pub(crate) fn has_said(&self, text: &str) {
        self.log.wait_for(text);
    }

    /// Waits for its end, which must be a good one. Returns everything it said.
    pub(crate) fn finished(mut self) -> Vec<u8> {
        let said = self.log.wait_for_the_end();
        let status = self.child.wait().expect("the server is ours");
        assert!(status.success(), "{status}: {}", String::from_utf8_lossy(&said));
        said
    }

    /// Stops it.
    pub(crate) fn stop(self) -> Vec<u8> {
        self.terminate();
        self.finished()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail when it has ended already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a command on this data folder, which must succeed. Returns what it answered and what it logged.
pub(crate) fn command(data: &Path, arguments: &[&str]) -> (String, Vec<u8>) {
    let output = program(data).args(arguments).output().expect("the command runs");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    (String::from_utf8(output.stdout).expect("text").trim_end().to_owned(), output.stderr)
}

/// Runs a command on this data folder, which must fail. Returns what it says about that.
pub(crate) fn refused(data: &Path, arguments: &[&str]) -> String {
    let output = program(data).args(arguments).output().expect("the command runs");
    let said = String::from_utf8(output.stderr).expect("text");
    assert!(!output.status.success(), "{arguments:?} succeeded: {said}");
    said
}

const UNKNOWN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), 0);

/// The server on this data folder, in an environment of its own.
pub(crate) fn program(data: &Path) -> Command {
    let mut command = Command::new(path());
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"ENROLLMENT_")) {
        command.env_remove(name);
    }
    command.env("ENROLLMENT_LOG", "trace").env("NO_COLOR", "1").env("ENROLLMENT_DATA", data);
    command.env("ENROLLMENT_PUBLIC_URL", "http://localhost:8080");
    command
}

/// Cargo builds the examples of a package together with its tests, beside the folder the tests lie in.
fn path() -> PathBuf {
    let test = std::env::current_exe().expect("a test has a path");
    let profile = test.parent().and_then(Path::parent).expect("target/<profile>/deps/<test>");
    let server = profile.join("examples").join("server");
    assert!(server.exists(), "{} is missing: cargo build --example server", server.display());
    server
}

/// What a child has said so far, on both of its outputs.
#[derive(Default, Clone)]
struct Log(Arc<(Mutex<Said>, Condvar)>);

#[derive(Default)]
struct Said {
    bytes: Vec<u8>,
    open: usize,
}

impl Log {
    fn follow(&self, mut from: impl Read + Send + 'static) {
        let log = self.clone();
        log.0.0.lock().expect("nobody panics").open += 1;
        std::thread::spawn(move || {
            let (said, news) = &*log.0;
            let mut buffer = [0; 8192];
            loop {
                let read = from.read(&mut buffer).unwrap_or(0);
                let mut said = said.lock().expect("nobody panics");
                said.bytes.extend_from_slice(&buffer[..read]);
                said.open -= usize::from(read == 0);
                news.notify_all();
                if read == 0 {
                    return;
                }
            }
        });
    }

    fn wait_until(&self, reached: impl Fn(&Said) -> bool, what: &str) -> Vec<u8> {
        let (said, news) = &*self.0;
        let said = said.lock().expect("nobody panics");
        let waiting = |said: &mut Said| !reached(said) && said.open > 0;
        let (said, _) = news.wait_timeout_while(said, PATIENCE, waiting).expect("nobody panics");
        assert!(reached(&said), "waited for {what}: {}", String::from_utf8_lossy(&said.bytes));
        said.bytes.clone()
    }

    fn wait_for(&self, text: &str) -> Vec<u8> {
        self.wait_until(|said| said.bytes.windows(text.len()).any(|part| part == text.as_bytes()), text)
    }

    fn wait_for_the_end(&self) -> Vec<u8> {
        self.wait_until(|said| said.open == 0, "the end")
    }

    /// The address that stands behind `name` in the line about serving.
    fn address(&self, name: &str) -> SocketAddr {
        let serving = "serving public=";
        let ended = |said: &Said| {
            let text = String::from_utf8_lossy(&said.bytes);
            text.split_once(serving).is_some_and(|(_, rest)| rest.contains('\n'))
        };
        let said = String::from_utf8(self.wait_until(ended, serving)).expect("text");
        let line = said.lines().find(|line| line.contains(serving)).expect("just waited for");
        let (_, rest) = line.split_once(name).expect("a field of the line");
        rest.split(' ').next().unwrap_or_default().parse().expect("an address")
    }
}
