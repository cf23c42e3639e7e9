//! Structured logs without secrets.

use std::io::{IsTerminal as _, Stderr, stderr};

use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

use super::Error;
use super::config::Config;
use super::traces::Traces;

/// Our own crates. The level is theirs alone: libraries below may write down at `trace` what passes through them, and
/// through an HTTP server secrets pass.
const OURS: [&str; 5] = ["server", "enrollment_core", "enrollment_axum", "enrollment_sqlx", "enrollment_wireguard"];

/// In colour where people read along, and plain in files.
fn lines<S>() -> fmt::Layer<S, fmt::format::DefaultFields, fmt::format::Format, fn() -> Stderr> {
    let writer: fn() -> Stderr = stderr;
    fmt::layer().with_writer(writer).with_ansi(stderr().is_terminal())
}

/// Has a command say what broke, on standard error: its refusals are answers, which need no log.
pub(crate) fn start_for_a_command() -> Result<(), Error> {
    let registry = tracing_subscriber::registry().with(EnvFilter::new("error"));
    Ok(registry.with(lines()).try_init()?)
}

/// Starts logging to standard error, and traces where somebody collects them: they are to be stopped last.
pub(crate) fn start(config: &Config) -> Result<Option<Traces>, Error> {
    let level: tracing::Level =
        config.log.parse().map_err(|_| format!("log: {:?} is none of error, warn, info, debug, trace", config.log))?;
    let mut filter = EnvFilter::new("warn");
    for target in OURS {
        filter = filter.add_directive(format!("{target}={level}").parse()?);
    }
    let lines = lines();
    let lines = if config.log_json { lines.json().boxed() } else { lines.boxed() };
    let traces = config.collector.as_ref().map(Traces::start).transpose()?;
    let registry = tracing_subscriber::registry().with(lines.with_filter(filter));
    registry.with(traces.as_ref().map(Traces::layer)).try_init()?;
    Ok(traces)
}
