//! The reference in `docs/guide` is what the code says.

use std::path::Path;

use crate::terminal::Terminal;

fn page(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guide").join(name);
    std::fs::read_to_string(path).unwrap_or_default()
}

#[test]
fn the_reference_of_commands_is_up_to_date() {
    let reference = Terminal::new().ok(&["reference", "commands"]);
    assert!(reference == page("commands.md"), "docs/guide/commands.md is stale: ./scripts/reference");
    for (at, line) in reference.lines().enumerate() {
        assert!(!line.ends_with("|  |") && line != ".", "line {}: nothing is said of it: {line}", at + 1);
    }
}

#[test]
fn the_reference_of_the_configuration_is_up_to_date() {
    let reference = Terminal::new().ok(&["reference", "configuration"]);
    assert!(reference == page("configuration.md"), "docs/guide/configuration.md is stale: ./scripts/reference");
    assert!(!reference.contains("` |  |"), "nothing is said of a key");
    assert!(reference.contains("| `public_url` | Where people reach the public face;"), "keys have their explanation");
}

#[test]
fn every_command_has_an_example() {
    let reference = Terminal::new().ok(&["reference", "commands"]);
    let sections: Vec<(&str, &str)> =
        reference.split("# server ").skip(1).map(|section| section.split_once('\n').expect("a title")).collect();
    assert!(sections.len() > 40, "{}", sections.len());
    for (title, section) in &sections {
        let is_group = sections.iter().any(|(other, _)| other.starts_with(&format!("{title} ")));
        assert_eq!(section.contains(&format!("```sh\nserver {title}")), !is_group, "{title}");
    }
}

#[test]
fn shells_can_complete_every_command() {
    let terminal = Terminal::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = terminal.ok(&["completions", shell]);
        for command in ["owner-link", "enrollment", "api-key", "completions"] {
            assert!(script.contains(command), "{shell}: {command}");
        }
    }
}

#[test]
fn help_names_the_options_and_an_example() {
    let terminal = Terminal::new();
    let help = terminal.ok(&["user", "add", "--help"]);
    for text in ["--first-name", "--invite", "Example: server user add anna"] {
        assert!(help.contains(text), "{help}");
    }
}
