//! The reference server: a complete service after one command.
//!
//! ```sh
//! cargo run --release --example server
//! ```

mod cli;
mod clock;
mod command;
mod config;
mod data;
mod face;
mod gateway;
mod http;
mod key_file;
mod keys;
mod log;
mod mail;
mod metrics;
mod owner;
mod serve;
mod traces;
mod workers;

use std::process::ExitCode;

use clap::Parser as _;

use command::Command;

/// What went wrong, for the person at the terminal: every cause in one line each.
pub(crate) type Error = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    let json = cli.form.json;
    let outcome = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Error::from)
        .and_then(|runtime| runtime.block_on(run(cli)));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if command::is_closed_pipe(&*error) => ExitCode::SUCCESS,
        Err(error) => {
            explain(&*error, json);
            command::exit_code(&*error)
        }
    }
}

async fn run(cli: cli::Cli) -> Result<(), Error> {
    let cli::Cli { options, form, command } = cli;
    let Some(command) = command::run_bare(command.unwrap_or(Command::Serve))? else { return Ok(()) };
    let config = config::Config::load(&options)?;
    match command {
        Command::Serve => serve::serve(config).await,
        command => command::run(config, form, command).await,
    }
}

#[allow(clippy::print_stderr, reason = "the terminal is where a command answers")]
fn explain(error: &(dyn std::error::Error + 'static), json: bool) {
    if json {
        eprintln!("{}", command::document(error));
        return;
    }
    eprintln!("error: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        eprintln!("  because: {error}");
        cause = error.source();
    }
}
