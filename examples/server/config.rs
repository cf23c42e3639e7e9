//! Configuration: flags over environment over file over defaults.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use enrollment::core::domain::policy::Policy;
use enrollment::core::domain::retention::Retention;
use enrollment::core::time::Span;
use ipnet::IpNet;
use serde::Deserialize;

use super::Error;
use super::cli::Options;
use super::mail::Smtp;

/// The data folder when nobody names one.
const DATA: &str = "data";

/// The configuration in force.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) data: PathBuf,
    pub(crate) database: Database,
    pub(crate) key_file: PathBuf,
    pub(crate) public: SocketAddr,
    pub(crate) internal: SocketAddr,
    pub(crate) public_url: String,
    pub(crate) insecure_http: bool,
    pub(crate) trusted_proxies: Vec<IpNet>,
    pub(crate) rate_limits: bool,
    pub(crate) policy: Policy,
    pub(crate) hashing: Hashing,
    pub(crate) smtp: Option<Smtp>,
    pub(crate) log: String,
    pub(crate) log_json: bool,
}

/// Where everything is kept.
pub(crate) enum Database {
    /// A file, for one machine.
    Sqlite(PathBuf),
    /// A server's database, for any number of processes.
    Postgres(String),
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => f.debug_tuple("Sqlite").field(path).finish(),
            // The address may hold a password.
            Self::Postgres(_) => f.write_str("Postgres(…)"),
        }
    }
}

/// The configuration file. Every key is optional; unknown ones are refused, so that a typing mistake is seen.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    data: Option<PathBuf>,
    database: Option<String>,
    key_file: Option<PathBuf>,
    public: Option<SocketAddr>,
    internal: Option<SocketAddr>,
    public_url: Option<String>,
    insecure_http: bool,
    trusted_proxies: Vec<IpNet>,
    rate_limits: Option<bool>,
    policy: PolicyTable,
    retention: RetentionTable,
    hashing: Hashing,
    smtp: Option<Smtp>,
    log: LogTable,
}

/// `[policy]`: what administrators choose inside.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct PolicyTable {
    /// `standard` (default), `defguard`, `duo` or `nist`.
    preset: Option<String>,
    server_made_keys: Option<bool>,
    require_strong_factor: Option<bool>,
    email_code_digits: Option<u32>,
    wrong_codes: Option<u32>,
}

/// `[retention]`: how long what has ended is kept.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RetentionTable {
    changes: Option<Span>,
    work: Option<Span>,
    mails: Option<Keep>,
    dead_mails: Option<Keep>,
    enrollments: Option<Keep>,
    audit: Option<Keep>,
}

/// A length of time, or `"forever"`.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
struct Keep(Option<Span>);

impl TryFrom<String> for Keep {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.as_str() {
            "forever" => Ok(Self(None)),
            text => text.parse().map(|span| Self(Some(span))).map_err(|error| format!("{error}, nor \"forever\"")),
        }
    }
}

/// `[hashing]`: the cost of passwords and the memory for it.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Hashing {
    /// KiB of memory per hash.
    pub(crate) memory_kib: u32,
    /// Passes over the memory.
    pub(crate) passes: u32,
    /// MiB for all hashes at once; as many threads as fit, at most one per core.
    pub(crate) budget_mib: u32,
}

impl Default for Hashing {
    fn default() -> Self {
        Self { memory_kib: 19_456, passes: 2, budget_mib: 128 }
    }
}

/// `[log]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct LogTable {
    level: Option<String>,
    json: bool,
}

