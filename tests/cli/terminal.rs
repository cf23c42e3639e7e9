//! A terminal at a data folder.

use std::path::Path;
use std::process::Output;

use serde_json::Value;
use tempfile::TempDir;

use crate::redact::redacted;
use crate::server::program;

/// A data folder, and commands on it.
pub(crate) struct Terminal {
    folder: TempDir,
}

impl Terminal {
    /// An empty folder.
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder") }
    }

    /// One with two people, of whom one is invited, and a network.
    pub(crate) fn furnished() -> Self {
        let terminal = Self::new();
        terminal.ok(&["user", "add", "anna", "--first-name", "Anna", "--last-name", "Kowalska", "--group", "staff"]);
        terminal.ok(&["user", "add", "berta", "--email", "berta@example.com", "--role", "help_desk", "--invite"]);
        terminal.ok(&OFFICE);
        terminal
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Runs a command, however it ends.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        program(self.path()).args(arguments).output().expect("the command runs")
    }

    /// What a command prints, which must succeed and say nothing else.
    pub(crate) fn ok(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let errors = String::from_utf8(output.stderr).expect("text");
        assert!(output.status.success() && errors.is_empty(), "{arguments:?}: {errors}");
        String::from_utf8(output.stdout).expect("text")
    }

    /// The same with what changes from run to run replaced.
    pub(crate) fn shown(&self, arguments: &[&str]) -> String {
        redacted(&self.ok(arguments), self.path())
    }

    /// The document a command answers with.
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let text = self.ok(&[arguments, &["--json"]].concat());
        serde_json::from_str(&text).expect("one JSON document")
    }

    /// The exit status of a command that must fail, with all it says.
    pub(crate) fn refused(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.run(arguments);
        assert!(output.stdout.is_empty(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stdout));
        let said = redacted(&String::from_utf8(output.stderr).expect("text"), self.path());
        (output.status.code().expect("it ended by itself"), said)
    }
}

const OFFICE: [&str; 11] = [
    "location",
    "add",
    "office",
    "--endpoint",
    "vpn.example.com:51820",
    "--pool",
    "10.1.0.0/16",
    "--public-key",
    "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=",
    "--mfa",
    "internal",
];
