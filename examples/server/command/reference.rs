//! The reference of commands and configuration in Markdown, made from what reads them: `docs/guide` holds the output, and
//! a test holds it to the code.

use std::fmt::Write as _;

use clap::{Arg, Command};

use crate::config::{self, Table};

const FROM_THE_CODE: &str = "<!-- Made from the code by `./scripts/reference`; a test compares them. -->\n";

/// Every command, with its arguments and an example.
pub(super) fn commands(mut root: Command) -> String {
    root.build();
    let mut text = format!("# Commands\n\n{FROM_THE_CODE}{COMMANDS}\n## Options of every command\n\n");
    arguments(&mut text, root.get_arguments().filter(|argument| argument.is_global_set()));
    for command in visible(&root) {
        section(&mut text, command, "server", 2);
    }
    text
}

const COMMANDS: &str = "
`server` is the reference server: `target/release/examples/server`, or `cargo run --release --example server --`.
Without a command it serves.

Commands work on the data folder and the database directly, beside a running server or without one. Whoever may read the
key ring may do everything. `--json` answers with the documents of the [API](api.md), and a refusal is its problem
document, on standard error.

| exit status | what it says |
|---|---|
| 0 | done |
| 1 | something is broken or not to be reached, or `audit verify` found the log altered; the message says which |
| 2 | the command line was not understood |
| 3 | a rule said no: the message ends with its stable code |
| 4 | there is no such user, location, enrollment … |
";

fn section(text: &mut String, command: &Command, parent: &str, level: usize) {
    let path = format!("{parent} {}", command.get_name());
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    // Writing to a String cannot fail, here and below.
    let _ = writeln!(text, "\n{} {path}\n\n{about}.", "#".repeat(level));
    let aliases: Vec<&str> = command.get_visible_aliases().collect();
    if !aliases.is_empty() {
        let _ = writeln!(text, "Also: `{}`.", aliases.join("`, `"));
    }
    let mut own =
        command.get_arguments().filter(|argument| !argument.is_global_set() && !is_built_in(argument)).peekable();
    if own.peek().is_some() {
        text.push('\n');
        arguments(text, own);
    }
    if let Some(example) = command.get_after_help().map(ToString::to_string) {
        let example = example.trim_start_matches("Example: ");
        let _ = writeln!(text, "\n```sh\n{example}\n```");
    }
    for command in visible(command) {
        section(text, command, &path, level + 1);
    }
}

fn visible(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|command| !command.is_hide_set() && command.get_name() != "help")
}

fn arguments<'a>(text: &mut String, arguments: impl Iterator<Item = &'a Arg>) {
    text.push_str("| argument | what |\n|---|---|\n");
    for argument in arguments.filter(|argument| !is_built_in(argument)) {
        let _ = writeln!(text, "| `{}` | {} |", name(argument), cell(&explanation(argument)));
    }
}

fn is_built_in(argument: &Arg) -> bool {
    matches!(argument.get_id().as_str(), "help" | "version")
}

fn name(argument: &Arg) -> String {
    let values = argument.get_value_names().unwrap_or_default().join(" ");
    match argument.get_long() {
        Some(long) if argument.get_action().takes_values() => format!("--{long} {values}"),
        Some(long) => format!("--{long}"),
        None if argument.is_required_set() => values,
        None => format!("[{values}]"),
    }
}

fn explanation(argument: &Arg) -> String {
    let mut text = argument.get_help().map(ToString::to_string).unwrap_or_default();
    let choices: Vec<String> =
        argument.get_possible_values().iter().map(|value| format!("`{}`", value.get_name())).collect();
    if argument.get_action().takes_values() && !choices.is_empty() {
        let _ = write!(text, ": {}", choices.join(", "));
    }
    let defaults: Vec<_> = argument.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
    if argument.get_action().takes_values() && !defaults.is_empty() {
        let _ = write!(text, " [default: {}]", defaults.join(", "));
    }
    if argument.is_required_set() && argument.get_long().is_some() {
        text.push_str(" (required)");
    }
    text
}

/// Every key of the configuration file.
pub(super) fn configuration() -> String {
    let mut text = format!("# Configuration\n\n{FROM_THE_CODE}{CONFIGURATION}");
    let mut root = <super::Cli as clap::CommandFactory>::command();
    root.build();
    for Table { name, about, schema } in config::tables() {
        let _ = match name {
            "" => writeln!(text, "\n## Keys\n"),
            name => writeln!(text, "\n## `[{name}]`\n\n{about}\n"),
        };
        text.push_str("| key | what | flag, environment |\n|---|---|---|\n");
        for (key, property) in schema["properties"].as_object().into_iter().flatten() {
            let path = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
            let about = property["description"].as_str().unwrap_or_default();
            let _ = writeln!(text, "| `{key}` | {} | {} |", cell(about), flag(&root, &path));
        }
    }
    text
}

const CONFIGURATION: &str = "
A flag beats the environment, the environment beats the file, the file beats the default. The file is TOML:
`server.toml` in the data folder, or the one that `--config` or `ENROLLMENT_CONFIG` names. Unknown keys are refused, so
that a typing mistake is seen. [Operations](../operations/README.md) says when to change what.
";

/// The flag that stands for a key, and its variable in the environment.
fn flag(root: &Command, key: &str) -> String {
    let id = match key {
        "log.level" => "log",
        "log.json" => "log_format",
        key => key,
    };
    let Some(argument) = root.get_arguments().find(|argument| argument.get_id() == id) else { return String::new() };
    let environment = argument.get_env().map(|name| format!(", `{}`", name.to_string_lossy())).unwrap_or_default();
    format!("`--{}`{environment}", argument.get_long().unwrap_or_default())
}

/// A text as a cell of a table.
fn cell(text: &str) -> String {
    text.replace('\n', " ").replace('|', "\\|")
}