impl Config {
    /// The configuration in force for these flags.
    pub(crate) fn load(options: &Options) -> Result<Self, Error> {
        let beside_data = options.data.clone().unwrap_or_else(|| PathBuf::from(DATA)).join("server.toml");
        let file = match &options.config {
            Some(path) => read(path)?,
            None if beside_data.exists() => read(&beside_data)?,
            None => File::default(),
        };
        let data = options.data.clone().or(file.data).unwrap_or_else(|| PathBuf::from(DATA));
        let database = match options.database.clone().or(file.database) {
            None => Database::Sqlite(data.join("enrollment.db")),
            Some(url) => database(&url)?,
        };
        let local = |port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
        let public = options.public.or(file.public).unwrap_or(local(8080));
        let public_url = options.public_url.clone().or(file.public_url);
        let public_url = public_url.unwrap_or_else(|| format!("http://localhost:{}", public.port()));
        let public_url = public_url.trim_end_matches('/').to_owned();
        let insecure_http = options.insecure_http || file.insecure_http;
        if is_plain_http_elsewhere(&public_url) && !insecure_http {
            return Err(format!(
                "{public_url} is plain http: everybody on the way can read the links. Put the server behind TLS and \
                 give an https URL, or say --insecure-http if you mean it"
            )
            .into());
        }
        Ok(Self {
            key_file: options.key_file.clone().or(file.key_file).unwrap_or_else(|| data.join("enrollment.key")),
            data,
            database,
            public,
            internal: options.internal.or(file.internal).unwrap_or(local(8081)),
            public_url,
            insecure_http,
            trusted_proxies: file.trusted_proxies,
            rate_limits: file.rate_limits.unwrap_or(true),
            policy: policy(&file.policy, &file.retention)?,
            hashing: file.hashing,
            smtp: file.smtp,
            log: options.log.clone().or(file.log.level).unwrap_or_else(|| "info".to_owned()),
            log_json: file.log.json,
        })
    }
}

fn read(path: &Path) -> Result<File, Error> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    toml::from_str(&text).map_err(|error| format!("{}: {error}", path.display()).into())
}

fn policy(table: &PolicyTable, retention: &RetentionTable) -> Result<Policy, Error> {
    let preset = table.preset.as_deref().unwrap_or("standard");
    let mut policy = Policy::preset(preset)
        .ok_or_else(|| format!("policy.preset: {preset:?} is none of standard, defguard, duo, nist"))?;
    policy.server_made_keys = table.server_made_keys.unwrap_or(policy.server_made_keys);
    policy.require_strong_factor = table.require_strong_factor.unwrap_or(policy.require_strong_factor);
    policy.email_codes.digits = table.email_code_digits.unwrap_or(policy.email_codes.digits);
    policy.wrong_codes = table.wrong_codes.unwrap_or(policy.wrong_codes);
    policy.retention = periods(retention, policy.retention);
    policy.check()?;
    Ok(policy)
}

fn periods(table: &RetentionTable, usual: Retention) -> Retention {
    let chosen = |keep: Option<Keep>, usual| keep.map_or(usual, |Keep(period)| period);
    Retention {
        changes: table.changes.unwrap_or(usual.changes),
        work: table.work.unwrap_or(usual.work),
        mails: chosen(table.mails, usual.mails),
        dead_mails: chosen(table.dead_mails, usual.dead_mails),
        enrollments: chosen(table.enrollments, usual.enrollments),
        audit: chosen(table.audit, usual.audit),
    }
}

fn database(url: &str) -> Result<Database, Error> {
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        return Ok(Database::Postgres(url.to_owned()));
    }
    let path = url.strip_prefix("sqlite://").or_else(|| url.strip_prefix("sqlite:"));
    match path {
        Some(path) if !path.is_empty() => Ok(Database::Sqlite(PathBuf::from(path))),
        // Not repeated: it may hold a password.
        _ => Err("the database is given as sqlite:PATH or as postgres://USER:PASSWORD@HOST/DATABASE".into()),
    }
}

fn is_plain_http_elsewhere(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("http://") else { return false };
    let host = rest.split([':', '/']).next().unwrap_or_default();
    !(host == "localhost" || host == "127.0.0.1" || rest.starts_with("[::1]"))
}
