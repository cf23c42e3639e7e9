//! Configuration: flags over environment over file over defaults.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use enrollment::axum::{Rate, Rates};
use enrollment::core::domain::policy::Policy;
use enrollment::core::domain::retention::Retention;
use enrollment::core::time::Span;
use ipnet::IpNet;
use serde::Deserialize;
use serde_json::Value;
use utoipa::{PartialSchema, ToSchema};

use super::Error;
use super::cli::Options;
use super::mail::Smtp;
use super::traces::{Collector, TracingTable};

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
    /// `None`: everybody may ask as often as they like.
    pub(crate) rates: Option<Rates>,
    pub(crate) policy: Policy,
    pub(crate) hashing: Hashing,
    pub(crate) smtp: Option<Smtp>,
    pub(crate) log: String,
    pub(crate) log_json: bool,
    /// `None`: nobody collects traces.
    pub(crate) collector: Option<Collector>,
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

/// The configuration file. Every key is optional; unknown ones are refused, so that a typing mistake is seen. What is
/// said of each here is its reference.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
struct File {
    /// Folder for database, key ring and peer files. Default: `data`.
    #[schema(value_type = String)]
    data: Option<PathBuf>,
    /// `sqlite:PATH` or `postgres://USER:PASSWORD@HOST/DATABASE`; better not as a flag, which others see. Default:
    /// `sqlite:DATA/enrollment.db`.
    database: Option<String>,
    /// The key ring. Default: `DATA/enrollment.key`.
    #[schema(value_type = String)]
    key_file: Option<PathBuf>,
    /// Address of the public face: enrollees only. Default: `127.0.0.1:8080`.
    #[schema(value_type = String)]
    public: Option<SocketAddr>,
    /// Address of the internal face: administration and metrics. Default: `127.0.0.1:8081`.
    #[schema(value_type = String)]
    internal: Option<SocketAddr>,
    /// Where people reach the public face; the only source of links. Default: `http://localhost:PORT`.
    public_url: Option<String>,
    /// Allow a public URL of plain http that is not localhost: cookies lose their protection. Default: `false`.
    insecure_http: bool,
    /// Proxies whose `X-Forwarded-For` is believed, as networks. Default: none.
    #[schema(value_type = Vec<String>)]
    trusted_proxies: Vec<IpNet>,
    /// Whether one source may ask only so often. Default: `true`.
    rate_limits: Option<bool>,
    #[schema(ignore)]
    policy: PolicyTable,
    #[schema(ignore)]
    retention: RetentionTable,
    #[schema(ignore)]
    hashing: Hashing,
    #[schema(ignore)]
    rates: RatesTable,
    #[schema(ignore)]
    smtp: Option<Smtp>,
    #[schema(ignore)]
    log: LogTable,
    #[schema(ignore)]
    tracing: TracingTable,
}

/// A table of the file, as the reference shows it.
pub(crate) struct Table {
    /// Its name; empty for what stands above all tables.
    pub(crate) name: &'static str,
    /// What it is for.
    pub(crate) about: String,
    /// The schema of its keys.
    pub(crate) schema: Value,
}

/// The tables of the file, in the order of the reference.
pub(crate) fn tables() -> Vec<Table> {
    vec![
        table::<File>(""),
        table::<PolicyTable>("policy"),
        table::<RetentionTable>("retention"),
        table::<Hashing>("hashing"),
        table::<RatesTable>("rates"),
        table::<Smtp>("smtp"),
        table::<LogTable>("log"),
        table::<TracingTable>("tracing"),
    ]
}

fn table<T: PartialSchema>(name: &'static str) -> Table {
    // A schema consists of names and texts: making JSON of it has no way to fail.
    let schema = serde_json::to_value(T::schema()).unwrap_or_default();
    let about = schema["description"].as_str().unwrap_or_default().to_owned();
    Table { name, about, schema }
}

