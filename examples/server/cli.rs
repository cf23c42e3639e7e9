//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser};
use enrollment::core::domain::username::Username;

use super::command::Command;

/// Lets people into a VPN. Without a command: serve.
#[derive(Debug, Parser)]
#[command(name = "server", version, about, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) options: Options,
    #[command(flatten)]
    pub(crate) form: Form,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// Options of every command. A flag beats the environment, the environment beats the configuration file.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Configuration file (TOML) [default: DATA/server.toml, where there is one]
    #[arg(long, global = true, env = "ENROLLMENT_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Folder for database, key ring and peer files [default: data]
    #[arg(long, global = true, env = "ENROLLMENT_DATA", value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Database, sqlite:PATH or postgres://USER:PASSWORD@HOST/DATABASE [default: sqlite:DATA/enrollment.db]
    #[arg(long, global = true, env = "ENROLLMENT_DATABASE", value_name = "URL")]
    pub(crate) database: Option<String>,
    /// Key ring [default: DATA/enrollment.key]
    #[arg(long, global = true, env = "ENROLLMENT_KEY_FILE", value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
    /// Address of the public face: enrollees only [default: 127.0.0.1:8080]
    #[arg(long, global = true, env = "ENROLLMENT_PUBLIC", value_name = "ADDR")]
    pub(crate) public: Option<SocketAddr>,
    /// Address of the internal face: administration [default: 127.0.0.1:8081]
    #[arg(long, global = true, env = "ENROLLMENT_INTERNAL", value_name = "ADDR")]
    pub(crate) internal: Option<SocketAddr>,
    /// Where people reach the public face; the only source of links [default: http://localhost:PORT]
    #[arg(long, global = true, env = "ENROLLMENT_PUBLIC_URL", value_name = "URL")]
    pub(crate) public_url: Option<String>,
    /// Allow a public URL of plain http that is not localhost: cookies lose their protection
    #[arg(long, global = true, env = "ENROLLMENT_INSECURE_HTTP")]
    pub(crate) insecure_http: bool,
    /// How much this server tells: error, warn, info, debug, trace [default: info]
    #[arg(long, global = true, env = "ENROLLMENT_LOG", value_name = "LEVEL")]
    pub(crate) log: Option<String>,
    /// How the log is written [default: text]
    #[arg(long, global = true, env = "ENROLLMENT_LOG_FORMAT", value_name = "FORMAT", value_parser = ["text", "json"])]
    pub(crate) log_format: Option<String>,
    /// A collector of traces, as http://HOST:PORT, which takes OTLP [default: none]
    #[arg(long, global = true, env = "ENROLLMENT_TRACING_ENDPOINT", value_name = "URL")]
    pub(crate) tracing_endpoint: Option<String>,
}

/// Options of every command that answers.
#[derive(Debug, Args)]
pub(crate) struct Form {
    /// Answer with the documents of the API, and fail with its problem documents
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// The administrator for whom this is done: the one an enrollee sees as whom to ask
    #[arg(long = "as", global = true, value_name = "USERNAME")]
    pub(crate) by: Option<Username>,
}
