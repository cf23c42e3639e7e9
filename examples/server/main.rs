//! The reference server: a complete service after one command.
//!
//! ```sh
//! cargo run --release --example server
//! ```

mod cli;
mod clock;
mod commands;
mod config;
mod data;
mod face;
mod gateway;
mod http;
mod key_file;
mod keys;
mod log;
mod mail;
mod owner;
mod serve;
mod workers;

use std::process::ExitCode;

use clap::Parser as _;

/// What went wrong, for the person at the terminal: every cause in one line each.
pub(crate) type Error = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    let outcome = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Error::from)
        .and_then(|runtime| runtime.block_on(run(cli)));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            explain(&*error);
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: cli::Cli) -> Result<(), Error> {
    let config = config::Config::load(&cli.options)?;
    match cli.command.unwrap_or(cli::Command::Serve) {
        cli::Command::Serve => serve::serve(config).await,
        command => commands::run(config, command).await,
    }
}

#[allow(clippy::print_stderr, reason = "the terminal is where a command answers")]
fn explain(error: &(dyn std::error::Error + 'static)) {
    eprintln!("error: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        eprintln!("  because: {error}");
        cause = error.source();
    }
}
