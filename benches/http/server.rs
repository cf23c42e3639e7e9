//! The reference server as a process, with a folder and a database of its own.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use hyper::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use super::Error;
use super::client::Client;
use super::options::Options;

/// All load comes from one address, which the usual limits would slow down.
const CONFIGURATION: &str = "\
[rates]
requests_burst = 1000000
requests_per_second = 1000000
tokens_burst = 1000000
tokens_per_second = 1000000
";

/// A running server; killed when it is dropped.
pub(crate) struct Server {
    child: Child,
    program: PathBuf,
    database: Option<String>,
    folder: TempDir,
    pub(crate) public: SocketAddr,
    pub(crate) internal: SocketAddr,
    pub(crate) api_key: String,
    /// The one location.
    pub(crate) location: String,
    /// How long it took from its start to its first answer.
    pub(crate) started_in: Duration,
}

impl Server {
    /// A server on an empty database, with a location that everybody reaches.
    pub(crate) async fn prepared(options: &Options) -> Result<Self, Error> {
        // Beside the build: a folder for temporary files may lie in memory, where nothing waits for a disk.
        let program = options.server()?;
        let beside = program.parent().ok_or("the server lies in a folder")?;
        let folder = tempfile::tempdir_in(beside)?;
        fs::write(folder.path().join("server.toml"), CONFIGURATION)?;
        let mut server = Self::start(program, options.database.clone(), folder).await?;
        let made = server.command(&["api-key", "create", "--role", "owner"]).output()?;
        server.api_key = String::from_utf8(made.stdout)?.trim().to_owned();
        let mut client = Client::new(server.internal);
        let location = json!({
            "name": "office", "endpoint": "vpn.example.com:51820", "pools": ["10.64.0.0/12"],
            "allowed_ips": ["10.64.0.0/12"],
        });
        let added = client.ask(Method::POST, "/api/admin/v1/locations", &server.api_key, &location).await?;
        server.location = added["id"].as_str().unwrap_or_default().to_owned();
        Ok(server)
    }

    async fn start(program: PathBuf, database: Option<String>, folder: TempDir) -> Result<Self, Error> {
        let (public, internal) = (free()?, free()?);
        let log = fs::File::create(folder.path().join("server.log"))?;
        let started = Instant::now();
        let child = command(&program, database.as_deref(), &folder)
            .args(["--public", &public.to_string(), "--internal", &internal.to_string(), "--log", "warn", "serve"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()?;
        let mut server = Self {
            child,
            program,
            database,
            folder,
            public,
            internal,
            api_key: String::new(),
            location: String::new(),
            started_in: Duration::ZERO,
        };
        loop {
            let mut client = Client::new(server.public);
            if client.ask(Method::GET, "/health/ready", "", &Value::Null).await.is_ok() {
                break;
            }
            if let Some(status) = server.child.try_wait()? {
                let log = fs::read_to_string(server.folder.path().join("server.log"))?;
                return Err(format!("the server ended: {status}: {log}").into());
            }
            sleep(Duration::from_millis(2)).await;
        }
        server.started_in = started.elapsed();
        Ok(server)
    }

    /// Stopped, and started again on what it left.
    pub(crate) async fn restarted(self) -> Result<Self, Error> {
        let (api_key, location) = (self.api_key.clone(), self.location.clone());
        let (program, database) = (self.program.clone(), self.database.clone());
        let folder = self.stopped().await?;
        let mut again = Self::start(program, database, folder).await?;
        (again.api_key, again.location) = (api_key, location);
        Ok(again)
    }

    /// Stopped, with nothing left.
    pub(crate) async fn stop(self) -> Result<(), Error> {
        self.stopped().await.map(drop)
    }

    async fn stopped(mut self) -> Result<TempDir, Error> {
        Command::new("kill").arg("-TERM").arg(self.child.id().to_string()).status()?;
        while self.child.try_wait()?.is_none() {
            sleep(Duration::from_millis(10)).await;
        }
        // What is left of it is a handle on a process that has ended.
        Ok(std::mem::replace(&mut self.folder, tempfile::tempdir()?))
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = command(&self.program, self.database.as_deref(), &self.folder);
        command.args(arguments);
        command
    }

    /// The processor time it took so far (proc(5): fields 14 and 15, in hundredths of a second on Linux).
    pub(crate) fn cpu(&self) -> Result<Duration, Error> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let (_, fields) = stat.rsplit_once(") ").ok_or("/proc/PID/stat has another form")?;
        let ticks = fields.split(' ').skip(11).take(2).map(str::parse::<u64>).sum::<Result<u64, _>>()?;
        Ok(Duration::from_millis(ticks * 10))
    }

    /// Waits until it has done all that follows from what it was asked, which is neither the next row's of the table nor
    /// at the cost of what is measured beside it.
    pub(crate) async fn rests(&self) -> Result<(), Error> {
        loop {
            let before = self.cpu()?;
            sleep(Duration::from_millis(500)).await;
            if self.cpu()?.saturating_sub(before) <= Duration::from_millis(10) {
                return Ok(());
            }
        }
    }

    /// Megabytes that are resident now.
    pub(crate) fn memory(&self) -> Result<u64, Error> {
        self.megabytes("VmRSS:")
    }

    /// Megabytes that were resident at most.
    pub(crate) fn peak_memory(&self) -> Result<u64, Error> {
        self.megabytes("VmHWM:")
    }

    fn megabytes(&self, what: &str) -> Result<u64, Error> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line =
            status.lines().find_map(|line| line.strip_prefix(what)).ok_or("/proc/PID/status has another form")?;
        Ok(line.trim().trim_end_matches(" kB").trim().parse::<u64>()? / 1024)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail when it has ended already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(program: &PathBuf, database: Option<&str>, folder: &TempDir) -> Command {
    let mut command = Command::new(program);
    command.env("ENROLLMENT_DATA", folder.path());
    if let Some(database) = database {
        command.env("ENROLLMENT_DATABASE", database);
    }
    command
}

/// A port nobody listens at.
fn free() -> Result<SocketAddr, Error> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
