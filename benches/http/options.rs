//! What is measured.

use std::path::PathBuf;

use clap::Parser;

use super::Error;

/// Load over HTTP on the reference server. Prints tables for docs/benchmarks.md.
#[derive(Debug, Parser)]
pub(crate) struct Options {
    /// The reference server [default: the one beside this program]
    #[arg(long)]
    server: Option<PathBuf>,
    /// The address of an empty PostgreSQL database; a SQLite file without one
    #[arg(long)]
    pub(crate) database: Option<String>,
    /// Begins at each number of requests in flight
    #[arg(long, default_value_t = 5_000)]
    pub(crate) begins: usize,
    /// Completions at each number of requests in flight
    #[arg(long, default_value_t = 500)]
    pub(crate) completions: usize,
    /// Devices in the end
    #[arg(long, default_value_t = 100_000)]
    pub(crate) devices: usize,
}

impl Options {
    /// Where the reference server lies.
    pub(crate) fn server(&self) -> Result<PathBuf, Error> {
        match &self.server {
            Some(server) => Ok(server.clone()),
            None => Ok(std::env::current_exe()?.with_file_name("server")),
        }
    }
}