/// What administrators choose inside.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
struct PolicyTable {
    /// `standard`, `defguard`, `duo` or `nist`. Default: `standard`.
    preset: Option<String>,
    /// Whether an enrollee may have their key pair made here. Default: the preset's, `false`.
    server_made_keys: Option<bool>,
    /// No codes by e-mail as a second factor. Default: the preset's: `false`, for `nist` `true`.
    require_strong_factor: Option<bool>,
    /// Digits of a code by e-mail, 6 to 8. Default: 6.
    email_code_digits: Option<u32>,
    /// Wrong codes until an enrollment locks, 1 to 100. Default: the preset's: 10.
    wrong_codes: Option<u32>,
}

/// How long what has ended is kept.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RetentionTable {
    /// Ids by which a repeated change is known, `25h` or more. Default: `25h`.
    #[schema(value_type = String)]
    changes: Option<Span>,
    /// Finished work of the outbox, which names ids only, `1d` or more. Default: `7d`.
    #[schema(value_type = String)]
    work: Option<Span>,
    /// Mails that were sent or are no longer wanted, `1d` or more, or `"forever"`. Default: `30d`.
    #[schema(value_type = String)]
    mails: Option<Keep>,
    /// Mails that could not be delivered, `1d` or more, or `"forever"`. Default: `90d`.
    #[schema(value_type = String)]
    dead_mails: Option<Keep>,
    /// Completed, closed and expired enrollments, `7d` or more, or `"forever"`. Default: `90d`.
    #[schema(value_type = String)]
    enrollments: Option<Keep>,
    /// The audit log, from the seal, `30d` or more, or `"forever"`. Default: `"forever"`.
    #[schema(value_type = String)]
    audit: Option<Keep>,
}

/// How often one source may ask, where `rate_limits` is on. A source is an IPv4 address, or the /64 network of an IPv6
/// address. Behind a proxy that is not in `trusted_proxies` all people are one source.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
struct RatesTable {
    /// Requests to the public face at once. Default: 1000.
    #[schema(value_type = u32)]
    requests_burst: Option<NonZeroU32>,
    /// Requests to the public face a second, after that. Default: 200.
    #[schema(value_type = u32)]
    requests_per_second: Option<NonZeroU32>,
    /// Tokens shown at once. Default: 600.
    #[schema(value_type = u32)]
    tokens_burst: Option<NonZeroU32>,
    /// Tokens shown a second, after that. Default: 50.
    #[schema(value_type = u32)]
    tokens_per_second: Option<NonZeroU32>,
}

impl RatesTable {
    fn read(&self) -> Rates {
        let usual = Rates::default();
        let rate = |burst: Option<NonZeroU32>, per_second: Option<NonZeroU32>, usual: Rate| Rate {
            burst: burst.unwrap_or(usual.burst),
            per_second: per_second.unwrap_or(usual.per_second),
        };
        Rates {
            requests: rate(self.requests_burst, self.requests_per_second, usual.requests),
            tokens: rate(self.tokens_burst, self.tokens_per_second, usual.tokens),
        }
    }
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

/// The cost of passwords and the memory for it.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Hashing {
    /// KiB of memory per hash. Default: 19456. A password that was hashed with more than both is not verified any more.
    pub(crate) memory_kib: u32,
    /// Passes over the memory. Default: 2.
    pub(crate) passes: u32,
    /// MiB for all hashes at once; as many threads as fit, at most one per core. Default: 128.
    pub(crate) budget_mib: u32,
}

impl Default for Hashing {
    fn default() -> Self {
        Self { memory_kib: 19_456, passes: 2, budget_mib: 128 }
    }
}

/// What the server says while it runs, on standard error.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
struct LogTable {
    /// How much: `error`, `warn`, `info`, `debug` or `trace`. Default: `info`.
    level: Option<String>,
    /// Each line is a JSON object. Default: `false`.
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
            rates: file.rate_limits.unwrap_or(true).then(|| file.rates.read()),
            policy: policy(&file.policy, &file.retention)?,
            hashing: file.hashing,
            smtp: file.smtp,
            log: options.log.clone().or(file.log.level).unwrap_or_else(|| "info".to_owned()),
            log_json: options.log_format.as_ref().map_or(file.log.json, |format| format == "json"),
            collector: file.tracing.read(options.tracing_endpoint.clone())?,
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
